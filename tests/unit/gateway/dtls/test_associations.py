"""Associations: what authenticates a record, where a device is, and what ends it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from flownexus_gateway.transport.dtls.association import Association
from flownexus_gateway.transport.dtls.dtls_server import RECHECK_S
from flownexus_gateway.transport.dtls.limits import MAX_ASSOCIATIONS_OF_A_DEVICE
from flownexus_gateway.transport.dtls.session import MAX_SEQUENCE
from harness.dtls_client import ALERT, HANDSHAKE, Alerted
from harness.dtls_wire import Credentials, Wire, WireClient, psk_credential

ACCESS_DENIED = 49
HERE, THERE, ELSEWHERE = ("192.0.2.1", 40000), ("198.51.100.1", 1024), ("203.0.113.1", 9)


@dataclass
class Pair:
    """A client that is in, and its association."""

    wire: Wire
    client: WireClient
    association: Association


def pair(cid: bytes | None = None) -> Pair:
    wire = Wire(Credentials(psk_credential()))
    client = wire.client(cid=cid)
    client.handshake()
    return Pair(wire, client, client.say(b"first"))


@pytest.fixture(params=[None, b"", b"own"], ids=["no id", "no id of its own", "ids"])
def inside(request: pytest.FixtureRequest) -> Pair:
    return pair(request.param)


def test_after_the_first_data_openssl_is_gone(inside: Pair) -> None:
    assert (len(inside.wire.server.handshakes), len(inside.wire.server.associations)) == (0, 1)
    inside.association.send(b"answer")
    assert inside.client.receive(1) == b"answer"


def test_a_record_counts_once(inside: Pair) -> None:
    again = inside.client.seal(23, b"once")
    for _ in range(3):
        inside.client.transmit(again)
    assert [data for data, _ in inside.wire.heard] == [b"first", b"once"]


def test_records_may_overtake_each_other_within_the_window(inside: Pair) -> None:
    late, later = inside.client.seal(23, b"late"), inside.client.seal(23, b"too late")
    for number in range(40):
        inside.client.send(b"%d" % number)
    inside.client.transmit(late)
    for number in range(40):
        inside.client.send(b"%d" % number)
    inside.client.transmit(later)
    heard = [data for data, _ in inside.wire.heard]
    assert b"late" in heard
    assert b"too late" not in heard


def test_a_record_of_other_keys_is_not_heard(inside: Pair) -> None:
    stranger = WireClient(inside.wire, "device-1", b"x" * 16, inside.client.suite, inside.client.cid, HERE)
    stranger.random, stranger.server_random, stranger.extended = bytes(32), bytes(32), False
    stranger.derive()
    stranger.server_cid, stranger.sequence = inside.client.server_cid, 100
    stranger.send(b"forged")
    inside.client.say(b"real")


def test_without_a_connection_id_another_address_is_another_device() -> None:
    inside = pair()
    inside.client.address = THERE
    inside.client.send(b"lost")
    assert inside.wire.heard[-1][0] == b"first"


def test_with_a_connection_id_a_device_is_where_its_newest_record_came_from() -> None:
    inside = pair(b"own")
    old = inside.client.seal(23, b"overtaken")
    for port in range(1024, 1030):
        inside.client.address = ("198.51.100.1", port)
        assert inside.client.say(b"here") is inside.association
        inside.association.send(b"there")
        assert inside.client.receive(1) == b"there"
    inside.client.address = ELSEWHERE
    inside.client.transmit(old)
    assert inside.wire.heard[-1][0] == b"overtaken"
    assert inside.association.socket_address == ("198.51.100.1", 1029)


def test_replayed_or_forged_records_move_nobody() -> None:
    inside = pair(b"own")
    recorded = inside.client.seal(23, b"x")
    inside.client.transmit(recorded)
    forged = bytearray(inside.client.seal(23, b"y"))
    forged[-1] ^= 1
    inside.client.address = ELSEWHERE
    inside.client.transmit(recorded)
    inside.client.transmit(bytes(forged))
    assert inside.association.socket_address == HERE


def test_with_a_connection_id_a_record_without_one_is_dropped() -> None:
    inside = pair(b"own")
    cid, inside.client.server_cid = inside.client.server_cid, b""
    inside.client.send(b"without")
    inside.client.server_cid = cid
    inside.client.say(b"with")


def test_padding_is_taken_away() -> None:
    inside = pair(b"own")
    inside.client.transmit(inside.client.seal(23, b"padded", padding=30))
    assert inside.wire.heard[-1][0] == b"padded"


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from([HERE, THERE, ELSEWHERE]), st.booleans()), max_size=12), st.randoms())
def test_whatever_the_order_data_is_heard_once_and_the_newest_says_where(moves: list, chance) -> None:  # type: ignore[type-arg,no-untyped-def]
    inside = pair(b"own")
    written = [(inside.client.seal(23, b"%d" % number), *move) for number, move in enumerate(moves)]
    chance.shuffle(written)
    newest, where = -1, HERE
    for datagram, address, twice in written:
        for _ in range(1 + twice):
            inside.wire.give(datagram, address)
        number = int.from_bytes(datagram[5:11], "big")
        if number > newest:
            newest, where = number, address
    assert sorted(int(data) for data, _ in inside.wire.heard[1:]) == list(range(len(moves)))
    assert inside.association.socket_address == where


@settings(max_examples=200)
@given(st.binary(max_size=120), st.sampled_from([HERE, THERE]), st.booleans())
def test_no_datagram_harms_an_association(data: bytes, address: tuple[str, int], with_id: bool) -> None:
    inside = _SHARED[with_id]
    if with_id:
        data = b"\x19\xfe\xfd" + data[:8] + inside.client.server_cid + data[8:]
    inside.wire.give(data, address)
    inside.client.say(b"well")


_SHARED = {False: pair(), True: pair(b"own")}


def test_close_notify_ends_it_and_is_answered(inside: Pair) -> None:
    inside.client.close()
    assert inside.association.ended
    assert inside.client.open(inside.wire.sent[HERE].popleft()) == [(ALERT, b"\1\0")]
    inside.client.send(b"nothing")
    inside.association.send(b"nothing")
    assert inside.wire.heard[-1][0] == b"first"
    assert not inside.wire.sent[HERE]
    assert len(inside.wire.server.associations) == 0


def test_a_fatal_alert_ends_it_and_a_warning_does_not(inside: Pair) -> None:
    inside.client.transmit(inside.client.seal(ALERT, b"\1\x5a"))
    assert not inside.association.ended
    inside.client.transmit(inside.client.seal(ALERT, b"\2\x14"))
    assert inside.association.ended


def test_an_alert_that_nobody_protected_ends_nothing(inside: Pair) -> None:
    inside.client.transmit(inside.client.plain(ALERT, b"\2\x14"))
    inside.client.transmit(inside.client.plain(ALERT, b"\1\0"))
    inside.client.say(b"still")


def test_a_wish_to_negotiate_anew_is_declined(inside: Pair) -> None:
    inside.client.transmit(inside.client.seal(HANDSHAKE, inside.client.hello_message(0, b"")))
    assert inside.client.open(inside.wire.sent[HERE].popleft()) == [(ALERT, b"\1\x64")]
    inside.client.say(b"still")


def test_a_finished_once_more_is_no_data(inside: Pair) -> None:
    inside.client.transmit(inside.client.seal(HANDSHAKE, b"\x14" + bytes(23)))
    inside.client.say(b"still")


def test_a_revoked_credential_ends_it_at_once(inside: Pair) -> None:
    inside.wire.credentials.put(psk_credential(revoked_at=inside.wire.now))
    inside.wire.server.credentials_changed()
    inside.wire.server.look_after(inside.wire.now)
    assert inside.association.ended
    with pytest.raises(Alerted) as told:
        inside.client.receive(1)
    assert told.value.description == ACCESS_DENIED


def test_a_deleted_credential_ends_it_too(inside: Pair) -> None:
    inside.wire.credentials.apply("c1", None, inside.wire.credentials.revision + 1)
    inside.wire.server.credentials_changed()
    inside.wire.server.look_after(inside.wire.now)
    assert inside.association.ended


def test_a_credential_that_names_another_endpoint_now_ends_it(inside: Pair) -> None:
    inside.wire.credentials.put(psk_credential(endpoint="device-9"))
    inside.wire.server.credentials_changed()
    inside.wire.server.look_after(inside.wire.now)
    assert inside.association.ended


def test_a_credential_that_expires_ends_it_soon(inside: Pair) -> None:
    before = REGISTRY.get_sample_value("flownexus_gateway_dtls_refused_total", {"reason": "expired"}) or 0.0
    inside.wire.credentials.put(psk_credential(expires_at=inside.wire.now + 10))
    inside.wire.server.look_after(inside.wire.now)
    inside.client.say(b"still")
    inside.wire.now += 10 + RECHECK_S
    inside.wire.server.look_after(inside.wire.now)
    assert inside.association.ended
    assert REGISTRY.get_sample_value("flownexus_gateway_dtls_refused_total", {"reason": "expired"}) == before + 1


def test_a_credential_revoked_during_the_handshake_lets_nobody_in() -> None:
    wire = Wire(Credentials(psk_credential()))
    client = wire.client()
    client.handshake()
    wire.credentials.put(psk_credential(revoked_at=wire.now))
    client.send(b"x")
    assert not wire.heard
    assert len(wire.server.associations) == 0


def test_a_device_has_some_associations_and_the_least_heard_gives_way() -> None:
    wire = Wire(Credentials(psk_credential()))
    clients = [wire.client(address=("192.0.2.1", port)) for port in range(MAX_ASSOCIATIONS_OF_A_DEVICE + 1)]
    associations: list[Association] = []
    for client in clients:
        wire.now += 1
        client.handshake()
        if len(associations) == MAX_ASSOCIATIONS_OF_A_DEVICE:
            wire.now += 1
            clients[0].say(b"still in use")
        associations.append(client.say(b"x"))
    assert [one.ended for one in associations] == [False, True, False, False, False]


def test_the_association_of_an_endpoint_is_the_one_heard_last() -> None:
    wire = Wire(Credentials(psk_credential()))
    first, second = wire.client(address=HERE), wire.client(address=THERE)
    for client in (first, second):
        client.handshake()
        wire.now += 1
        client.say(b"x")
    assert wire.server.associations.of_endpoint("device-1") is wire.heard[-1][1]
    wire.now += 1
    assert first.say(b"y") is wire.server.associations.of_endpoint("device-1")
    assert wire.server.associations.of_endpoint("device-2") is None


def test_no_number_is_used_past_the_limit() -> None:
    inside = pair()
    inside.association.session.write_limit = inside.association.session.next_write + 2
    for _ in range(5):
        inside.association.send(b"x")
    assert len(inside.wire.sent[HERE]) == 2
    inside.association.session.next_write, inside.association.session.write_limit = MAX_SEQUENCE - 1, MAX_SEQUENCE
    inside.association.send(b"x")
    inside.association.send(b"x")
    assert len(inside.wire.sent[HERE]) == 3


def test_what_a_device_takes_in_no_record_is_not_sent() -> None:
    inside = pair()
    keys = inside.association.session.keys
    inside.association.session.keys = keys._replace(max_plain_bytes=512)
    inside.association.send(b"x" * 513)
    assert not inside.wire.sent[HERE]
    inside.association.send(b"x" * 512)
    assert inside.client.receive(1) == b"x" * 512
