"""A payload above one datagram on its way to a device: which block is next. Sans-IO. RFC 7959, 2.5, 2.9."""

from __future__ import annotations

from typing import NamedTuple

from flownexus_schemas.errors import PeerError

LARGEST = 6
"""SZX of 1,024 bytes."""

MAX_RESTARTS = 3

_CONTINUE, _INCOMPLETE, _TOO_LARGE = 0x5F, 0x88, 0x8D


class TransferFailed(PeerError):
    """The device asked for more than there is, or lost the transfer again and again."""


class Block(NamedTuple):
    """One block; `size_exponent` as in the option: 16 << size_exponent bytes; `whole_size` is that of the payload."""

    number: int
    more: bool
    size_exponent: int
    payload: bytes
    whole_size: int


class BlockTransfer:
    """`block` is what to send; `take` says whether there is a next one. `size_exponent`: of the first block."""

    def __init__(self, payload: bytes, size_exponent: int = LARGEST) -> None:
        self._payload = payload
        self._position = 0
        self._size_exponent = size_exponent
        self._restarts = 0

    @property
    def block(self) -> Block:
        size = 16 << self._size_exponent
        end = self._position + size
        whole_size = len(self._payload)
        payload = self._payload[self._position : end]
        return Block(self._position // size, end < whole_size, self._size_exponent, payload, whole_size)

    def take(self, code: int, block1: int | None) -> bool:
        """The device's answer to `block`; False if it is the last, to be given to whoever asked.

        `block1` is the value of its option. A smaller block is taken over: what came is kept by the device, so the
        next number counts in the new size. Where the device lost the transfer (4.08), or wants smaller blocks from
        the beginning (4.13), it starts again at block 0. Raises TransferFailed.
        """
        smaller = block1 is not None and (block1 & 7) < self._size_exponent
        if code == _INCOMPLETE or (code == _TOO_LARGE and smaller):
            self._restarts += 1
            if self._restarts > MAX_RESTARTS:
                return False
            self._position = 0
            self._shrink(block1)
            return True
        if code >> 5 != 2:
            return False
        # Zephyr sends 2.31 with M=0, others the final code early: what decides is whether there is more to send.
        sent = self.block
        if code == _CONTINUE and block1 is not None and block1 >> 4 != sent.number:
            # An acknowledgement that came twice: with one token for all blocks it is taken for that of this one.
            return True
        if not sent.more:
            if code == _CONTINUE:
                raise TransferFailed("the device wants more blocks than there are")
            return False
        self._position += len(sent.payload)
        self._shrink(block1)
        return True

    def _shrink(self, block1: int | None) -> None:
        if block1 is not None:
            self._size_exponent = min(self._size_exponent, block1 & 7)
