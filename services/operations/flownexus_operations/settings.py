"""Settings of operations."""

from __future__ import annotations

import secrets
import socket

from pydantic import Field

from flownexus_operations.firmware.settings import FirmwareSettings


def _own_id() -> str:
    """Another one at each start: what a former process of this machine sent is not ours."""
    host = "".join(c for c in socket.gethostname() if c.isascii() and (c.isalnum() or c in "-_"))[:40]
    return f"{host or 'operations'}-{secrets.token_hex(4)}"


class OperationsSettings(FirmwareSettings):
    """Read from `FLOWNEXUS_*`."""

    operations_id: str = Field(
        default_factory=_own_id, pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Id of this replica."
    )
    operations_in_flight: int = Field(
        default=500,
        ge=1,
        le=10_000,
        description="How many requests one replica begins at a time; as many again to devices that sleep, and "
        "to those that were slow the last time.",
    )
    operations_desired_check_s: int = Field(
        default=86_400, ge=0, description="Seconds after which a desired value that holds is read again; 0 for never."
    )
