"""No request, however odd, is answered by a fault of ours."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import httpx
import pytest

from integration.api.rows import Rows

RANGE = ("from", "to", "limit", "cursor")
HISTORY = "/endpoints/node/history?path=3303/0/5700"
PARAMETERS = {
    "/endpoints": ("q", "status", "sort", "limit", "cursor"),
    "/endpoints/node/resources": ("object", "limit", "cursor"),
    "/endpoints/node/history": ("path",),
    HISTORY: ("bucket", *RANGE),
    f"{HISTORY}&bucket=1h": ("from", "to"),
    "/endpoints/node/events": ("type", *RANGE),
    "/endpoints/node/logs": ("level", "q", *RANGE),
}
VALUES = (
    "",
    "%00",
    "a%00b",
    "%FF%FE",
    "%ED%A0%80",
    "%F0%9F%8C%A1",
    "'; drop table endpoint; --",
    "-1",
    "0",
    "1e309",
    "99999999999999999999999999",
    "NaN",
    "true",
    "null",
    "9999-12-31T23:59:59-23:59",
    "9999-12-31T23:59:59Z",
    "1970-01-01T00:00:00Z",
    "2026-13-45T99:99:99Z",
    "65535/65535/65535/65535",
    "x" * 3000,
)
ORDERS: dict[str, list[list[object]]] = {
    "name": [["2026-01-01T00:00:00Z", "\ud83c\udf21"], [None, None], ["0001-01-01T00:00:00Z", "a"]],
    "-last_seen_at": [[None, None], ["9999-12-31T23:59:59Z", ""]],
    "path": [[2**63 - 1] * 4, [-(2**63)] * 4, [None] * 4, [2**31] * 4],
    "time": [["2026-01-01T00:00:00", 2**63 - 1, 2**40], [None, None, None], ["0001-01-01T00:00:00+23:59", 0, 0]],
    "-log": [["2026-01-01T00:00:00Z", -1], [None, None]],
    "-time": [["9999-12-31T23:59:59-23:59", 2**63 - 1], [None, None]],
}


@pytest.fixture
def seeded(rows: Rows) -> None:
    rows.reading(rows.endpoint("node"), "3303/0/5700", datetime.now(UTC), value_float=1.0)


def is_ours(answer: httpx.Response) -> bool:
    return answer.status_code in {200, 404, 422}


@pytest.mark.usefixtures("seeded")
@pytest.mark.parametrize("route", PARAMETERS)
async def test_odd_parameters_are_answered(client: httpx.AsyncClient, route: str) -> None:
    joined = "&" if "?" in route else "?"
    for parameter in PARAMETERS[route]:
        for value in VALUES:
            url = f"/api/v1{route}{joined}{parameter}={value}"
            answer = await client.get(url)
            assert is_ours(answer), f"{url} {answer.status_code} {answer.text}"


@pytest.mark.usefixtures("seeded")
async def test_cursors_made_by_hand_are_answered(client: httpx.AsyncClient) -> None:
    one = "/endpoints/node"
    routes = (
        "/endpoints",
        "/endpoints?sort=-last_seen_at",
        HISTORY,
        f"{one}/resources",
        f"{one}/events",
        f"{one}/logs",
    )
    for route in routes:
        for order, all_keys in ORDERS.items():
            for keys in all_keys:
                cursor = base64.urlsafe_b64encode(json.dumps([order, *keys]).encode()).decode()
                url = f"/api/v1{route}{'&' if '?' in route else '?'}cursor={cursor}"
                answer = await client.get(url)
                assert is_ours(answer), f"{route} {order} {keys}: {answer.status_code} {answer.text}"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"username=%ED%A0%80&password=%FF", "application/x-www-form-urlencoded"),
        (b"username=\xff\xfe&password=\x00", "application/x-www-form-urlencoded"),
        (b"username=a&username=b&password=c&password=d", "application/x-www-form-urlencoded"),
        (b"username=&password=", "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
        (
            b"--x\r\nContent-Disposition: form-data; name=username; filename=f\r\n\r\na\r\n--x--",
            "multipart/form-data; boundary=x",
        ),
        (b"--x", "multipart/form-data; boundary=x"),
        (b"", "multipart/form-data"),
        (b"&".join(b"a=b" for _ in range(2000)), "application/x-www-form-urlencoded"),
    ],
)
async def test_odd_forms_are_answered(anonymous: httpx.AsyncClient, body: bytes, content_type: str) -> None:
    answer = await anonymous.post("/api/v1/auth/token", content=body, headers={"Content-Type": content_type})
    assert answer.status_code in {400, 401, 422}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
