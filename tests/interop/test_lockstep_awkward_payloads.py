"""Payloads that no specification has and clients send all the same, with bytes written by hand: what is unambiguous
is taken, the raw bytes are kept, what was made of them is marked."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from nats.aio.client import Client

from flownexus_schemas.commands import ReadResource
from flownexus_schemas.events import ReportedRecord, ValuesReported
from flownexus_schemas.lwm2m.marks import Mark
from flownexus_schemas.profiles import ObservationProfile
from harness.commanded import answered
from harness.lockstep import CHANGED, CONTENT, GET, SENML_JSON, TLV
from integration.gateway.gateway_events import Events, NewDevice
from integration.gateway.observed_device import TEMPERATURE, observed
from interop.habits import FLOAT_21_5, NAME, TLV_21_5, notify, reported, send, serves

LINKS = "</3/0>,</3303/0>"
OBJECT_INSTANCE_0 = b"\x08\x00\x07"
"""The header of a TLV of object instance 0 with seven bytes. LwM2M Core 1.1.1, 7.4.3."""


@pytest.mark.parametrize(
    ("path", "payload", "marks"),
    [
        ("3303/0/5700", TLV_21_5, ()),
        # The instance around it, though the resource was read.
        ("3303/0/5700", OBJECT_INSTANCE_0 + TLV_21_5, (Mark.TLV_NESTING,)),
        # An instance is answered in either way, and the specification has both.
        ("3303/0", OBJECT_INSTANCE_0 + TLV_21_5, ()),
        ("3303/0", TLV_21_5, ()),
    ],
    ids=["value", "instance-for-a-resource", "instance-for-an-instance", "resource-for-an-instance"],
)
async def test_tlv_with_more_or_less_around_the_value_than_asked_for_is_taken(  # noqa: PLR0917
    bus: Client, device: NewDevice, events: Events, path: str, payload: bytes, marks: tuple[Mark, ...]
) -> None:
    one = device(NAME)
    one.register(LINKS)
    read = ReadResource(endpoint=NAME, path=path)
    answer = await answered(bus, read, serves(one, GET, path, CONTENT, payload, TLV))
    assert [(value.path, value.value) for value in answer.values] == [("3303/0/5700", 21.5)]
    (report,) = await events.of(ValuesReported)
    assert base64.b64decode(report.data.payload) == payload
    assert report.data.records[0].marks == marks


@pytest.mark.parametrize("profile", [TEMPERATURE])
async def test_tlv_of_another_resource_is_kept_raw_with_the_reason(device: NewDevice, events: Events) -> None:
    one = device(NAME)
    one_of_5701 = b"\xe4\x16\x45" + FLOAT_21_5
    notify(one, one.notification(observed(one), 1, one_of_5701, TLV))
    report = (await events.of(ValuesReported))[-1]
    assert report.data.records == ()
    assert report.data.undecoded
    assert base64.b64decode(report.data.payload) == one_of_5701


@pytest.mark.parametrize(
    ("payload", "values", "marks"),
    [
        (b'[{"n":"/3303/0/5700","vs":"21.5"}]', [("3303/0/5700", 21.5)], [Mark.NUMBER_AS_TEXT]),
        (
            b'[{"n":"/3/0/9","vs":"80"},{"n":"/3/0/0","v":7}]',
            [("3/0/9", 80), ("3/0/0", "7")],
            [Mark.NUMBER_AS_TEXT, Mark.TEXT_AS_NUMBER],
        ),
        (b'[{"n":"/3/0/9","v":80.0}]', [("3/0/9", 80)], [Mark.FLOAT_FOR_INTEGER]),
    ],
)
async def test_numbers_as_text_and_text_as_numbers_are_of_the_type_of_the_model(
    device: NewDevice, events: Events, payload: bytes, values: list[tuple[str, object]], marks: list[Mark]
) -> None:
    one = device(NAME)
    one.register(LINKS)
    assert send(one, payload, SENML_JSON).code == CHANGED
    (report,) = await events.of(ValuesReported)
    assert reported([report]) == [values]
    assert [type(record.value) for record in report.data.records] == [type(value) for _, value in values]
    assert [record.marks for record in report.data.records] == [(mark,) for mark in marks]


@pytest.mark.parametrize("profile", [TEMPERATURE])
@pytest.mark.parametrize("content_format", [TLV, SENML_JSON, None])
async def test_an_empty_notification_is_acknowledged_and_the_observation_goes_on(
    device: NewDevice, events: Events, content_format: int | None
) -> None:
    one = device(NAME)
    token = observed(one)
    notify(one, one.notification(token, 1, b"", content_format))
    notify(one, one.notification(token, 2, TLV_21_5, TLV))
    assert reported(await events.of(ValuesReported)) == [[("3303/0/5700", 21.5)], [], [("3303/0/5700", 21.5)]]


@pytest.mark.parametrize("profile", [ObservationProfile()])
async def test_times_are_brought_to_our_clock_and_those_that_were_none_are_marked(
    device: NewDevice, events: Events
) -> None:
    one = device(NAME)
    one.register(LINKS)
    # A minute ago; no time; 5 s after the device's start; 1970; 2023; the year 58000, in milliseconds.
    times = [b'"t":-60,', b"", b'"t":5,', b'"t":86400,', b'"t":1700000000,', b'"t":1700000000000,']
    pack = b",".join(b'{%b"n":"/3303/0/5700","v":%d}' % (time, number) for number, time in enumerate(times))
    assert send(one, b"[" + pack + b"]", SENML_JSON).code == CHANGED
    (report,) = await events.of(ValuesReported)
    received = report.data.received_at
    records: list[ReportedRecord] = sorted(report.data.records, key=lambda record: float(record.value))
    assert [record.anchored for record in records] == [False, True, True, True, False, True]
    assert records[0].time == received - timedelta(seconds=60)
    assert {record.time for record in records if record.anchored} == {received}
    assert records[4].time.timestamp() == 1_700_000_000
    assert [record.marks for record in records] == [
        (),
        (),
        (Mark.CLOCK_NOT_SET,),
        (Mark.CLOCK_NOT_SET,),
        (),
        (Mark.CLOCK_AHEAD,),
    ]


@pytest.mark.parametrize("profile", [ObservationProfile()])
async def test_a_negative_base_time_counts_back_from_receipt(device: NewDevice, events: Events) -> None:
    one = device(NAME)
    one.register(LINKS)
    pack = b'[{"bn":"/3303/0/5700","bt":-10,"v":1},{"t":5,"v":2},{"t":10,"v":3}]'
    assert send(one, pack, SENML_JSON).code == CHANGED
    (report,) = await events.of(ValuesReported)
    ago = [(report.data.received_at - record.time).total_seconds() for record in report.data.records]
    assert ago == [10, 5, 0]
