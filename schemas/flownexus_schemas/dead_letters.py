"""What a service could not process, with the reason. Stream LWM2M_DEAD_LETTERS, subject `lwm2m.dead.<service>`."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from flownexus_schemas.cloudevent import Frozen


class DeadLetter(Frozen):
    """One message that was set aside, whole, so that it can be retried."""

    service: str
    reason: str
    stream: str
    stream_sequence: int
    subject: str
    headers: dict[str, str] = Field(default_factory=dict)
    payload: str = Field(description="Base64 of the message.")
    time: AwareDatetime
