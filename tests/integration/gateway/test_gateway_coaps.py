"""Devices over DTLS: everything that works over plain CoAP does, and nobody speaks for another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from nats.js import JetStreamContext

from flownexus_schemas.commands import CommandAnswer, CommandFailure, ReadResource, answer_adapter
from flownexus_schemas.events import EndpointRegistered, EndpointUpdated, ValuesReported
from flownexus_schemas.profiles import ObservationProfile
from flownexus_schemas.subjects import gateway_request
from harness.dtls_client import Alerted
from harness.lockstep import (
    CHANGED,
    CON,
    CREATED,
    DELETED,
    GET,
    POST,
    SENML_JSON,
    TEXT,
    URI_PATH,
    URI_QUERY,
    LockstepDevice,
    Silence,
    datagram,
    uint,
)
from harness.secure_device import KEY, SecureDevice
from harness.services import ServiceProcess
from harness.waiting import until
from integration.gateway.credential_bucket import CredentialBucket
from integration.gateway.gateway_events import Events
from integration.gateway.gateway_metrics import metric
from integration.gateway.observed_device import TEMPERATURE, TLV_21_5, is_ack, observed, values

NewDevice = Callable[..., SecureDevice]
FORBIDDEN, CONTENT_FORMAT = 0x83, 12
LINKS = "</3/0>,</3303/0>"


@pytest.fixture
def profile() -> ObservationProfile:
    return TEMPERATURE


async def ask(
    js: JetStreamContext, endpoint: str = "device-1", gateway_id: str = "gw-1"
) -> asyncio.Task[CommandAnswer | CommandFailure]:
    """Ask a device for 3/0/0, over the bus."""
    command = ReadResource(endpoint=endpoint, path="3/0/0", timeout_s=5).model_dump_json().encode()

    async def request() -> CommandAnswer | CommandFailure:
        reply = await js._nc.request(gateway_request(gateway_id), command, timeout=10)
        return answer_adapter.validate_json(reply.data)

    task = asyncio.create_task(request())
    await asyncio.sleep(0)
    return task


def plain_device(gateway: ServiceProcess, endpoint: str) -> LockstepDevice:
    return LockstepDevice(int(gateway.env["FLOWNEXUS_COAP_PORT"]), endpoint)


@pytest.mark.parametrize("cid", [None, b""], ids=["no connection id", "connection id"])
async def test_a_device_registers_is_observed_notifies_is_read_and_updates(
    js: JetStreamContext, credentials: CredentialBucket, secure_device: NewDevice, events: Events, cid: bytes | None
) -> None:
    await credentials.psk("device-1", identity="its identity")
    client = secure_device(identity="its identity", cid=cid).connect()
    token = observed(client, LINKS)
    (registered,) = await events.wait(EndpointRegistered)
    assert (registered.subject, registered.data.identity) == ("device-1", "psk:its identity")
    assert (registered.data.address.host, registered.data.address.port) == ("127.0.0.1", client.port)
    notification = client.notification(token, 1, TLV_21_5)
    assert is_ack(client.exchange(notification), notification)
    answer = await ask(js)
    request = await asyncio.to_thread(client.expect_request, GET, "3/0/0")
    client.answer(request, payload=b"Acme", content_format=TEXT)
    answered = await answer
    assert isinstance(answered, CommandAnswer)
    assert [value.value for value in answered.values] == ["Acme"]
    assert client.update().code == CHANGED
    (updated,) = await events.wait(EndpointUpdated)
    assert updated.data.identity == "psk:its identity"
    reported = await events.wait(ValuesReported, 3)
    assert values(reported[1]) == [("3303/0/5700", 21.5)]
    assert client.deregister().code == DELETED


async def test_the_credential_gives_the_name_where_the_device_leaves_it_out(
    credentials: CredentialBucket, secure_device: NewDevice, events: Events
) -> None:
    """LwM2M Core 1.1.1, 6.2.1."""
    await credentials.psk("urn:dev:7", identity="i", id_="c7")
    client = secure_device(identity="i").connect()
    options = [(URI_PATH, b"rd"), (URI_QUERY, b"lwm2m=1.1"), (URI_QUERY, b"lt=60"), (CONTENT_FORMAT, uint(40))]
    assert client.exchange(datagram(CON, POST, 1, b"t", options, LINKS.encode())).code == CREATED
    (registered,) = await events.wait(EndpointRegistered)
    assert registered.subject == "urn:dev:7"


async def test_a_name_that_is_not_theirs_is_forbidden_and_logged(
    secure_gateway: ServiceProcess, credentials: CredentialBucket, secure_device: NewDevice, events: Events
) -> None:
    await credentials.psk("device-1")
    client = secure_device("device-2", identity="device-1").connect()
    refused = client.register(LINKS)
    assert refused.code == FORBIDDEN
    assert refused.payload == b"psk:device-1 is for 'device-1', not for 'device-2'"
    assert "psk:device-1 is for 'device-1', not for 'device-2'" in secure_gateway.log_text()
    assert metric(secure_gateway, "flownexus_gateway_names_refused_total") == 1
    assert await events.of(EndpointRegistered) == []


async def test_a_name_that_has_credentials_is_not_taken_over_plain_coap(
    secure_gateway: ServiceProcess, credentials: CredentialBucket, secure_device: NewDevice, events: Events
) -> None:
    credential = await credentials.psk("device-1")
    client = secure_device().connect()
    observed(client, LINKS)
    with plain_device(secure_gateway, "device-1") as pretender, plain_device(secure_gateway, "device-2") as other:
        assert pretender.register(LINKS).code == FORBIDDEN
        assert other.register(LINKS).code == CREATED
        await credentials.revoke(credential)
        assert pretender.register(LINKS).code == FORBIDDEN
    assert [event.subject for event in await events.wait(EndpointRegistered, 2)] == ["device-1", "device-2"]


async def test_a_registration_is_updated_and_ended_by_its_own_device_alone(
    secure_gateway: ServiceProcess, credentials: CredentialBucket, secure_device: NewDevice
) -> None:
    await credentials.psk("device-1")
    await credentials.psk("device-2")
    client = secure_device().connect()
    observed(client, LINKS)
    stranger = secure_device("device-2").connect()
    with plain_device(secure_gateway, "device-1") as pretender:
        stranger.location = pretender.location = client.location
        assert [one.update().code for one in (stranger, pretender)] == [FORBIDDEN, FORBIDDEN]
        assert [one.deregister().code for one in (stranger, pretender)] == [FORBIDDEN, FORBIDDEN]
    assert client.update().code == CHANGED


async def test_who_has_seen_a_token_cannot_notify_with_it(
    secure_gateway: ServiceProcess, credentials: CredentialBucket, secure_device: NewDevice, events: Events
) -> None:
    await credentials.psk("device-1")
    await credentials.psk("device-2")
    client = secure_device().connect()
    token = observed(client, LINKS)
    stranger = secure_device("device-2").connect()
    with plain_device(secure_gateway, "device-1") as pretender:
        for one in (stranger, pretender):
            one.send(one.notification(token, 9, TLV_21_5))
        await until(lambda: metric(secure_gateway, "flownexus_gateway_foreign_tokens_total") == 2)
        with pytest.raises(Silence):
            pretender.receive(0.2)
    notification = client.notification(token, 1, TLV_21_5)
    assert is_ack(client.exchange(notification), notification)
    assert len(await events.wait(ValuesReported, 2)) == 2


async def test_a_device_that_closes_before_it_sleeps_goes_on_from_a_new_handshake(
    js: JetStreamContext,
    secure_gateway: ServiceProcess,
    credentials: CredentialBucket,
    secure_device: NewDevice,
    events: Events,
) -> None:
    """As Zephyr in queue mode: close_notify, later a handshake from another port, then Update, not Register."""
    await credentials.psk("device-1")
    client = secure_device().connect()
    token = observed(client, LINKS)
    client.dtls.close()
    await until(lambda: metric(secure_gateway, "flownexus_gateway_dtls_associations") == 0)
    failed = await (await ask(js))
    assert isinstance(failed, CommandFailure)
    assert failed.error == "unreachable"
    assert failed.reason == "it has no DTLS session here: it makes one when it next speaks"
    client.reconnect()
    assert client.update().code == CHANGED
    notification = client.notification(token, 2, TLV_21_5)
    assert is_ack(client.exchange(notification), notification)
    answer = await ask(js)
    request = await asyncio.to_thread(client.expect_request, GET, "3/0/0")
    client.answer(request, payload=b"Acme", content_format=TEXT)
    assert isinstance(await answer, CommandAnswer)
    assert len(await events.of(EndpointRegistered)) == 1


async def test_a_device_that_rebooted_makes_a_new_session_at_its_old_port(
    credentials: CredentialBucket, secure_device: NewDevice, events: Events
) -> None:
    await credentials.psk("device-1")
    client = secure_device().connect()
    observed(client, LINKS)
    client.reconnect(same_port=True)
    observed(client, LINKS)
    assert len(await events.wait(EndpointRegistered, 2)) == 2


async def test_an_answer_may_come_in_a_later_session_of_the_device(
    js: JetStreamContext, credentials: CredentialBucket, secure_device: NewDevice
) -> None:
    await credentials.psk("device-1")
    client = secure_device().connect()
    observed(client, LINKS)
    answer = await ask(js)
    request = await asyncio.to_thread(client.expect_request, GET, "3/0/0")
    client.reconnect()
    client.answer(request, payload=b"Acme", content_format=TEXT)
    assert isinstance(await answer, CommandAnswer)


async def test_values_sent_by_send_are_those_of_the_authenticated_device(
    credentials: CredentialBucket, secure_device: NewDevice, events: Events
) -> None:
    await credentials.psk("device-1")
    client = secure_device().connect()
    observed(client, LINKS)
    client.reconnect()
    options = [(URI_PATH, b"dp"), (CONTENT_FORMAT, uint(SENML_JSON))]
    body = b'[{"bn":"/3303/0/5700","v":7.5}]'
    assert client.exchange(datagram(CON, POST, 77, b"s", options, body)).code == CHANGED
    reported = await events.wait(ValuesReported, 2)
    assert values(reported[1]) == [("3303/0/5700", 7.5)]


async def test_a_repeated_request_is_answered_again_and_done_once(
    credentials: CredentialBucket, secure_device: NewDevice, events: Events
) -> None:
    await credentials.psk("device-1")
    client = secure_device(cid=b"").connect()
    observed(client, LINKS)
    options = [(URI_PATH, part.encode()) for part in client.location.split("/")]
    update = datagram(CON, POST, 500, b"u", options)
    first = client.exchange(update)
    client.move()
    assert client.exchange(update) == first
    assert len(await events.wait(EndpointUpdated)) == 1


async def test_a_revoked_device_is_cut_off_at_once_and_stays_out(
    secure_gateway: ServiceProcess, credentials: CredentialBucket, secure_device: NewDevice
) -> None:
    credential = await credentials.psk("device-1")
    client = secure_device().connect()
    observed(client, LINKS)
    await credentials.revoke(credential)
    with pytest.raises(Alerted) as told:
        await asyncio.to_thread(client.receive, 5)
    assert told.value.description == 49, "access_denied"
    with pytest.raises(Alerted):
        client.reconnect()
    await until(lambda: '"reason":"revoked"' in secure_gateway.log_text())


async def test_each_refusal_has_its_reason_in_log_and_metrics(
    secure_gateway: ServiceProcess, credentials: CredentialBucket, secure_device: NewDevice
) -> None:
    await credentials.psk("device-1")
    gone = await credentials.psk("device-2")
    await credentials.revoke(gone)
    for endpoint, key in (("device-3", KEY), ("device-1", b"x" * 16), ("device-2", KEY)):
        with pytest.raises(Alerted):
            secure_device(endpoint, key=key).connect()
    for reason in ("unknown-identity", "wrong-key", "revoked"):
        await until(lambda reason=reason: f'"reason":"{reason}"' in secure_gateway.log_text(), what=reason)  # type: ignore[misc]
    assert metric(secure_gateway, "flownexus_gateway_dtls_refused_total") == 3
