"""`python -m <module>` without loading the same libraries again for each of a thousand starts.

The server of `multiprocessing`'s start method 'forkserver' has loaded what all services use, and forks itself. All else
is as after a start: variables, folder, streams, signals, session, exit code. The end-to-end tests start the real thing.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import warnings
from pathlib import Path

from flownexus_local.program import Program

LOADED = (
    "aiocoap",
    "cbor2",
    "fastapi",
    "flownexus_runtime.process",
    "flownexus_schemas.events",
    "flownexus_schemas.operations.messages",
    "httpx",
    "nats",
    "prometheus_client",
    "psycopg",
    "pydantic_settings",
    "sqlalchemy.ext.asyncio",
    "sqlalchemy.orm",
    "structlog",
    "uvicorn",
    "uvloop",
)
"""Libraries and contracts; of the services nothing, so that each has its own metrics alone."""

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(list(LOADED))


class ForkedProcess:
    """A running `Program` of the form `python -m module`; used as a subprocess.Popen."""

    def __init__(self, program: Program, log: Path) -> None:
        self._process = _FORKS.Process(target=_become, args=(program, log))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code at its end. Raises subprocess.TimeoutExpired after `timeout` seconds."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Nothing happens where it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


def _become(program: Program, log: Path) -> None:
    os.setsid()
    for number, stream in ((os.open(os.devnull, os.O_RDONLY), (0,)), (_opened(log), (1, 2))):
        for each in stream:
            os.dup2(number, each)
    sys.stdin, sys.stdout, sys.stderr = (open(number, mode) for number, mode in ((0, "r"), (1, "w"), (2, "w")))  # noqa: PTH123, SIM115
    os.environ.clear()
    os.environ.update(program.env)
    os.chdir(program.cwd)
    warnings.simplefilter(program.env.get("PYTHONWARNINGS", "default"))  # type: ignore[arg-type]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _, _, module = program.argv
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _opened(log: Path) -> int:
    return os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
