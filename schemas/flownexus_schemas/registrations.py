"""What the gateway keeps in the KV bucket of registrations: one entry an endpoint, key `subjects.endpoint_key`."""

from __future__ import annotations

from pydantic import Field

from flownexus_schemas.cloudevent import Frozen
from flownexus_schemas.events import Registration


class Observation(Frozen):
    """An observation that a device holds for us. The token is the only thing a notification names it by."""

    token: str = Field(description="CoAP token, hexadecimal, 2 to 16 digits.")
    paths: tuple[str, ...]
    composite: bool = False
    event_type: str | None = None
    content_format: int | None = Field(default=None, description="Accept of the request.")
    established: bool = Field(
        default=True, description="Whether the device accepted it; false while it is asked, as a restart asks again."
    )


class StoredRegistration(Frozen):
    """A live registration with its observations. Times in Unix seconds.

    `generation` is another number at each registration of the endpoint, and grows; `register_fingerprint` is the
    digest of the datagram that made this one, by which a retransmission is told from a new Register.
    """

    endpoint: str
    registration: Registration
    registered_at: float
    last_seen_at: float
    generation: int = 0
    register_fingerprint: str = ""
    observations: tuple[Observation, ...] = ()
    formats: dict[str, int] = Field(
        default_factory=dict, description="Content-Formats that the device taught us, by what they are used for."
    )
