"""Links to firmware images: signed, for a while. The signature is in the path, as some clients drop the query."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from flownexus_schemas import subjects
from flownexus_schemas.errors import FlowNexusError, Unavailable

PREFIX = "fw"
SIGNATURE_BYTES = 16
_SEGMENT = re.compile(r"([0-9a-f]{1,12})\.([A-Za-z0-9_-]{22})")


class LinkRefused(FlowNexusError):
    """We did not sign this."""


class LinkExpired(FlowNexusError):
    """We signed it, and its time is over."""


class FirmwareLinks:
    """Of one key, which every service that makes or serves links reads from NATS."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def path(self, image: str, expires_at: int, update_id: str | None = None) -> str:
        """`fw/<until when and signature>/<image>`, and the update that it is made for where it is; good until
        `expires_at`, Unix seconds. About 55 characters, and those of the update.
        """
        path = f"{PREFIX}/{expires_at:x}.{self._signature(image, expires_at, update_id)}/{image}"
        return path if update_id is None else f"{path}/{update_id}"

    def check(self, signed: str, image: str, now: float, update_id: str | None = None) -> None:
        """The segments of a path after the first. Raises LinkRefused, LinkExpired."""
        match = _SEGMENT.fullmatch(signed)
        if match is None:
            raise LinkRefused("this is no link to firmware that was made here")
        expires_at = int(match[1], 16)
        if not hmac.compare_digest(match[2], self._signature(image, expires_at, update_id)):
            raise LinkRefused("this link to firmware was not made here")
        if now >= expires_at:
            raise LinkExpired("the time of this link is over; ask for another")

    def _signature(self, image: str, expires_at: int, update_id: str | None) -> str:
        signed = f"{image}\0{expires_at:x}" + ("" if update_id is None else f"\0{update_id}")
        digest = hmac.new(self._key, signed.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest[:SIGNATURE_BYTES]).decode().rstrip("=")


async def load_links(js: JetStreamContext) -> FirmwareLinks:
    """With the key that all services share. Raises Unavailable."""
    try:
        keys = await js.key_value(subjects.Bucket.KEYS)
        return FirmwareLinks((await keys.get(subjects.FIRMWARE_LINKS_KEY)).value or b"")
    except (NatsError, TimeoutError) as error:
        raise Unavailable("The key of links to firmware could not be read; try again shortly.") from error
