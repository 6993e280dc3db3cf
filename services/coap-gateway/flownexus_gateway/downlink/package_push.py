"""A firmware image written to a device's Package in parts, each of many blocks. LwM2M Core 1.1.1, E.6; RFC 7959, 2.5.

Nothing is kept between two parts: what the answer says of the transfer is what the next part begins with, at whichever
gateway.
"""

from __future__ import annotations

from aiocoap.numbers.codes import PUT

from flownexus_gateway import metrics
from flownexus_gateway.downlink.block1 import BlockTransfer
from flownexus_gateway.downlink.coap_client import DeviceRequest, NoAnswer
from flownexus_gateway.downlink.content_formats import REFUSALS, Use
from flownexus_gateway.downlink.device_requests import DeviceRequests, uri_path
from flownexus_gateway.downlink.firmware_offers import FIRMWARE_UPDATE, PACKAGE
from flownexus_gateway.downlink.negotiated_requests import NegotiatedRequests
from flownexus_gateway.registrations.live import LiveRegistration
from flownexus_runtime.firmware_images import FirmwareImages
from flownexus_schemas.commands import CommandAnswer, PushFirmware
from flownexus_schemas.errors import InvalidRequest, NotFound, Unavailable
from flownexus_schemas.lwm2m import tlv
from flownexus_schemas.lwm2m.content_format import ContentFormat
from flownexus_schemas.lwm2m.path import Path

CONTINUE = "2.31"
_STREAMED = (ContentFormat.OPAQUE, ContentFormat.TLV)
"""In these a value is the bytes themselves, after a few at most."""


class PackagePush:
    """Reads each block from the object store when it is its turn."""

    def __init__(self, requests: DeviceRequests, negotiated: NegotiatedRequests, images: FirmwareImages) -> None:
        self._requests, self._negotiated, self._images = requests, negotiated, images

    async def send(self, live: LiveRegistration, command: PushFirmware) -> CommandAnswer:
        """From where the device is until its last answer, or for about `slice_s` seconds: then the answer is 2.31, as
        it is where the device fell silent after it had taken something.

        Raises InvalidRequest: no such image, an offset that no block begins at; NoAnswer, TransferFailed, Unavailable.
        """
        size, offset = await self._size(command), command.offset
        formats = self._formats(live, command)
        for number, format_ in enumerate(formats, start=1):
            head = tlv.header(tlv.Kind.RESOURCE, PACKAGE, size) if format_ == ContentFormat.TLV else b""
            transfer = BlockTransfer(len(head) + size, command.block_size.bit_length() - 5, offset)
            code, diagnostic = await self._part(live, command, format_, head, transfer)
            if code not in REFUSALS[Use.WRITE_OPAQUE] or number == len(formats):
                break
            self._negotiated.refused(live, Use.WRITE_OPAQUE, format_, code)
            offset = 0
        if number > 1 and code[0] == "2":
            self._negotiated.learn(live, Use.WRITE_OPAQUE, format_)
        block_size = 16 << transfer.size_exponent
        is_whole = transfer.position == transfer.block.whole_size
        transferred = size if is_whole else min(transfer.position, size // block_size * block_size)
        return CommandAnswer(code=code, diagnostic=diagnostic, transferred=transferred, block_size=block_size)

    async def _size(self, command: PushFirmware) -> int:
        try:
            size = await self._images.size(command.firmware)
        except NotFound as error:
            raise InvalidRequest(f"there is no firmware {command.firmware}") from error
        if command.offset % command.block_size or command.offset >= size:
            raise InvalidRequest(
                f"no block of {command.block_size} bytes begins at {command.offset} of {size}: begin where the last "
                "answer said, with the block size that it said, or at 0"
            )
        return size

    def _formats(self, live: LiveRegistration, command: PushFirmware) -> list[int]:
        choices = self._negotiated.choices(live, Use.WRITE_OPAQUE, command.format)
        formats = [int(format_) for format_ in _STREAMED if format_ in choices]
        if not formats:
            raise InvalidRequest(f"a package is pushed as opaque (42) or TLV (11542), not in {command.format}")
        return sorted(formats, key=choices.index)

    async def _part(
        self, live: LiveRegistration, command: PushFirmware, format_: int, head: bytes, transfer: BlockTransfer
    ) -> tuple[str, str | None]:
        """The code and what the device said with it; `transfer` is where it stands then."""
        path = uri_path(live, Path(FIRMWARE_UPDATE, command.instance, PACKAGE))
        request = DeviceRequest(PUT, path, content_format=format_, token=bytes.fromhex(command.token))
        was_at = transfer.position

        async def read(offset: int, length: int) -> bytes:
            of_head = head[offset : offset + length]
            return of_head + await self._read(command, max(0, offset - len(head)), length - len(of_head))

        try:
            answer = await self._requests.send_blocks(
                live,
                request,
                transfer,
                read=read,
                slice_s=command.slice_s,
                timeout_s=command.timeout_s,
                send_by=None if command.send_by is None else command.send_by.timestamp(),
            )
        except (NoAnswer, Unavailable):
            if transfer.position <= was_at:
                raise
        finally:
            metrics.FIRMWARE_PUSHED.inc(max(0, transfer.position - was_at))
        if transfer.is_open:
            return CONTINUE, None
        return answer.code_text, None if answer.is_success else answer.diagnostic

    async def _read(self, command: PushFirmware, offset: int, length: int) -> bytes:
        try:
            return await self._images.read(command.firmware, offset, length)
        except NotFound as error:
            raise InvalidRequest(f"firmware {command.firmware} was removed") from error
