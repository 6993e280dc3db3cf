"""Links to firmware images as they are written to a device's Package URI. LwM2M Core 1.1.1, E.6."""

from __future__ import annotations

import time
from collections import OrderedDict

from nats.js import JetStreamContext

from flownexus_gateway.firmware_addresses import FirmwareAddresses
from flownexus_gateway.registrations.live import LiveRegistration, OnHeard, showed_life
from flownexus_gateway.registrations.table import RegistrationTable
from flownexus_gateway.transport.sockets import Sockets
from flownexus_runtime.firmware_images import FirmwareImages
from flownexus_runtime.firmware_links import FirmwareLinks, load_links
from flownexus_schemas.commands import OfferFirmware, PathValue, WriteResource
from flownexus_schemas.errors import InvalidRequest, NotFound
from flownexus_schemas.events import HeardBy

FIRMWARE_UPDATE, PACKAGE, PACKAGE_URI = 5, 0, 1
MAX_URI_BYTES = 255
"""Of a Package URI."""

MAX_OFFERS = 10_000
"""Of which is remembered whose they are."""


class FirmwareOffers:
    """Makes links, and knows again the devices that come with them, from whatever port that is."""

    def __init__(
        self,
        js: JetStreamContext,
        images: FirmwareImages,
        table: RegistrationTable,
        sockets: Sockets,
        addresses: FirmwareAddresses,
    ) -> None:
        self._js, self._images, self._table, self._sockets, self._addresses = js, images, table, sockets, addresses
        self._links: FirmwareLinks | None = None
        self._offered: OrderedDict[str, str] = OrderedDict()
        self.on_heard: OnHeard = showed_life

    async def write(self, live: LiveRegistration, offer: OfferFirmware) -> WriteResource:
        """The write of the link. Raises InvalidRequest: no such image, no such way to it; Unavailable."""
        link = await self._link(live, offer)
        self._offered[offer.update_id] = live.endpoint
        self._offered.move_to_end(offer.update_id)
        if len(self._offered) > MAX_OFFERS:
            self._offered.popitem(last=False)
        path = f"{FIRMWARE_UPDATE}/{offer.instance}/{PACKAGE_URI}"
        return WriteResource(
            endpoint=offer.endpoint,
            path=path,
            values=(PathValue(path=path, value=link),),
            format=offer.format,
            timeout_s=offer.timeout_s,
        )

    def served(self, update_id: str, now: float) -> None:
        """A device fetches what it was offered: it lives, and listens for a while. Unix seconds."""
        live = self._table.of_endpoint(self._offered.get(update_id, ""))
        if live is not None:
            self.on_heard(live, HeardBy.DOWNLOAD, now)

    async def _link(self, live: LiveRegistration, offer: OfferFirmware) -> str:
        try:
            await self._images.size(offer.firmware)
        except NotFound as error:
            raise InvalidRequest(f"there is no firmware {offer.firmware}") from error
        if offer.scheme == "coaps" and live.peer.scheme != "coaps":
            raise InvalidRequest("the device came without DTLS: offer coap")
        if self._links is None:
            self._links = await load_links(self._js)
        base = self._addresses.base(offer.scheme, self._sockets.local_host(live.peer))
        path = self._links.path(offer.firmware, int(time.time() + offer.link_lifetime_s), offer.update_id)
        link = f"{base}/{path}"
        if len(link.encode()) > MAX_URI_BYTES:
            raise InvalidRequest(f"the link has {len(link.encode())} bytes, and a Package URI {MAX_URI_BYTES} at most")
        return link
