"""Keeps processes running: starts them, starts them again when they end, stops them in stages."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from flownexus_local import log_files, run_notes
from flownexus_local.errors import CannotRun
from flownexus_local.program import Program, start

MISCONFIGURED = 2
"""Exit code of a service that will not run whatever is tried."""

FIRST_BACKOFF_S, LONGEST_BACKOFF_S = 0.25, 10.0
CALM_S = 30.0
"""After so long a life, the next restart is at once again."""

POLL_S = 0.1
EARLY_ENDS = 4
"""A process that ends so often before it was ever ready ends the start."""


class Happened(StrEnum):
    """What a supervised process did."""

    STARTED = "started"
    ENDED = "ended"
    KILLED = "killed"


Report = Callable[[str, Happened, str], None]
"""Called with the process's name, what happened and a detail for people."""


@dataclass(frozen=True)
class Supervision:
    """One process to keep running. `is_ready` may block for a few seconds."""

    name: str
    program: Program
    is_ready: Callable[[], bool]
    log: Path
    stop_stage: int = 1
    stop_timeout_s: float = 5.0


class Supervised:
    """A process under supervision. Its task is `keep`."""

    def __init__(self, supervision: Supervision, runs: Path, report: Report) -> None:
        self.supervision = supervision
        self._runs, self._report = runs, report
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = False
        self._was_ready = False
        self._early_ends = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """The name of the process, of its log and of its note."""
        return self.supervision.name

    @property
    def pid(self) -> int | None:
        """The number of the running process."""
        return self._process.pid if self._process is not None else None

    def launch(self) -> None:
        """Start it and keep it running from now on. Raises OSError if it cannot be started at all."""
        log_files.rotate(self.supervision.log)
        self._start()
        self._task = asyncio.create_task(self._keep(), name=f"keep {self.name}")

    async def until_ready(self, timeout_s: float) -> None:
        """Wait for the first readiness. Raises CannotRun with the end of the log if it does not come."""
        deadline = time.monotonic() + timeout_s
        while not await asyncio.to_thread(self.supervision.is_ready):
            if self._task is not None and self._task.done():
                self._task.result()
            if time.monotonic() > deadline:
                raise CannotRun(f"{self.name} is not ready after {timeout_s:.0f} s.{self._log_end()}")
            await asyncio.sleep(POLL_S)
        self._was_ready = True

    async def stop(self) -> None:
        """Ask it to stop, wait for its time, then kill it."""
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError, CannotRun):
                await self._task
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(self.supervision.program.stop_signal)
        deadline = time.monotonic() + self.supervision.stop_timeout_s
        while process.poll() is None:
            if time.monotonic() > deadline:
                self._report(self.name, Happened.KILLED, f"it did not stop in {self.supervision.stop_timeout_s:.0f} s")
                process.kill()
                process.wait()
            await asyncio.sleep(POLL_S / 2)
        run_notes.forget(self._runs, self.name)

    def kill(self) -> None:
        """End it at once."""
        self._stopping = True
        if self._process is not None and self._process.poll() is None:
            self._process.kill()

    def _start(self) -> None:
        with self.supervision.log.open("ab") as log:
            self._process = start(self.supervision.program, log)
        run_notes.note(self._runs, self.name, self._process.pid)

    async def _keep(self) -> None:
        backoff_s = FIRST_BACKOFF_S
        while True:
            assert self._process is not None
            started = time.monotonic()
            while (code := self._process.poll()) is None:
                log_files.cut_if_large(self.supervision.log)
                await asyncio.sleep(POLL_S)
            if self._stopping:
                return
            self._judge(code)
            if time.monotonic() - started > CALM_S:
                backoff_s = FIRST_BACKOFF_S
            self._report(self.name, Happened.ENDED, f"{_ending(code)}; starting it again in {backoff_s:g} s")
            await asyncio.sleep(backoff_s)
            backoff_s = min(backoff_s * 2, LONGEST_BACKOFF_S)
            try:
                self._start()
            except OSError as error:  # no memory or no file descriptors just now
                self._report(self.name, Happened.ENDED, f"it cannot be started: {error}")
                continue
            self._report(self.name, Happened.STARTED, f"process {self.pid}")

    def _judge(self, code: int) -> None:
        if self._was_ready:
            return
        self._early_ends += 1
        if code == MISCONFIGURED or self._early_ends >= EARLY_ENDS:
            raise CannotRun(f"{self.name} does not start: {_ending(code)}.{self._log_end()}")

    def _log_end(self) -> str:
        return f" The end of {self.supervision.log}:\n{log_files.last_lines(self.supervision.log)}"


async def stop_in_stages(processes: Iterable[Supervised]) -> None:
    """Stop stage after stage, those of one stage together."""
    waiting = list(processes)
    for stage in sorted({process.supervision.stop_stage for process in waiting}):
        await asyncio.gather(*(process.stop() for process in waiting if process.supervision.stop_stage == stage))


def _ending(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"it ended with exit code {code}"
