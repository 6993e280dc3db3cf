"""Many credentials of devices at once: as CSV, or all of them under another key. For administrators."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from flownexus_api import credential_csv
from flownexus_api.access import CredentialsAdministrator
from flownexus_api.audit import each_written_down, write_down, written_down
from flownexus_api.credential_bucket import MAX_CHANGES
from flownexus_api.credential_decisions import Change, required, reseal, stale
from flownexus_api.credential_examples import EXPORTED_CSV, IMPORTED_CSV
from flownexus_api.credential_query import Asked
from flownexus_api.credential_views import MadeCredential, made_credential, said_of
from flownexus_api.documented import answers
from flownexus_api.parts import PartsDep
from flownexus_runtime.live_credentials import LiveCredentials

router = APIRouter(prefix="/credentials", tags=["credentials"])

CSV: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"text/csv": {"schema": {"type": "string"}, "example": IMPORTED_CSV}},
    }
}
EXPORTED: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}, "example": EXPORTED_CSV}}}
}


class ResealedCredentials(BaseModel):
    """How far it is."""

    resealed: int = Field(description="Keys that are sealed anew by this request.")
    left: int = Field(description="Those that are still under a former key: ask again.")


class ImportedCredentials(BaseModel):
    """What went in: all lines of the file."""

    imported: int = Field(description="How many credentials there are by it; with `dry_run`, would be.")
    dry_run: bool
    items: list[MadeCredential] = Field(description="With the keys that were made here. Empty with `dry_run`.")


@router.post(
    "/import",
    responses=answers(401, 403, 413, 422, 503),
    openapi_extra=CSV,
    max_body_size=credential_csv.MAX_BYTES,
)
async def import_credentials(
    *,
    who: CredentialsAdministrator,
    parts: PartsDep,
    http: Request,
    dry_run: Annotated[bool, Query(description="Say what would be wrong, and change nothing.")] = False,
) -> ImportedCredentials:
    """Make credentials of the lines of a CSV file: all of them, or none and what is wrong with each line.

    Columns: `endpoint`, `type`, and of `identity`, `key`, `subject`, `not_before`, `expires_at` what is needed; an
    empty cell is as a field that is left out. At most 1,000 lines.
    """
    lines = credential_csv.read(await http.body())
    now = time.time()
    made = credential_csv.made_of(lines, parts.sealer, now)

    def decide(live: LiveCredentials) -> Sequence[Change]:
        return credential_csv.added(live, made, now)

    decide(await parts.bus.credentials())
    if not dry_run:
        each = [(new.endpoint, {**said_of(new), "imported": True}) for _, (new, _) in made]
        async with each_written_down(parts, who, "credential.created", http, each):
            await parts.bus.change_credentials(decide)
    items = [] if dry_run else [made_credential(new, key, now) for _, (new, key) in made]
    return ImportedCredentials(imported=len(made), dry_run=dry_run, items=items)


@router.get("/export", response_class=StreamingResponse, responses=answers(401, 403, 422, 503) | EXPORTED)
async def export_credentials(
    *, who: CredentialsAdministrator, parts: PartsDep, asked: Asked, http: Request
) -> StreamingResponse:
    """Credentials as a CSV file, by endpoint, without their keys."""
    now = time.time()
    found = list(asked.met(await parts.bus.credentials(), now))
    await write_down(parts, who, "credentials.exported", None, http, details={"number": len(found)})
    headers = {"Content-Disposition": 'attachment; filename="credentials.csv"'}
    content = credential_csv.written(found, now)
    return StreamingResponse(content, headers=headers, media_type="text/csv; charset=utf-8")


@router.post("/reseal", responses=answers(401, 403, 409, 422, 503))
async def reseal_credentials(who: CredentialsAdministrator, parts: PartsDep, http: Request) -> ResealedCredentials:
    """Seal keys under the first FLOWNEXUS_CREDENTIALS_KEY, a thousand at a time, so that the ones behind it can go."""
    sealer, live = required(parts.sealer), await parts.bus.credentials()
    before = len(stale(live, sealer))
    if before:
        async with written_down(parts, who, "credentials.resealed", None, http, details={"number": before}):
            await parts.bus.change_credentials(lambda now: reseal(now, sealer, MAX_CHANGES))
    left = len(stale(live, sealer))
    return ResealedCredentials(resealed=before - left, left=left)
