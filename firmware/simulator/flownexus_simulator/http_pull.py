"""A download by HTTP in ranges: what breaks off goes on where it broke. RFC 9110, 14."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from http import HTTPStatus

import httpx

from flownexus_simulator.downloads import Fetched, FetchFailed, Part
from flownexus_simulator.object5 import Result

ATTEMPTS = 6
"""In a row that give nothing."""

RETRY_S = 2.0
TIMEOUT_S = 20.0
PIECE_BYTES = 16 * 1024
_CONTENT_RANGE = re.compile(r"bytes ([0-9]+)-[0-9]+/([0-9]+)")
_REFUSED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


class _Moved(Exception):
    """It is not what it was: the server gave another part, or another image."""


async def pull(uri: str, offset: int, bytes_per_s: float | None = None) -> AsyncIterator[Part | Fetched | FetchFailed]:
    """The image from `offset` on, part by part, and how it ended."""
    begun, etag, failures = offset, None, 0
    async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_S) as client:
        while failures < ATTEMPTS:
            headers = {"Range": f"bytes={offset}-"} if offset else {}
            if etag is not None and offset:
                headers["If-Range"] = etag
            try:
                async with client.stream("GET", uri, headers=headers) as answer:
                    if answer.status_code in _REFUSED:
                        yield FetchFailed(Result.INVALID_URI)
                        return
                    size = _size(answer, offset)
                    etag = answer.headers.get("etag")
                    async for data in answer.aiter_bytes(PIECE_BYTES):
                        offset += len(data)
                        failures = 0
                        yield Part(data, size)
                        if bytes_per_s is not None:
                            await asyncio.sleep(len(data) / bytes_per_s)
                if offset >= size:
                    yield Fetched()
                    return
            except _Moved:
                yield FetchFailed(Result.INTEGRITY_FAILURE if offset > begun else Result.CONNECTION_LOST)
                return
            except (httpx.HTTPError, httpx.InvalidURL):
                pass
            failures += 1
            await asyncio.sleep(RETRY_S)
    yield FetchFailed(Result.CONNECTION_LOST)


def _size(answer: httpx.Response, offset: int) -> int:
    """Bytes of the whole image. Raises _Moved, httpx.HTTPError where it should be tried again."""
    if answer.status_code == HTTPStatus.OK and offset == 0:
        return int(answer.headers.get("content-length", 0))
    match = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
    if answer.status_code == HTTPStatus.PARTIAL_CONTENT and match is not None and int(match[1]) == offset:
        return int(match[2])
    if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        answer.raise_for_status()
    raise _Moved
