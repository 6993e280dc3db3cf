"""DTLS sessions outlive their gateway: restarts, another port, another gateway. No new handshake, no nonce twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest
from nats.js import JetStreamContext

from flownexus_gateway.transport.dtls import session_store
from flownexus_schemas.commands import CommandAnswer, CommandFailure
from flownexus_schemas.profiles import ObservationProfile
from flownexus_schemas.subjects import Bucket
from harness.lockstep import CHANGED, GET, TEXT, Silence
from harness.ports import free_port
from harness.secure_device import SecureDevice
from harness.services import ServiceProcess
from harness.waiting import until
from integration.gateway.credential_bucket import CREDENTIALS_KEY, CredentialBucket
from integration.gateway.gateway_metrics import metric
from integration.gateway.observed_device import TEMPERATURE, TLV_21_5, is_ack, observed
from integration.gateway.test_gateway_coaps import LINKS, ask
from integration.gateway.two_gateways import stored_as_observed

NewDevice = Callable[..., SecureDevice]

HOPS = 12


@pytest.fixture
def profile() -> ObservationProfile:
    return TEMPERATURE


async def kept(js: JetStreamContext, count: int = 1) -> list[int]:
    """Wait until so many sessions are in the bucket."""
    bucket = await js.key_value(Bucket.DTLS_SESSIONS)

    async def there() -> list[int]:
        values = (await bucket.status()).values
        return [values] if values >= count else []

    return await until(there, what=f"{count} sessions in the bucket")


def notify(client: SecureDevice, token: bytes, sequence: int) -> None:
    """The first datagram to a gateway that was restarted may wait for its answer; it is sent once."""
    notification = client.notification(token, sequence, TLV_21_5)
    assert is_ack(client.exchange(notification), notification)


@pytest.mark.parametrize("how", ["stopped", "killed"])
@pytest.mark.parametrize("cid", [None, b"", b"own"], ids=["no connection id", "none of its own", "connection ids"])
async def test_a_device_goes_on_after_a_restart_of_the_gateway(  # noqa: PLR0917 - fixtures
    js: JetStreamContext, secure_gateway: ServiceProcess, credentials: CredentialBucket, secure_device: NewDevice,
    cid: bytes | None, how: str,
) -> None:  # fmt: skip
    await credentials.psk("device-1")
    client = secure_device(cid=cid).connect()
    token = observed(client, LINKS)
    notify(client, token, 1)
    await stored_as_observed(js, "device-1")
    await kept(js)
    if how == "stopped":
        secure_gateway.stop()
    else:
        secure_gateway.kill()
    secure_gateway.start()
    if cid is not None:
        client.move()
    notify(client, token, 2)
    assert client.update().code == CHANGED
    answer = await ask(js)
    request = await asyncio.to_thread(client.expect_request, GET, "3/0/0")
    client.answer(request, payload=b"Acme", content_format=TEXT)
    assert isinstance(await answer, CommandAnswer)
    assert metric(secure_gateway, "flownexus_gateway_dtls_handshakes_total") == 0
    assert len(client.dtls.server_numbers) == len(set(client.dtls.server_numbers)), "a nonce came twice"


async def test_a_device_is_asked_after_a_restart_before_it_speaks(
    js: JetStreamContext, secure_gateway: ServiceProcess, credentials: CredentialBucket, secure_device: NewDevice
) -> None:
    await credentials.psk("device-1")
    client = secure_device(cid=b"").connect()
    observed(client, LINKS)
    await stored_as_observed(js, "device-1")
    await kept(js)
    secure_gateway.kill()
    secure_gateway.start()
    answer = await ask(js)
    request = await asyncio.to_thread(client.expect_request, GET, "3/0/0")
    client.answer(request, payload=b"Acme", content_format=TEXT)
    assert isinstance(await answer, CommandAnswer)


async def test_over_many_kills_no_nonce_comes_twice(
    js: JetStreamContext, secure_gateway: ServiceProcess, credentials: CredentialBucket, secure_device: NewDevice
) -> None:
    await credentials.psk("device-1")
    client = secure_device(cid=b"").connect()
    token, sequence = observed(client, LINKS), 0
    await stored_as_observed(js, "device-1")
    await kept(js)
    for _ in range(3):
        for _ in range(session_store.RESERVED // 2 + 10):
            sequence += 1
            notify(client, token, sequence)
        secure_gateway.kill()
        secure_gateway.start()
    numbers = client.dtls.server_numbers
    assert len(numbers) > 3 * session_store.RESERVED // 2
    assert len(numbers) == len(set(numbers))


async def test_a_record_that_came_before_the_restart_does_not_come_again(
    js: JetStreamContext, secure_gateway: ServiceProcess, credentials: CredentialBucket, secure_device: NewDevice
) -> None:
    await credentials.psk("device-1")
    client = secure_device(cid=b"").connect()
    token = observed(client, LINKS)
    notification = client.notification(token, 1, TLV_21_5)
    recorded = client.dtls.seal(23, notification)
    client.transmit(recorded)
    assert is_ack(client.receive(), notification)
    await kept(js)
    secure_gateway.stop()
    secure_gateway.start()
    client.transmit(recorded)
    await until(lambda: metric(secure_gateway, "flownexus_gateway_dtls_discarded_total") == 1)
    with pytest.raises(Silence):
        client.receive(0.2)


async def test_who_closed_or_was_revoked_meanwhile_does_not_come_back(
    js: JetStreamContext, secure_gateway: ServiceProcess, credentials: CredentialBucket, secure_device: NewDevice
) -> None:
    await credentials.psk("device-1")
    taken_back = await credentials.psk("device-2")
    closed, revoked = secure_device(cid=b"").connect(), secure_device("device-2", cid=b"").connect()
    for client in (closed, revoked):
        observed(client, LINKS)
    await kept(js, 2)
    closed.dtls.close()
    await until(lambda: metric(secure_gateway, "flownexus_gateway_dtls_associations") == 1)
    secure_gateway.stop()
    gone = taken_back.model_copy(update={"revoked_at": 1.0})
    await (await js.key_value(Bucket.CREDENTIALS)).put(gone.id, gone.model_dump_json().encode())
    secure_gateway.start()
    assert metric(secure_gateway, "flownexus_gateway_dtls_associations") == 0
    for client in (closed, revoked):
        client.send(client.notification(b"12345678", 5, TLV_21_5))
        with pytest.raises(Silence):
            client.receive(0.3)


async def test_where_connection_ids_are_off_nothing_is_kept(
    js: JetStreamContext, service: Callable[..., ServiceProcess]
) -> None:
    gateway = service(
        "flownexus_gateway",
        FLOWNEXUS_COAPS_PORT=free_port("udp"),
        FLOWNEXUS_CREDENTIALS_KEY=CREDENTIALS_KEY,
        FLOWNEXUS_DTLS_CONNECTION_IDS="false",
    )
    await CredentialBucket(js, gateway).psk("device-1")
    client = SecureDevice(int(gateway.env["FLOWNEXUS_COAPS_PORT"]), "device-1", cid=b"")
    with client:
        client.connect()
        client.send(client.register_datagram(LINKS, message_id=1))
        client.receive()
        assert not client.dtls.uses_cid
        assert gateway.stop() == 0
        assert (await (await js.key_value(Bucket.DTLS_SESSIONS)).status()).values == 0


@pytest.fixture
def second_gateway(secure_gateway: ServiceProcess, service: Callable[..., ServiceProcess]) -> ServiceProcess:
    return service(
        "flownexus_gateway",
        FLOWNEXUS_GATEWAY_ID="gw-2",
        FLOWNEXUS_COAPS_PORT=free_port("udp"),
        FLOWNEXUS_CREDENTIALS_KEY=CREDENTIALS_KEY,
    )


async def test_another_gateway_understands_the_first_record_and_both_never_use_a_nonce_twice(
    js: JetStreamContext, secure_gateway: ServiceProcess, second_gateway: ServiceProcess,
    credentials: CredentialBucket, secure_device: NewDevice,
) -> None:  # fmt: skip
    """As behind a load balancer without memory, or when the address of one gateway moves to another."""
    await credentials.psk("device-1")
    client = secure_device(cid=b"").connect()
    token = observed(client, LINKS)
    await stored_as_observed(js, "device-1")
    await kept(js)
    ports = [int(one.env["FLOWNEXUS_COAPS_PORT"]) for one in (secure_gateway, second_gateway)]
    for sequence in range(1, 9):
        client.server = ("127.0.0.1", ports[sequence % 2])
        notification = client.notification(token, sequence, TLV_21_5)
        await _acknowledged(client, notification)
    assert len(client.dtls.server_numbers) == len(set(client.dtls.server_numbers))
    handshakes = "flownexus_gateway_dtls_handshakes_total"
    assert metric(secure_gateway, handshakes) + metric(second_gateway, handshakes) == 1


async def test_a_request_that_comes_while_the_session_goes_to_another_gateway_is_answered(
    js: JetStreamContext, secure_gateway: ServiceProcess, second_gateway: ServiceProcess,
    credentials: CredentialBucket, secure_device: NewDevice,
) -> None:  # fmt: skip
    """The gateway that had it is asked, at the moment at which a record comes to the other one."""
    await credentials.psk("device-1")
    client = secure_device(cid=b"").connect()
    token = observed(client, LINKS)
    await stored_as_observed(js, "device-1")
    await kept(js)
    ports = [int(one.env["FLOWNEXUS_COAPS_PORT"]) for one in (secure_gateway, second_gateway)]
    lost = 0
    for sequence in range(1, HOPS + 1):
        client.server = ("127.0.0.1", ports[sequence % 2])
        answer = await ask(js, gateway_id=("gw-2", "gw-1")[sequence % 2])
        notification = client.notification(token, sequence, TLV_21_5)
        client.send(notification)
        await asyncio.to_thread(_serve_until, client, answer.done, notification)
        told = await answer
        lost += isinstance(told, CommandFailure)
        assert isinstance(told, CommandAnswer) or told.error == "no-answer", told
    assert lost <= HOPS // 4, "a request is lost only where its one datagram meets the moment of the move"


def _serve_until(client: SecureDevice, is_over: Callable[[], bool], notification: bytes) -> None:
    """Answer requests until the notification is acknowledged, and somebody told how the request under way ended."""
    is_acknowledged = False
    while not (is_over() and is_acknowledged):
        with suppress(Silence):
            heard = client.receive(0.2)
            is_acknowledged |= is_ack(heard, notification)
            if heard.code == GET:
                client.answer(heard, payload=b"Acme", content_format=TEXT)


async def _acknowledged(client: SecureDevice, notification: bytes) -> None:
    """A device sends again what got no answer; one datagram can meet the moment at which a gateway loses it."""
    for _ in range(4):
        client.send(notification)
        try:
            assert is_ack(client.receive(2), notification)
        except Silence:
            continue
        return
    raise AssertionError("the notification was not acknowledged")
