"""Datagrams that are no CoAP messages, or nearly. RFC 7252, 3, 4.2."""

from __future__ import annotations

import random
from collections.abc import Iterator

from harness.lockstep import CON, CREATED, POST, RST, URI_PATH, LockstepDevice, Silence, datagram
from harness.services import ServiceProcess
from integration.gateway.gateway_events import NewDevice
from integration.gateway.gateway_metrics import metric

COUNT = 10_000
BATCH = 100


def fuzzed(seed: int) -> Iterator[bytes]:
    """Random bytes, and good messages with a byte changed or cut short."""
    chance = random.Random(seed)
    register = datagram(
        CON, POST, 1, b"\x01", [(URI_PATH, b"rd"), (15, b"ep=\xff"), (12, b"\x28"), (27, b"\x0e")], b"</3/0>"
    )
    notification = datagram(CON, 0x45, 2, b"12345678", [(6, b"\x01"), (12, b"\x2d\x16")], b"\xe4\x16\x44")
    for number in range(COUNT):
        match number % 4:
            case 0:
                yield chance.randbytes(chance.randrange(40))
            case 1:
                yield bytes([0x40 | chance.randrange(64)]) + chance.randbytes(chance.randrange(40))
            case 2:
                message = bytearray(chance.choice([register, notification]))
                message[chance.randrange(1, len(message))] = chance.randrange(256)
                yield bytes(message)
            case _:
                message = bytearray(chance.choice([register, notification]))
                yield bytes(message[: chance.randrange(len(message))])


async def test_ten_thousand_fuzzed_datagrams_leave_it_serving(device: NewDevice, gateway: ServiceProcess) -> None:
    attacker = device("attacker")
    for number, data in enumerate(fuzzed(seed=7)):
        attacker.send(data)
        if number % BATCH == 0:
            # One that is answered, so that the server has read all before it.
            attacker.send(datagram(CON, 0, 40_000 + number))
            assert heard_reset(attacker, 40_000 + number)
    assert metric(gateway, "flownexus_gateway_malformed_datagrams_total") > COUNT / 4
    assert device("device-1").register("</3/0>").code == CREATED
    assert "Traceback" not in gateway.log_text()
    gateway.stop()


def heard_reset(attacker: LockstepDevice, message_id: int) -> bool:
    try:
        while True:
            heard = attacker.receive()
            if heard.type == RST and heard.message_id == message_id:
                return True
    except Silence:
        return False


async def test_what_has_another_version_is_ignored_and_a_reserved_code_is_reset(device: NewDevice) -> None:
    client = device()
    client.send(b"\xc0\x02\x00\x01")
    heard = client.exchange(b"\x40\xe1\x00\x02")
    assert (heard.type, heard.message_id) == (RST, 2)


async def test_a_critical_option_that_is_not_known_is_answered_4_02(device: NewDevice) -> None:
    options = [(URI_PATH, b"rd"), (2049, b"x")]
    assert device().exchange(datagram(CON, POST, 3, b"t", options)).code == 0x82
