"""A payload in blocks to a device, and blocks from devices that never end. RFC 7959, 2.5, 2.9."""

from __future__ import annotations

import pytest

from flownexus_gateway.downlink.block1 import MAX_RESTARTS, BlockTransfer, TransferFailed
from flownexus_gateway.errors import BlockMissing
from flownexus_gateway.transport import blocks
from flownexus_gateway.transport.blocks import LIFETIME_S, BlockAssembler

CONTINUE, CHANGED, INCOMPLETE, TOO_LARGE, NOT_FOUND = 0x5F, 0x44, 0x88, 0x8D, 0x84
BAD_REQUEST, NOT_ALLOWED = 0x80, 0x85
MORE, SIZE_16, SIZE_512, SIZE_1024 = 8, 0, 5, 6
PAYLOAD = bytes(range(256)) * 10


def begun(position: int = 0) -> BlockTransfer:
    return BlockTransfer(len(PAYLOAD), position=position)


def sent(transfer: BlockTransfer) -> tuple[int, bool, int]:
    block = transfer.block
    return block.number, block.more, 16 << block.size_exponent


def payload(transfer: BlockTransfer) -> bytes:
    return PAYLOAD[transfer.block.offset : transfer.block.offset + transfer.block.length]


def echo(transfer: BlockTransfer, more: int = MORE) -> int:
    return transfer.block.number << 4 | more | transfer.block.size_exponent


def test_blocks_follow_each_other_until_the_last() -> None:
    transfer = begun()
    received = b""
    while True:
        received += payload(transfer)
        last = sent(transfer)
        if not transfer.take(CONTINUE if transfer.block.more else CHANGED, echo(transfer)):
            break
    assert received == PAYLOAD
    assert last == (2, False, 1024)
    assert (transfer.is_open, transfer.position) == (False, len(PAYLOAD))


def test_a_smaller_size_is_taken_over_and_counted_in_from_what_was_sent() -> None:
    transfer = begun()
    assert transfer.take(CONTINUE, SIZE_512)
    assert sent(transfer) == (2, True, 512)
    assert payload(transfer) == PAYLOAD[1024:1536]


@pytest.mark.parametrize("code", [INCOMPLETE, TOO_LARGE])
def test_a_lost_transfer_begins_again_at_block_0_a_few_times(code: int) -> None:
    transfer = begun()
    transfer.take(CONTINUE, echo(transfer))
    assert transfer.take(code, 1 << 4 | SIZE_512)
    assert sent(transfer) == (0, True, 512)
    for _ in range(MAX_RESTARTS - 1):
        assert transfer.take(INCOMPLETE, None)
    assert not transfer.take(INCOMPLETE, None)


def test_a_device_that_has_all_and_does_not_want_it_is_not_sent_it_again() -> None:
    transfer = begun()
    while transfer.block.more:
        transfer.take(CONTINUE, echo(transfer))
    assert not transfer.take(INCOMPLETE, None)
    resumed = begun(2048)
    assert not resumed.block.more
    assert resumed.take(INCOMPLETE, None)


def test_what_zephyr_says_of_blocks_that_it_does_not_know_begins_again_too() -> None:
    transfer = begun()
    transfer.take(CONTINUE, echo(transfer))
    assert transfer.take(NOT_FOUND, None)
    assert sent(transfer) == (0, True, 1024)
    assert not transfer.take(NOT_FOUND, None)


@pytest.mark.parametrize("code", [BAD_REQUEST, NOT_FOUND, NOT_ALLOWED, INCOMPLETE, TOO_LARGE, 0xA0])
def test_a_transfer_that_goes_on_and_that_the_device_forgot_begins_again_once(code: int) -> None:
    transfer = begun(1024)
    assert (sent(transfer), payload(transfer)) == ((1, True, 1024), PAYLOAD[1024:2048])
    assert transfer.take(code, None)
    assert sent(transfer) == (0, True, 1024)
    assert transfer.take(CONTINUE, echo(transfer))
    assert not transfer.take(BAD_REQUEST, None)


def test_a_transfer_that_goes_on_is_refused_as_any_other_once_it_went_on() -> None:
    transfer = begun(1024)
    assert transfer.take(CONTINUE, echo(transfer))
    assert not transfer.take(NOT_ALLOWED, None)
    assert (transfer.is_open, transfer.position) == (False, 2048)


def test_an_acknowledgement_that_came_twice_does_not_skip_a_block() -> None:
    transfer = begun()
    first = echo(transfer)
    assert transfer.take(CONTINUE, first)
    assert transfer.take(CONTINUE, first)
    assert sent(transfer) == (1, True, 1024)


def test_a_refusal_ends_it_and_more_than_there_is_is_an_error() -> None:
    assert not begun().take(NOT_FOUND, None)
    with pytest.raises(TransferFailed):
        BlockTransfer(5).take(CONTINUE, SIZE_1024)


def test_an_abandoned_transfer_frees_its_memory() -> None:
    assembler = BlockAssembler()
    assembler.take("a", MORE | SIZE_16, bytes(16), now=0)
    assembler.take("b", MORE | SIZE_16, bytes(16), now=200)
    assert (len(assembler), assembler.collected_bytes) == (2, 32)
    assembler.forget_old(LIFETIME_S + 1)
    assert (len(assembler), assembler.collected_bytes) == (1, 16)
    with pytest.raises(BlockMissing):
        assembler.take("a", 1 << 4 | SIZE_16, b"x", now=LIFETIME_S + 1)


def test_a_transfer_that_goes_on_is_not_abandoned_however_long_it_takes() -> None:
    assembler = BlockAssembler()
    for number in range(5):
        assembler.take("a", number << 4 | MORE | SIZE_16, bytes(16), now=number * 200)
    assert assembler.take("a", 5 << 4 | SIZE_16, b"end", now=1000) == bytes(80) + b"end"
    assert (len(assembler), assembler.collected_bytes) == (0, 0)


def test_all_transfers_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "MAX_BYTES_TOGETHER", 64)
    assembler = BlockAssembler()
    for key in range(10):
        assembler.take(key, MORE | SIZE_16, bytes(16), now=0)
    assert (len(assembler), assembler.collected_bytes) == (4, 64)
    with pytest.raises(BlockMissing):
        assembler.take(0, 1 << 4 | SIZE_16, b"x", now=0)
