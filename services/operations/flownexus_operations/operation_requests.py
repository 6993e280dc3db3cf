"""Operations that the service itself asks for, each once: whoever asks for the same gets the one that is there."""

from __future__ import annotations

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import Header
from nats.js.errors import APIError, BadRequestError
from nats.js.errors import Error as JetStreamError

from flownexus_schemas import subjects
from flownexus_schemas.errors import InvalidMessage, Unavailable
from flownexus_schemas.jetstream import WRONG_LAST_SEQUENCE
from flownexus_schemas.operations.messages import OperationRequested, parse_operation_event
from flownexus_schemas.operations.operation import Operation
from flownexus_schemas.subjects import Stream

_AWAY = (NatsError, APIError, JetStreamError, TimeoutError)


class OperationRequests:
    """Of one replica; `source` is its CloudEvents source."""

    def __init__(self, js: JetStreamContext, source: str) -> None:
        self._js, self._source = js, source

    async def request(self, operation: Operation) -> Operation:
        """Have it on the stream; as it stands where it is there already. Raises Unavailable."""
        event = OperationRequested(
            id=f"{operation.id}-requested",
            source=self._source,
            subject=operation.endpoint,
            time=operation.requested_at,
            data=operation,
        )
        subject = subjects.operation(operation.endpoint, operation.id)
        try:
            await self._js.publish(
                subject,
                event.model_dump_json().encode(),
                stream=Stream.OPERATIONS,
                headers={Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: "0"},
            )
        except BadRequestError as error:
            if error.err_code != WRONG_LAST_SEQUENCE:
                raise
            return await self._known(subject)
        except _AWAY as error:
            raise Unavailable(f"an operation is not known to be kept: {error!r}") from error
        return operation

    async def _known(self, subject: str) -> Operation:
        try:
            message = await self._js.get_last_msg(Stream.OPERATIONS, subject)
            return parse_operation_event(message.data or b"").data
        except (InvalidMessage, *_AWAY) as error:
            raise Unavailable(f"an operation cannot be read: {error!r}") from error
