"""The log of a process: a new file at each start of the system, and when it has grown too large."""

from __future__ import annotations

from collections import deque
from pathlib import Path

KEPT = 3
LARGEST_BYTES = 32 * 1024 * 1024


def rotate(path: Path) -> None:
    """Move `name.log` to `name.log.1`, that to `.2`, and drop the oldest."""
    if not path.exists() or not path.stat().st_size:
        return
    for number in range(KEPT - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    path.replace(path.with_name(f"{path.name}.1"))


def cut_if_large(path: Path) -> bool:
    """Keep a copy of a log that is over its size and empty the file, which its process has open. Whether it did."""
    if not path.exists() or path.stat().st_size <= LARGEST_BYTES:
        return False
    kept = path.with_name(f"{path.name}.1")
    kept.unlink(missing_ok=True)
    kept.write_bytes(path.read_bytes())
    # The process writes in append mode, so it goes on at the new end.
    with path.open("r+b") as file:
        file.truncate(0)
    return True


def last_lines(path: Path, count: int = 10) -> str:
    """The end of the log, for a message."""
    if not path.exists():
        return ""
    with path.open(errors="replace") as file:
        return "".join(deque(file, count)).rstrip()
