"""Files that only their owner may read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Replace the file's text in one step, with mode 600. Raises OSError."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    create_private(aside, text)
    aside.replace(path)


def create_private(path: Path, text: str) -> None:
    """Write a file that is not there yet, with mode 600. Raises FileExistsError, OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
