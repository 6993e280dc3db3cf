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


async def set_aside(js: JetStreamContext, stream: str, message: Message, reason: str, now: datetime) -> None:
    """Store the message as a dead letter; returns once it is stored. Raises what a publish raises."""
    letter = DeadLetter(
        service=SERVICE,
        reason=reason[:2000],
        stream=stream,
        stream_sequence=message.sequence,
        subject=message.subject,
        headers=dict(message.headers),
        payload=b64encode(message.payload).decode(),
        time=now,
    )
    await js.publish(
        subjects.dead_letter(SERVICE),
        letter.model_dump_json().encode(),
        headers={"Nats-Msg-Id": f"{SERVICE}-{stream}-{message.sequence}"},
    )
    metrics.DEAD_LETTERS.inc()
    log.warning("message.set_aside", subject=message.subject, stream_sequence=message.sequence, reason=reason[:200])
