"""Notes about running processes, so that the next start can end what a killed supervisor left behind."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import psutil

from flownexus_local.private_files import write_private

_CLOCK_STEP_S = 1.0


def note(folder: Path, name: str, pid: int) -> None:
    """Write down that this process is ours. Its start time tells it from a later one of the same number."""
    try:
        created = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return
    write_private(folder / f"{name}.json", json.dumps({"pid": pid, "created": created}))


def forget(folder: Path, name: str) -> None:
    """The process has ended."""
    (folder / f"{name}.json").unlink(missing_ok=True)


def leftovers(folder: Path) -> dict[str, psutil.Process]:
    """The processes that were noted and run still, by name."""
    found: dict[str, psutil.Process] = {}
    for path in sorted(folder.glob("*.json")):
        noted = json.loads(path.read_text())
        try:
            process = psutil.Process(noted["pid"])
            if abs(process.create_time() - noted["created"]) < _CLOCK_STEP_S:
                found[path.stem] = process
                continue
        except psutil.NoSuchProcess:
            pass
        path.unlink()
    return found


def end_leftovers(folder: Path, timeout_s: float = 10.0) -> list[str]:
    """End the processes that were left, kindly and then not; their names."""
    found = leftovers(folder)
    for name, process in found.items():
        # PostgreSQL takes SIGINT as "now", SIGTERM as "when every client has gone".
        process.send_signal(signal.SIGINT if name == "postgres" else signal.SIGTERM)
    for process in psutil.wait_procs(list(found.values()), timeout=timeout_s)[1]:
        process.kill()
    for name in found:
        forget(folder, name)
    return list(found)
