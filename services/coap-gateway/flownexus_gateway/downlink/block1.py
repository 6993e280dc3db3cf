"""A payload above one datagram on its way to a device: which block is next. Sans-IO. RFC 7959, 2.5, 2.9."""

from __future__ import annotations

from typing import NamedTuple

from flownexus_schemas.errors import PeerError

LARGEST = 6
"""SZX of 1,024 bytes."""

MAX_RESTARTS = 3

_CONTINUE, _NOT_FOUND, _INCOMPLETE, _TOO_LARGE = 0x5F, 0x84, 0x88, 0x8D


class TransferFailed(PeerError):
    """The device asked for more than there is, or lost the transfer again and again."""


class Block(NamedTuple):
    """One block: `length` bytes of the payload from `offset` on; `size_exponent` as in the option: 16 << size_exponent
    bytes; `whole_size` is that of the payload.
    """

    number: int
    more: bool
    size_exponent: int
    offset: int
    length: int
    whole_size: int


class BlockTransfer:
    """`block` is what to send; `take` says whether there is a next one, and `is_open` what it said last.

    `size_exponent`: of the first block. `position`: bytes that the device has from an earlier part of the transfer, a
    multiple of the block size.
    """

    def __init__(self, whole_size: int, size_exponent: int = LARGEST, position: int = 0) -> None:
        self._whole_size = whole_size
        self._is_resumed = position > 0
        self._restarts = 0
        self.position = position
        self.size_exponent = size_exponent
        self.is_open = True

    @property
    def block(self) -> Block:
        size = 16 << self.size_exponent
        end = self.position + size
        length = min(size, self._whole_size - self.position)
        number, more = self.position // size, end < self._whole_size
        return Block(number, more, self.size_exponent, self.position, length, self._whole_size)

    def take(self, code: int, block1: int | None) -> bool:
        """The device's answer to `block`; False if it is the last, to be given to whoever asked.

        `block1` is the value of its option. A smaller block is taken over: what came is kept by the device, so the
        next number counts in the new size. Where the device lost the transfer, or wants smaller blocks from the
        beginning (4.13), it starts again at block 0. Raises TransferFailed.
        """
        self.is_open = self._take(code, block1)
        return self.is_open

    def _take(self, code: int, block1: int | None) -> bool:
        smaller = block1 is not None and (block1 & 7) < self.size_exponent
        if self._is_lost(code) or (code == _TOO_LARGE and smaller):
            self._restarts += 1
            self._is_resumed = False
            if self._restarts > MAX_RESTARTS:
                return False
            self.position = 0
            self._shrink(block1)
            return True
        if code >> 5 != 2:
            return False
        # Zephyr sends 2.31 with M=0, others the final code early: what decides is whether there is more to send.
        sent = self.block
        if code == _CONTINUE and block1 is not None and block1 >> 4 != sent.number:
            # An acknowledgement that came twice: with one token for all blocks it is taken for that of this one.
            return True
        self._is_resumed = False
        if not sent.more:
            if code == _CONTINUE:
                raise TransferFailed("the device wants more blocks than there are")
            self.position = self._whole_size
            return False
        self.position += sent.length
        self._shrink(block1)
        return True

    def _is_lost(self, code: int) -> bool:
        """Whether the device does not know the blocks before this one: 4.08; of Zephyr, 4.04 in the middle; and
        whatever a device says to a block that goes on with what it may have forgotten.

        4.08 to the last block, with all before it taken, is of the whole: Zephyr's word for a checksum that does not
        fit. What is sent again would end there again.
        """
        if self._is_resumed and code >> 5 in {4, 5}:
            return True
        if code == _INCOMPLETE:
            return self.block.more or self.position == 0
        return self.position > 0 and code == _NOT_FOUND

    def _shrink(self, block1: int | None) -> None:
        if block1 is not None:
            self.size_exponent = min(self.size_exponent, block1 & 7)
