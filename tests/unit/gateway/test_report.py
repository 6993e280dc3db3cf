"""The JSON that is written directly is that of the model."""

from __future__ import annotations

import base64
import json
import math

from hypothesis import given
from hypothesis import strategies as st

from flownexus_gateway.registrations.live import LiveRegistration
from flownexus_gateway.transport.peer import Peer
from flownexus_gateway.uplink.report import Report, decode, write_event
from flownexus_schemas.cloudevent import utc
from flownexus_schemas.events import Address, ObservationRef, Registration, ReportedRecord, Trigger, ValuesReported
from flownexus_schemas.events import Report as ReportModel
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.timestamps import TimedRecord
from flownexus_schemas.registrations import Observation, StoredRegistration
from flownexus_schemas.reported_values import wire_value

RECEIVED_AT = 1_795_392_000.25
OBSERVATION = Observation(token="0102030405060708", paths=("3303/0/5700", "3304"), composite=True)


def live() -> LiveRegistration:
    registration = Registration(
        registration_id="abc",
        lifetime_s=60,
        lwm2m_version="1.1",
        binding="U",
        queue_mode=False,
        awake_window_s=93,
        address=Address(host="192.0.2.1", port=5683),
        gateway="gw-1",
        object_links=("3303/0",),
    )
    stored = StoredRegistration(endpoint="urn:imei:1", registration=registration, registered_at=1, last_seen_at=1)
    return LiveRegistration(stored, Peer(("192.0.2.1", 5683), None, lambda *_: None), 1)


def report(payload: bytes = b"1.5", observation: Observation | None = OBSERVATION) -> Report:
    return Report(
        live(), Trigger.NOTIFY, True, "environment", observation, Path.parse("3303/0/5700"), payload, 0, 0, RECEIVED_AT
    )


def model(of: Report, records: list[TimedRecord], undecoded: str | None) -> ValuesReported:
    reference = None
    if of.observation is not None:
        reference = ObservationRef(token=of.observation.token, paths=of.observation.paths)
    data = ReportModel(
        registration_id=of.live.id,
        trigger=of.trigger,
        composite=of.composite,
        event_type=of.event_type,
        observation=reference,
        records=tuple(
            ReportedRecord(
                path=str(record.path),
                type=record.type,
                value=wire_value(record.value),
                time=utc(record.time),
                anchored=record.anchored,
            )
            for record in records
        ),
        content_format=of.content_format,
        payload=base64.b64encode(of.payload).decode(),
        undecoded=undecoded,
        received_at=utc(of.received_at),
    )
    return ValuesReported(
        id="id-1", source="/gateway/gw-1", subject=of.live.endpoint, time=utc(of.received_at), data=data
    )


values = st.one_of(
    st.tuples(st.just(DataType.STRING), st.text(max_size=20)),
    st.tuples(st.just(DataType.INTEGER), st.integers(-(2**63), 2**64 - 1)),
    st.tuples(st.just(DataType.FLOAT), st.floats(allow_nan=False, allow_infinity=False)),
    st.tuples(st.just(DataType.BOOLEAN), st.booleans()),
    st.tuples(st.just(DataType.OPAQUE), st.binary(max_size=20)),
)
records = st.lists(
    st.builds(
        lambda typed, time, anchored: TimedRecord(
            Path.of(3303, 0, 5700), typed[0], typed[1], RECEIVED_AT if anchored else time, anchored
        ),
        values,
        st.integers(946_684_800, 2_000_000_000).map(float),
        st.booleans(),
    ),
    max_size=4,
)


@given(records, st.sampled_from([None, "the payload is cut short"]), st.booleans())
def test_it_is_the_json_of_the_model(given_records: list[TimedRecord], undecoded: str | None, observed: bool) -> None:
    one = report(observation=OBSERVATION if observed else None)
    written = write_event(one, given_records, undecoded, "id-1", "/gateway/gw-1")
    expected = model(one, given_records, undecoded)
    assert ValuesReported.model_validate_json(written) == expected
    assert set(json.loads(written)) == set(expected.model_dump())
    assert set(json.loads(written)["data"]) == set(expected.model_dump()["data"])


def test_numbers_that_json_lacks_are_named() -> None:
    assert [wire_value(math.nan), wire_value(math.inf), wire_value(-math.inf)] == ["NaN", "Infinity", "-Infinity"]


def test_a_payload_that_cannot_be_decoded_gives_a_reason_and_no_values() -> None:
    found, reason = decode(report(b"not a number \xff"), ObjectModels())
    assert found == []
    assert reason
