"""Who the services are in a test: users of NATS, and roles of PostgreSQL, which all databases of a server share."""

from __future__ import annotations

import secrets

from flownexus_schemas.bus_users import BusUser
from flownexus_schemas.database_role import DatabaseRole
from flownexus_schemas.tables.upgrade import url_of_role

BUS_USERS = {
    "flownexus_gateway": BusUser.GATEWAY,
    "flownexus_ingest": BusUser.INGEST,
    "flownexus_api": BusUser.API,
    "flownexus_operations": BusUser.OPERATIONS,
}
ROLES = {"flownexus_ingest": DatabaseRole.INGEST, "flownexus_api": DatabaseRole.API}

ROLE_PASSWORDS = {role: secrets.token_urlsafe(16) for role in DatabaseRole}


def nats_passwords() -> dict[BusUser, str]:
    """New ones, for the users of one server."""
    return {user: secrets.token_urlsafe(16) for user in BusUser}


def as_role(database_url: str, role: DatabaseRole) -> str:
    """The same database, for a role."""
    return url_of_role(database_url, role, ROLE_PASSWORDS[role])
