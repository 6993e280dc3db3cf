"""/healthz, /readyz and /metrics of a service that serves no other HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping

import structlog
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from flownexus_runtime.settings import ServiceSettings

log = structlog.get_logger(__name__)

Check = Callable[[], bool]
"""Whether one thing that the service needs is there. Cheap, does not block, does not raise."""


def readiness(checks: Mapping[str, Check]) -> JSONResponse:
    """200 if every check holds, else 503; the body says which: `{"ready": false, "checks": {"nats": false}}`."""
    results = {name: check() for name, check in checks.items()}
    ready = all(results.values())
    return JSONResponse({"ready": ready, "checks": results}, status_code=200 if ready else 503)


def health_routes(checks: Mapping[str, Check]) -> list[Route]:
    """The three routes, for any Starlette or FastAPI application."""

    async def healthz(_: Request) -> Response:
        return JSONResponse({"alive": True})

    async def readyz(_: Request) -> Response:
        return readiness(checks)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # The service's own main decides what a signal means.
        yield


@contextlib.asynccontextmanager
async def serving(settings: ServiceSettings, checks: Mapping[str, Check]) -> AsyncIterator[int]:
    """Serve the health routes while the block runs; gives the port. Raises OSError if the port is taken."""
    app = Starlette(routes=health_routes(checks))
    config = uvicorn.Config(
        app, settings.health_host, settings.health_port, log_config=None, access_log=False, lifespan="off"
    )
    # Not config.bind_socket(), which ends the process with exit code 1 where the port is taken.
    family = socket.AF_INET6 if ":" in settings.health_host else socket.AF_INET
    listener = socket.create_server((settings.health_host, settings.health_port), family=family)
    port: int = listener.getsockname()[1]
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    log.info("health.listening", host=settings.health_host, port=port)
    try:
        yield port
    finally:
        server.should_exit = True
        await task
