"""Where tests put the files of their servers: in memory where there is room, as thousands of databases come and go."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

MEMORY = Path("/dev/shm")
DISK = Path("/var/tmp")
ROOM = 4 * 1024**3
"""Bytes that have to be free there; a container often has 64 MiB."""


def scratch() -> Path:
    """A folder for temporary folders, which every account can enter."""
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM:
        runs_programs = not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC
        return MEMORY if runs_programs else DISK
    return DISK
