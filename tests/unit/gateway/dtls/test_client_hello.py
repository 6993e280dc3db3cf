"""ClientHello before there is any state, and the cookie that it must bring back. RFC 6347, 4.2.1."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownexus_gateway.transport.dtls.client_hello import (
    ClientHello,
    Malformed,
    hello_verify_request,
    is_client_hello,
    read_client_hello,
)
from flownexus_gateway.transport.dtls.cookies import LIFETIME_S, Cookies
from flownexus_gateway.transport.dtls.records import Record, split
from harness import dtls_client

VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "dtls" / "mbedtls_records.json").read_text())
ADDRESS = b"192.0.2.1:5684"


def hello_record(sequence: int = 0, cookie: bytes = b"", cid: bytes | None = None) -> Record:
    client = dtls_client.DtlsClient(lambda _: None, lambda _: None, b"i", b"k", cid=cid)
    client.random = bytes(32)
    (record,) = split(client.plain(22, client.hello_message(sequence, cookie)), 8)
    return record


def hello(cookie: bytes = b"", cid: bytes | None = None) -> ClientHello:
    return read_client_hello(hello_record(cookie=cookie, cid=cid))


def test_a_client_hello_of_mbedtls() -> None:
    plain, with_id, with_own_id = VECTORS["sessions"][:3]
    for session, cid in ((plain, None), (with_id, b""), (with_own_id, b"\xab\xcd")):
        (record,) = split(bytes.fromhex(session["client_hello"]), 8)
        assert is_client_hello(record)
        read = read_client_hello(record)
        assert read.random.hex() == session["client_random"]
        assert (read.connection_id, len(read.cookie), read.max_plain_bytes) == (cid, 16, 1 << 14)
        assert session["suite"] in read.suites


def test_what_it_says_of_connection_ids() -> None:
    assert [hello(cid=cid).connection_id for cid in (None, b"", b"abc")] == [None, b"", b"abc"]


@pytest.mark.parametrize(("code", "limit"), [(1, 512), (2, 1024), (3, 2048), (4, 4096), (0, 16384), (5, 16384)])
def test_the_largest_record_that_a_device_takes(code: int, limit: int) -> None:
    body = b"\xfe\xfd" + bytes(32) + b"\0\0\0\2\xc0\xa8\1\0" + b"\0\5\0\1\0\1" + bytes([code])
    assert read_client_hello(Record(22, 0, 0, b"", dtls_client.message(1, 0, body))).max_plain_bytes == limit


@given(st.data())
def test_a_client_hello_that_is_cut_or_goes_on_is_malformed(data: st.DataObject) -> None:
    whole = hello_record(cid=b"ab").fragment
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    for changed in (cut, whole + data.draw(st.binary(min_size=1, max_size=5))):
        with pytest.raises(Malformed):
            read_client_hello(Record(22, 0, 0, b"", changed))


@given(st.binary(max_size=120))
def test_any_bytes_are_malformed_at_worst(data: bytes) -> None:
    for fragment in (data, dtls_client.message(1, 0, data)):
        try:
            read_client_hello(Record(22, 0, 0, b"", fragment))
        except Malformed:
            continue


def test_one_in_fragments_is_not_taken() -> None:
    whole = hello_record().fragment
    half = whole[:9] + (10).to_bytes(3, "big") + whole[12:22]
    with pytest.raises(Malformed):
        read_client_hello(Record(22, 0, 0, b"", half))


def test_the_answer_is_smaller_and_repeats_the_number_of_the_record() -> None:
    record = hello_record()._replace(sequence=7)
    answer = hello_verify_request(record, b"c" * 16)
    assert answer == dtls_client.record(22, 0, 7, dtls_client.message(3, 0, b"\xfe\xff\x10" + b"c" * 16), 0xFEFF)
    assert len(answer) < len(record.write())


def test_a_cookie_is_good_at_its_address_for_its_hello_and_a_while() -> None:
    cookies = Cookies(0.0)
    returned = hello(cookies.new(ADDRESS, hello(), 1.0))
    assert cookies.is_good(ADDRESS, returned, 1.0)
    assert cookies.is_good(ADDRESS, returned, 1.0 + LIFETIME_S)
    assert not cookies.is_good(b"192.0.2.1:5685", returned, 1.0)
    assert not cookies.is_good(ADDRESS, returned._replace(parameters=returned.parameters + b"x"), 1.0)
    assert not cookies.is_good(ADDRESS, hello(), 1.0)
    assert not cookies.is_good(ADDRESS, returned, 1.0 + 2 * LIFETIME_S)


def test_a_cookie_of_another_process_is_not_good() -> None:
    returned = hello(Cookies(0.0).new(ADDRESS, hello(), 0.0))
    assert not Cookies(0.0).is_good(ADDRESS, returned, 0.0)


def test_after_a_long_silence_old_cookies_are_not_good() -> None:
    cookies = Cookies(0.0)
    returned = hello(cookies.new(ADDRESS, hello(), 0.0))
    assert not cookies.is_good(ADDRESS, returned, 1e9)
    assert cookies.is_good(ADDRESS, hello(cookies.new(ADDRESS, hello(), 1e9)), 1e9 + 1)
