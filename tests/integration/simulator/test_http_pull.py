"""A simulated device that fetches an image by HTTP, from a server that breaks off where the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from flownexus_simulator import http_pull
from flownexus_simulator.downloads import Fetched, FetchFailed, Part
from flownexus_simulator.object5 import Result
from harness.ports import free_port

IMAGE = bytes(range(256)) * 400  # 102,400 bytes
TAG = '"aa"'

Answer = Callable[[dict[str, str]], tuple[bytes, bool]]
"""From the headers of a request to the bytes of the answer, and whether the connection is cut then."""


@asynccontextmanager
async def served(answer: Answer, port: int) -> AsyncIterator[list[dict[str, str]]]:
    """The headers of each request."""
    seen: list[dict[str, str]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        seen.append(headers | {"path": lines[0].split()[1]})
        data, is_cut = answer(headers)
        writer.write(data)
        await writer.drain()
        if is_cut:
            writer.transport.abort()
        else:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    async with server:
        yield seen


def whole(headers: dict[str, str], tag: str = TAG, until: int | None = None) -> tuple[bytes, bool]:
    """What a server of ranges answers; cut at a byte of the image."""
    first = int(headers.get("range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
    status = "200 OK" if first == 0 else "206 Partial Content"
    head = f"HTTP/1.1 {status}\r\nETag: {tag}\r\nContent-Length: {len(IMAGE) - first}\r\n"
    if first:
        head += f"Content-Range: bytes {first}-{len(IMAGE) - 1}/{len(IMAGE)}\r\n"
    body = IMAGE[first : len(IMAGE) if until is None else until]
    return (head + "\r\n").encode() + body, until is not None


async def fetched(port: int, offset: int = 0) -> tuple[bytes, list[Part | Fetched | FetchFailed]]:
    events = [event async for event in http_pull.pull(f"http://127.0.0.1:{port}/fw/1.ab/aa/u-1", offset)]
    return b"".join(event.data for event in events if isinstance(event, Part)), events


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_pull, "RETRY_S", 0.01)


@pytest.mark.parametrize("offset", [0, 50_001])
async def test_an_image_is_fetched_from_where_it_is_wanted(offset: int) -> None:
    port = free_port()
    async with served(whole, port) as seen:
        data, events = await fetched(port, offset)
    assert data == IMAGE[offset:]
    assert events[-1] == Fetched()
    assert isinstance(events[0], Part)
    assert events[0].size == len(IMAGE)
    assert [one["path"] for one in seen] == ["/fw/1.ab/aa/u-1"]


async def test_what_breaks_off_goes_on_where_it_broke() -> None:
    port, cuts = free_port(), [40_000, 80_000, None]
    async with served(lambda headers: whole(headers, until=cuts.pop(0)), port) as seen:
        data, events = await fetched(port)
    assert data == IMAGE
    assert events[-1] == Fetched()
    ranges = [one.get("range") for one in seen]
    assert ranges[0] is None
    assert [one.get("if-range") for one in seen[1:]] == [TAG, TAG]
    assert len(ranges) == 3


async def test_an_image_that_changed_meanwhile_is_not_put_together() -> None:
    port, answers = free_port(), [(40_000, TAG), (None, '"bb"')]

    def answer(headers: dict[str, str]) -> tuple[bytes, bool]:
        until, tag = answers.pop(0)
        # Another image than the one that If-Range names is given whole.
        return whole(headers if tag == TAG else {}, tag, until)

    async with served(answer, port):
        _, events = await fetched(port)
    assert events[-1] == FetchFailed(Result.INTEGRITY_FAILURE)


@pytest.mark.parametrize(
    ("status", "result", "attempts"),
    [
        ("404 Not Found", Result.INVALID_URI, 1),
        ("410 Gone", Result.INVALID_URI, 1),
        ("503 Service Unavailable", Result.CONNECTION_LOST, http_pull.ATTEMPTS),
    ],
)
async def test_what_the_server_refuses_is_told(status: str, result: Result, attempts: int) -> None:
    port = free_port()
    async with served(lambda _: (f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode(), False), port) as seen:
        data, events = await fetched(port)
    assert (data, events, len(seen)) == (b"", [FetchFailed(result)], attempts)


async def test_a_server_that_is_away_is_tried_again_and_given_up() -> None:
    assert (await fetched(free_port()))[1] == [FetchFailed(Result.CONNECTION_LOST)]
