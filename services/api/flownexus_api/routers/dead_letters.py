"""Dead letters: messages of the bus that a service could not process, with the reason."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import APIError, NotFoundError
from pydantic import BaseModel, Field, ValidationError

from flownexus_api.access import BriefOperator, BriefViewer
from flownexus_api.audit import write_down
from flownexus_api.documented import answers
from flownexus_api.paging import Page, cursor_of, keys_of
from flownexus_api.parts import PartsDep
from flownexus_schemas import subjects
from flownexus_schemas.dead_letters import DeadLetter as Letter
from flownexus_schemas.errors import Conflict, NotFound, Unavailable
from flownexus_schemas.subjects import Stream

router = APIRouter(prefix="/dead-letters", tags=["quarantine"])

Sequence = Annotated[int, Path(ge=1, le=2**63 - 1, description="As the list has it.", examples=[7])]

_AWAY = (NatsError, APIError, TimeoutError)


class DeadLetter(BaseModel):
    """A message that was set aside; `id` is its sequence in LWM2M_DEAD_LETTERS."""

    id: int
    service: str = Field(description="Who could not process it.")
    reason: str
    subject: str
    stream: str
    stream_sequence: int
    time: datetime
    payload: str = Field(description="The message in base64; empty where `payload_in_stream`.")
    payload_in_stream: bool = Field(
        default=False,
        description="The message is too large for a letter, and is only in `stream` at `stream_sequence`.",
    )


class DeadLetters(Page[DeadLetter]):
    """A page of dead letters, the oldest first."""


class Done(BaseModel):
    """What became of a dead letter."""

    id: int
    subject: str


OPERATIONS = subjects.ALL_OPERATIONS.removesuffix(">")


@router.get("", responses=answers(401, 422, 503))
async def list_dead_letters(
    *,
    _: BriefViewer,
    parts: PartsDep,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
) -> DeadLetters:
    """What no service could process, the oldest first."""
    js = parts.bus.jetstream()
    items: list[DeadLetter] = []
    after = 0
    if cursor is not None:
        (key,) = keys_of(cursor, "dead-letters", (int,))
        after = int(str(key))
    try:
        while len(items) <= limit:
            message = await js.get_msg(
                Stream.DEAD_LETTERS, seq=after + 1, subject=subjects.ALL_DEAD_LETTERS, next=True, direct=False
            )
            after = message.seq or 0
            items.append(_shown(message))
    except NotFoundError:
        pass
    except _AWAY as error:
        raise Unavailable("The message bus does not give the dead letters; try again shortly.") from error
    following = cursor_of("dead-letters", items[limit - 1].id) if len(items) > limit else None
    return DeadLetters(items=items[:limit], next=following)


@router.post("/{letter}/retry", responses=answers(401, 403, 404, 409, 422, 503))
async def retry_dead_letter(*, who: BriefOperator, parts: PartsDep, letter: Sequence, http: Request) -> Done:
    """Publish the message once more on its own subject, and take the letter away. For operators.

    Where it cannot be processed again, it comes back as a new letter. 409 where there is no message any more that could
    be published, and where it is of an operation.
    """
    js = parts.bus.jetstream()
    message = await _message(js, letter)
    kept = _letter(message)
    if kept.subject.startswith(OPERATIONS):
        # The last message of an operation's subject says how it stands: an older one would have it done again.
        raise Conflict(f"The dead letter {letter} is of an operation, which is not retried; delete it and ask anew.")
    payload = await _payload(js, kept)
    await write_down(parts, who, "dead_letter.retried", str(letter), http)
    try:
        await js.publish(
            kept.subject,
            payload,
            # With its own id it would be taken for the message that was set aside.
            headers={
                **kept.headers,
                "Nats-Msg-Id": f"retried-{message.time:%Y%m%d%H%M%S%f}-{letter}",
                subjects.LATE: "retry",
            },
        )
        await js.delete_msg(Stream.DEAD_LETTERS, letter)
    except _AWAY as error:
        raise Unavailable("The message bus does not take the message; try again shortly.") from error
    return Done(id=letter, subject=kept.subject)


@router.delete("/{letter}", responses=answers(401, 403, 404, 422, 503))
async def delete_dead_letter(*, who: BriefOperator, parts: PartsDep, letter: Sequence, http: Request) -> Done:
    """Take a letter away for good. For operators."""
    js = parts.bus.jetstream()
    shown = _shown(await _message(js, letter))
    await write_down(parts, who, "dead_letter.deleted", str(letter), http)
    try:
        await js.delete_msg(Stream.DEAD_LETTERS, letter)
    except _AWAY as error:
        raise Unavailable("The message bus does not take the letter away; try again shortly.") from error
    return Done(id=letter, subject=shown.subject)


async def _message(js: JetStreamContext, letter: int) -> RawStreamMsg:
    """Raises NotFound, Unavailable."""
    try:
        return await js.get_msg(Stream.DEAD_LETTERS, seq=letter)
    except NotFoundError as error:
        raise NotFound(f"There is no dead letter {letter}; it may have been retried.") from error
    except _AWAY as error:
        raise Unavailable("The message bus does not give the letter; try again shortly.") from error


def _letter(message: RawStreamMsg) -> Letter:
    """Raises Conflict where it was not written by one of our services."""
    try:
        return Letter.model_validate_json(message.data or b"")
    except ValidationError as error:
        raise Conflict(f"The dead letter {message.seq} has no message that could be retried; delete it.") from error


async def _payload(js: JetStreamContext, letter: Letter) -> bytes:
    """The message, from the letter or from where it was left. Raises Conflict where it is gone, Unavailable."""
    if not letter.payload_in_stream:
        return base64.b64decode(letter.payload)
    try:
        message = await js.get_msg(letter.stream, seq=letter.stream_sequence)
    except NotFoundError:
        message = None
    except _AWAY as error:
        raise Unavailable("The message bus does not give the message; try again shortly.") from error
    # Another stream of that name may have another message there.
    if message is None or message.subject != letter.subject or dict(message.headers or {}) != letter.headers:
        raise Conflict(
            f"The message is no longer in {letter.stream} at {letter.stream_sequence}, and the letter was too small "
            "for it; delete the letter."
        )
    return message.data or b""


def _shown(message: RawStreamMsg) -> DeadLetter:
    sequence = message.seq or 0
    try:
        letter = _letter(message)
    except Conflict as error:
        return DeadLetter(
            id=sequence,
            service=(message.subject or "").rpartition(".")[2],
            reason=str(error),
            subject=message.subject or "",
            stream=Stream.DEAD_LETTERS,
            stream_sequence=sequence,
            time=message.time,
            payload=base64.b64encode(message.data or b"").decode(),
        )
    return DeadLetter(id=sequence, **letter.model_dump(exclude={"headers"}))
