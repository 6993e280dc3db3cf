"""A server program that a test starts, kills and starts again."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from flownexus_local.program import Program, start
from harness.forked import ForkedProcess


class ServerProcess:
    """One program and its log. `start` waits until `is_ready`, and starts again where the program ends first:
    a PostgreSQL that was killed does not start while orphans of the last one are still ending."""

    def __init__(self, name: str, program: Callable[[], Program], is_ready: Callable[[], bool], log: Path) -> None:
        self.name, self.log = name, log
        self._program, self._is_ready = program, is_ready
        self._process: subprocess.Popen[bytes] | ForkedProcess | None = None

    @property
    def pid(self) -> int:
        """The process number. AssertionError if it does not run."""
        assert self._process is not None, f"{self.name} does not run"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self, timeout_s: float = 30) -> None:
        """Start it and wait until it is ready. AssertionError with the log if it is not in time."""
        deadline = time.monotonic() + timeout_s
        self.launch()
        try:
            while not self._is_ready():
                if time.monotonic() > deadline:
                    raise AssertionError(f"{self.name} is not ready after {timeout_s} s:\n{self.log_text()[-4000:]}")
                if not self.is_running:
                    self.launch()
                time.sleep(0.05)
        except BaseException:
            self.kill()
            raise

    def launch(self) -> None:
        """Start it and do not wait."""
        assert not self.is_running, f"{self.name} runs already"
        self._process = self._begin(self._program())

    def kill(self) -> None:
        """SIGKILL, as `kill -9` does it, and wait until it and its children are gone."""
        self._end(signal.SIGKILL)

    def stop(self, timeout_s: float = 30) -> int:
        """Ask it to stop and wait; the exit code. Nothing where it does not run: 0."""
        return self._end(self._program().stop_signal, timeout_s)

    def wait_end(self, timeout_s: float = 30) -> int:
        """Wait until it ends by itself; the exit code. AssertionError with the log if it does not."""
        assert self._process is not None, f"{self.name} does not run"
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {timeout_s} s:\n{self.log_text()[-4000:]}") from None

    def log_text(self) -> str:
        """What it has written so far, over all its starts."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _begin(self, program: Program) -> subprocess.Popen[bytes] | ForkedProcess:
        with self.log.open("ab") as log:
            return start(program, log)

    def _end(self, number: int, timeout_s: float = 30) -> int:
        process = self._process
        if process is None:
            return 0
        children = _children(process.pid) if process.poll() is None else []
        if process.poll() is None:
            process.send_signal(number)
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{self.name} did not stop within {timeout_s} s:\n{self.log_text()[-4000:]}") from None
        finally:
            self._process = None
            for child in psutil.wait_procs(children, timeout=10)[1]:
                child.kill()


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
