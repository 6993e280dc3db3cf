"""Notes about running processes, so that the next start can end what a killed supervisor left behind."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import NamedTuple

import psutil

from flownexus_local.private_files import write_private

CLOCK_STEP_S = 1.0


class Note(NamedTuple):
    """What tells our process from a later one of the same number."""

    pid: int
    created: float
    command: list[str]
    cwd: str

    def describes(self, process: psutil.Process) -> bool:
        """Whether it is this process: by its start or, as a step of the clock moves that, by its command and place."""
        if abs(process.create_time() - self.created) < CLOCK_STEP_S:
            return True
        return process.cmdline() == self.command and process.cwd() == self.cwd


def note(folder: Path, name: str, pid: int) -> None:
    """Write down that this process is ours."""
    try:
        process = psutil.Process(pid)
        noted = Note(pid, process.create_time(), process.cmdline(), process.cwd())
    except psutil.NoSuchProcess:
        return
    write_private(folder / f"{name}.json", json.dumps(noted._asdict()))


def forget(folder: Path, name: str) -> None:
    """The process has ended."""
    (folder / f"{name}.json").unlink(missing_ok=True)


def leftovers(folder: Path) -> dict[str, psutil.Process]:
    """The processes that were noted and run still, by name."""
    found: dict[str, psutil.Process] = {}
    for path in sorted(folder.glob("*.json")):
        noted = Note(**json.loads(path.read_text()))
        try:
            process = psutil.Process(noted.pid)
            if noted.describes(process):
                found[path.stem] = process
                continue
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            pass
        path.unlink()
    return found


def end_leftovers(folder: Path, timeout_s: float = 10.0) -> list[str]:
    """End the processes that were left, kindly and then not; their names."""
    found = leftovers(folder)
    for name, process in found.items():
        # PostgreSQL takes SIGINT as "now", SIGTERM as "when every client has gone".
        process.send_signal(signal.SIGINT if name == "postgres" else signal.SIGTERM)
    stubborn = psutil.wait_procs(list(found.values()), timeout=timeout_s)[1]
    for process in stubborn:
        process.kill()
    psutil.wait_procs(stubborn, timeout=timeout_s)
    for name in found:
        forget(folder, name)
    return list(found)
