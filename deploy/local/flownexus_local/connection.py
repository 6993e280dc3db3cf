"""connection.json: how to reach a running system, for people, programs and the other commands."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from flownexus_local.errors import CannotRun
from flownexus_local.private_files import write_private


class Connection(BaseModel):
    """Addresses and credentials of one running system. The URLs of NATS and of the database hold their passwords.

    `nats_url` and `database_url` are the owner's, who may do all; integrators and Grafana have users of their own.
    `nats_ca` is the file to verify NATS with, where its URLs are tls://.
    """

    model_config = ConfigDict(frozen=True)

    api_url: str
    console_url: str
    admin_user: str
    admin_password: str | None
    nats_url: str
    integrator_nats_url: str
    nats_ca: str | None = None
    database_url: str
    grafana_database_url: str
    coap_host: str
    coap_port: int
    coaps_port: int | None = None
    health: dict[str, str]


def connection_file(folder: Path) -> Path:
    """Where the connection of the system in `folder` is written."""
    return folder / "connection.json"


def write_connection(folder: Path, connection: Connection) -> None:
    """Write it with mode 600. Raises OSError."""
    write_private(connection_file(folder), connection.model_dump_json(indent=2) + "\n")


def read_connection(folder: Path) -> Connection:
    """Read it back. Raises CannotRun if no system was ever ready in `folder`, or its file cannot be read."""
    path = connection_file(folder)
    try:
        return Connection.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise CannotRun(f"there is no {path}: start the system with `flownexus up`, or name its --folder") from None
    except PermissionError:
        raise CannotRun(
            f"{path} belongs to another user: run this command as the user who runs `flownexus up`"
        ) from None
    except ValidationError:
        raise CannotRun(f"{path} is damaged: start the system again to write it anew") from None
