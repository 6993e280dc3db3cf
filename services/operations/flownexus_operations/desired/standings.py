"""How the desired values of each endpoint stand: the last message of each subject of the stream."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import Header
from nats.js.errors import APIError, BadRequestError
from nats.js.errors import Error as JetStreamError

from flownexus_operations import metrics
from flownexus_operations.transitions import Overtaken
from flownexus_schemas import subjects
from flownexus_schemas.desired.standing import DesiredChanged, EndpointDesired
from flownexus_schemas.errors import Unavailable
from flownexus_schemas.jetstream import WRONG_LAST_SEQUENCE
from flownexus_schemas.subjects import Stream


class Kept(NamedTuple):
    """What the stream has last of an endpoint, the sequence of that, and which replica appended it when."""

    desired: EndpointDesired
    sequence: int
    source: str = ""
    at: datetime = datetime.min.replace(tzinfo=UTC)


class Standings:
    """Filled by `take` in the order of the stream; `source` is the CloudEvents source of what this replica appends."""

    def __init__(self, js: JetStreamContext, source: str) -> None:
        self._js, self.source = js, source
        self._kept: dict[str, Kept] = {}

    def __iter__(self) -> Iterator[str]:
        """The endpoints of which anything is kept."""
        return iter(self._kept)

    def of(self, endpoint: str) -> Kept:
        """What is kept of an endpoint; at first, nothing."""
        return self._kept.get(endpoint) or Kept(EndpointDesired(endpoint=endpoint), 0)

    def take(self, event: DesiredChanged, sequence: int) -> None:
        """An endpoint as a message has it; an older one changes nothing."""
        desired = event.data
        if sequence > self.of(desired.endpoint).sequence:
            self._kept[desired.endpoint] = Kept(desired, sequence, event.source, event.time)

    def clear(self) -> None:
        """Know nothing: the stream is another."""
        self._kept.clear()

    async def append(self, desired: EndpointDesired, rests_on: int, now: datetime) -> None:
        """Keep what follows from the message `rests_on`, 0 for none. Raises Overtaken, Unavailable."""
        event = DesiredChanged(
            id=f"desired-{subjects.endpoint_key(desired.endpoint)}-{rests_on}"[-200:],
            source=self.source,
            subject=desired.endpoint,
            time=now,
            data=desired,
        )
        try:
            kept = await self._js.publish(
                subjects.desired(desired.endpoint),
                event.model_dump_json().encode(),
                stream=Stream.OPERATIONS,
                headers={Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: str(rests_on)},
            )
        except BadRequestError as error:
            if error.err_code != WRONG_LAST_SEQUENCE:
                raise
            metrics.DESIRED_CONFLICTS.inc()
            raise Overtaken from error
        except (NatsError, APIError, JetStreamError, TimeoutError) as error:
            raise Unavailable(f"how desired values stand is not known to be kept: {error!r}") from error
        self.take(event, kept.seq)
