"""CoAP messages of the simulator against bytes written by hand from RFC 7252."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownexus_simulator.coap import Code, MalformedMessage, Message, Option, Type, code_text, decode, encode, unsigned

GET_3303 = bytes.fromhex("42013a2b") + b"\xab\xcd" + b"\x60" + b"\x543303" + b"\x010" + b"\x045700" + b"\x61\x70"


def test_a_request_to_observe_is_read() -> None:
    message = decode(GET_3303)
    assert message[:4] == (Type.CON, Code.GET, 0x3A2B, b"\xab\xcd")
    assert message.texts(Option.URI_PATH) == ["3303", "0", "5700"]
    assert message.number(Option.OBSERVE) == 0
    assert message.number(Option.ACCEPT) == 112
    assert message.number(Option.CONTENT_FORMAT) is None
    assert message.is_request
    assert not message.is_response


def test_writing_is_the_inverse_of_reading() -> None:
    assert encode(decode(GET_3303)) == GET_3303


def test_long_options_and_large_numbers_have_extended_nibbles() -> None:
    message = Message(Type.NON, Code.POST, 1, b"", ((60, b"\x01"), (2048, b"x" * 300), (15, b"y" * 20)), b"p")
    written = encode(message)
    assert written[4:6] == bytes((0xDD, 2))
    assert decode(written).options == ((15, b"y" * 20), (60, b"\x01"), (2048, b"x" * 300))


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x40\x01\x00",
        b"\x80\x01\x00\x01",
        b"\x49\x01\x00\x01" + bytes(9),
        b"\x44\x01\x00\x01ab",
        b"\x40\x01\x00\x01\xff",
        b"\x40\x01\x00\x01\xb4rd",
        b"\x40\x01\x00\x01\xf1a",
        b"\x40\x01\x00\x01\xd0",
    ],
)
def test_what_is_no_message_is_refused(datagram: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode(datagram)


def test_a_path_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(MalformedMessage):
        decode(b"\x40\x01\x00\x01\xb2\xff\xfe").texts(Option.URI_PATH)


@given(st.binary(max_size=60))
def test_only_malformed_message_comes_out_of_any_bytes(datagram: bytes) -> None:
    try:
        message = decode(datagram)
    except MalformedMessage:
        return
    assert decode(encode(message)) == message


def test_unsigned_values_take_as_few_bytes_as_they_can() -> None:
    assert [unsigned(number) for number in (0, 112, 11542)] == [b"", b"\x70", b"\x2d\x16"]


def test_codes_are_written_with_two_digits() -> None:
    assert code_text(Code.NOT_FOUND) == "4.04"
