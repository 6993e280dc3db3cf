"""What comes of a download, and who downloads."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from flownexus_simulator.image import Image, Reader
from flownexus_simulator.object5 import Result


class Part(NamedTuple):
    """The next bytes of an image. `size`: of the whole, where it was said."""

    data: bytes
    size: int | None


class Fetched(NamedTuple):
    """There is no more of the image."""


class FetchFailed(NamedTuple):
    """The image cannot be had from there."""

    result: Result


class Fetcher(Protocol):
    """Fetches images for a device, and tells it of each part. What was stopped tells nothing more."""

    def start(self, uri: str, offset: int) -> None:
        """From this byte on."""

    def stop(self) -> None:
        """Whatever was started."""


class Download(NamedTuple):
    """What a device had of an image, for the ledger. `via`: coap, coaps, http, https or push."""

    via: str
    size: int
    sha256: str
    version: str
    result: Result


class Transfer:
    """An image on its way, and what is known of it once it is whole. `via`: the scheme, or push."""

    def __init__(self, via: str, size: int | None = None) -> None:
        self.via, self.size = via, size
        self.reader = Reader()
        self.image: Image | None = None
        self.is_stuck = self.has_struck = False

    @property
    def percent(self) -> float:
        """How much of it is there; 0 where its size is not known."""
        return 100.0 * self.reader.received / self.size if self.size else 0.0
