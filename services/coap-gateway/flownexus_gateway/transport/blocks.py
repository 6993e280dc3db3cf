"""Requests that come in blocks. RFC 7959, 2.5."""

from __future__ import annotations

from collections.abc import Hashable

from flownexus_gateway.errors import BlockMissing, TooLarge

MAX_BYTES = 64 * 1024
"""The largest request taken in blocks."""

MAX_TRANSFERS = 1000
LIFETIME_S = 247.0

_Transfer = tuple[float, bytearray]


class BlockAssembler:
    """Transfers under way, each by its peer and what it asks for."""

    def __init__(self) -> None:
        self._transfers: dict[Hashable, _Transfer] = {}

    def take(self, key: Hashable, block: int, payload: bytes, now: float) -> bytes | None:
        """Add a block; the whole payload after the last one, else None.

        `block` is the value of the Block1 option. Raises BlockMissing, TooLarge.
        """
        number, more, size = block >> 4, bool(block & 8), 1 << ((block & 7) + 4)
        if number == 0:
            self._make_room(now)
            self._transfers[key] = (now, bytearray())
        transfer = self._transfers.get(key)
        if transfer is None or number * size > len(transfer[1]):
            raise BlockMissing(f"block {number} came without those before it")
        _, collected = transfer
        if number * size + len(payload) > MAX_BYTES:
            del self._transfers[key]
            raise TooLarge(f"a request has at most {MAX_BYTES} bytes")
        # A block that is sent again replaces what it brought the first time.
        del collected[number * size :]
        collected += payload
        if more:
            return None
        del self._transfers[key]
        return bytes(collected)

    def _make_room(self, now: float) -> None:
        for key in [key for key, (begun_at, _) in self._transfers.items() if now - begun_at > LIFETIME_S]:
            del self._transfers[key]
        while len(self._transfers) >= MAX_TRANSFERS:
            del self._transfers[next(iter(self._transfers))]
