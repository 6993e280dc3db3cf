"""The process: settings, parts, server, a clean stop."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import Iterator
from typing import NoReturn

import structlog
import uvicorn
from pydantic import ValidationError
from pydantic_settings.exceptions import SettingsError

from flownexus_api.app import create_app
from flownexus_api.bus import Bus
from flownexus_api.credential_expiry import expiry_warnings
from flownexus_api.database import create_engine
from flownexus_api.housekeeping import housekeeping
from flownexus_api.listener import listen
from flownexus_api.oidc import Provider
from flownexus_api.parts import Parts
from flownexus_api.readiness import DatabaseWatch
from flownexus_api.sessions import SessionTimes
from flownexus_api.settings import ApiSettings
from flownexus_runtime import logs
from flownexus_runtime.bus_tls import TlsFailed
from flownexus_runtime.live_models import LiveObjectModels
from flownexus_runtime.process import run, stop_signal
from flownexus_runtime.sealing import BOOTSTRAP, CREDENTIALS, Sealer
from flownexus_schemas import objects
from flownexus_schemas.lwm2m.errors import InvalidObjectModel

log = structlog.get_logger(__name__)

MISCONFIGURED = 2
GRACE_S = 3
"""Seconds that answers under way get at a stop."""


def main() -> None:
    """Run until SIGTERM or SIGINT. A misconfiguration is one line on stderr and exit code 2."""
    try:
        settings = ApiSettings()
        logs.configure("api", settings.log_level, settings.log_format)
        models = LiveObjectModels(objects.load(settings.object_model_folders))
    except ValidationError as error:
        _misconfigured("; ".join(_setting(found["loc"], found["msg"]) for found in error.errors()))
    except SettingsError as error:
        _misconfigured(f'FLOWNEXUS_{field_of(error)}: a list is written as JSON, e.g. ["one", "another"]')
    except InvalidObjectModel as error:
        _misconfigured(f"FLOWNEXUS_OBJECT_MODEL_FOLDERS: {error}")
    parts = Parts(
        engine=create_engine(settings.database_url.get_secret_value()),
        bus=Bus(models.apply),
        models=models,
        sealer=Sealer(key, CREDENTIALS) if (key := settings.credentials_key) is not None else None,
        bootstrap_sealer=Sealer(key, BOOTSTRAP) if (key := settings.credentials_key) is not None else None,
        provider=Provider(provider) if (provider := settings.provider()) is not None else None,
        session_times=SessionTimes(settings.token_lifetime_s, settings.session_lifetime_s),
        max_firmware_bytes=settings.max_firmware_bytes,
        image_signatures=settings.image_signatures,
    )
    try:
        run(serve(settings, parts))
    except TlsFailed as error:
        _misconfigured(str(error))


async def serve(settings: ApiSettings, parts: Parts) -> None:
    """Serve until a signal, then let answers under way end. Raises TlsFailed."""
    stop = stop_signal()
    database = DatabaseWatch(parts.engine)
    checks = {"database": database.is_ready, "nats": lambda: parts.bus.is_connected}
    app = create_app(parts, checks, cors_origins=settings.cors_origins)
    config = uvicorn.Config(
        app,
        settings.api_host,
        settings.api_port,
        log_config=None,
        access_log=False,
        lifespan="off",
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=[str(network) for network in settings.trusted_proxies],
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    try:
        listener = listen(settings.api_host, settings.api_port)
    except OSError as error:
        _misconfigured(f"cannot listen on {settings.api_host} port {settings.api_port}: {error.strerror}")
    server = _Server(config)
    try:
        async with (
            parts.bus.connecting(settings, stop),
            database.watching(),
            parts.last_uses.writing(parts.engine),
            housekeeping(parts.engine),
            expiry_warnings(parts.bus),
        ):
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            log.info("api.listening", host=settings.api_host, port=listener.getsockname()[1])
            await stop.wait()
            parts.stopping.set()
            server.should_exit = True
            await serving
    finally:
        await parts.engine.dispose()
    log.info("api.stopped")


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # `serve` decides what a signal means.
        yield


def field_of(error: SettingsError) -> str:
    """The field that could not be read, which the error has in its words alone."""
    quoted = re.search(r'field "(\w+)"', str(error))
    return quoted[1].upper() if quoted else "..."


def _setting(location: tuple[int | str, ...], message: str) -> str:
    return f"FLOWNEXUS_{'.'.join(map(str, location)).upper()}: {message}"


def _misconfigured(reason: str) -> NoReturn:
    print(f"flownexus-api: {reason}", file=sys.stderr)  # noqa: T201 - for a person, before there is a log
    raise SystemExit(MISCONFIGURED)
