"""Records in datagrams: what is whole is read, what is not is dropped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownexus_gateway.transport.dtls.records import ContentType, Record, cid_of, pack, split
from harness import dtls_client

HELLO = dtls_client.record(22, 0, 5, b"hello")
DATA = dtls_client.record(23, 1, 0x0203_0405_0607, b"data")
CID = b"\x19\xfe\xfd\x00\x01\x00\x00\x00\x00\x00\x09" + b"abcdefgh" + b"\x00\x02xy"

records = st.builds(
    Record,
    st.sampled_from([20, 21, 22, 23]),
    st.integers(0, 0xFFFF),
    st.integers(0, (1 << 48) - 1),
    st.just(b""),
    st.binary(max_size=60),
) | st.builds(
    Record,
    st.just(int(ContentType.TLS12_CID)),
    st.integers(0, 0xFFFF),
    st.integers(0, (1 << 48) - 1),
    st.binary(min_size=8, max_size=8),
    st.binary(max_size=60),
)


def test_a_datagram_of_several_records() -> None:
    assert list(split(HELLO + DATA + CID, 8)) == [
        Record(22, 0, 5, b"", b"hello"),
        Record(23, 1, 0x0203_0405_0607, b"", b"data"),
        Record(25, 1, 9, b"abcdefgh", b"xy"),
    ]


@pytest.mark.parametrize(
    "broken", [b"", b"x", DATA[:12], DATA[:-1], b"\x17\x03\x03" + DATA[3:], CID[:20]], ids=lambda one: one.hex() or "-"
)
def test_what_follows_the_last_whole_record_is_dropped(broken: bytes) -> None:
    assert list(split(HELLO + broken, 8)) == list(split(HELLO, 8))


def test_records_of_dtls_1_0_are_read_as_the_first_of_a_handshake_may_be_one() -> None:
    assert list(split(dtls_client.record(22, 0, 0, b"x", 0xFEFF), 8)) == [Record(22, 0, 0, b"", b"x")]


@given(st.lists(records, max_size=5))
def test_written_records_are_read_again(written: list[Record]) -> None:
    assert list(split(b"".join(record.write() for record in written), 8)) == written


@given(st.binary(max_size=200), st.integers(0, 20))
def test_of_any_bytes_the_records_are_a_beginning(data: bytes, cid_bytes: int) -> None:
    read = b"".join(record.write() for record in split(data, cid_bytes))
    assert len(read) <= len(data)
    assert all(data[at] == byte for at, byte in enumerate(read) if byte != 0xFD)
    assert cid_of(data, cid_bytes) in {None, data[11 : 11 + cid_bytes]}


def test_a_connection_id_is_that_of_the_first_record() -> None:
    assert (cid_of(CID, 8), cid_of(DATA, 8), cid_of(CID[:20], 8)) == (b"abcdefgh", None, None)


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=20), st.integers(1, 120))
def test_packed_datagrams_keep_the_order_and_the_size(written: list[bytes], mtu: int) -> None:
    datagrams = pack(written, mtu)
    assert b"".join(datagrams) == b"".join(written)
    assert all(len(one) <= max(mtu, *map(len, written)) for one in datagrams)


def test_records_share_a_datagram_where_they_fit() -> None:
    assert pack([b"aa", b"bb", b"cc", b"dddddd", b"e"], 5) == [b"aabb", b"cc", b"dddddd", b"e"]
