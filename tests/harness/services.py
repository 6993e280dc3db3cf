"""The real services as processes, as `flownexus up` and the containers run them, started quicker (harness.forked)."""

from __future__ import annotations

import os
import secrets
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from flownexus_local.program import Program, base_environment
from harness.forked import ForkedProcess
from harness.ports import free_port
from harness.server_process import ServerProcess

OWN_PORT = {"flownexus_api": "FLOWNEXUS_API_PORT", "flownexus_console": "FLOWNEXUS_CONSOLE_PORT"}
"""Services that serve the health routes on their own port."""

CONSOLE_SECRET = secrets.token_urlsafe(32)


def environment(module: str, given: Mapping[str, str]) -> dict[str, str]:
    """The variables that the service is started with: ours, then what the test gives."""
    defaults = {"FLOWNEXUS_HEALTH_HOST": "127.0.0.1", "FLOWNEXUS_LOG_LEVEL": "debug"}
    defaults[OWN_PORT.get(module, "FLOWNEXUS_HEALTH_PORT")] = str(free_port())
    match module:
        case "flownexus_gateway":
            defaults |= {"FLOWNEXUS_COAP_HOST": "::", "FLOWNEXUS_COAP_PORT": str(free_port("udp"))}
        case "flownexus_console":
            defaults |= {"FLOWNEXUS_CONSOLE_SECRET": CONSOLE_SECRET}
    return {**defaults, **given}


class ServiceProcess(ServerProcess):
    """`python -m <module>` with its environment in `env`."""

    def __init__(self, module: str, env: Mapping[str, str], folder: Path) -> None:
        self.module, self.env = module, environment(module, env)
        port = self.env[OWN_PORT.get(module, "FLOWNEXUS_HEALTH_PORT")]
        self.health_url = f"http://127.0.0.1:{port}"
        program = Program(
            argv=(sys.executable, "-m", module),
            cwd=folder,
            env=base_environment() | {"PYTHONWARNINGS": os.environ.get("PYTHONWARNINGS", "default")} | self.env,
            stop_signal=signal.SIGTERM,
        )
        super().__init__(module, lambda: program, self.is_ready, folder / f"{module}-{port}.log")

    def is_ready(self) -> bool:
        """Whether /readyz says 200."""
        try:
            return httpx.get(f"{self.health_url}/readyz", timeout=2, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def start(self, timeout_s: float = 30) -> None:
        """Start it and wait until /readyz says 200. AssertionError with the log if it ends or is late."""
        self.launch()
        self.wait_ready(timeout_s)

    def wait_ready(self, timeout_s: float = 30) -> None:
        """Wait until /readyz says 200. AssertionError with the log if the process ends or is late."""
        from harness.waiting import blocking_until

        def ready_or_ended() -> bool:
            return not self.is_running or self.is_ready()

        blocking_until(ready_or_ended, timeout_s, f"readiness of {self.module}; log:\n{self.log_text()[-4000:]}")
        assert self.is_running, f"{self.module} ended by itself:\n{self.log_text()[-4000:]}"

    def stop(self, timeout_s: float = 10) -> int:
        """SIGTERM; asserts that it ends with exit code 0."""
        code = super().stop(timeout_s)
        assert code == 0, f"{self.module} ended with {code}:\n{self.log_text()[-4000:]}"
        return code

    def _begin(self, program: Program) -> ForkedProcess:
        return ForkedProcess(program, self.log)

    def restart(self) -> None:
        """Stop it cleanly if it runs, start it, wait until it is ready."""
        if self.is_running:
            self.stop()
        self.start()
