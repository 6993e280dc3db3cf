"""Floods against the port of DTLS: devices that are in are served on."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from random import Random

import pytest

from flownexus_gateway.transport.dtls.limits import MAX_HANDSHAKES_OF_A_HOST
from flownexus_schemas.profiles import ObservationProfile
from harness import dtls_client
from harness.dtls_client import HANDSHAKE, HELLO_VERIFY_REQUEST, DtlsClient
from harness.lockstep import CREATED
from harness.secure_device import SecureDevice
from harness.services import ServiceProcess
from harness.waiting import until
from integration.gateway.credential_bucket import CredentialBucket
from integration.gateway.gateway_metrics import metric
from integration.gateway.observed_device import TEMPERATURE, TLV_21_5, is_ack, observed

NewDevice = Callable[..., SecureDevice]

LINKS = "</3/0>,</3303/0>"
ANOTHER_HOST = "127.0.0.3"


@pytest.fixture
def profile() -> ObservationProfile:
    return TEMPERATURE


def place_of(gateway: ServiceProcess) -> tuple[str, int]:
    return "127.0.0.1", int(gateway.env["FLOWNEXUS_COAPS_PORT"])


def require_served(client: SecureDevice, token: bytes, sequence: int) -> None:
    notification = client.notification(token, sequence, TLV_21_5)
    client.send(notification)
    assert is_ack(client.receive(5), notification)


async def test_floods_leave_those_who_are_in_served(
    secure_gateway: ServiceProcess, credentials: CredentialBucket, secure_device: NewDevice
) -> None:
    """ClientHellos with and without cookies of their own, records of nobody, garbage."""
    await credentials.psk("device-1")
    client = secure_device(cid=b"").connect()
    token, chance = observed(client, LINKS), Random(1)
    place = place_of(secure_gateway)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:

        def send(data: bytes) -> None:
            flood.sendto(data, place)

        hello = dtls_client.DtlsClient(send, lambda _: None, b"i", b"k")
        for number in range(20):
            for _ in range(100):
                hello.random = chance.randbytes(32)
                hello.send_hello(0, b"" if chance.random() < 0.5 else chance.randbytes(16))
                flood.sendto(dtls_client.record(chance.choice([22, 23, 25]), 1, 1, chance.randbytes(40)), place)
                flood.sendto(chance.randbytes(chance.randrange(1, 60)), place)
            require_served(client, token, number + 1)
    assert metric(secure_gateway, "flownexus_gateway_dtls_half_open") == 0
    assert metric(secure_gateway, "flownexus_gateway_dtls_cookies_total") > 100


async def test_handshakes_that_nobody_ends_have_a_cap_for_each_host_and_no_others_suffer(
    secure_gateway: ServiceProcess, credentials: CredentialBucket, secure_device: NewDevice
) -> None:
    """ClientHellos from true addresses, with the cookies that came back there."""
    for endpoint in ("device-1", "device-2"):
        await credentials.psk(endpoint)
    client = secure_device(cid=b"").connect()
    token, more = observed(client, LINKS), 40
    with ExitStack() as stack:
        for number in range(MAX_HANDSHAKES_OF_A_HOST + more):
            stack.enter_context(begun_handshake(place_of(secure_gateway)))
            if number % 20 == 0:
                require_served(client, token, number + 1)
        too_many = 'flownexus_gateway_dtls_refused_total{reason="too-many-handshakes"}'
        await until(lambda: metric(secure_gateway, too_many) == more, what=f"{more} refusals")
        assert metric(secure_gateway, "flownexus_gateway_dtls_half_open") == MAX_HANDSHAKES_OF_A_HOST
        assert secure_device("device-2").connect().register(LINKS).code == CREATED
        require_served(client, token, MAX_HANDSHAKES_OF_A_HOST + more + 1)


@contextmanager
def begun_handshake(place: tuple[str, int]) -> Iterator[None]:
    """A client that sends its second ClientHello and no more."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((ANOTHER_HOST, 0))
        sock.settimeout(5)

        def transmit(data: bytes) -> None:
            sock.sendto(data, place)

        hello = DtlsClient(transmit, lambda _: None, b"device-1", b"k" * 16)
        hello.send_hello(0, b"")
        ((type_, body),) = hello.open(sock.recv(2048))
        assert (type_, body[0]) == (HANDSHAKE, HELLO_VERIFY_REQUEST)
        hello.send_hello(1, body[15:])
        yield
