"""What a service could not process, with the reason. Stream LWM2M_DEAD_LETTERS, subject `lwm2m.dead.<service>`."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from flownexus_schemas.cloudevent import Frozen


class DeadLetter(Frozen):
    """One message that was set aside, so that it can be retried: whole, or where its stream has it."""

    service: str
    reason: str
    stream: str
    stream_sequence: int
    subject: str
    headers: dict[str, str] = Field(default_factory=dict)
    payload: str = Field(description="Base64 of the message; empty where `payload_in_stream`.")
    payload_in_stream: bool = Field(
        default=False,
        description="The message is too large for a letter, and is only in `stream` at `stream_sequence`.",
    )
    time: AwareDatetime
