"""Payloads from devices to the bus: notifications, first values of observations, answers to reads, Send."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from flownexus_gateway import metrics
from flownexus_gateway.publisher import Kept, Publisher
from flownexus_gateway.registrations.identifiers import digest
from flownexus_gateway.registrations.live import LiveRegistration
from flownexus_gateway.registrations.table import KnownToken, RegistrationTable
from flownexus_gateway.transport.datagram import (
    Header,
    Message,
    Option,
    Type,
    code_text,
    diagnostic_text,
    empty,
    read_message,
)
from flownexus_gateway.transport.peer import Peer
from flownexus_gateway.uplink.parts import all_of, write_events
from flownexus_gateway.uplink.report import Report, decode
from flownexus_schemas import subjects
from flownexus_schemas.cloudevent import utc
from flownexus_schemas.events import (
    LogLine,
    LogReported,
    ObservationChange,
    ObservationChanged,
    ObservationRef,
    ObservationState,
    Trigger,
)
from flownexus_schemas.lwm2m.content_format import ContentFormat
from flownexus_schemas.lwm2m.event_log import LoggedLine, logged_lines
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.timestamps import TimedRecord
from flownexus_schemas.registrations import Observation
from flownexus_schemas.subjects import EventKind

log = structlog.get_logger(__name__)

Changed = Callable[[LiveRegistration], None]
"""Told that a registration is to be stored again, when there is time."""

Heard = Callable[[LiveRegistration, Peer], None]
"""Told that the device spoke, and from where."""

CutShort = Callable[[LiveRegistration, Observation], None]
"""Told that a notification had only the first block of what there is."""

_SUCCESS = 2
_MORE = 8


class Uplink:
    """Publishes what devices report."""

    def __init__(
        self,
        table: RegistrationTable,
        publisher: Publisher,
        models: ObjectModels,
        source: str,
    ) -> None:
        self._table, self._publisher, self._models, self._source = table, publisher, models, source
        self.on_changed: Changed = _ignore_registration
        self.on_heard: Heard = _ignore_peer
        self.on_cut_short: CutShort = _ignore_observation

    @property
    def is_full(self) -> bool:
        """Whether nothing more can be published now."""
        return self._publisher.is_full

    def notification(self, data: bytes, header: Header, peer: Peer, known: KnownToken) -> None:
        """A response with the token of an observation: decode, publish, acknowledge at the PubAck.

        Raises MalformedDatagram. LwM2M Core 1.1.1, 6.4.2; RFC 7641, 3.2.
        """
        metrics.NOTIFICATIONS.inc()
        message = read_message(data, header)
        live = known.live
        live.seen_after_answer = True
        self.on_heard(live, peer)
        event_id = _event_id(live, message)
        acknowledge = _acknowledgement(header, peer)
        if message.code >> 5 != _SUCCESS:
            self._cancelled(known, message, event_id, acknowledge)
            return
        observation = known.observation
        is_first_block = more_blocks(message)
        if is_first_block:
            self.on_cut_short(live, observation)
        report = Report(
            live,
            Trigger.NOTIFY,
            observation.composite,
            observation.event_type,
            observation,
            known.base_path,
            message.payload,
            message.uint(Option.CONTENT_FORMAT),
            assumed_format(observation),
            time.time(),
            is_first_block,
        )
        self.publish(report, event_id, acknowledge)

    def first_answer(self, data: bytes, header: Header, known: KnownToken) -> None:
        """The answer to a request to observe: published at once where it establishes the observation, so that it
        comes before a notification that follows on its heels. The observer sees to it that it is kept.

        Raises MalformedDatagram.
        """
        message = read_message(data, header)
        if message.code >> 5 != _SUCCESS or message.first(Option.OBSERVE) is None:
            return
        live, observation, code = known.live, known.observation, code_text(message.code)
        event = self.observation_changed(live, observation, ObservationState.ESTABLISHED, code, None)
        self._publisher.publish_event(event, _ignore)
        self.first_value(live, observation, message, kept=_ignore)

    def first_value(
        self,
        live: LiveRegistration,
        observation: Observation,
        answer: Message,
        *,
        trigger: Trigger = Trigger.NOTIFY,
        kept: Kept,
    ) -> None:
        """Publish the value in the answer to a request to observe.

        Its id is that of a notification: a device that sends it again may mean either.
        """
        report = Report(
            live,
            trigger,
            observation.composite,
            observation.event_type,
            observation,
            Path() if observation.composite else Path.parse(observation.paths[0]),
            answer.payload,
            answer.uint(Option.CONTENT_FORMAT),
            assumed_format(observation),
            time.time(),
            more_blocks(answer),
        )
        self.publish(report, _event_id(live, answer), kept)

    def publish(self, report: Report, event_id: str, kept: Kept) -> list[TimedRecord]:
        """Publish a report; its values, decoded. `kept` as in Publisher.publish."""
        report.live.showed_life(report.received_at)
        report.live.told_at = report.received_at
        records, undecoded = decode(report, self._models)
        if undecoded is not None:
            log.warning("report.undecoded", endpoint=report.live.endpoint, reason=undecoded)
        events = write_events(report, records, undecoded, event_id, self._source)
        lines = logged_lines(records)
        if len(events) + len(lines) > 1:
            kept = all_of(len(events) + len(lines), kept)
        subject = subjects.event(report.live.endpoint, EventKind.REPORTED)
        for message_id, event in events:
            self._publisher.publish(subject, event, message_id, kept)
        for number, line in enumerate(lines):
            self._publisher.publish_event(self._logged(report, line, f"{event_id}-log-{number}"), kept)
        return records

    def _logged(self, report: Report, line: LoggedLine, event_id: str) -> LogReported:
        return LogReported(
            id=event_id,
            source=self._source,
            subject=report.live.endpoint,
            time=utc(report.received_at),
            data=LogLine(level=line.level, text=line.text, time=utc(line.time)),
        )

    def observation_changed(
        self,
        live: LiveRegistration,
        observation: Observation,
        state: ObservationState,
        code: str | None,
        diagnostic: str | None,
    ) -> ObservationChanged:
        """The event of an observation's outcome; the same outcome has the same id."""
        written = observation.attributes_outcome
        written_at = () if written is None else (written.time,)
        return ObservationChanged(
            id=digest("observation", live.id, observation.token, state, *written_at),
            source=self._source,
            subject=live.endpoint,
            time=utc(time.time()),
            data=ObservationChange(
                registration_id=live.id,
                state=state,
                observation=ObservationRef(token=observation.token, paths=observation.paths),
                composite=observation.composite,
                code=code,
                diagnostic=diagnostic,
                attributes=observation.attributes,
                attributes_code=None if written is None else written.code,
                attributes_diagnostic=None if written is None else written.diagnostic,
            ),
        )

    def _cancelled(self, known: KnownToken, message: Message, event_id: str, acknowledge: Kept) -> None:
        """An error code ends the observation. RFC 7641, 3.2."""
        live, observation = known.live, known.observation

        def kept(is_kept: bool) -> None:
            if is_kept and message.token in live.tokens:
                rest = tuple(other for other in live.stored.observations if other.token != observation.token)
                live.observe(rest)
                self._table.set_tokens(live)
                self.on_changed(live)
            acknowledge(is_kept)

        code = code_text(message.code)
        log.warning("observation.ended_by_device", endpoint=live.endpoint, paths=observation.paths, code=code)
        event = self.observation_changed(
            live, observation, ObservationState.CANCELLED, code, diagnostic_text(message.payload)
        )
        self._publisher.publish_event(event.model_copy(update={"id": event_id}), kept)


def assumed_format(observation: Observation | None, path: Path | None = None, accept: int | None = None) -> int:
    """The format of a payload that states none: the one asked for, else text for a resource, TLV for what is above.

    `accept`: what a request asked for that is no observation. RFC 7252, 5.5.1, leaves it to the application.
    """
    if observation is not None and observation.content_format is not None:
        return observation.content_format
    if accept is not None:
        return accept
    if observation is not None and not observation.composite:
        path = Path.parse(observation.paths[0])
    return ContentFormat.TEXT if path is not None and path.depth >= 3 else ContentFormat.TLV


def more_blocks(message: Message) -> bool:
    """The M bit of Block2. RFC 7959, 2.2."""
    return bool((message.uint(Option.BLOCK2) or 0) & _MORE)


def _event_id(live: LiveRegistration, message: Message) -> str:
    """The same for a retransmission, also after a restart of the gateway."""
    sequence = message.uint(Option.OBSERVE)
    return digest(
        "reported", live.endpoint, message.token, message.message_id, -1 if sequence is None else sequence,
        message.code, message.payload,
    )  # fmt: skip


def _ignore_registration(_live: LiveRegistration) -> None:
    return None


def _ignore_peer(_live: LiveRegistration, _peer: Peer) -> None:
    return None


def _ignore_observation(_live: LiveRegistration, _observation: Observation) -> None:
    return None


def _ignore(_: bool) -> None:
    return None


def _acknowledgement(header: Header, peer: Peer) -> Kept:
    def acknowledge(is_kept: bool) -> None:
        if not is_kept:
            metrics.UNACKNOWLEDGED.inc()
        elif header.type == Type.CON:
            peer.send(empty(Type.ACK, header.message_id))

    return acknowledge
