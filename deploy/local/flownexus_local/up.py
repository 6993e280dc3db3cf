"""`flownexus up`: the whole system in the foreground, from its start to Ctrl-C."""

from __future__ import annotations

import asyncio
import resource
import signal
import time
from contextlib import suppress

from rich.console import Console
from rich.markup import escape

from flownexus_local import outer_ports, run_notes
from flownexus_local.connection import Connection
from flownexus_local.errors import CannotRun
from flownexus_local.instance import Instance
from flownexus_local.services import is_everywhere, reachable
from flownexus_local.settings import StackSettings
from flownexus_local.stack import Stack
from flownexus_local.supervisor import Happened

KILLED_BY_USER = 130
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class Up:
    """One run of the system. Its messages go to `console`."""

    def __init__(self, settings: StackSettings, console: Console) -> None:
        self._settings, self._console = settings, console
        self._signals = 0
        self._stop = asyncio.Event()

    async def run(self) -> int:
        """Start, stay until a signal comes, stop; the exit code. Raises CannotRun after having stopped again."""
        instance = Instance(self._settings.folder)
        with instance.locked():
            for name in run_notes.end_leftovers(instance.runs):
                self._say(f"ended {name}, left over from a run that was killed")
            outer_ports.check(self._settings)
            allow_many_open_files()
            stack = Stack(instance, self._settings, self._happened, self._ready)
            self._listen(stack)
            self._say(f"Starting Flow Nexus in {instance.folder}")
            try:
                if await self._started(stack, instance):
                    await self._stop.wait()
            finally:
                began = time.monotonic()
                self._say("Stopping (Ctrl-C again ends it at once)")
                await stack.stop()
                self._say(f"Stopped after {time.monotonic() - began:.1f} s. The data stays in {instance.folder}")
        return KILLED_BY_USER if self._signals > 1 else 0

    async def _started(self, stack: Stack, instance: Instance) -> bool:
        began = time.monotonic()
        starting, stopping = asyncio.create_task(stack.start()), asyncio.create_task(self._stop.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not starting.done():
            starting.cancel()
            with suppress(asyncio.CancelledError, CannotRun):
                await starting
            return False
        self._say_where(starting.result(), stack.new_admin_password, instance, time.monotonic() - began)
        return True

    def _listen(self, stack: Stack) -> None:
        def received() -> None:
            self._signals += 1
            self._stop.set()
            if self._signals > 1:
                stack.kill()

        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, received)
        loop.add_signal_handler(signal.SIGTERM, received)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup leaves it
            loop.add_signal_handler(signal.SIGHUP, received)

    def _ready(self, name: str, seconds: float) -> None:
        self._console.print(f"  [green]✓[/] {name:<12} [dim]{seconds:.1f} s[/]")

    def _happened(self, name: str, what: Happened, detail: str) -> None:
        colour = {Happened.STARTED: "green", Happened.ENDED: "yellow", Happened.KILLED: "red"}[what]
        self._console.print(f"[dim]{time.strftime('%H:%M:%S')}[/] [{colour}]{name}[/] {what}: {escape(detail)}")

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _say_where(self, connection: Connection, new_password: str | None, instance: Instance, seconds: float) -> None:
        settings = self._settings
        host = "<this machine>" if is_everywhere(settings.coap_host) else reachable(settings.coap_host)
        plain = f"coap://{host}:{settings.coap_port} (UDP, no encryption)"
        if settings.plain_coap != "open":
            plain += f", {settings.plain_coap}"
        secure = f"coaps://{host}:{settings.coaps_port} (DTLS, for devices with credentials)"
        bootstrap = f"coaps://{host}:{settings.bootstrap_coaps_port}, coap://{host}:{settings.bootstrap_coap_port}"
        if settings.coap_host in LOOPBACK:
            secure += "; --coap-host :: takes devices from the network"
        lines = [
            ("Console", connection.console_url),
            ("API", f"{connection.api_url}/docs"),
            (
                "Log in as",
                f"{connection.admin_user}, password {new_password}" if new_password else connection.admin_user,
            ),
            ("Devices", plain),
            ("", secure),
            ("Bootstrap", bootstrap),
            ("Logs", str(instance.logs)),
            ("Addresses", f"and passwords for programs: {instance.folder / 'connection.json'}"),
        ]
        if settings.devices:
            lines.insert(
                6, ("Simulated", f"{settings.devices} devices, a value every {settings.device_interval_s:g} s")
            )
        self._console.print(f"\n[bold]Flow Nexus is ready[/] [dim]after {seconds:.1f} s[/]")
        for label, text in lines:
            self._console.print(f"  [bold]{label:<10}[/] {escape(text)}", soft_wrap=True, highlight=False)
        self._console.print("Ctrl-C stops it.\n")


def allow_many_open_files() -> None:
    """Raise our own limit of open files as far as we may: a simulated device has a socket, a connection too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS says "unlimited" and then refuses more than its own constant.
    wanted = 10240 if hard == resource.RLIM_INFINITY else hard
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
