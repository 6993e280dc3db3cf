"""The device's answers to attempts of operations, kept in the stream before anybody is told of them."""

from __future__ import annotations

import time

from flownexus_gateway.publisher import Publisher, until_kept
from flownexus_schemas import subjects
from flownexus_schemas.cloudevent import utc
from flownexus_schemas.commands import Command, CommandAnswer
from flownexus_schemas.operations.messages import KeptAnswer
from flownexus_schemas.operations.operation import keepable


class KeptAnswers:
    """Whoever asked may be gone, and must not ask the device again."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def keep(self, command: Command, answer: CommandAnswer) -> None:
        """Keep the answer where the command is an attempt of an operation, however long the bus is away: it is known
        only here.
        """
        if command.operation_id is None:
            return
        attempt = command.operation_attempt or 1
        kept = KeptAnswer(
            operation_id=command.operation_id,
            attempt=attempt,
            answer=keepable(answer),
            received_at=utc(time.time()),
        )
        subject = subjects.operation_answer(command.endpoint, command.operation_id)
        payload, message_id = kept.model_dump_json().encode(), f"{command.operation_id}-{attempt}-answered"
        await until_kept(lambda told: self._publisher.publish(subject, payload, message_id, told), attempts=None)
