"""CoAP messages as bytes. RFC 7252, 3 and appendix A."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownexus_gateway.transport.datagram import (
    MalformedDatagram,
    Message,
    Option,
    Type,
    UnknownVersion,
    code_text,
    empty,
    read_header,
    read_message,
    uint,
    write_message,
)

OBSERVE_WITH_TEXT = bytes.fromhex("48451234010203040506070861056 22d16ffe4".replace(" ", ""))


def read(data: bytes) -> Message:
    return read_message(data, read_header(data))


def test_a_notification_is_taken_apart() -> None:
    message = read(OBSERVE_WITH_TEXT)
    assert (message.type, message.code, message.message_id) == (Type.CON, 0x45, 0x1234)
    assert message.token == bytes(range(1, 9))
    assert message.uint(Option.OBSERVE) == 5
    assert message.uint(Option.CONTENT_FORMAT) == 11542
    assert message.payload == b"\xe4"


def test_the_request_of_rfc_7252_figure_16_is_taken_apart() -> None:
    message = read(bytes.fromhex("41017d3520bb74656d7065726174757265"))
    assert (message.code, message.token, message.texts(Option.URI_PATH)) == (1, b"\x20", ["temperature"])


def test_an_empty_uint_option_is_zero_and_a_missing_one_is_none() -> None:
    message = read(bytes.fromhex("4045000160"))
    assert message.uint(Option.OBSERVE) == 0
    assert message.uint(Option.CONTENT_FORMAT) is None


@pytest.mark.parametrize(
    ("data", "word"),
    [
        ("", "short"),
        ("400100", "short"),
        ("49010001000102030405060708", "token"),
        ("4801000101", "token"),
        ("4000000101", "empty"),
        ("40010001ff", "payload"),
        ("40010001f1", "option"),
        ("400100011f", "option"),
        ("40010001d1", "option"),
        ("40010001e1ff", "option"),
        ("40010001b5616263", "option"),
        ("40010001e1ffff61", "option"),
    ],
)
def test_what_is_malformed_has_a_word_for_it(data: str, word: str) -> None:
    with pytest.raises(MalformedDatagram, match=word):
        read(bytes.fromhex(data))


def test_another_version_is_told_from_what_is_malformed() -> None:
    for first in (0x00, 0x80, 0xC0):
        with pytest.raises(UnknownVersion):
            read_header(bytes([first, 1, 0, 1]))


def test_a_path_that_is_not_utf_8_is_malformed() -> None:
    with pytest.raises(MalformedDatagram, match="utf-8"):
        read(bytes.fromhex("40010001b1ff")).texts(Option.URI_PATH)


@given(
    st.builds(
        Message,
        st.sampled_from(Type),
        st.integers(1, 255),
        st.integers(0, 65535),
        st.binary(max_size=8),
        st.lists(st.tuples(st.integers(0, 3000), st.binary(max_size=300)), max_size=6).map(
            lambda options: sorted(options, key=lambda option: option[0])
        ),
        st.binary(max_size=64),
    )
)
def test_what_is_written_is_read_back(message: Message) -> None:
    assert read(write_message(message)) == message


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_malformed(data: bytes) -> None:
    try:
        read(data)
    except MalformedDatagram:
        return


def test_small_writers() -> None:
    assert empty(Type.ACK, 0x1234) == bytes.fromhex("60001234")
    assert empty(Type.RST, 1) == bytes.fromhex("70000001")
    assert [uint(0), uint(255), uint(11542)] == [b"", b"\xff", b"\x2d\x16"]
    assert code_text(0x84) == "4.04"
