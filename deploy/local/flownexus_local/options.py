"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[
    Path, typer.Option(help="Where the system keeps its data, secrets and logs.", envvar="FLOWNEXUS_FOLDER")
]
DEFAULT_FOLDER = Path(".flownexus")
