"""Sessions, API tokens, counted wrong passwords; users of an identity provider, and accounts without a password."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NOW = sa.text("now()")


def upgrade() -> None:
    op.alter_column("app_user", "password_hash", existing_type=sa.Text(), nullable=True)
    op.add_column("app_user", sa.Column("must_change_password", sa.Boolean(), server_default="false", nullable=False))
    op.add_column("app_user", sa.Column("issuer", sa.Text(), nullable=True))
    op.add_column("app_user", sa.Column("subject", sa.Text(), nullable=True))
    op.create_unique_constraint("uq_app_user_issuer_subject", "app_user", ["issuer", "subject"])
    op.add_column("audit_entry", sa.Column("api_token", sa.Text(), nullable=True))
    op.create_table(
        "app_session",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        _user_id("app_session"),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.Column("renewed_at", TIME, server_default=NOW, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("ends_at", TIME, nullable=False),
        sa.Column("source_address", sa.Text(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_app_session"),
        sa.UniqueConstraint("token_hash", name="uq_app_session_token_hash"),
    )
    op.create_index("ix_app_session_user_id", "app_session", ["user_id"])
    op.create_index("ix_app_session_expires_at", "app_session", ["expires_at"])
    op.create_table(
        "api_token",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        _user_id("api_token"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("last_used_at", TIME, nullable=True),
        sa.Column("last_used_from", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_token"),
        sa.UniqueConstraint("token_hash", name="uq_api_token_token_hash"),
        sa.UniqueConstraint("user_id", "name", name="uq_api_token_user_id_name"),
    )
    op.create_table(
        "login_failure",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("last_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", name="pk_login_failure"),
    )
    op.create_index("ix_login_failure_last_at", "login_failure", ["last_at"])
    op.create_table(
        "known_network",
        _user_id("known_network"),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("last_login_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "network", name="pk_known_network"),
    )


def downgrade() -> None:
    for table in ("known_network", "login_failure", "api_token", "app_session"):
        op.drop_table(table)
    op.drop_column("audit_entry", "api_token")
    op.drop_constraint("uq_app_user_issuer_subject", "app_user")
    for column in ("subject", "issuer", "must_change_password"):
        op.drop_column("app_user", column)
    op.execute("delete from app_user where password_hash is null")
    op.alter_column("app_user", "password_hash", existing_type=sa.Text(), nullable=False)


def _user_id(table: str) -> sa.Column[int]:
    key = sa.ForeignKey("app_user.id", name=f"fk_{table}_user_id", ondelete="CASCADE")
    return sa.Column("user_id", sa.BigInteger(), key, nullable=False)
