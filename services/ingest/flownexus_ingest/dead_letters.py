"""Sets messages aside that cannot become rows."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime

import structlog
from nats.js import JetStreamContext

from flownexus_ingest import metrics
from flownexus_runtime.stream_message import Message
from flownexus_schemas import subjects
from flownexus_schemas.dead_letters import DeadLetter

log = structlog.get_logger(__name__)

SERVICE = "ingest"

MAX_PAYLOAD_BYTES = 600_000
"""Of a message that its letter holds: in base64, with reason and headers (NATS: 64 KiB), below NATS's 1 MiB."""


async def set_aside(js: JetStreamContext, stream: str, message: Message, reason: str, now: datetime) -> None:
    """Store the message as a dead letter; returns once it is stored. Raises what a publish raises.

    A message that its letter cannot hold stays where it is, in the stream, and the letter says so.
    """
    too_large = len(message.payload) > MAX_PAYLOAD_BYTES
    letter = DeadLetter(
        service=SERVICE,
        reason=reason[:2000],
        stream=stream,
        stream_sequence=message.sequence,
        subject=message.subject,
        headers=dict(message.headers),
        payload="" if too_large else b64encode(message.payload).decode(),
        payload_in_stream=too_large,
        time=now,
    )
    await js.publish(
        subjects.dead_letter(SERVICE),
        letter.model_dump_json().encode(),
        headers={"Nats-Msg-Id": f"{SERVICE}-{stream}-{message.sequence}"},
    )
    metrics.DEAD_LETTERS.inc()
    log.warning("message.set_aside", subject=message.subject, stream_sequence=message.sequence, reason=reason[:200])
