"""The values of an undecoded report are stored once, however often they were published."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from nats.js import JetStreamContext

from harness.embedded import RunningPostgres
from harness.event_messages import EventMessage, publish, record, reported
from harness.rows import projected, rows
from harness.services import ServiceProcess

T = datetime(2026, 3, 1, 12, 0, 0, 250_000, UTC)
S = timedelta(seconds=1)
Start = Callable[..., ServiceProcess]

UNDECODED = reported("dev", T, payload="wgA=", undecoded="the TLV ends in the middle of a value")


def retried(value: float, part: int = 0, parts: int = 1, composite: bool = False) -> EventMessage:
    """Each has an id of its own, as one that was published when JetStream had forgotten the id of the one before."""
    values = record("3303/0/5700", "float", value, T + part * S)
    return reported("dev", T, values, retry_of=1, part=part, parts=parts, composite=composite)


def stored(url: str) -> list[tuple[float, int]]:
    found = rows(url, "select value_float, stream_sequence from resource order by stream_sequence")
    return [(value, sequence) for value, sequence in found]


QUARANTINE = "select decoded_at is not null, decoded_in from undecoded_report"
LATEST = "select value_float, stream_sequence from latest_value"


async def test_the_same_report_retried_again_later_is_stored_once_also_in_a_replay(
    js: JetStreamContext, database_url: str, postgres: RunningPostgres, migrated_template: str, service: Start
) -> None:
    ingest = service("flownexus_ingest")
    for message in (UNDECODED, retried(21.5, composite=True), retried(99.0, composite=True)):
        await projected(database_url, await publish(js, message))
    one_more = await publish(js, retried(99.0), retried(99.0), reported("dev", T, record("3/0/9", "integer", 7, T)))
    await projected(database_url, one_more)
    again = postgres.create_database(template=migrated_template)
    ingest.stop()
    service("flownexus_ingest", FLOWNEXUS_DATABASE_URL=again)
    await projected(again, one_more)

    for url in (database_url, again):
        assert stored(url) == [(21.5, 2), (None, one_more)]
        assert rows(url, LATEST + " where value_float is not null") == [(21.5, 2)]
        assert rows(url, "select stream_sequence from event") == [(2,)]
        assert rows(url, QUARANTINE) == [(True, [2])]


async def test_a_retry_in_parts_is_decoded_when_the_last_of_them_came(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    service("flownexus_ingest")
    await projected(database_url, await publish(js, UNDECODED, retried(1.0, 0, 2)))
    assert rows(database_url, QUARANTINE) == [(False, [2, 0])]
    await projected(database_url, await publish(js, retried(1.0, 0, 2), retried(2.0, 1, 2), retried(2.0, 1, 2)))
    assert stored(database_url) == [(1.0, 2), (2.0, 4)]
    assert rows(database_url, QUARANTINE) == [(True, [2, 4])]

    bad = await publish(js, retried(3.0, 2, 2), retried(3.0, 1, 3))
    await projected(database_url, bad)
    assert len(stored(database_url)) == 2
    assert (await js.stream_info("LWM2M_DEAD_LETTERS")).state.messages == 1
