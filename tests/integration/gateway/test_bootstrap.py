"""Devices that are bootstrapped, in lock-step over real UDP, DTLS and NATS. LwM2M Core 1.1.1, 6.1."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest
from nats.js import JetStreamContext
from pydantic import SecretStr

from flownexus_runtime.sealing import BOOTSTRAP, Sealer
from flownexus_schemas.bootstrap.configuration import (
    BootstrapConfiguration,
    BootstrapProfile,
    ServerAccount,
    account_binding,
)
from flownexus_schemas.credentials import CredentialState, PskCredential, stored_credential
from flownexus_schemas.events import BootstrapProgressed, EndpointRegistered
from flownexus_schemas.profiles import ObservationProfile
from flownexus_schemas.subjects import Bucket, endpoint_key
from harness.lockstep import (
    ACCEPT,
    BAD_REQUEST,
    CHANGED,
    CON,
    CONTENT,
    CONTENT_FORMAT,
    CREATED,
    DELETE,
    DELETED,
    GET,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    PUT,
    SENML_CBOR,
    SENML_JSON,
    TLV,
    UNSUPPORTED_FORMAT,
    URI_PATH,
    URI_QUERY,
    Heard,
    LockstepDevice,
    Silence,
    datagram,
    uint,
)
from harness.ports import free_port
from harness.secure_device import SecureDevice
from harness.services import ServiceProcess
from harness.waiting import until
from integration.gateway.bootstrapped_device import asking, asks, deletes, finishes, takes, tells, tlv
from integration.gateway.credential_bucket import CREDENTIALS_KEY, CredentialBucket
from integration.gateway.gateway_events import Events, put_profile

FORBIDDEN, NOT_ACCEPTABLE = 0x83, 0x86
URI = "coap://192.0.2.1:5683"
SECURE_URI = "coaps://192.0.2.1:5684"
SECURITY_TLV = b"\xc8\x00\x15coap://192.0.2.1:5683\xc1\x01\x00\xc1\x02\x03\xc0\x03\xc0\x04\xc0\x05\xc1\x0a\x01"
SERVER_TLV = b"\xc1\x00\x01\xc2\x01\x02\x58\xc1\x06\x01\xc1\x07U"
LINKS = "</>;lwm2m=1.1,</0/0>,</1>,</3/0>"

PROFILES = {
    "open": {"servers": [{"uri": URI, "security": "none", "lifetime_s": 600}], "endpoints": ["open-*"]},
    "issued": {"servers": [{"uri": SECURE_URI, "security": "psk"}], "endpoints": ["issued-*"]},
}
GIVEN = {"uri": SECURE_URI, "security": "psk", "identity": "theirs", "sealed_key": "set below"}
GIVEN_KEY = b"a key of somebody else's server"

NewDevice = Callable[[str], LockstepDevice]
NewSecureDevice = Callable[..., SecureDevice]


@pytest.fixture
async def gateway(js: JetStreamContext, service: Callable[..., ServiceProcess]) -> ServiceProcess:
    """One that bootstraps on its own ports, and knows PROFILES from its start."""
    await put_profile(js, ObservationProfile())
    profiles = await js.key_value(Bucket.BOOTSTRAP_PROFILES)
    for name, given in PROFILES.items():
        await profiles.put(name, BootstrapProfile.model_validate(given).model_dump_json().encode())
    account = ServerAccount.model_validate(GIVEN)
    sealed = Sealer(SecretStr(CREDENTIALS_KEY), BOOTSTRAP).seal(GIVEN_KEY, account_binding("given-1", 1, SECURE_URI))
    own = BootstrapConfiguration(servers=(account.model_copy(update={"sealed_key": sealed}),))
    bucket = await js.key_value(Bucket.BOOTSTRAP_CONFIGURATIONS)
    await bucket.put(endpoint_key("given-1"), own.model_dump_json().encode())
    return service(
        "flownexus_gateway",
        FLOWNEXUS_COAPS_PORT=free_port("udp"),
        FLOWNEXUS_BOOTSTRAP_COAP_PORT=free_port("udp"),
        FLOWNEXUS_BOOTSTRAP_COAPS_PORT=free_port("udp"),
        FLOWNEXUS_BOOTSTRAP_ON_ALL_PORTS="true",
        FLOWNEXUS_CREDENTIALS_KEY=CREDENTIALS_KEY,
    )


@pytest.fixture
def device(gateway: ServiceProcess) -> Iterator[NewDevice]:
    made: list[LockstepDevice] = []

    def new(endpoint: str) -> LockstepDevice:
        made.append(LockstepDevice(int(gateway.env["FLOWNEXUS_BOOTSTRAP_COAP_PORT"]), endpoint))
        return made[-1]

    yield new
    for one in made:
        one.close()


@pytest.fixture
def secure_device(gateway: ServiceProcess) -> Iterator[NewSecureDevice]:
    """Makes devices with a session: at the bootstrap server, or with `at` at the port of that setting."""
    made: list[SecureDevice] = []

    def new(endpoint: str, at: str = "FLOWNEXUS_BOOTSTRAP_COAPS_PORT", **options: object) -> SecureDevice:
        made.append(SecureDevice(int(gateway.env[at]), endpoint, **options))  # type: ignore[arg-type]
        return made[-1].connect()

    yield new
    for one in made:
        one.close()


async def steps(events: Events, endpoint: str, count: int) -> list[tuple[str, str]]:
    """How its bootstraps went, in order."""
    found = await events.wait(BootstrapProgressed, count, endpoint)
    return [(event.data.state, event.data.text) for event in found]


def moved_on(device: LockstepDevice, port: str) -> None:
    """It speaks to another port of the gateway from now on."""
    device.server = (device.server[0], int(port))


async def test_a_device_is_given_its_account_and_registers(
    device: NewDevice, gateway: ServiceProcess, events: Events
) -> None:
    one = device("open-1")
    asks(one)
    tells(one, LINKS)
    deletes(one, "0", "1")
    security, server = takes(one, "0/1", "1/0")
    finishes(one)
    assert (security.number(CONTENT_FORMAT), security.payload) == (TLV, SECURITY_TLV)
    assert (server.number(CONTENT_FORMAT), server.payload) == (TLV, SERVER_TLV)
    assert await steps(events, "open-1", 2) == [
        ("started", "it asked for a bootstrap, and is given what the profile open says"),
        ("finished", "it has what it needs to register at coap://192.0.2.1:5683"),
    ]
    first, last = await events.of(BootstrapProgressed, "open-1")
    assert (first.data.session, first.data.profile, first.data.identity) == (last.data.session, "open", None)
    moved_on(one, gateway.env["FLOWNEXUS_COAP_PORT"])
    assert one.register("</1/0>,</3/0>").code == CREATED
    await events.wait(EndpointRegistered, 1, "open-1")


async def test_it_is_written_in_the_format_that_it_prefers_or_takes(device: NewDevice, events: Events) -> None:
    one = device("open-1")
    asks(one, "pct=112")
    tells(one, LINKS)
    deletes(one, "0", "1")
    refused = one.expect_request(PUT, "0/1")
    assert refused.number(CONTENT_FORMAT) == SENML_CBOR
    one.answer(refused, UNSUPPORTED_FORMAT)
    security, _ = takes(one, "0/1", "1/0")
    assert (security.number(CONTENT_FORMAT), security.payload) == (TLV, SECURITY_TLV)
    finishes(one)
    assert [state for state, _ in await steps(events, "open-1", 2)] == ["started", "finished"]


async def test_a_refusal_ends_it_and_says_why(device: NewDevice, events: Events) -> None:
    one = device("open-1")
    asks(one)
    tells(one, LINKS)
    deletes(one, "0", "1")
    one.answer(one.expect_request(PUT, "0/1"), BAD_REQUEST, b"full")
    assert (await steps(events, "open-1", 2))[1] == ("failed", "it answered 4.00 to Bootstrap-Write of /0/1: full")
    with pytest.raises(Silence):
        one.receive(0.5)


async def test_a_repeated_request_is_answered_again_and_begins_nothing(device: NewDevice, events: Events) -> None:
    one = device("open-1")
    request = asking(one)
    one.send(request)
    first, discover = one.receive(), one.receive()
    assert (first.code, discover.code) == (CHANGED, GET)
    assert one.exchange(request).code == CHANGED
    one.answer(discover, NOT_FOUND)
    deletes(one, "0", "1")
    takes(one, "0/2", "1/0")
    finishes(one)
    assert [state for state, _ in await steps(events, "open-1", 2)] == ["started", "finished"]


async def test_a_device_that_restarts_midway_begins_anew(device: NewDevice, events: Events) -> None:
    """Zephyr sends the same bytes from the same port after a restart."""
    one = device("open-1")
    request = asking(one)
    assert one.exchange(request).code == CHANGED
    tells(one, LINKS)
    one.answer(one.expect_request(DELETE, "0"), DELETED)
    lost = one.expect_request(DELETE, "1")
    deadline = time.monotonic() + 10
    # Within a second of the answer it would be a repetition.
    while (heard := _next(one, request, lost.message_id)) is None:
        assert time.monotonic() < deadline
    one.answer(heard, NOT_FOUND)
    deletes(one, "0", "1")
    takes(one, "0/2", "1/0")
    finishes(one)
    assert [state for state, _ in await steps(events, "open-1", 4)] == ["started", "failed", "started", "finished"]


def _next(one: LockstepDevice, request: bytes, lost: int) -> Heard | None:
    """Ask again; the first request of the bootstrap that begins with it, if one does."""
    one.send(request)
    assert one.receive().code in {CHANGED, DELETE}
    try:
        heard = one.receive(0.3)
    except Silence:
        return None
    return heard if heard.code == GET and heard.message_id != lost else None


async def test_of_two_requests_the_later_one_is_served(device: NewDevice, events: Events) -> None:
    first, second = device("open-1"), device("open-1")
    asks(first)
    first.expect_request(GET, "")
    asks(second)
    tells(second, LINKS)
    deletes(second, "0", "1")
    takes(second, "0/1", "1/0")
    finishes(second)
    found = await steps(events, "open-1", 4)
    assert sorted(state for state, _ in found) == ["failed", "finished", "started", "started"]
    assert ("failed", "the device began anew before it was done") in found


@pytest.mark.parametrize(
    ("endpoint", "queries", "code"),
    [
        ("nobody", (), BAD_REQUEST),
        ("open-1", ("pct=many",), BAD_REQUEST),
        ("open-1", ("pct=60",), UNSUPPORTED_FORMAT),
        ("issued-1", (), FORBIDDEN),
        ("given-1", (), FORBIDDEN),
    ],
    ids=["unknown", "no-number", "no-format", "issued-in-the-clear", "given-in-the-clear"],
)
async def test_what_cannot_be_is_refused(
    device: NewDevice, events: Events, endpoint: str, queries: tuple[str, ...], code: int
) -> None:
    one = device(endpoint)
    assert one.exchange(asking(one, *queries)).code == code
    assert await events.of(BootstrapProgressed) == []


def pack_request(one: LockstepDevice, *accept: int, message_id: int | None = None) -> bytes:
    """Bootstrap-Pack-Request. LwM2M Core 1.2, 6.1.7.7."""
    options = [(URI_PATH, b"bspack"), (URI_QUERY, f"ep={one.endpoint}".encode())]
    options += [(ACCEPT, uint(number)) for number in accept]
    return datagram(CON, GET, next(one.message_ids) if message_id is None else message_id, b"\x0c", options)


async def test_a_device_that_asks_for_a_pack_is_sent_all_at_once(device: NewDevice, events: Events) -> None:
    one = device("open-1")
    request = pack_request(one, SENML_JSON)
    pack = one.exchange(request)
    assert (pack.code, pack.number(CONTENT_FORMAT)) == (CONTENT, SENML_JSON)
    values = {}
    base = ""
    for record in json.loads(pack.payload):
        base = record.pop("bn", base)
        name = base + record.pop("n", "")
        [values[name]] = record.values()
    # The account of the bootstrap server is usually at /0/0 or /0/1.
    assert values == {
        "/0/2/0": URI, "/0/2/1": False, "/0/2/2": 3, "/0/2/3": "", "/0/2/4": "", "/0/2/5": "", "/0/2/10": 1,
        "/1/0/0": 1, "/1/0/1": 600, "/1/0/6": True, "/1/0/7": "U",
    }  # fmt: skip
    assert one.exchange(request).payload == pack.payload
    assert [state for state, _ in await steps(events, "open-1", 1)] == ["finished"]
    assert one.exchange(pack_request(one, TLV)).code == NOT_ACCEPTABLE
    assert one.exchange(pack_request(one)).number(CONTENT_FORMAT) == SENML_CBOR


async def test_too_many_at_a_time_get_no_answer(device: NewDevice, events: Events) -> None:
    """Zephyr gives up for good at an error. Without one it asks again."""
    many = [device(f"open-{number}") for number in range(501)]
    for one in many[:500]:
        asks(one)
    late = many[500]
    late.send(asking(late))
    with pytest.raises(Silence):
        late.receive(0.5)
    first = many[0]
    while (heard := first.receive()).code == GET:  # it was sent again meanwhile
        first.answer(heard, NOT_FOUND)
    first.answer(heard, DELETED)
    deletes(first, "1")
    takes(first, "0/2", "1/0")
    finishes(first)
    await steps(events, "open-0", 2)
    asks(late)


async def test_it_is_on_the_ports_of_the_gateway_too_where_that_is_set(
    device: NewDevice, gateway: ServiceProcess
) -> None:
    one = device("open-1")
    moved_on(one, gateway.env["FLOWNEXUS_COAP_PORT"])
    asks(one)
    tells(one, LINKS)


async def test_there_is_nothing_but_the_bootstrap_on_its_ports(device: NewDevice) -> None:
    one = device("open-1")
    assert one.register("</3/0>").code == NOT_FOUND
    one.send(datagram(CON, GET, next(one.message_ids), b"", [(URI_PATH, b"bs")]))
    assert one.receive().code == METHOD_NOT_ALLOWED


async def test_a_given_key_is_written_over_dtls_alone(
    secure_device: NewSecureDevice, gateway: ServiceProcess, js: JetStreamContext
) -> None:
    await CredentialBucket(js, gateway).psk("given-1")
    one = secure_device("given-1")
    asks(one)
    tells(one, LINKS)
    deletes(one, "0", "1")
    security, _ = takes(one, "0/1", "1/0")
    finishes(one)
    assert tlv(security.payload) == {
        0: SECURE_URI.encode(), 1: b"\0", 2: b"\0", 3: b"theirs", 4: b"", 5: GIVEN_KEY, 10: b"\x01",
    }  # fmt: skip


async def test_nobody_is_bootstrapped_as_another(
    secure_device: NewSecureDevice, gateway: ServiceProcess, js: JetStreamContext
) -> None:
    await CredentialBucket(js, gateway).psk("issued-1")
    one = secure_device("issued-1")
    one.endpoint = "issued-2"
    assert one.exchange(asking(one)).code == FORBIDDEN


async def test_a_device_that_is_back_with_a_new_session_midway_begins_anew_in_that(
    secure_device: NewSecureDevice, gateway: ServiceProcess, js: JetStreamContext, events: Events
) -> None:
    await CredentialBucket(js, gateway).psk("issued-1")
    one = secure_device("issued-1")
    request = asking(one)
    assert one.exchange(request).code == CHANGED
    one.expect_request(GET, "")
    one.reconnect()
    assert one.exchange(request).code == CHANGED
    tells(one, LINKS)
    deletes(one, "0", "1")
    takes(one, "0/1", "1/0")
    finishes(one)
    assert [state for state, _ in await steps(events, "issued-1", 4)] == ["started", "failed", "started", "finished"]


def bootstrapped(one: SecureDevice) -> tuple[str, bytes]:
    """The identity and key that it is issued."""
    asks(one)
    tells(one, LINKS)
    deletes(one, "0", "1")
    security, _ = takes(one, "0/1", "1/0")
    finishes(one)
    resources = tlv(security.payload)
    return resources[3].decode(), resources[5]


async def stored(js: JetStreamContext, id_: str) -> PskCredential:
    entry = await (await js.key_value(Bucket.CREDENTIALS)).get(id_)
    credential = stored_credential.validate_json(entry.value or b"")
    assert isinstance(credential, PskCredential)
    return credential


async def is_used(js: JetStreamContext, id_: str) -> bool:
    return (await stored(js, id_)).used_at is not None


async def is_ended(js: JetStreamContext, id_: str) -> bool:
    return (await stored(js, id_)).state(time.time()) is CredentialState.EXPIRED


async def test_a_device_is_issued_a_key_of_its_own_until_it_has_used_that(
    secure_device: NewSecureDevice, gateway: ServiceProcess, js: JetStreamContext, events: Events
) -> None:
    await CredentialBucket(js, gateway).psk("issued-1")
    identity, key = bootstrapped(secure_device("issued-1"))
    assert (len(key), (await stored(js, identity)).endpoint) == (16, "issued-1")
    assert key not in (await stored(js, identity)).sealed_key.encode()
    # Its answers were lost: it asks again, and is given the same.
    assert bootstrapped(secure_device("issued-1")) == (identity, key)
    finished = [one for one in await events.wait(BootstrapProgressed, 4, "issued-1") if one.data.state == "finished"]
    assert [one.data.credentials for one in finished] == [(identity,), (identity,)]

    registered = secure_device("issued-1", "FLOWNEXUS_COAPS_PORT", identity=identity, key=key)
    assert registered.register("</1/0>,</3/0>").code == CREATED

    in_use: bool = await until(lambda: is_used(js, identity))
    assert in_use
    later, other = bootstrapped(secure_device("issued-1"))
    assert (later != identity, other != key) == (True, True)
    # What it bootstraps with stays good, and so does the former one until the next is used.
    assert (await stored(js, "issued-1")).state(time.time()) == "active"
    assert registered.update().code == CHANGED
    with_next = secure_device("issued-1", "FLOWNEXUS_COAPS_PORT", identity=later, key=other)
    assert with_next.register("</1/0>,</3/0>").code == CREATED
    ended: bool = await until(lambda: is_ended(js, identity), what="the former key ends")
    assert ended
    assert not await is_ended(js, later)
    assert not await is_ended(js, "issued-1")
