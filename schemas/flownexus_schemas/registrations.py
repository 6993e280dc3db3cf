"""What the gateway keeps in the KV bucket of registrations: one entry an endpoint, key `subjects.endpoint_key`."""

from __future__ import annotations

from pydantic import Field

from flownexus_schemas.cloudevent import Frozen
from flownexus_schemas.events import Registration


class AttributesOutcome(Frozen):
    """What a device said to Write-Attributes for an observation. `code`: null for no answer. Unix seconds."""

    code: str | None
    diagnostic: str | None = None
    time: float


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
    by_request: bool = Field(default=False, description="Whether somebody asked for it, so that no profile ends it.")
    wanted_format: int | None = Field(default=None, description="Content-Format that the profile's entry names.")
    attributes: dict[str, float] = Field(default_factory=dict, description="Those of the profile's entry.")
    attributes_outcome: AttributesOutcome | None = None


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
    written_attributes: dict[str, dict[str, float]] = Field(
        default_factory=dict, description="Notification attributes that the device took for profiles, by path."
    )
    profile_waits: bool = Field(
        default=False, description="Whether the profile is to be applied as soon as the device is awake."
    )

    @property
    def is_observed(self) -> bool:
        """Whether the device holds an observation for us."""
        return any(observation.established for observation in self.observations)
