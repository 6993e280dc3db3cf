"""Firmware images for devices that pull them over CoAP: any block of an image, by a signed link. RFC 7959, 2.4."""

from __future__ import annotations

import time
from collections.abc import Callable

from nats.js import JetStreamContext

from flownexus_gateway import errors, metrics
from flownexus_gateway.errors import NoSuchBlock
from flownexus_gateway.transport.datagram import Option, uint
from flownexus_gateway.transport.request import Answer, Request
from flownexus_runtime.firmware_images import FirmwareImages
from flownexus_runtime.firmware_links import FirmwareLinks, load_links
from flownexus_runtime.firmware_progress import FirmwareDownloadProgress
from flownexus_schemas.firmware.progress import Via

LARGEST_EXPONENT = 6
"""Blocks of 1,024 bytes."""

_MORE = 1 << 3


OnServed = Callable[[str, float], None]
"""Told the update of which a device was given a part, and when."""


class FirmwareDownloads:
    """Nothing is kept of a transfer: a client may begin anywhere, with any block size, at any time and gateway."""

    def __init__(
        self,
        js: JetStreamContext,
        images: FirmwareImages,
        progress: FirmwareDownloadProgress,
        on_served: OnServed,
    ) -> None:
        self._js, self._images, self._progress, self._on_served = js, images, progress, on_served
        self._links: FirmwareLinks | None = None

    async def handle(self, request: Request, signed: str, image: str, update_id: str | None = None) -> Answer:
        """One block. Raises LinkRefused, LinkExpired, NotFound, NoSuchBlock, Unavailable."""
        if self._links is None:
            self._links = await load_links(self._js)
        self._links.check(signed, image, request.received_at, update_id)
        asked = request.message.uint(Option.BLOCK2)
        number, exponent = (0, LARGEST_EXPONENT) if asked is None else (asked >> 4, asked & 7)
        if exponent > LARGEST_EXPONENT:
            raise NoSuchBlock("blocks have 16 to 1,024 bytes")
        length = 1 << exponent + 4
        size, offset = await self._images.size(image), number * length
        if offset >= size:
            raise NoSuchBlock(f"the image has {size} bytes, and no block {number} of {length}")
        payload = await self._images.read(image, offset, length)
        more = _MORE if offset + length < size else 0
        options = [(int(Option.ETAG), bytes.fromhex(image))]
        if more or asked is not None:
            options.append((int(Option.BLOCK2), uint(number << 4 | more | exponent)))
        if number == 0:
            options.append((int(Option.SIZE2), uint(size)))
        metrics.FIRMWARE_PULLED.inc(len(payload))
        if update_id is not None:
            self._on_served(update_id, request.received_at)
            via: Via = "coaps" if request.peer.scheme == "coaps" else "coap"
            await self._progress.served(update_id, offset + len(payload), size, via, time.monotonic())
        return Answer(errors.CONTENT, tuple(options), payload)
