"""Handshakes with pre-shared keys: who gets in, who does not and why, and what the network may do meanwhile."""

from __future__ import annotations

import random

import pytest
from prometheus_client import REGISTRY

from flownexus_gateway.transport.dtls import limits
from flownexus_gateway.transport.dtls.cookies import LIFETIME_S
from flownexus_gateway.transport.dtls.handshake import DECRYPT_ERROR
from flownexus_gateway.transport.dtls.limits import HANDSHAKE_S
from harness.dtls_client import CCM, CCM_8, GCM, Alerted, NoHandshake, record
from harness.dtls_wire import KEY, Credentials, Wire, psk_credential

UNKNOWN_PSK_IDENTITY = 115
PLACE = ("192.0.2.1", 40000)


def refused(reason: str) -> float:
    return REGISTRY.get_sample_value("flownexus_gateway_dtls_refused_total", {"reason": reason}) or 0.0


@pytest.fixture
def wire() -> Wire:
    return Wire(Credentials(psk_credential()))


@pytest.mark.parametrize(
    "cid", [None, b"", b"x", b"0123456789abcdef"], ids=["no id", "none of its own", "short", "long"]
)
@pytest.mark.parametrize("suite", [CCM_8, CCM, GCM])
def test_a_device_gets_in_and_both_sides_speak(wire: Wire, suite: int, cid: bytes | None) -> None:
    client = wire.client(suite=suite, cid=cid)
    client.handshake()
    association = client.say(b"hello")
    association.send(b"welcome")
    assert client.receive(1) == b"welcome"
    assert association.authenticated[:3] == ("psk:device-1", "device-1", "c1")
    assert association.scheme == "coaps"
    assert (client.uses_cid, len(client.server_cid)) == ((True, 8) if cid is not None else (False, 0))


def test_where_connection_ids_are_off_none_is_given(wire: Wire) -> None:
    off = Wire(wire.credentials, connection_ids=False)
    client = off.client(cid=b"x")
    client.handshake()
    client.say(b"hello")
    assert not client.uses_cid


def test_nothing_is_kept_of_a_client_without_its_cookie(wire: Wire) -> None:
    client = wire.client()
    for sequence in range(3):
        client.send_hello(sequence, b"")
        client.send_hello(sequence, b"a cookie of its own")
    assert len(wire.server.handshakes) == 0
    assert len(wire.sent[PLACE]) == 6


def test_a_cookie_is_good_from_its_address_alone(wire: Wire) -> None:
    client = wire.client()
    client.send_hello(0, b"")
    cookie = wire.sent[PLACE].pop()[-16:]
    wire.give(client.plain(22, client.hello_message(1, cookie)), ("198.51.100.9", 40000))
    assert len(wire.server.handshakes) == 0
    client.send_hello(1, cookie)
    assert len(wire.server.handshakes) == 1


def test_an_unknown_identity_is_told_so(wire: Wire) -> None:
    before = refused("unknown-identity")
    with pytest.raises(Alerted) as told:
        wire.client("device-2").handshake()
    assert (told.value.description, refused("unknown-identity") - before) == (UNKNOWN_PSK_IDENTITY, 1)


@pytest.mark.parametrize("identity", [b"\xff\xfe", b"device-1\0x", b"", b"x" * 300])
def test_an_identity_that_nobody_can_have_is_unknown(wire: Wire, identity: bytes) -> None:
    client = wire.client(key=b"x" * 16)
    client.identity = identity
    with pytest.raises((Alerted, NoHandshake)):
        client.handshake(2)
    assert not len(wire.server.associations)


@pytest.mark.parametrize(
    ("times", "reason"),
    [
        ({"revoked_at": 999.0}, "revoked"),
        ({"expires_at": 1000.0}, "expired"),
        ({"not_before": 1001.0}, "not-yet-valid"),
    ],
)
def test_a_credential_counts_within_its_time_and_until_it_is_revoked(times: dict[str, float], reason: str) -> None:
    before = refused(reason)
    with pytest.raises(Alerted) as told:
        Wire(Credentials(psk_credential().model_copy(update=times))).client().handshake()
    assert (told.value.description, refused(reason) - before) == (UNKNOWN_PSK_IDENTITY, 1)


def test_a_key_that_does_not_open_is_our_fault_and_says_so() -> None:
    moved = psk_credential().model_copy(update={"endpoint": "device-9"})
    before = refused("key-not-opened")
    with pytest.raises(Alerted):
        Wire(Credentials(moved)).client().handshake()
    assert refused("key-not-opened") - before == 1


@pytest.mark.parametrize("cid", [None, b""])
def test_a_wrong_key_is_found_out_by_the_third_finished(wire: Wire, cid: bytes | None) -> None:
    before = refused("wrong-key")
    with pytest.raises(Alerted) as told:
        wire.client(key=b"x" * 16, cid=cid).handshake()
    assert (told.value.description, refused("wrong-key") - before) == (DECRYPT_ERROR, 1)
    assert len(wire.server.handshakes) == 0


def test_of_two_keys_of_an_identity_the_other_one_is_tried_at_the_next_handshake() -> None:
    new, old = psk_credential(key=b"n" * 16, id_="new", created_at=9.0), psk_credential(key=b"o" * 16, id_="old")
    wire = Wire(Credentials(new, old))
    with pytest.raises(Alerted):
        wire.client(key=b"o" * 16).handshake()
    for port in (1, 2):
        client = wire.client(key=b"o" * 16, address=("192.0.2.1", port))
        client.handshake()
        assert client.say(b"x").authenticated.credential_id == "old"
    with pytest.raises(Alerted):
        wire.client(key=b"n" * 16).handshake()
    client = wire.client(key=b"n" * 16)
    client.handshake()
    assert client.say(b"x").authenticated.credential_id == "new"


def test_a_suite_that_is_not_ours_is_refused(wire: Wire) -> None:
    before = refused("no-common-suite")
    for suite in (0x00AE, 0xC0A9, 0x002C):  # CBC, AES-256, NULL
        with pytest.raises(Alerted):
            wire.client(suite=suite).handshake()
    assert refused("no-common-suite") - before == 3


def test_dtls_1_0_is_refused(wire: Wire) -> None:
    client = wire.client()
    plain = client.hello_message
    client.hello_message = lambda sequence, cookie: plain(sequence, cookie).replace(b"\xfe\xfd", b"\xfe\xff", 1)  # type: ignore[method-assign]
    before = refused("unsupported-version")
    with pytest.raises(Alerted):
        client.handshake()
    assert refused("unsupported-version") - before == 1


def test_a_handshake_has_a_time_limit(wire: Wire) -> None:
    client = wire.client()
    client.send_hello(0, b"")
    client.send_hello(1, wire.sent[PLACE].pop()[-16:])
    before = refused("timed-out")
    wire.now += HANDSHAKE_S - 1
    wire.server.look_after(wire.now)
    assert len(wire.server.handshakes) == 1
    wire.now += 2
    wire.server.look_after(wire.now)
    assert (len(wire.server.handshakes), refused("timed-out") - before) == (0, 1)


def test_who_is_done_and_says_nothing_has_that_time_too(wire: Wire) -> None:
    wire.client().handshake()
    assert (len(wire.server.handshakes), len(wire.server.associations)) == (1, 0)
    wire.now += HANDSHAKE_S + 1
    wire.server.look_after(wire.now)
    assert len(wire.server.handshakes) == 0


def test_handshakes_are_bounded_by_host_and_in_all(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_HANDSHAKES_OF_A_HOST", 3)
    monkeypatch.setattr(limits, "MAX_HANDSHAKES", 5)

    def begin(host: str, port: int) -> None:
        client = wire.client(address=(host, port))
        client.send_hello(0, b"")
        client.send_hello(1, wire.sent[client.address].pop()[-16:])

    before = refused("too-many-handshakes")
    for port in range(5):
        begin("192.0.2.1", port)
    assert (len(wire.server.handshakes), refused("too-many-handshakes") - before) == (3, 2)
    for port in range(5):
        begin(f"2001:db8::{port:x}", port)  # one network of 64 bits
    assert (len(wire.server.handshakes), refused("too-many-handshakes") - before) == (5, 5)
    wire.now += HANDSHAKE_S + 1
    wire.server.look_after(wire.now)
    begin("192.0.2.1", 1)
    assert len(wire.server.handshakes) == 1


def test_a_full_house_leaves_those_who_are_in_served(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    client = wire.client()
    client.handshake()
    client.say(b"x")
    monkeypatch.setattr(limits, "MAX_HANDSHAKES", 0)
    with pytest.raises(NoHandshake):
        wire.client(address=("192.0.2.7", 1)).handshake(1)
    client.say(b"y")


def test_a_client_hello_that_the_network_brings_twice_begins_nothing_anew(wire: Wire) -> None:
    client, sent = wire.client(cid=b""), list[bytes]()

    def recorded(datagram: bytes) -> list[bytes]:
        sent.append(datagram)
        return [datagram]

    client.on_the_way = recorded
    client.handshake()
    client.say(b"x")
    wire.sent[PLACE].clear()
    for datagram in sent:
        wire.give(datagram, PLACE)
    assert len(wire.server.handshakes) == 0
    wire.now += 3 * LIFETIME_S
    wire.give(sent[1], PLACE)
    assert len(wire.server.handshakes) == 0
    assert len(wire.sent[PLACE]) == 2, "cookies for the two ClientHellos that have none"


def test_an_old_association_lasts_until_the_new_handshake_has_shown_its_key(wire: Wire) -> None:
    old = wire.client()
    old.handshake()
    former = old.say(b"x")
    stranger = wire.client(key=b"x" * 16)
    with pytest.raises(Alerted):
        stranger.handshake()
    assert old.say(b"still there") is former
    again = wire.client()
    again.handshake()
    assert not former.ended
    assert again.say(b"y") is not former
    assert former.ended


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cid", [None, b"c"], ids=["plain", "connection id"])
def test_over_a_network_that_loses_doubles_and_delays(wire: Wire, cid: bytes | None, seed: int) -> None:
    """Each datagram is lost, doubled or overtaken with some chance, both ways; the device gets in all the same."""
    chance, held = random.Random(seed), []

    def on_the_way(datagram: bytes) -> list[bytes]:
        through: list[bytes] = [datagram] * chance.choice([0, 1, 1, 1, 2])
        if chance.random() < 0.3:
            held.extend(through)
            return []
        through += held
        held.clear()
        return through

    client = wire.client(cid=cid)
    client.on_the_way = on_the_way
    receive = client.receive_datagram
    client.receive_datagram = lambda left: None if (heard := receive(left)) and chance.random() < 0.2 else heard
    client.handshake(60)
    client.on_the_way = lambda datagram: [datagram]
    assert client.say(b"x").authenticated.endpoint == "device-1"


@pytest.mark.parametrize("seed", range(5))
def test_garbage_in_between_changes_nothing(wire: Wire, seed: int) -> None:
    chance = random.Random(seed)

    def garbage() -> bytes:
        type_ = chance.choice([0, 20, 21, 22, 23, 25, 255])
        return record(type_, chance.choice([0, 1, 2]), chance.getrandbits(48), chance.randbytes(chance.randrange(40)))

    client = wire.client(cid=chance.choice([None, b""]))
    client.on_the_way = lambda datagram: [chance.randbytes(20), record(23, 1, 0, b"x" * 30), datagram]
    client.handshake()
    client.on_the_way = lambda datagram: [garbage(), datagram, garbage()]
    client.say(b"x")
    for _ in range(300):
        wire.give(garbage(), PLACE)
        wire.give(garbage(), ("198.51.100.1", 1))
    client.say(b"y")


def test_the_key_of_the_wire_is_the_one_in_the_credential(wire: Wire) -> None:
    assert wire.credentials.key(psk_credential()) == KEY
