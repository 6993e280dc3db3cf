"""The rows that a batch of messages becomes, before names have ids."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from flownexus_ingest.endpoint_changes import EndpointChange
from flownexus_ingest.values import ValueColumns
from flownexus_runtime.stream_message import Message

TypeKey = tuple[int, int]
"""(object id, resource id)."""

SeriesKey = tuple[str, TypeKey, int, int]
"""(endpoint, resource type, object instance id, resource instance id)."""


class Reading(NamedTuple):
    """A row of `resource`."""

    time: datetime
    stream_sequence: int
    record_index: int
    endpoint: str
    resource: TypeKey
    object_instance_id: int
    resource_instance_id: int
    received_at: datetime
    data_type: str
    value: ValueColumns
    marks: list[str] | None = None

    @property
    def series(self) -> SeriesKey:
        return (self.endpoint, self.resource, self.object_instance_id, self.resource_instance_id)

    def is_newer_than(self, other: Reading) -> bool:
        """By time, then by order of arrival."""
        return self[:3] > other[:3]


class Happening(NamedTuple):
    """A row of `event` with the readings that it groups."""

    time: datetime
    stream_sequence: int
    endpoint: str
    event_type: str
    received_at: datetime
    readings: list[Reading]


class Outcome(NamedTuple):
    """A row of `observation_outcome`."""

    endpoint: str
    paths: str
    composite: bool
    state: str
    code: str | None
    diagnostic: str | None
    time: datetime
    stream_sequence: int
    attributes: dict[str, float]
    attributes_code: str | None
    attributes_diagnostic: str | None


class Log(NamedTuple):
    """A row of `log_line`."""

    time: datetime
    stream_sequence: int
    endpoint: str
    level: str
    text: str


class Retried(NamedTuple):
    """A row of `undecoded_report` whose values the report `by_sequence` holds, or one `part` of them; or, where that is
    without values, a row that was dismissed.
    """

    decoded_at: datetime
    received_at: datetime
    stream_sequence: int
    endpoint: str
    by_sequence: int
    part: int
    parts: int
    dismissed: bool


class Undecoded(NamedTuple):
    """A row of `undecoded_report`."""

    stream_sequence: int
    endpoint: str
    received_at: datetime
    trigger: str
    paths: str | None
    content_format: int | None
    payload: bytes
    reason: str
    dismissed_at: datetime | None


class Step(NamedTuple):
    """A row of `bootstrap_step`. `notes` and `credentials` are JSON."""

    time: datetime
    stream_sequence: int
    endpoint: str
    session: str
    state: str
    text: str
    notes: str
    code: str | None
    profile: str | None
    credentials: str
    identity: str | None
    address_host: str
    address_port: int
    gateway: str


class StatedVersions(NamedTuple):
    """A row of `stated_versions`: an endpoint registered or updated with other versions of objects than before."""

    endpoint: str
    stream_sequence: int
    object_versions: Mapping[str, str]


class Rejected(NamedTuple):
    """A message that cannot become rows, and why."""

    message: Message
    reason: str


@dataclass(slots=True)
class Rows:
    """What one batch writes. `latest` and `outcomes` hold the newest of each key, `endpoints` the sum of all
    events, `versions_before` what the endpoints of `versions` had stated before the batch.
    """

    endpoints: dict[str, EndpointChange] = field(default_factory=dict)
    readings: list[Reading] = field(default_factory=list)
    latest: dict[SeriesKey, Reading] = field(default_factory=dict)
    happenings: list[Happening] = field(default_factory=list)
    outcomes: dict[tuple[str, str, bool], Outcome] = field(default_factory=dict)
    decoded_by: dict[TypeKey, str] = field(default_factory=dict)
    versions: list[StatedVersions] = field(default_factory=list)
    versions_before: dict[str, Mapping[int, str]] = field(default_factory=dict)
    logs: list[Log] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    undecoded: list[Undecoded] = field(default_factory=list)
    retried: list[Retried] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    def add_reading(self, reading: Reading) -> None:
        self.readings.append(reading)
        newest = self.latest.get(reading.series)
        if newest is None or reading.is_newer_than(newest):
            self.latest[reading.series] = reading

    def without(self, sequences: Set[int]) -> Rows:
        """These rows without the values of the reports with these sequences."""
        kept = replace(
            self,
            readings=[],
            latest={},
            happenings=[row for row in self.happenings if row.stream_sequence not in sequences],
        )
        for reading in self.readings:
            if reading.stream_sequence not in sequences:
                kept.add_reading(reading)
        return kept

    @property
    def count(self) -> int:
        """Rows that are inserted; those that are updated in place are not counted."""
        grouped = sum(1 + len(happening.readings) for happening in self.happenings)
        return len(self.readings) + grouped + len(self.logs) + len(self.undecoded) + len(self.steps)
