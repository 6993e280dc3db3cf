"""What a device stored while it was away comes at once, and is whole in the tables: from datagrams to rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from nats.js import JetStreamContext

from flownexus_schemas.profiles import ObservationProfile
from flownexus_schemas.subjects import Bucket
from harness.lockstep import (
    BLOCK1,
    CHANGED,
    CON,
    CONTENT_FORMAT,
    GET,
    POST,
    SENML_JSON,
    TEXT,
    URI_PATH,
    LockstepDevice,
    datagram,
    uint,
)
from harness.rows import rows
from harness.waiting import until

if TYPE_CHECKING:
    from conftest import ServiceFactory

STORED = 1000
WINDOW = 50
MORE, SIZE_1024 = 8, 6
CONTINUE = 0x5F
LINKS = '</>;rt="oma.lwm2m";ct=110,</3303/0>'
PROFILE = ObservationProfile.model_validate({"observe": [{"path": "3303/0/5700"}]})


@pytest.fixture
async def port(js: JetStreamContext, service: ServiceFactory, database_url: str) -> int:
    bucket = await js.key_value(Bucket.OBSERVATION_PROFILES)
    await bucket.put("default", PROFILE.model_dump_json().encode())
    gateway = service("flownexus_gateway")
    service("flownexus_ingest")
    return int(gateway.env["FLOWNEXUS_COAP_PORT"])


def readings(url: str) -> list[tuple[float, bool]]:
    """Temperatures in the order of their times, and whether each has another time than the one before."""
    return rows(
        url,
        "select value_number, time is distinct from lag(time) over (order by time, stream_sequence, record_index) "
        "from resource join resource_type on resource_type.id = resource_type_id where object_id = 3303 "
        "order by time, stream_sequence, record_index",
    )


async def test_a_thousand_records_in_one_send_are_a_thousand_rows_each_with_its_own_time(
    port: int, database_url: str
) -> None:
    with LockstepDevice(port, "logger") as device:
        device.register(LINKS)
        observe = device.expect_request(GET, "3303/0/5700")
        device.answer(observe, code=0x84)  # 4.04: only what it sends by itself counts here
        records = ",".join(f'{{"n":"/3303/0/5700","v":{number},"t":-{STORED - number}}}' for number in range(STORED))
        pack = f"[{records}]".encode()
        blocks = [pack[start : start + 1024] for start in range(0, len(pack), 1024)]
        for number, block in enumerate(blocks):
            more = MORE if number < len(blocks) - 1 else 0
            options = [(URI_PATH, b"dp"), (CONTENT_FORMAT, uint(SENML_JSON))]
            options.append((BLOCK1, uint(number << 4 | more | SIZE_1024)))
            heard = device.exchange(datagram(CON, POST, next(device.message_ids), b"s", options, block))
            assert heard.code == (CONTINUE if more else CHANGED)
    await until(lambda: len(readings(database_url)) >= STORED, 20, "every row")
    assert readings(database_url) == [(float(number), True) for number in range(STORED)]


async def test_a_thousand_notifications_at_once_are_a_thousand_rows(port: int, database_url: str) -> None:
    with LockstepDevice(port, "logger") as device:
        device.register(LINKS)
        observe = device.expect_request(GET, "3303/0/5700")
        device.answer(observe, payload=b"0", content_format=TEXT, observe=0)
        stored = [device.notification(observe.token, number, b"%d" % number, TEXT) for number in range(1, STORED)]
        for first in range(0, len(stored), WINDOW):
            burst = stored[first : first + WINDOW]
            for data in burst:
                device.send(data)
            assert {device.receive().message_id for _ in burst} == {int.from_bytes(d[2:4], "big") for d in burst}
    await until(lambda: len(readings(database_url)) >= STORED, 20, "every row")
    assert sorted(value for value, _ in readings(database_url)) == [float(number) for number in range(STORED)]
