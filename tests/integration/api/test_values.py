"""Values of an endpoint: the latest, the object tree, the history, the events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from integration.api.rows import Rows

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MARCH = "from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z"


async def get(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(f"/api/v1/endpoints/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def every_page(client: httpx.AsyncClient, path: str) -> list[Any]:
    found: list[Any] = []
    cursor = ""
    while True:
        answer = await get(client, f"{path}{cursor}")
        found += answer["items"]
        if answer["next"] is None:
            return found
        cursor = f"&cursor={answer['next']}"


@pytest.mark.parametrize(
    ("data_type", "column", "expected"),
    [
        ("string", {"value_text": "ünï"}, "ünï"),
        ("string", {"value_bytes": b"a\0b"}, "a\0b"),
        ("integer", {"value_integer": -(2**63)}, -(2**63)),
        ("unsigned", {"value_text": str(2**64 - 1)}, 2**64 - 1),
        ("float", {"value_float": 24.899181214836236}, 24.899181214836236),
        ("float", {"value_float": float("nan")}, "NaN"),
        ("float", {"value_float": float("inf")}, "Infinity"),
        ("float", {"value_float": float("-inf")}, "-Infinity"),
        ("boolean", {"value_boolean": False}, False),
        ("opaque", {"value_bytes": b"\x00\xff"}, "AP8="),
        ("opaque", {"value_bytes": b""}, ""),
        ("time", {"value_integer": 1_772_452_800}, 1_772_452_800),
        ("time", {"value_float": 1_772_452_800.5}, 1_772_452_800.5),
        ("objlnk", {"value_text": "3303:0"}, "3303:0"),
    ],
)
async def test_a_value_keeps_its_type(
    client: httpx.AsyncClient, rows: Rows, data_type: str, column: dict[str, Any], expected: object
) -> None:
    rows.reading(rows.endpoint("node"), "26241/0/1", NOON, data_type=data_type, **column)
    for route in ("node/resources?", f"node/history?path=26241/0/1&{MARCH}"):
        [item] = (await get(client, route))["items"]
        assert (item["type"], item["value"]) == (data_type, expected)
        assert type(item["value"]) is type(expected)
    [found] = (await get(client, "node/objects"))["items"]
    [resource] = found["instances"][0]["resources"]
    assert resource["value"] == expected


async def test_latest_values_are_by_path_and_object(client: httpx.AsyncClient, rows: Rows) -> None:
    node, other = rows.endpoint("node"), rows.endpoint("other")
    for path in ("3303/10/5700", "3303/2/5700", "3/0/6/1", "3/0/6/0", "3/0/0", "10/0/1"):
        rows.reading(node, path, NOON, value_float=1.0)
    rows.reading(other, "3/0/0", NOON, value_float=2.0)
    expected = ["3/0/0", "3/0/6/0", "3/0/6/1", "10/0/1", "3303/2/5700", "3303/10/5700"]
    assert [item["path"] for item in (await get(client, "node/resources"))["items"]] == expected
    for limit in (1, 2, 5, 6):
        assert [item["path"] for item in await every_page(client, f"node/resources?limit={limit}")] == expected
    only = await get(client, "node/resources?object=3303")
    assert [item["path"] for item in only["items"]] == ["3303/2/5700", "3303/10/5700"]


async def test_history_is_in_ascending_time_and_pages_hold_each_value_once(
    client: httpx.AsyncClient, rows: Rows
) -> None:
    node = rows.endpoint("node")
    # Several of one time, written out of order.
    moments = [NOON + timedelta(seconds=number // 2) for number in (7, 3, 5, 0, 1, 2, 6, 4)]
    for number, moment in enumerate(moments):
        rows.reading(node, "3303/0/5700", moment, latest=False, value_float=float(number))
    rows.reading(node, "3303/1/5700", NOON, latest=False, value_float=99.0)
    rows.reading(rows.endpoint("other"), "3303/0/5700", NOON, latest=False, value_float=98.0)
    for limit in (1, 3, 8, 500):
        found = await every_page(client, f"node/history?path=/3303/0/5700&{MARCH}&limit={limit}")
        assert [item["time"] for item in found] == sorted(item["time"] for item in found)
        assert sorted(item["value"] for item in found) == [float(number) for number in range(8)]


async def test_a_period_has_its_start_and_not_its_end(client: httpx.AsyncClient, rows: Rows) -> None:
    node = rows.endpoint("node")
    for minute in range(3):
        rows.reading(node, "3303/0/5700", NOON + timedelta(minutes=minute), latest=False, value_integer=minute)
    for period in (
        "from=2026-03-02T12:00:00Z&to=2026-03-02T12:02:00Z",
        "from=2026-03-02T14:00:00%2B02:00&to=2026-03-02T14:02:00%2B02:00",
        "from=2026-03-02T14:00:00+02:00&to=2026-03-02T14:02:00+02:00",
    ):
        answer = await get(client, f"node/history?path=3303/0/5700&{period}")
        assert [item["value"] for item in answer["items"]] == [0, 1]


async def test_the_period_is_the_last_24_hours_unless_said(client: httpx.AsyncClient, rows: Rows) -> None:
    node, now = rows.endpoint("node"), datetime.now(UTC)
    for hours in (25, 23, 1):
        rows.reading(node, "3303/0/5700", now - timedelta(hours=hours), latest=False, value_integer=hours)
    answer = await get(client, "node/history?path=3303/0/5700")
    assert [item["value"] for item in answer["items"]] == [23, 1]


async def test_resource_instances_are_told_apart(client: httpx.AsyncClient, rows: Rows) -> None:
    node = rows.endpoint("node")
    for number in (0, 1):
        rows.reading(node, f"3/0/7/{number}", NOON + timedelta(seconds=number), value_integer=3000 + number)
    both = (await get(client, f"node/history?path=3/0/7&{MARCH}"))["items"]
    assert [(item["path"], item["value"]) for item in both] == [("3/0/7/0", 3000), ("3/0/7/1", 3001)]
    [second] = (await get(client, f"node/history?path=3/0/7/1&{MARCH}"))["items"]
    assert second["value"] == 3001
    [bucket] = (await get(client, f"node/history?path=3/0/7/1&{MARCH}&bucket=1d"))["items"]
    assert (bucket["count"], bucket["last"]) == (1, 3001.0)


async def test_buckets_say_count_minimum_maximum_average_and_last(client: httpx.AsyncClient, rows: Rows) -> None:
    node = rows.endpoint("node")
    for seconds, value in ((0, 1.0), (20, 3.0), (29, 2.0), (30, 8.0), (90, float("nan")), (91, 1e308), (92, -1e308)):
        rows.reading(node, "3303/0/5700", NOON + timedelta(seconds=seconds), latest=False, value_float=value)
    rows.reading(node, "3303/0/5700", NOON, latest=False, data_type="string", value_text="not a number")
    answer = await get(client, f"node/history?path=3303/0/5700&{MARCH}&bucket=30m")
    assert answer["next"] is None
    answer = await get(
        client, "node/history?path=3303/0/5700&from=2026-03-02T12:00:00Z&to=2026-03-02T13:00:00Z&bucket=30s"
    )
    assert answer["items"] == [
        {"time": "2026-03-02T12:00:00Z", "count": 3, "min": 1.0, "max": 3.0, "avg": 2.0, "last": 2.0},
        {"time": "2026-03-02T12:00:30Z", "count": 1, "min": 8.0, "max": 8.0, "avg": 8.0, "last": 8.0},
    ]


@pytest.mark.parametrize("bucket", ["", "&bucket=1h"])
async def test_a_resource_that_was_never_sent_has_no_history(
    client: httpx.AsyncClient, rows: Rows, bucket: str
) -> None:
    rows.endpoint("node")
    assert await get(client, f"node/history?path=3303/0/5700{bucket}") == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "query.path"),
        ("path=3303", "name a resource"),
        ("path=3303/0/x", "query.path"),
        ("path=3303/0/99999", "query.path"),
        ("path=3303/0/5700&from=2026-03-02T12:00:00", "time zone"),
        ("path=3303/0/5700&from=yesterday", "query.from"),
        ("path=3303/0/5700&to=0001-01-01T00:00:00Z", "1970"),
        ("path=3303/0/5700&from=2026-03-02T12:00:00Z&to=2026-03-02T12:00:00Z", "not before"),
        ("path=3303/0/5700&bucket=5", "30s"),
        ("path=3303/0/5700&bucket=0s", "30s"),
        ("path=3303/0/5700&bucket=999999999d", "query.bucket"),
        (f"path=3303/0/5700&{MARCH}&bucket=1s", "536s or more"),
        ("path=3303/0/5700&limit=5001", "query.limit"),
        ("path=3303/0/5700&cursor=abc", "query.cursor"),
    ],
)
async def test_a_history_that_cannot_be_is_422_with_advice(
    client: httpx.AsyncClient, rows: Rows, query: str, said: str
) -> None:
    rows.endpoint("node")
    answer = await client.get(f"/api/v1/endpoints/node/history?{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"]


async def test_events_come_newest_first_with_their_values(client: httpx.AsyncClient, rows: Rows) -> None:
    node = rows.endpoint("node")
    for number in range(5):
        time = NOON + timedelta(minutes=number)
        readings = [
            rows.reading(
                node,
                f"10300/0/{index}",
                time - timedelta(seconds=index),
                sequence=100 + number,
                index=index,
                latest=False,
                value_integer=index,
            )
            for index in range(3)
        ]
        rows.event(node, "environment" if number % 2 else "alarm", readings)
    expected = ["104", "103", "102", "101", "100"]
    for limit in (1, 2, 5):
        assert [item["id"] for item in await every_page(client, f"node/events?limit={limit}")] == expected
    newest = (await get(client, "node/events?limit=1"))["items"][0]
    assert newest["time"] == "2026-03-02T12:04:00Z"
    assert [(one["path"], one["value"], one["time"][-3:]) for one in newest["resources"]] == [
        ("10300/0/0", 0, "00Z"),
        ("10300/0/1", 1, "59Z"),
        ("10300/0/2", 2, "58Z"),
    ]
    alarms = await get(client, "node/events?type=alarm&from=2026-03-02T12:01:00Z&to=2026-03-02T12:04:00Z")
    assert [item["id"] for item in alarms["items"]] == ["102"]


async def test_logs_come_newest_first_and_are_searched(client: httpx.AsyncClient, rows: Rows) -> None:
    node = rows.endpoint("node")
    for number in range(4):
        level = "error" if number == 2 else "info"
        rows.log(node, NOON + timedelta(seconds=number), level, f"Line {number}: 100% done")
    assert [one["text"][5] for one in await every_page(client, "node/logs?limit=3")] == ["3", "2", "1", "0"]
    assert [one["text"][5] for one in (await get(client, "node/logs?level=error"))["items"]] == ["2"]
    assert [one["text"][5] for one in (await get(client, "node/logs?q=lINE%201"))["items"]] == ["1"]
    assert (await get(client, "node/logs?q=%25%25"))["items"] == []
    between = "node/logs?from=2026-03-02T12:00:01Z&to=2026-03-02T12:00:03Z"
    assert [one["text"][5] for one in (await get(client, between))["items"]] == ["2", "1"]


async def test_the_tree_has_what_was_listed_and_what_was_sent(client: httpx.AsyncClient, rows: Rows) -> None:
    node = rows.endpoint("node", object_links=["3/0", "5", "3303/0", "3303/1", "26241/0"], object_versions={"3": "1.1"})
    rows.reading(node, "3303/0/5700", NOON, value_float=24.5)
    rows.reading(node, "3303/0/65000", NOON, data_type="string", value_text="beyond the model")
    rows.reading(node, "3/0/7/0", NOON, data_type="integer", value_integer=3300)
    rows.reading(node, "3/0/7/1", NOON, data_type="integer", value_integer=5000)
    rows.reading(node, "26241/0/1", NOON, data_type="opaque", value_bytes=b"\1")
    rows.reading(node, "10240/0/0", NOON, data_type="time", value_integer=1)
    answer = await get(client, "node/objects")
    objects = {item["id"]: item for item in answer["items"]}
    assert list(objects) == [3, 5, 3303, 10240, 26241]
    assert (objects[3]["name"], objects[3]["version"], objects[3]["known"]) == ("Device", "1.1", True)
    assert objects[5]["instances"] == []
    assert (objects[26241]["name"], objects[26241]["known"]) == (None, False)
    sensor = objects[3303]["instances"]
    assert [instance["id"] for instance in sensor] == [0, 1]
    resources = {one["path"]: one for one in sensor[0]["resources"]}
    assert list(resources) == sorted(resources, key=lambda path: int(path.split("/")[2]))
    assert resources["3303/0/5700"]["value"] == 24.5
    assert resources["3303/0/5700"]["name"] == "Sensor Value"
    assert resources["3303/0/65000"]["name"] is None
    assert resources["3303/0/65000"]["value"] == "beyond the model"
    assert (resources["3303/0/5601"]["value"], resources["3303/0/5601"]["time"]) == (None, None)
    power = [one for one in objects[3]["instances"][0]["resources"] if one["id"] == 7]
    assert [(one["path"], one["value"]) for one in power] == [("3/0/7/0", 3300), ("3/0/7/1", 5000)]


async def test_statistics_count_by_status_and_by_time(client: httpx.AsyncClient, rows: Rows) -> None:
    now = datetime.now(UTC)
    node = rows.endpoint("node", registered=True, expires_at=now + timedelta(hours=1))
    rows.endpoint("gone")
    for resource_id in (0, 2, 2):
        rows.reading(node, f"10240/0/{resource_id}", now - timedelta(hours=2), data_type="time", value_integer=1)
    rows.reading(node, "10240/0/0", now - timedelta(hours=25), data_type="time", value_integer=1)
    rows.reading(node, "3303/0/5700", now - timedelta(minutes=5), value_float=1.0)
    answer = await client.get("/api/v1/statistics")
    assert answer.json() == {
        "endpoints": {"total": 2, "online": 1, "asleep": 0, "offline": 1, "overdue": 0},
        "readings_last_hour": 1,
        "registrations_last_day": 1,
        "updates_last_day": 2,
        "deregistrations_last_day": 0,
    }


@pytest.mark.parametrize("route", ["", "/objects", "/resources", "/history?path=3/0/0", "/events"])
async def test_nothing_is_known_of_an_unknown_endpoint(client: httpx.AsyncClient, rows: Rows, route: str) -> None:
    rows.endpoint("a")
    answer = await client.get(f"/api/v1/endpoints/a%2Fobjects{route}")
    assert answer.status_code == 404
    assert "a/objects" in answer.json()["detail"]
