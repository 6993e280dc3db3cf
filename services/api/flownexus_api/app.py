"""The application: routes, errors, health."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from flownexus_api import errors
from flownexus_api.docs_page import docs_routes
from flownexus_api.endpoint_names import KeepEncodedSlashes
from flownexus_api.measured import Measured
from flownexus_api.openapi import document
from flownexus_api.parts import Parts
from flownexus_api.routers import (
    audit,
    auth,
    bootstrap_endpoints,
    bootstrap_profiles,
    credential_files,
    credentials,
    dead_letters,
    desired_profiles,
    desired_values,
    endpoints,
    events,
    firmware,
    firmware_downloads,
    firmware_updates,
    history,
    logs,
    me,
    models,
    objects,
    oidc,
    operation_batches,
    operations,
    profile_applications,
    profiles,
    requests,
    resources,
    rollout_changes,
    rollout_devices,
    rollouts,
    statistics,
    stream,
    tags,
    undecoded,
    users,
)
from flownexus_api.too_large import TooLargeAsProblem
from flownexus_runtime.health import Check, health_routes

PREFIX = "/api/v1"
MAX_BODY = 64 * 1024
"""Bytes of a request that we read."""

CORS: Any = {
    # Without credentials: the API takes no cookie, a script must have a token.
    "allow_methods": ["GET", "POST", "PUT", "PATCH", "DELETE"],
    "allow_headers": ["Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID"],
    "expose_headers": ["Retry-After", "Content-Disposition"],
    "max_age": 600,
}

ROUTERS: tuple[APIRouter, ...] = (
    auth.router,
    oidc.router,
    me.router,
    users.router,
    audit.router,
    endpoints.router,
    tags.router,
    objects.router,
    resources.router,
    history.router,
    requests.router,
    operations.router,
    operation_batches.router,
    firmware.router,
    firmware_updates.router,
    rollouts.router,
    rollout_changes.router,
    rollout_devices.router,
    profiles.router,
    profile_applications.router,
    credential_files.router,
    credentials.router,
    bootstrap_profiles.router,
    bootstrap_endpoints.router,
    desired_values.router,
    desired_profiles.router,
    models.router,
    undecoded.router,
    dead_letters.router,
    events.router,
    logs.router,
    statistics.router,
    stream.router,
)

DESCRIPTION = """Devices, what they sent and how they are.

Log in at `POST /api/v1/auth/token`, or make an API token, and send it as `Authorization: Bearer ...`. Lists answer
`{"items": [...], "next": cursor}`; errors are problem documents (RFC 9457). Times are ISO 8601 in UTC. Values are JSON
of their LwM2M type: opaque is base64 text, time is Unix seconds, numbers that JSON lacks are the texts `NaN`,
`Infinity` and `-Infinity`."""


class _Application(FastAPI):
    def build_middleware_stack(self) -> ASGIApp:
        # FastAPI bounds bodies outside of every middleware that can be added.
        return TooLargeAsProblem(super().build_middleware_stack())


def create_app(
    parts: Parts | None = None, checks: Mapping[str, Check] | None = None, *, cors_origins: Sequence[str] = ()
) -> FastAPI:
    """The application over its parts; without parts it can only say what it is (`openapi`).

    Scripts of pages from `cors_origins` may ask it; without any, those of no other page.
    """
    app = _Application(
        title="Flow Nexus",
        max_body_size=MAX_BODY,
        version=version("flownexus"),
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    app.state.parts = parts
    app.openapi = cache(lambda: document(app))  # type: ignore[method-assign]
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX)
    app.include_router(firmware_downloads.router)
    app.router.routes.extend([*docs_routes(app), *health_routes(checks or {})])
    errors.install(app)
    if cors_origins:
        app.add_middleware(CORSMiddleware, allow_origins=cors_origins, **CORS)
    app.add_middleware(Measured)
    app.add_middleware(KeepEncodedSlashes)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name
