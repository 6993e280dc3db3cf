"""One operation on one endpoint, as it stands. Every message of its subject carries the whole of it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import AwareDatetime, Field

from flownexus_schemas.cloudevent import Frozen
from flownexus_schemas.commands import AnyCommand, CommandAnswer

MAX_ATTEMPTS = 3

MAX_COMMAND_BYTES = 400_000
"""Of an operation's command as JSON: each message carries it beside the answer, and NATS takes 1 MiB."""

MAX_ANSWER_BYTES = 400_000
"""Of an operation's answer as JSON."""


class OperationStatus(StrEnum):
    """Where an operation stands. CONFIRMED, FAILED, CANCELLED and EXPIRED are for good."""

    QUEUED = "QUEUED"
    SENDING = "SENDING"
    CONFIRMED = "CONFIRMED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


OPEN = frozenset({OperationStatus.QUEUED, OperationStatus.SENDING})


class Attempt(Frozen):
    """One sending of the request. Nothing of it is under way after `ends_at`, whoever died meanwhile."""

    number: int = Field(ge=1)
    sender: str = Field(description="Id of the operations replica that sent it.")
    gateway: str = Field(description="Id of the gateway that was asked.")
    started_at: AwareDatetime
    ends_at: AwareDatetime
    asleep: bool = Field(default=False, description="Whether it was sent while the device slept, as with eDRX.")


class Operation(Frozen):
    """A request to a device that is carried out when the device listens, however long that takes."""

    id: str = Field(pattern=r"^[0-9A-Za-z_-]{1,64}$")
    endpoint: str
    command: AnyCommand = Field(description="Its `timeout_s` bounds each attempt.")
    priority: int = Field(default=0, ge=-1000, le=1000, description="Higher first; equal ones in the order they came.")
    requested_at: AwareDatetime
    requested_by: str | None = Field(default=None, description="Name of the user; null where the system asked.")
    expires_at: AwareDatetime | None = Field(default=None, description="Not sent any more from then on.")
    batch: str | None = Field(default=None, description="Shared by the operations that one request made.")
    status: OperationStatus = OperationStatus.QUEUED
    attempts: int = Field(default=0, ge=0, description="How often it was sent.")
    max_attempts: int = Field(default=MAX_ATTEMPTS, ge=1)
    attempt: Attempt | None = Field(default=None, description="The last one.")
    finished_at: AwareDatetime | None = None
    answer: CommandAnswer | None = Field(default=None, description="What the device answered, as it is.")
    unanswered: bool = Field(default=False, description="Whether it failed because no answer came.")
    last_action: str = Field(default="Requested.", description="What happened last, as a sentence.")

    @property
    def is_open(self) -> bool:
        """Whether anything can still become of it."""
        return self.status in OPEN


def keepable(answer: CommandAnswer) -> CommandAnswer:
    """The answer as an operation keeps it: above MAX_ANSWER_BYTES without values and links, and saying so."""
    size = len(answer.model_dump_json().encode())
    if size <= MAX_ANSWER_BYTES:
        return answer
    left_out = f"{size} bytes of values were left out: an operation keeps {MAX_ANSWER_BYTES}"
    said = answer.diagnostic[:1000] + "; " if answer.diagnostic else ""
    return answer.model_copy(update={"values": (), "links": None, "diagnostic": said + left_out})
