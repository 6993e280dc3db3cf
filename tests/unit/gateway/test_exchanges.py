"""Retransmissions, reboots, blocks: what tells one request from another."""

from __future__ import annotations

import pytest

from flownexus_gateway import aiocoap_private, errors
from flownexus_gateway.errors import BlockMissing, TooLarge, code_of
from flownexus_gateway.registrations.identifiers import digest, registration_id
from flownexus_gateway.registrations.live import MAX_TRANSMIT_SPAN_S, LiveRegistration
from flownexus_gateway.transport import blocks
from flownexus_gateway.transport.blocks import BlockAssembler
from flownexus_gateway.transport.duplicates import EXCHANGE_LIFETIME_S, AnsweredRequests
from flownexus_gateway.transport.peer import Peer
from flownexus_schemas.errors import NotFound, Unavailable
from flownexus_schemas.events import Address, Registration
from flownexus_schemas.lwm2m.errors import CodecError, InvalidRegistration, UnsupportedContentFormat, UnsupportedVersion
from flownexus_schemas.registrations import StoredRegistration

ADDRESS = ("192.0.2.1", 5683)
MORE, LAST, SIZE_16 = 8, 0, 0


def live(fingerprint: str = "f") -> LiveRegistration:
    registration = Registration(
        registration_id="abc",
        lifetime_s=60,
        lwm2m_version="1.1",
        binding="U",
        queue_mode=False,
        awake_window_s=93,
        address=Address(host="192.0.2.1", port=5683),
        gateway="gw-1",
        object_links=(),
    )
    stored = StoredRegistration(
        endpoint="e",
        registration=registration,
        registered_at=100,
        last_seen_at=100,
        register_fingerprint=fingerprint,
    )
    return LiveRegistration(stored, Peer(ADDRESS, None, lambda *_: None), 1)


def test_the_same_register_is_a_retransmission_until_an_update_shows_that_its_answer_came() -> None:
    one = live()
    one.answered_at = 100
    assert one.is_retransmitted("f", now=140)
    assert not one.is_retransmitted("other", now=140)
    one.seen_after_answer = True
    assert one.is_retransmitted("f", now=140)
    one.update(one.registration, now=110)
    assert one.is_retransmitted("f", now=100.5)
    assert not one.is_retransmitted("f", now=112)


def test_a_device_that_was_heard_does_not_retransmit_a_register_for_longer_than_it_may() -> None:
    one = live()
    assert one.is_retransmitted("f", now=100 + MAX_TRANSMIT_SPAN_S + 1)
    one.seen_after_answer = True
    assert not one.is_retransmitted("f", now=100 + MAX_TRANSMIT_SPAN_S + 1)


def test_after_the_exchange_lifetime_the_same_register_is_a_new_one() -> None:
    assert not live().is_retransmitted("f", now=100 + EXCHANGE_LIFETIME_S + 1)


def test_an_id_has_12_letters_and_digits_and_changes_with_the_generation() -> None:
    first, second = registration_id("f", 0), registration_id("f", 1)
    assert first == registration_id("f", 0)
    assert first != second
    assert len(first) == 12
    assert first.isalnum()


def test_a_digest_tells_where_its_parts_begin() -> None:
    assert digest("ab", "c") != digest("a", "bc")


def test_an_answered_request_is_answered_the_same_again() -> None:
    answered = AnsweredRequests()
    answered.begin(ADDRESS, 7, b"request", now=0)
    found = answered.find(ADDRESS, 7, b"request", now=1)
    assert found is not None
    assert found.answer is None
    answered.end(ADDRESS, 7, b"request", b"answer")
    again = answered.find(ADDRESS, 7, b"request", now=2)
    assert again is not None
    assert again.answer == b"answer"


def test_the_same_message_id_with_other_bytes_is_another_request() -> None:
    answered = AnsweredRequests()
    answered.begin(ADDRESS, 7, b"request", now=0)
    assert answered.find(ADDRESS, 7, b"after a reboot", now=1) is None


def test_a_request_left_in_silence_is_handled_anew() -> None:
    answered = AnsweredRequests()
    answered.begin(ADDRESS, 7, b"request", now=0)
    answered.end(ADDRESS, 7, b"request", None)
    assert answered.find(ADDRESS, 7, b"request", now=1) is None


def test_requests_are_forgotten_after_the_exchange_lifetime() -> None:
    answered = AnsweredRequests()
    answered.begin(ADDRESS, 7, b"request", now=0)
    answered.end(ADDRESS, 7, b"request", b"answer")
    assert answered.find(ADDRESS, 7, b"request", now=EXCHANGE_LIFETIME_S + 1) is None


def test_blocks_are_put_together_and_one_sent_again_does_no_harm() -> None:
    assembler = BlockAssembler()
    assert assembler.take("k", 0 << 4 | MORE | SIZE_16, b"a" * 16, 0) is None
    assert assembler.take("k", 1 << 4 | MORE | SIZE_16, b"b" * 16, 0) is None
    assert assembler.take("k", 1 << 4 | MORE | SIZE_16, b"b" * 16, 0) is None
    assert assembler.take("k", 2 << 4 | LAST | SIZE_16, b"c", 0) == b"a" * 16 + b"b" * 16 + b"c"


def test_a_block_without_those_before_it_is_refused() -> None:
    assembler = BlockAssembler()
    with pytest.raises(BlockMissing):
        assembler.take("k", 1 << 4 | MORE, b"b" * 16, 0)
    assembler.take("k", 0 << 4 | MORE, b"a" * 16, 0)
    with pytest.raises(BlockMissing):
        assembler.take("k", 2 << 4 | MORE, b"c" * 16, 0)


def test_more_than_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "MAX_BYTES", 20)
    assembler = BlockAssembler()
    assembler.take("k", 0 << 4 | MORE, b"a" * 16, 0)
    with pytest.raises(TooLarge):
        assembler.take("k", 1 << 4 | MORE, b"b" * 16, 0)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unavailable("x"), None),
        (errors.Overloaded(30), errors.SERVICE_UNAVAILABLE),
        (UnsupportedVersion("x"), errors.PRECONDITION_FAILED),
        (InvalidRegistration("x"), errors.BAD_REQUEST),
        (UnsupportedContentFormat("x"), errors.UNSUPPORTED_CONTENT_FORMAT),
        (CodecError("x"), errors.BAD_REQUEST),
        (NotFound("x"), errors.NOT_FOUND),
    ],
)
def test_errors_have_a_code_or_silence(error: Exception, code: int | None) -> None:
    assert code_of(error) == code


def test_a_bug_has_no_code() -> None:
    with pytest.raises(KeyError):
        code_of(KeyError("x"))


def test_the_installed_aiocoap_is_the_one_written_against(monkeypatch: pytest.MonkeyPatch) -> None:
    aiocoap_private.check()
    monkeypatch.setattr(aiocoap_private, "VERSION", "0.4.18")
    with pytest.raises(aiocoap_private.UnexpectedAiocoap, match=r"0\.4\.18 is needed"):
        aiocoap_private.check()


def test_an_address_is_written_as_people_do() -> None:
    def peer(*address: str | int) -> Peer:
        return Peer(address, None, lambda *_: None)  # type: ignore[arg-type]

    assert peer("::ffff:192.0.2.1", 5683, 0, 0).host == "192.0.2.1"
    assert peer("2001:db8::1", 5683, 0, 0).hostinfo == "[2001:db8::1]:5683"
    assert peer("fe80::1", 5683, 0, 3).host == "fe80::1%3"
