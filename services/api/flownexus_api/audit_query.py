"""Which entries of the audit are asked for, the newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Query
from sqlalchemy import Select, func, or_, select

from flownexus_api.paging import NO_NUL
from flownexus_api.periods import Moment
from flownexus_schemas.tables import AuditEntry

Text = Annotated[str | None, Query(max_length=1000, pattern=NO_NUL)]


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """What an entry must have; None for whatever it has."""

    actor: str | None = None
    api_token: str | None = None
    action: str | None = None
    target: str | None = None
    address: str | None = None
    start: datetime | None = None
    end: datetime | None = None

    def entries(self, limit: int, before: int | None = None) -> Select[Any]:
        """At most `limit` of them, before the one of this number."""
        query = select(AuditEntry.__table__).order_by(AuditEntry.id.desc()).limit(limit)
        for column, value in (
            (AuditEntry.actor, self.actor),
            (AuditEntry.api_token, self.api_token),
            (AuditEntry.target, self.target),
            (AuditEntry.source_address, self.address),
        ):
            if value is not None:
                query = query.where(column == value)
        if self.action is not None:
            group = func.starts_with(AuditEntry.action, f"{self.action}.")
            query = query.where(or_(AuditEntry.action == self.action, group))
        if self.start is not None:
            query = query.where(AuditEntry.time >= self.start)
        if self.end is not None:
            query = query.where(AuditEntry.time < self.end)
        if before is not None:
            query = query.where(AuditEntry.id < before)
        return query


def _asked(
    *,
    actor: Annotated[Text, Query(description="Only what this user did.")] = None,
    api_token: Annotated[Text, Query(description="Only what was done by the API token of this name.")] = None,
    action: Annotated[Text, Query(description="`login.failed`, or `login` for all that begin so.")] = None,
    target: Annotated[Text, Query(description="Only what was done to this: an endpoint, a user, a profile.")] = None,
    address: Annotated[Text, Query(description="Only what was done from this address.")] = None,
    start: Annotated[Moment | None, Query(alias="from", description="At this moment or later.")] = None,
    end: Annotated[Moment | None, Query(alias="to", description="Before this moment.")] = None,
) -> AuditQuery:
    return AuditQuery(actor, api_token, action, target, address, start, end)


Asked = Annotated[AuditQuery, Depends(_asked)]
