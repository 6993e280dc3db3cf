"""Commands that change accounts with the database's own password: also when nobody can log in any more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Connection

from flownexus_api.accounts import transaction
from flownexus_local.connection import read_connection
from flownexus_local.errors import CannotRun
from flownexus_schemas.errors import FlowNexusError

DatabaseUrl = Annotated[
    str | None, typer.Option(envvar="FLOWNEXUS_DATABASE_URL", help="Where there is no system in the folder.")
]


@contextmanager
def installation(folder: Path, database_url: str | None) -> Iterator[Connection]:
    """One transaction in the database of a system. Raises CannotRun with what is to be done."""
    try:
        with transaction(database_url or read_connection(folder).database_url) as connection:
            yield connection
    except (FlowNexusError, ValueError) as error:
        raise CannotRun(str(error)) from None
