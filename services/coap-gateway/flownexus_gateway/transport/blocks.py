"""Requests that come in blocks. RFC 7959, 2.5."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from flownexus_gateway import metrics
from flownexus_gateway.errors import BlockMissing, TooLarge

MAX_BYTES = 256 * 1024
"""The largest request taken in blocks."""

MAX_TRANSFERS = 1000
MAX_BYTES_TOGETHER = 32 * 1024 * 1024
"""Of all transfers under way. Past either, the oldest ones give way."""

LIFETIME_S = 247.0
"""A transfer whose next block takes longer is abandoned. RFC 7959, 2.4: EXCHANGE_LIFETIME."""


class _Transfer(NamedTuple):
    last_at: float
    collected: bytearray


class BlockAssembler:
    """Transfers under way, each by its peer and what it asks for; the one that had a block last is the last."""

    def __init__(self) -> None:
        self._transfers: dict[Hashable, _Transfer] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._transfers)

    @property
    def collected_bytes(self) -> int:
        """Of all transfers under way."""
        return self._bytes

    def take(self, key: Hashable, block: int, payload: bytes, now: float) -> bytes | None:
        """Add a block; the whole payload after the last one, else None.

        `block` is the value of the Block1 option. Raises BlockMissing, TooLarge.
        """
        number, more, size = block >> 4, bool(block & 8), 1 << ((block & 7) + 4)
        self.forget_old(now)
        former = self._remove(key)
        collected = bytearray() if former is None or number == 0 else former.collected
        if number * size > len(collected):
            raise BlockMissing(f"block {number} came without those before it")
        if number * size + len(payload) > MAX_BYTES:
            raise TooLarge(f"a request has at most {MAX_BYTES} bytes")
        # A block that is sent again replaces what it brought the first time.
        del collected[number * size :]
        collected += payload
        if not more:
            return bytes(collected)
        self._transfers[key] = _Transfer(now, collected)
        self._bytes += len(collected)
        while len(self._transfers) > MAX_TRANSFERS or self._bytes > MAX_BYTES_TOGETHER:
            self._abandon(next(iter(self._transfers)))
        self._count()
        return None

    def forget_old(self, now: float) -> None:
        """Free what is abandoned."""
        while self._transfers:
            key, oldest = next(iter(self._transfers.items()))
            if now - oldest.last_at <= LIFETIME_S:
                break
            self._abandon(key)
        self._count()

    def _abandon(self, key: Hashable) -> None:
        self._remove(key)
        metrics.ABANDONED_TRANSFERS.inc()

    def _remove(self, key: Hashable) -> _Transfer | None:
        transfer = self._transfers.pop(key, None)
        if transfer is not None:
            self._bytes -= len(transfer.collected)
            self._count()
        return transfer

    def _count(self) -> None:
        metrics.TRANSFERS.set(len(self._transfers))
        metrics.TRANSFER_BYTES.set(self._bytes)
