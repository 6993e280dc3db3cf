"""Firmware images for devices: by a signed link alone, in any part. RFC 9110, 14."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Request
from starlette.responses import Response, StreamingResponse

from flownexus_api.errors import problem
from flownexus_api.parts import Parts, PartsDep
from flownexus_runtime.firmware_links import PREFIX, LinkExpired, LinkRefused

router = APIRouter(prefix=f"/{PREFIX}", include_in_schema=False)

PIECE_BYTES = 64 * 1024
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


@router.api_route("/{signed}/{image}", methods=["GET", "HEAD"])
@router.api_route("/{signed}/{image}/{update}", methods=["GET", "HEAD"])
async def download(
    *,
    parts: PartsDep,
    http: Request,
    signed: str,
    image: str,
    update: str | None = None,
    wanted: Annotated[str | None, Header(alias="range")] = None,
    if_range: Annotated[str | None, Header()] = None,
) -> Response:
    """The image, or the one range of it that is asked for; 403 and 410 for links that are not ours or over."""
    try:
        (await parts.bus.firmware_links()).check(signed, image, time.time(), update)
    except LinkRefused as error:
        return problem(HTTPStatus.FORBIDDEN, str(error).capitalize() + ".")
    except LinkExpired as error:
        return problem(HTTPStatus.GONE, str(error).capitalize() + ".")
    size = await parts.images.size(image)
    tag = f'"{image}"'
    first, end, status = 0, size, HTTPStatus.OK
    headers = {"Accept-Ranges": "bytes", "ETag": tag, "Cache-Control": "private, max-age=86400"}
    match = _RANGE.fullmatch(wanted) if wanted and if_range in {None, tag} else None
    if match is not None and (match[1] or match[2]):
        first, end = _bounds(match[1], match[2], size)
        if first >= end:
            refused = problem(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, f"The image has {size} bytes.")
            refused.headers["Content-Range"] = f"bytes */{size}"
            return refused
        status = HTTPStatus.PARTIAL_CONTENT
        headers["Content-Range"] = f"bytes {first}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - first)
    if http.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type="application/octet-stream")
    return StreamingResponse(
        _pieces(parts, image, update, first, end), status, headers=headers, media_type="application/octet-stream"
    )


def _bounds(first: str, last: str, size: int) -> tuple[int, int]:
    """Of the bytes asked for: the first, and the one after the last; empty where there are none."""
    if not first:  # the last so many
        return max(0, size - int(last)), size if int(last) else 0
    return int(first), min(size, int(last) + 1) if last else size


async def _pieces(parts: Parts, image: str, update: str | None, first: int, end: int) -> AsyncIterator[bytes]:
    size = await parts.images.size(image)
    for offset in range(first, end, PIECE_BYTES):
        piece = await parts.images.read(image, offset, min(PIECE_BYTES, end - offset))
        yield piece
        # What follows a piece is asked for when the connection has taken it.
        if update is not None:
            await parts.download_progress.served(update, offset + len(piece), size, "http", time.monotonic())
