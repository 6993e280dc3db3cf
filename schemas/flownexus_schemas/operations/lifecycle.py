"""The life of an operation: which happening leads from which state to which. Pure; the clock is an argument.

QUEUED -> SENDING -> CONFIRMED | FAILED, or back to QUEUED; QUEUED -> CANCELLED | EXPIRED. QUEUED -> CONFIRMED | FAILED
where the answer to an attempt came after the attempt had counted as unanswered.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flownexus_schemas.commands import CommandAnswer
from flownexus_schemas.errors import Conflict
from flownexus_schemas.operations.operation import OPEN, Attempt, Operation, OperationStatus

Status = OperationStatus


@dataclass(frozen=True, slots=True)
class Dispatched:
    """The request goes to the device. `asleep_s`: seconds in which it answers although it sleeps; None: it listens."""

    sender: str
    gateway: str
    ends_at: datetime
    asleep_s: float | None = None


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The device did it."""

    answer: CommandAnswer


@dataclass(frozen=True, slots=True)
class Refused:
    """The device said no, or the request cannot be made of what was asked: another attempt would end as this one."""

    reason: str
    answer: CommandAnswer | None = None


@dataclass(frozen=True, slots=True)
class Unanswered:
    """It was sent, and nothing came back. One attempt is spent."""

    reason: str


@dataclass(frozen=True, slots=True)
class GivenUp:
    """It was sent for the last time, and nothing came back."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """It surely never went to the device: the attempt does not count."""

    reason: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Somebody took it back before it was sent."""

    by: str


@dataclass(frozen=True, slots=True)
class Expired:
    """Its time was over before it was sent."""


CANNOT_BE_SENT = "It cannot be sent"
"""How the reason begins where no request can be made of what was asked."""

Happening = Dispatched | Confirmed | Refused | Unanswered | GivenUp | NotSent | Cancelled | Expired

TRANSITIONS: dict[tuple[OperationStatus, type[Happening]], OperationStatus] = {
    (Status.QUEUED, Dispatched): Status.SENDING,
    (Status.QUEUED, Cancelled): Status.CANCELLED,
    (Status.QUEUED, Expired): Status.EXPIRED,
    (Status.QUEUED, Confirmed): Status.CONFIRMED,
    (Status.QUEUED, Refused): Status.FAILED,
    (Status.SENDING, Confirmed): Status.CONFIRMED,
    (Status.SENDING, Refused): Status.FAILED,
    (Status.SENDING, Unanswered): Status.QUEUED,
    (Status.SENDING, GivenUp): Status.FAILED,
    (Status.SENDING, NotSent): Status.QUEUED,
}


class InvalidTransition(Conflict):
    """The operation is not where this can happen."""


def apply(operation: Operation, happening: Happening, now: datetime) -> Operation:
    """The operation after the happening. Raises InvalidTransition and leaves it as it was."""
    try:
        status = TRANSITIONS[operation.status, type(happening)]
    except KeyError:
        raise InvalidTransition(
            f"The operation is {operation.status}: it cannot be {type(happening).__name__.lower()} any more."
        ) from None
    changes: dict[str, Any] = {"status": status, **_changes(operation, happening, now)}
    if status not in OPEN:
        changes["finished_at"] = now
    return operation.model_copy(update=changes)


def after_silence(operation: Operation, reason: str) -> Unanswered | GivenUp:
    """What an attempt without an answer means: another one, or the end."""
    return Unanswered(reason) if operation.attempts < operation.max_attempts else GivenUp(reason)


def after_answer(answer: CommandAnswer) -> Confirmed | Refused:
    """What the device's code means: 2.xx is done, anything else is its refusal."""
    if answer.code.startswith("2."):
        return Confirmed(answer)
    said = f"{answer.code} {answer.diagnostic}" if answer.diagnostic else answer.code
    return Refused(f"The device refused: {said}.", answer)


def _changes(operation: Operation, happening: Happening, now: datetime) -> dict[str, Any]:
    match happening:
        case Dispatched(sender=sender, gateway=gateway, ends_at=ends_at, asleep_s=asleep_s):
            number = operation.attempts + 1
            attempt = Attempt(
                number=number,
                sender=sender,
                gateway=gateway,
                started_at=now,
                ends_at=ends_at,
                asleep=asleep_s is not None,
            )
            action = f"Sent to the device by {gateway}, attempt {number} of {operation.max_attempts}."
            if asleep_s is not None:
                action += f" It sleeps, and answers within {asleep_s:g} s if at all."
            return {"attempts": number, "attempt": attempt, "last_action": action}
        case Confirmed(answer=answer):
            return {"answer": answer, "last_action": f"The device answered {answer.code}."}
        case Refused(reason=reason, answer=answer):
            return {"answer": answer, "last_action": reason}
        case Unanswered(reason=reason):
            left = operation.max_attempts - operation.attempts
            return {"last_action": f"No answer: {reason}. {left} more at the device's next sign of life."}
        case GivenUp(reason=reason):
            action = f"No answer to {operation.attempts} attempts: {reason}."
            return {"unanswered": True, "last_action": action}
        case NotSent(reason=reason):
            return {"attempts": operation.attempts - 1, "last_action": f"Not sent: {reason}. It waits."}
        case Cancelled(by=by):
            return {"last_action": f"Cancelled by {by}."}
        case Expired():
            return {"last_action": "Its time was over before the device listened."}
