"""What endpoints are given at a bootstrap, how their bootstraps went, and having them bootstrap anew."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request
from sqlalchemy import select, text, tuple_

from flownexus_api.access import BriefOperator, BriefViewer, CredentialsAdministrator, Viewer
from flownexus_api.audit import written_down
from flownexus_api.bootstrap_requests import BootstrapGiven, configuration
from flownexus_api.bootstrap_views import (
    BootstrapSteps,
    ConfiguredEndpoints,
    EndpointBootstrap,
    shown,
    step,
)
from flownexus_api.documented import answers
from flownexus_api.endpoint_names import EndpointName, unknown_endpoint
from flownexus_api.kv_documents import Documents, IfMatch, Stored, revision_of
from flownexus_api.operation_requests import IdempotencyKey, OperationRequest
from flownexus_api.operation_views import EndpointOperation
from flownexus_api.paging import NO_NUL, cursor_of, keys_of, page_of
from flownexus_api.parts import Database, Parts, PartsDep
from flownexus_api.routers.bootstrap_profiles import PROFILES
from flownexus_api.routers.operations import request_operation
from flownexus_schemas import subjects
from flownexus_schemas.bootstrap.configuration import SERVER, BootstrapConfiguration, choose
from flownexus_schemas.errors import NotFound
from flownexus_schemas.events import BootstrapState
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.subjects import Bucket
from flownexus_schemas.tables import BootstrapStep as Kept

router = APIRouter(prefix="/bootstrap", tags=["bootstrap"])

OWN = Documents(Bucket.BOOTSTRAP_CONFIGURATIONS, BootstrapConfiguration, "bootstrap configuration")
KEY = (Kept.time, Kept.stream_sequence)
LISTED = "select object_links from endpoint where name = :name"

REQUEST_TRIGGER = 9
"""Of object 1: Bootstrap-Request Trigger. LwM2M Core 1.1.1, E.2."""


@router.get("/endpoints", responses=answers(401, 409, 422, 503))
async def list_bootstrap_endpoints(
    *,
    _: BriefViewer,
    parts: PartsDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
) -> ConfiguredEndpoints:
    """The endpoints that something is declared for itself; others are given what a profile says."""
    after = keys_of(cursor, "+bootstrap", (str,))[0] if cursor else ""
    keys, more = page_of([key for key in await OWN.keys(parts.bus) if key > str(after)][: limit + 1], limit)
    found = [await OWN.load(parts.bus, key) for key in keys]
    items = [_own(subjects.endpoint_of_key(key), one) for key, one in zip(keys, found, strict=True) if one is not None]
    return ConfiguredEndpoints(items=items, next=cursor_of("+bootstrap", keys[-1]) if more else None)


@router.get("/endpoints/{endpoint}", responses=answers(401, 409, 422, 503))
async def get_endpoint_bootstrap(_: BriefViewer, parts: PartsDep, name: EndpointName) -> EndpointBootstrap:
    """What an endpoint is given at a bootstrap, and by what; it need not have registered yet."""
    stored = await OWN.load(parts.bus, subjects.endpoint_key(name))
    return await _by_profile(parts, name) if stored is None else _own(name, stored)


@router.put("/endpoints/{endpoint}", responses=answers(401, 403, 409, 422, 503))
async def put_endpoint_bootstrap(
    *,
    who: CredentialsAdministrator,
    parts: PartsDep,
    name: EndpointName,
    given: Annotated[BootstrapGiven, Body()],
    http: Request,
    if_match: IfMatch = None,
) -> EndpointBootstrap:
    """Say what an endpoint is given at its next bootstrap, whatever profiles say. For administrators.

    Keys are kept sealed and never shown again. They are written over DTLS alone.
    """
    key, last = subjects.endpoint_key(name), revision_of(if_match)
    former = await OWN.load(parts.bus, key)
    kept = configuration(given, name, None if former is None else former.document, parts.bootstrap_sealer, parts.models)
    details = {"servers": [server.uri for server in kept.servers]}
    async with written_down(parts, who, "bootstrap.changed", name, http, details=details):
        return _own(name, Stored(kept, await OWN.store(parts.bus, key, kept, last)))


@router.delete("/endpoints/{endpoint}", responses=answers(401, 403, 404, 409, 422, 503))
async def delete_endpoint_bootstrap(
    who: CredentialsAdministrator, parts: PartsDep, name: EndpointName, http: Request, if_match: IfMatch = None
) -> EndpointBootstrap:
    """Declare nothing for an endpoint itself any more: what it is given from now on. For administrators."""
    key, last = subjects.endpoint_key(name), revision_of(if_match)
    if await OWN.load(parts.bus, key) is None:
        raise NotFound(f"Nothing is declared for {name!r} itself.")
    async with written_down(parts, who, "bootstrap.removed", name, http):
        await OWN.remove(parts.bus, key, last)
    return await _by_profile(parts, name)


@router.post(
    "/endpoints/{endpoint}/trigger",
    status_code=HTTPStatus.ACCEPTED,
    responses=answers(401, 403, 404, 422, 503),
)
async def trigger_bootstrap(
    *,
    who: BriefOperator,
    parts: PartsDep,
    name: EndpointName,
    http: Request,
    idempotency_key: IdempotencyKey = None,
) -> EndpointOperation:
    """Have a device bootstrap anew: an operation that executes Bootstrap-Request Trigger (`1/.../9`, since LwM2M 1.1).

    With it keys that were issued are rotated: it is given another one, and the one before ends once that is used.
    For operators.
    """
    path = f"{SERVER}/{await _server_instance(parts, name)}/{REQUEST_TRIGGER}"
    asked = OperationRequest(operation="execute", path=path)
    return await request_operation(
        who=who, parts=parts, name=name, asked=asked, http=http, idempotency_key=idempotency_key
    )


@router.get("/steps", responses=answers(401, 422, 503))
async def list_bootstrap_steps(
    *,
    _: Viewer,
    database: Database,
    endpoint: Annotated[str | None, Query(max_length=255, pattern=NO_NUL, description="Only this endpoint.")] = None,
    state: Annotated[list[BootstrapState] | None, Query(description="Only these; repeat it for several.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
) -> BootstrapSteps:
    """What happened at bootstraps, the newest first."""
    query = select(*Kept.__table__.columns).order_by(*(column.desc() for column in KEY)).limit(limit + 1)
    if endpoint is not None:
        query = query.where(Kept.endpoint == endpoint)
    if state:
        query = query.where(Kept.state.in_([one.value for one in state]))
    if cursor:
        query = query.where(tuple_(*KEY) < tuple_(*keys_of(cursor, "-bootstrap", (datetime, int))))
    rows, more = page_of((await database.execute(query)).all(), limit)
    items = [step(row) for row in rows]
    following = cursor_of("-bootstrap", items[-1].time, int(items[-1].id)) if more else None
    return BootstrapSteps(items=items, next=following)


async def _by_profile(parts: Parts, name: str) -> EndpointBootstrap:
    """What an endpoint is given that nothing is declared for."""
    profiles = {}
    for key in await PROFILES.keys(parts.bus):
        stored = await PROFILES.load(parts.bus, key)
        if stored is not None:
            profiles[key] = stored.document
    chosen = choose({}, profiles, name, parts.bus.loaded_tags().of(name))
    given = None if chosen is None else shown(chosen.configuration)
    by = None if chosen is None else chosen.profile
    return EndpointBootstrap(endpoint=name, profile=by, revision=None, configuration=given)


def _own(name: str, stored: Stored[BootstrapConfiguration]) -> EndpointBootstrap:
    given = shown(stored.document)
    return EndpointBootstrap(endpoint=name, profile=None, revision=stored.revision, configuration=given)


async def _server_instance(parts: Parts, name: str) -> int:
    """The first that the device lists of object 1; 0 where it lists none. Raises NotFound."""
    found: Any = None
    if "\0" not in name:
        async with parts.engine.begin() as connection:
            found = (await connection.execute(text(LISTED), {"name": name})).one_or_none()
    if found is None:
        raise unknown_endpoint(name)
    listed = (Path.parse(link) for link in found.object_links or ())
    return min((path.ids[1] for path in listed if path.depth == 2 and path.object_id == SERVER), default=0)
