"""What devices prove who they are with: for administrators."""

from __future__ import annotations

import heapq
import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Request

from flownexus_api import credential_decisions as decisions
from flownexus_api.access import CredentialsAdministrator
from flownexus_api.audit import written_down
from flownexus_api.credential_query import Asked, place
from flownexus_api.credential_requests import NewCredential, Rotation
from flownexus_api.credential_views import (
    Credential,
    Credentials,
    MadeCredential,
    RotatedCredential,
    credential,
    made_credential,
    said_of,
)
from flownexus_api.documented import answers
from flownexus_api.paging import cursor_of, keys_of, page_of
from flownexus_api.parts import PartsDep
from flownexus_runtime.live_credentials import LiveCredentials

router = APIRouter(prefix="/credentials", tags=["credentials"])

ORDER = "+credential"

CredentialId = Annotated[
    str, Path(alias="credential", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", description="As the list has it.")
]


@router.get("", responses=answers(401, 403, 422, 503))
async def list_credentials(
    *,
    _: CredentialsAdministrator,
    parts: PartsDep,
    asked: Asked,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
) -> Credentials:
    """Credentials of devices, by endpoint; no keys are shown. For administrators, as are all routes here."""
    live, now = await parts.bus.credentials(), time.time()
    after = tuple(map(str, keys_of(cursor, ORDER, (str, str)))) if cursor else ()
    following = (one for one in asked.met(live, now) if place(one) > after)
    rows, more = page_of(heapq.nsmallest(limit + 1, following, key=place), limit)
    items = [credential(one, now) for one in rows]
    return Credentials(items=items, next=cursor_of(ORDER, *place(rows[-1])) if more else None)


@router.post("", status_code=HTTPStatus.CREATED, responses=answers(401, 403, 409, 422, 503))
async def create_credential(
    *, who: CredentialsAdministrator, parts: PartsDep, asked: Annotated[NewCredential, Body()], http: Request
) -> MadeCredential:
    """Make a credential, in force at once at every gateway. A key that is made here is shown in this answer alone."""
    now = time.time()
    made = decisions.make(asked, parts.sealer, now)

    def decide(live: LiveCredentials) -> Sequence[decisions.Change]:
        return decisions.add(live, [made.credential], now)

    decide(await parts.bus.credentials())
    kept = made.credential
    async with written_down(parts, who, "credential.created", kept.endpoint, http, details=said_of(kept)):
        await parts.bus.change_credentials(decide)
    return made_credential(kept, made.key, now)


@router.get("/{credential}", responses=answers(401, 403, 404, 422, 503))
async def get_credential(_: CredentialsAdministrator, parts: PartsDep, credential_id: CredentialId) -> Credential:
    """One credential, without its key."""
    return credential(decisions.find(await parts.bus.credentials(), credential_id), time.time())


@router.post("/{credential}/rotate", responses=answers(401, 403, 404, 409, 422, 503))
async def rotate_credential(
    *,
    who: CredentialsAdministrator,
    parts: PartsDep,
    credential_id: CredentialId,
    asked: Annotated[Rotation, Body()],
    http: Request,
) -> RotatedCredential:
    """Make the next credential of a device. Both count until the time given, or until the device used the next one,
    whichever is first; then the former is expired.
    """
    now = time.time()
    made = decisions.next_of(await parts.bus.credentials(), credential_id, asked, parts.sealer, now)

    def decide(live: LiveCredentials) -> Sequence[decisions.Change]:
        return decisions.rotate(live, credential_id, made.credential, asked, now)

    decide(await parts.bus.credentials())
    kept = made.credential
    details = {
        **said_of(kept),
        "former": credential_id,
        **asked.model_dump(mode="json", include={"until", "until_used"}),
    }
    async with written_down(parts, who, "credential.rotated", kept.endpoint, http, details=details):
        await parts.bus.change_credentials(decide)
    former = decisions.find(await parts.bus.credentials(), credential_id)
    return RotatedCredential(made=made_credential(kept, made.key, now), former=credential(former, now))


@router.post("/{credential}/revoke", responses=answers(401, 403, 404, 422, 503))
async def revoke_credential(
    who: CredentialsAdministrator, parts: PartsDep, credential_id: CredentialId, http: Request
) -> Credential:
    """Take a credential out of force at once, also for sessions that are there. It stays in the list."""
    now = time.time()
    known = decisions.find(await parts.bus.credentials(), credential_id)
    async with written_down(parts, who, "credential.revoked", known.endpoint, http, details=said_of(known)):
        await parts.bus.change_credentials(lambda live: decisions.revoke(live, credential_id, now))
    return credential(decisions.find(await parts.bus.credentials(), credential_id), now)


@router.delete("/{credential}", responses=answers(401, 403, 404, 409, 422, 503))
async def delete_credential(
    who: CredentialsAdministrator, parts: PartsDep, credential_id: CredentialId, http: Request
) -> Credential:
    """Forget a credential that is revoked or expired: what it was. A name without any is free for plain CoAP, where
    that is open.
    """
    now = time.time()
    known = decisions.find(await parts.bus.credentials(), credential_id)
    decisions.forget(await parts.bus.credentials(), credential_id, now)
    async with written_down(parts, who, "credential.deleted", known.endpoint, http, details=said_of(known)):
        await parts.bus.change_credentials(lambda live: decisions.forget(live, credential_id, now))
    return credential(known, now)
