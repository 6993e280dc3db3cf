"""Who logged in, and who changed what: for administrators."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from flownexus_api.access import Administrator, BriefAdministrator
from flownexus_api.account_examples import AUDIT_CSV, AUDIT_LINE
from flownexus_api.audit import write_down
from flownexus_api.audit_export import MEDIA_TYPES, ExportFormat, exported
from flownexus_api.audit_query import Asked
from flownexus_api.documented import answers
from flownexus_api.paging import Page, cursor_of, keys_of, page_of
from flownexus_api.parts import Database, PartsDep

router = APIRouter(prefix="/audit", tags=["audit"])

EXPORTED: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "text/csv": {"schema": {"type": "string"}, "example": AUDIT_CSV},
            "application/x-ndjson": {"schema": {"type": "string"}, "example": AUDIT_LINE},
        }
    }
}


class AuditEntry(BaseModel):
    """One login or change."""

    id: int
    time: datetime
    actor: str = Field(description="A user; `installation`: somebody with the database's own password.")
    api_token: str | None = Field(description="The name of the API token that was used.")
    action: str
    target: str | None
    source_address: str | None
    details: dict[str, Any] | None


class Audit(Page[AuditEntry]):
    """A page of the audit, the newest first."""


@router.get("", responses=answers(401, 403, 422, 503))
async def list_audit(
    *,
    _: Administrator,
    database: Database,
    asked: Asked,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
) -> Audit:
    """Logins and changes, the newest first. For administrators."""
    before = keys_of(cursor, "-audit", (int,))[0] if cursor else None
    query = asked.entries(limit + 1, before if isinstance(before, int) else None)
    rows, more = page_of((await database.execute(query)).all(), limit)
    items = [AuditEntry.model_validate(row, from_attributes=True) for row in rows]
    return Audit(items=items, next=cursor_of("-audit", rows[-1].id) if more else None)


@router.get("/export", response_class=StreamingResponse, responses=answers(401, 403, 422, 503) | EXPORTED)
async def export_audit(
    *,
    who: BriefAdministrator,
    parts: PartsDep,
    asked: Asked,
    http: Request,
    format_: Annotated[ExportFormat, Query(alias="format")] = ExportFormat.CSV,
) -> StreamingResponse:
    """All that is asked for as one file, the newest first. For administrators."""
    await write_down(parts, who, "audit.exported", None, http, details={"format": format_})
    headers = {"Content-Disposition": f'attachment; filename="audit.{format_}"'}
    content = exported(parts.engine, asked, format_)
    return StreamingResponse(content, headers=headers, media_type=MEDIA_TYPES[format_])
