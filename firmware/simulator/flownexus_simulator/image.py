"""Firmware images for simulated devices: a head that says what the image is, a body of noise, a checksum.

4 bytes   FNFW
1 byte    format, 1
2 bytes   length of what follows, big-endian
...       JSON: {"name", "version"}, and "fault" where it makes devices fail: a name of `faults.Fault`
...       body
4 bytes   CRC-32 of all before it, big-endian
"""

from __future__ import annotations

import hashlib
import json
import zlib
from random import Random
from typing import NamedTuple

MAGIC, FORMAT = b"FNFW", 1
CRC_BYTES = 4
_FIXED = len(MAGIC) + 3
MAX_TEXT = 255


class InvalidImage(ValueError):
    """An image of this size or these texts cannot be made; the text says why."""


class NotAnImage(ValueError):
    """Other bytes than an image: result 6."""


class Damaged(ValueError):
    """An image that is not whole: result 5."""


class Image(NamedTuple):
    """What a device knows of an image that it has. `sha256` in hexadecimal."""

    name: str
    version: str
    fault: str | None
    size: int
    sha256: str


def make(name: str, version: str, size: int, *, fault: str | None = None, seed: int = 0) -> bytes:
    """An image of `size` bytes, the same for the same arguments. Raises InvalidImage."""
    for label, text in (("name", name), ("version", version)):
        if not 0 < len(text) <= MAX_TEXT:
            raise InvalidImage(f"the {label} has 1 to {MAX_TEXT} characters")
    texts = {"name": name, "version": version} | ({} if fault is None else {"fault": fault})
    described = json.dumps(texts, ensure_ascii=False).encode()
    head = MAGIC + bytes((FORMAT,)) + len(described).to_bytes(2) + described
    body = size - len(head) - CRC_BYTES
    if body < 0:
        raise InvalidImage(f"the smallest image of this name and version has {size - body} bytes")
    whole = head + Random(seed).randbytes(body)  # noqa: S311 (no secret)
    return whole + zlib.crc32(whole).to_bytes(CRC_BYTES)


class Reader:
    """Takes an image part by part and keeps none of it."""

    def __init__(self) -> None:
        self.received = 0
        self._sha256 = hashlib.sha256()
        self._crc = 0
        self._last = b""
        self._head = bytearray()
        self._texts: dict[str, object] | None = None

    @property
    def sha256(self) -> str:
        """Of what came so far."""
        return self._sha256.hexdigest()

    def feed(self, part: bytes) -> None:
        """The next bytes."""
        self.received += len(part)
        self._sha256.update(part)
        if self._texts is None:
            self._head += part
            self._read_head()
        # The last bytes may be the checksum, which is not over itself.
        checked = self._last + part
        self._crc = zlib.crc32(checked[:-CRC_BYTES], self._crc)
        self._last = checked[-CRC_BYTES:]

    def finish(self) -> Image:
        """What it is. Raises NotAnImage, Damaged."""
        if self._texts is None or not isinstance(self._texts.get("version"), str):
            raise NotAnImage("no head of an image")
        if self._crc.to_bytes(CRC_BYTES) != self._last:
            raise Damaged("the checksum does not fit")
        fault = self._texts.get("fault")
        return Image(
            str(self._texts.get("name", "")),
            str(self._texts["version"]),
            None if fault is None else str(fault),
            self.received,
            self.sha256,
        )

    def _read_head(self) -> None:
        """Take the head apart once it is there; what is none is not kept."""
        if len(self._head) < _FIXED and MAGIC.startswith(self._head[: len(MAGIC)]):
            return
        end = _FIXED + int.from_bytes(self._head[_FIXED - 2 : _FIXED])
        if self._head[: len(MAGIC)] != MAGIC or self._head[len(MAGIC)] != FORMAT:
            self._texts = {}
        elif len(self._head) >= end:
            try:
                found = json.loads(self._head[_FIXED:end])
            except ValueError:
                found = None
            self._texts = found if isinstance(found, dict) else {}
        else:
            return
        self._head.clear()
