"""Protection of records, held to what mbedTLS writes and to the formulas of the specifications."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from hypothesis import given
from hypothesis import strategies as st

from flownexus_gateway.transport.dtls.record_protection import Content, Protection
from flownexus_gateway.transport.dtls.records import Record, split
from flownexus_gateway.transport.dtls.suites import SUITES, Suite, TrafficKeys, prf, traffic_keys

VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "dtls" / "mbedtls_records.json").read_text())
KEYS = TrafficKeys(b"k" * 16, b"salt")
suites = st.sampled_from(list(SUITES.values()))
cids = st.binary(max_size=20)


@pytest.mark.parametrize("session", VECTORS["sessions"], ids=lambda session: session["name"])
def test_what_mbedtls_wrote_opens(session: dict[str, Any]) -> None:
    cid = bytes.fromhex(session["cid"])
    keys, _ = traffic_keys(
        *(bytes.fromhex(session[name]) for name in ("master_secret", "client_random", "server_random"))
    )
    protection = Protection(SUITES[session["suite"]], keys, cid)
    for written in session["records"]:
        (record,) = split(bytes.fromhex(written["record"]), len(cid))
        assert protection.open(record) == Content(written["type"], bytes.fromhex(written["content"]))


def test_the_pseudorandom_function_gives_the_published_vector() -> None:
    """Of P_SHA256, as published to the TLS working group's list."""
    given_out = prf(
        bytes.fromhex("9bbe436ba940f017b17652849a71db35"),
        b"test label",
        bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c"),
        100,
    )
    assert given_out == bytes.fromhex(
        "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17"
        "abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66"
    )


def test_the_additional_data_with_a_connection_id_is_that_of_rfc_9146() -> None:
    """5.3: placeholder, tls12_cid, length of the id, tls12_cid, version, epoch, number, id, length of the content."""
    number, cid = bytes.fromhex("0001000000000007"), b"\xaa\xbb\xcc"
    data = bytes.fromhex("ffffffffffffffff 19 03 19 fefd 0001 000000000007 aabbcc 0003")
    expected = AESCCM(KEYS.key, 8).encrypt(KEYS.salt + number, b"hi\x17", data)
    sealed = Protection(SUITES[0xC0A8], KEYS, cid).seal(1, 7, Content(23, b"hi"))
    assert sealed.write() == b"\x19\xfe\xfd" + number + cid + (8 + len(expected)).to_bytes(2, "big") + number + expected


@given(suites, cids, st.integers(0, 0xFFFF), st.integers(0, (1 << 48) - 1), st.binary(max_size=300))
def test_what_is_sealed_opens(suite: Suite, cid: bytes, epoch: int, sequence: int, content: bytes) -> None:
    protection = Protection(suite, KEYS, cid)
    for type_ in (21, 22, 23):
        (record,) = split(protection.seal(epoch, sequence, Content(type_, content)).write(), len(cid))
        assert protection.open(record) == Content(type_, content)


@given(suites, st.sampled_from([b"", b"12345678"]), st.data())
def test_a_changed_record_does_not_open(suite: Suite, cid: bytes, data: st.DataObject) -> None:
    protection = Protection(suite, KEYS, cid)
    written = bytearray(protection.seal(1, 2, Content(23, b"some data")).write())
    at = data.draw(st.integers(0, len(written) - 1).filter(lambda place: place not in {1, 2}))
    written[at] ^= data.draw(st.integers(1, 255))
    for record in split(bytes(written), len(cid)):
        assert protection.open(record) is None


@given(suites, cids, st.binary(max_size=60), st.integers(0, 255))
def test_any_fragment_is_opened_without_an_error(suite: Suite, cid: bytes, fragment: bytes, type_: int) -> None:
    assert Protection(suite, KEYS, cid).open(Record(type_, 1, 1, cid, fragment)) is None


def test_another_connection_id_does_not_open_it_nor_none() -> None:
    record = Protection(SUITES[0xC0A8], KEYS, b"abcdefgh").seal(1, 1, Content(23, b"x"))
    for other in (b"abcdefgX", b"abcdefg", b""):
        assert Protection(SUITES[0xC0A8], KEYS, other).open(record) is None
        assert Protection(SUITES[0xC0A8], KEYS, b"abcdefgh").open(record._replace(cid=other)) is None


def test_a_record_without_a_connection_id_does_not_pass_for_one_with_it() -> None:
    plain = Protection(SUITES[0xC0A8], KEYS, b"").seal(1, 1, Content(23, b"x"))
    assert Protection(SUITES[0xC0A8], KEYS, b"abcdefgh").open(plain) is None


@pytest.mark.parametrize("inner", [b"", b"\0", b"\0" * 9])
def test_padding_alone_is_no_record(inner: bytes) -> None:
    """RFC 9146, 4: a receiver must not take it."""
    suite, cid, number = SUITES[0xC0A8], b"abcdefgh", bytes.fromhex("0001000000000001")
    data = b"\xff" * 8 + b"\x19\x08\x19\xfe\xfd" + number + cid + len(inner).to_bytes(2, "big")
    fragment = number + AESCCM(KEYS.key, 8).encrypt(KEYS.salt + number, inner, data)
    assert Protection(suite, KEYS, cid).open(Record(25, 1, 1, cid, fragment)) is None
