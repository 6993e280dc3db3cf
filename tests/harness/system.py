"""The whole system, run by `flownexus up` as a person runs it."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from flownexus_local.connection import Connection, read_connection
from flownexus_local.instance import Instance
from flownexus_local.program import Program, base_environment
from harness.ports import free_port
from harness.server_process import ServerProcess

READY = "Flow Nexus is ready"


def command(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Program:
    """`flownexus <arguments>` in `folder`, with none of the environment's own settings."""
    return Program(
        argv=(str(Path(sys.executable).with_name("flownexus")), *arguments),
        cwd=folder,
        env=base_environment() | {"NO_COLOR": "1", "COLUMNS": "200"} | dict(env or {}),
        stop_signal=signal.SIGINT,
    )


class RunningSystem(ServerProcess):
    """`flownexus up` on free ports, its folder `.flownexus` in `folder`. `start` waits until all of it is ready."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder / ".flownexus"
        self.coap_port, self.coaps_port = free_port("udp"), free_port("udp")
        self.bootstrap_coap_port, self.bootstrap_coaps_port = free_port("udp"), free_port("udp")
        self.api_port, self.console_port = free_port(), free_port()
        program = command(
            folder,
            "up",
            f"--coap-port={self.coap_port}",
            f"--coaps-port={self.coaps_port}",
            f"--bootstrap-coap-port={self.bootstrap_coap_port}",
            f"--bootstrap-coaps-port={self.bootstrap_coaps_port}",
            f"--api-port={self.api_port}",
            f"--console-port={self.console_port}",
            *arguments,
        )
        self._starts = 0
        super().__init__("flownexus up", lambda: program, self._says_ready, folder / "up.log")

    def start(self, timeout_s: float = 90) -> None:
        """Start it and wait until it says that it is ready. AssertionError with what it said if it ends or is late."""
        from harness.waiting import blocking_until

        self.launch()
        blocking_until(lambda: self._says_ready() or not self.is_running, timeout_s, "readiness of flownexus up")
        assert self._says_ready(), self.log_text()

    def launch(self) -> None:
        """Start it and do not wait."""
        self._starts = self.log_text().count(READY)
        super().launch()

    def erase(self) -> None:
        """Stop it if it runs and delete its data, also what is kept outside of its folder."""
        if self.is_running:
            self.stop()
        if (self.folder / "secrets.json").exists():
            Instance(self.folder).erase()

    @property
    def connection(self) -> Connection:
        """What connection.json says."""
        return read_connection(self.folder)

    def process_number(self, name: str) -> int:
        """The number of the process that is supervised under this name."""
        number: int = json.loads((self.folder / "run" / f"{name}.json").read_text())["pid"]
        return number

    @contextmanager
    def api(self) -> Iterator[httpx.Client]:
        """A client of the api, logged in as the first administrator."""
        connection = self.connection
        form = {"username": connection.admin_user, "password": connection.admin_password}
        with httpx.Client(base_url=connection.api_url, timeout=10, trust_env=False) as client:
            token = client.post("/api/v1/auth/token", data=form).raise_for_status().json()["access_token"]
            client.headers["Authorization"] = f"Bearer {token}"
            yield client

    def _says_ready(self) -> bool:
        return self.log_text().count(READY) > self._starts
