"""A lock-step device at a bootstrap server. Every byte by hand, as in harness.lockstep."""

from __future__ import annotations

from harness.lockstep import (
    ACCEPT,
    CHANGED,
    CON,
    CONTENT,
    CONTENT_FORMAT,
    DELETE,
    DELETED,
    GET,
    LINK_FORMAT,
    POST,
    PUT,
    URI_PATH,
    URI_QUERY,
    Heard,
    LockstepDevice,
    datagram,
)


def asking(device: LockstepDevice, *queries: str, message_id: int | None = None, token: bytes = b"\x0b") -> bytes:
    """Its Bootstrap-Request."""
    options = [(URI_PATH, b"bs"), *((URI_QUERY, query.encode()) for query in (f"ep={device.endpoint}", *queries))]
    return datagram(CON, POST, next(device.message_ids) if message_id is None else message_id, token, options)


def asks(device: LockstepDevice, *queries: str) -> None:
    """Its Bootstrap-Request, which is taken."""
    answer = device.exchange(asking(device, *queries))
    assert answer.code == CHANGED, answer


def tells(device: LockstepDevice, links: str) -> None:
    """It answers Bootstrap-Discover."""
    request = device.expect_request(GET, "")
    assert request.number(ACCEPT) == LINK_FORMAT
    device.answer(request, CONTENT, links.encode(), LINK_FORMAT)


def deletes(device: LockstepDevice, *paths: str) -> None:
    for path in paths:
        device.answer(device.expect_request(DELETE, path), DELETED)


def takes(device: LockstepDevice, *paths: str) -> list[Heard]:
    """It is written these, and takes them."""
    written = []
    for path in paths:
        written.append(device.expect_request(PUT, path))
        device.answer(written[-1], CHANGED)
    return written


def finishes(device: LockstepDevice) -> None:
    request = device.expect_request(POST, "bs")
    assert (request.number(CONTENT_FORMAT), request.payload) == (None, b"")
    device.answer(request, CHANGED)


def tlv(payload: bytes) -> dict[int, bytes]:
    """Resources of one instance, by id. LwM2M Core 1.1.1, 7.4.3."""
    found, position = {}, 0
    while position < len(payload):
        first = payload[position]
        assert first >> 6 == 0b11, "a resource with one value"
        wide = first >> 5 & 1
        number = int.from_bytes(payload[position + 1 : position + 2 + wide], "big")
        position += 2 + wide
        length, size_bytes = first & 7, first >> 3 & 3
        if size_bytes:
            length, position = int.from_bytes(payload[position : position + size_bytes], "big"), position + size_bytes
        found[number], position = payload[position : position + length], position + length
    return found
