"""Firmware updates on the bus: asked for, read as they stand, taken back, and changed by whoever carries them out.

An endpoint has at most one open update: it is asked for by a message that names the last one of all its updates.
"""

from __future__ import annotations

from datetime import UTC, datetime

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import Header
from nats.js.errors import APIError, BadRequestError, NotFoundError
from nats.js.errors import Error as JetStreamError

from flownexus_schemas import subjects
from flownexus_schemas.errors import Conflict, InvalidMessage, NotFound, Unavailable
from flownexus_schemas.firmware.happenings import CancelAsked, Happening
from flownexus_schemas.firmware.lifecycle import apply
from flownexus_schemas.firmware.messages import FirmwareUpdateChanged, changed, parse_firmware_event, requested
from flownexus_schemas.firmware.update import FirmwareUpdate
from flownexus_schemas.jetstream import WRONG_LAST_SEQUENCE
from flownexus_schemas.subjects import Stream

MAX_RACES = 10
"""How often a change that something overtook is tried again."""

EXPECTED_SUBJECT = "Nats-Expected-Last-Subject-Sequence-Subject"
"""With it the expected sequence is that of a filter, not of the message's own subject. NATS 2.11, ADR-50."""

_AWAY = (NatsError, APIError, JetStreamError, TimeoutError)


class Overtaken(Exception):
    """Another one changed it since: what comes of it is in the stream."""


class UpdateUnderWay(Conflict):
    """The endpoint has an open update, which is another one."""


async def request_update(js: JetStreamContext, update: FirmwareUpdate, source: str) -> FirmwareUpdate:
    """Have it on the stream; what is there already under its id is left, and returned as it stands.

    `update` is as it is before anything happened. Raises UpdateUnderWay, Unavailable.
    """
    among = subjects.firmware_updates_of(update.endpoint)
    for _ in range(MAX_RACES):
        known = await _last(js, subjects.firmware(update.endpoint, update.id))
        if known is not None:
            return known[0]
        last = await _last(js, among)
        if last is not None and last[0].id == update.id:
            continue  # somebody else asked for the same one in between
        if last is not None and last[0].is_open:
            raise UpdateUnderWay(
                f"{update.endpoint!r} is being updated to {last[0].version!r} (update {last[0].id}, "
                f"{last[0].status}): wait for its end, or cancel it."
            )
        try:
            await _append(js, requested(update, source), 0 if last is None else last[1], among)
        except Overtaken:
            continue
        return update
    raise Unavailable("The updates of this endpoint change too fast; try again shortly.")


async def open_update(js: JetStreamContext, endpoint: str) -> FirmwareUpdate | None:
    """The update of the endpoint that is under way; None where there is none. Raises Unavailable."""
    last = await _last(js, subjects.firmware_updates_of(endpoint))
    return last[0] if last is not None and last[0].is_open else None


async def load_update(js: JetStreamContext, update_id: str, endpoint: str | None = None) -> tuple[FirmwareUpdate, int]:
    """The update as it stands, and the sequence that says so. Raises NotFound, Unavailable.

    Without the endpoint NATS looks through all of them.
    """
    subject = subjects.firmware_update_of_any(update_id) if endpoint is None else subjects.firmware(endpoint, update_id)
    found = await _last(js, subject)
    if found is None:
        raise NotFound(f"There is no firmware update {update_id!r}.")
    return found


async def cancel_update(
    js: JetStreamContext, update_id: str, by: str, source: str, endpoint: str | None = None
) -> FirmwareUpdate:
    """Take it back. Raises NotFound, Conflict where it is too late, Unavailable."""
    for _ in range(MAX_RACES):
        known, sequence = await load_update(js, update_id, endpoint)
        try:
            update, _kept = await change_update(
                js, known, sequence, CancelAsked(by), source=source, now=datetime.now(UTC)
            )
        except Overtaken:
            continue
        return update
    raise Unavailable("The update changes too fast to be cancelled; try again shortly.")


async def change_update(
    js: JetStreamContext, update: FirmwareUpdate, sequence: int, happening: Happening, *, source: str, now: datetime
) -> tuple[FirmwareUpdate, int]:
    """The update after the happening and its sequence, once the stream has it; `sequence` is that it rests on.

    Raises InvalidTransition, Overtaken, and Unavailable where it is not known whether the stream has it.
    """
    after = apply(update, happening, now)
    event = changed(after, happening, after=sequence, source=source, now=now)
    return after, await _append(js, event, sequence)


async def _append(js: JetStreamContext, event: FirmwareUpdateChanged, after: int, among: str | None = None) -> int:
    """Its sequence. `among`: the filter of which `after` is the last message, where not the subject itself."""
    headers = {Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: str(after)}
    if among is not None:
        headers[EXPECTED_SUBJECT] = among
    update = event.data
    try:
        kept = await js.publish(
            subjects.firmware(update.endpoint, update.id),
            event.model_dump_json().encode(),
            stream=Stream.OPERATIONS,
            headers=headers,
        )
    except BadRequestError as error:
        if error.err_code != WRONG_LAST_SEQUENCE:
            raise Unavailable(f"The message bus does not take the update: {error.description}.") from error
        raise Overtaken from error
    except _AWAY as error:
        raise Unavailable("It is not known whether the message bus has the update; look again shortly.") from error
    return kept.seq


async def _last(js: JetStreamContext, subject: str) -> tuple[FirmwareUpdate, int] | None:
    """What the last message that the filter matches says. Raises Unavailable."""
    try:
        message = await js.get_last_msg(Stream.OPERATIONS, subject)
    except NotFoundError:
        return None
    except _AWAY as error:
        raise Unavailable("The message bus does not give the update; try again shortly.") from error
    try:
        return parse_firmware_event(message.data or b"").data, message.seq or 0
    except InvalidMessage as error:
        raise Unavailable(f"The update could not be read: {error}.") from error
