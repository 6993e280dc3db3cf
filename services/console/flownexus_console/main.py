"""The console's process: settings in, pages out, a clean stop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Iterator
from typing import NoReturn

import structlog
import uvicorn
from pydantic import ValidationError
from pydantic_settings.exceptions import SettingsError

from flownexus_console.account_client import AccountClient
from flownexus_console.api_client import connected
from flownexus_console.application import build
from flownexus_console.frame import Console
from flownexus_console.session import Sessions
from flownexus_console.settings import ConsoleSettings
from flownexus_console.work_client import WorkClient
from flownexus_runtime import logs, process

log = structlog.get_logger(__name__)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # serve() below decides what a signal means.
        yield


def listen(settings: ConsoleSettings) -> socket.socket:
    """The socket of the web page. Raises OSError if the address is taken or not ours."""
    host, port = settings.console_host, settings.console_port
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


async def serve(settings: ConsoleSettings, listener: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM."""
    stop = process.stop_signal()
    async with connected(str(settings.api_url)) as api:
        console = Console(api, AccountClient(api), Sessions(), WorkClient(api))
        app = build(settings, console, {"console": lambda: not stop.is_set()})
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
            server_header=False,
            lifespan="on",
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=[str(network) for network in settings.trusted_proxies],
        )
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        log.info("console.listening", host=settings.console_host, port=listener.getsockname()[1])
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        server.should_exit = True
        await task
    log.info("console.stopped")


def main() -> None:
    """Run the console. Exit code 2 and one line on standard error for a setting that cannot work."""
    try:
        settings = ConsoleSettings()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        _misconfigured(f"FLOWNEXUS_{str(first['loc'][0]).upper()}: {first['msg'].removeprefix('Value error, ')}")
    except SettingsError:
        _misconfigured('FLOWNEXUS_TRUSTED_PROXIES: a list is written as JSON, e.g. ["10.0.0.0/8"]')
    logs.configure("console", settings.log_level, settings.log_format)
    try:
        listener = listen(settings)
    except OSError as error:
        _misconfigured(f"cannot listen on {settings.console_host} port {settings.console_port}: {error.strerror}")
    process.run(serve(settings, listener))


def _misconfigured(reason: str) -> NoReturn:
    sys.stderr.write(f"flownexus_console: {reason}\n")
    sys.exit(2)
