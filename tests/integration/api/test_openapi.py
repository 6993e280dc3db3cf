"""The OpenAPI document says what the API does: every route, every problem, every example."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx
import jsonschema
import pytest

from flownexus_api.app import create_app
from flownexus_api.examples import BUCKETS, ENDPOINT, ENDPOINT_DETAIL, EVENTS, HISTORY, LOGS, OBJECTS, RESOURCES
from flownexus_api.parts import Parts
from flownexus_schemas.subjects import endpoint_key
from integration.api.rows import Rows

DOCUMENT: dict[str, Any] = create_app().openapi()
ROUTES = [(path, method, route) for path, methods in DOCUMENT["paths"].items() for method, route in methods.items()]
IDS = [f"{method} {path}" for path, method, _ in ROUTES]
OPEN = {f"/api/v1/auth/{path}" for path in ("token", "methods", "oidc/start", "oidc/finish")}
MARCH = "from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z"
PATH = "3303/0/5700"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def schema_at(reference: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{reference}", "components": DOCUMENT["components"]}


def contains(actual: Any, example: Any) -> bool:
    """Whether an answer has all that an example shows; an example may leave items out."""
    if isinstance(example, dict):
        return isinstance(actual, dict) and all(contains(actual.get(key), value) for key, value in example.items())
    if isinstance(example, list):
        return isinstance(actual, list) and all(any(contains(one, item) for one in actual) for item in example)
    return bool(actual == example)


@pytest.mark.parametrize(("path", "method", "route"), ROUTES, ids=IDS)
def test_a_route_has_words_an_example_and_its_problems(path: str, method: str, route: dict[str, Any]) -> None:
    assert route["description"]
    done = min(route["responses"])
    content = route["responses"][done]["content"]
    if "text/event-stream" in content:
        assert content["text/event-stream"]["example"].startswith("event: ")
    elif "text/csv" in content:
        assert all(one["example"] for one in content.values())
    else:
        name = content["application/json"]["schema"]
        references = [one["$ref"].rpartition("/")[2] for one in name.get("anyOf", [name])]
        for reference in references:
            schema = DOCUMENT["components"]["schemas"][reference]
            assert schema["examples"], reference
            for example in schema["examples"]:
                jsonschema.validate(example, schema_at(reference))
    if path not in OPEN:
        assert {"401", "503"} <= set(route["responses"])
    for status, response in route["responses"].items():
        if status != done:
            assert list(response["content"]) == ["application/problem+json"], f"{path} {status}"


@pytest.mark.parametrize(("path", "method"), [(path, method) for path, method, _ in ROUTES if path not in OPEN])
async def test_without_a_token_every_route_is_401(anonymous: httpx.AsyncClient, path: str, method: str) -> None:
    answer = await anonymous.request(method, f"{path.replace('{endpoint}', 'node')}?path=3/0/0")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    jsonschema.validate(answer.json(), schema_at("Problem"))


async def test_what_is_not_there_is_a_problem(anonymous: httpx.AsyncClient) -> None:
    for method, path, status in (("GET", "/api/v2", 404), ("DELETE", "/api/v1/statistics", 405), ("GET", "/", 404)):
        answer = await anonymous.request(method, path)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"


async def test_the_examples_are_real_answers(client: httpx.AsyncClient, rows: Rows, parts: Parts) -> None:
    no_columns = {"name", "status", "observations", "tags", "overdue", "next_expected_at", "next_expected_by"}
    registration = {key: value for key, value in ENDPOINT_DETAIL.items() if key not in no_columns}
    parts.bus.tags.apply(endpoint_key(ENDPOINT["name"]), json.dumps({"tags": ENDPOINT["tags"]}).encode(), 1)
    address = registration.pop("address")
    columns: dict[str, Any] = {
        key: moment(value) if key.endswith(("_at", "_until")) else value for key, value in registration.items()
    }
    node = rows.endpoint(ENDPOINT["name"], **columns, address_host=address["host"], address_port=address["port"])
    rows.wake_ups(node, *map(moment, (ENDPOINT["next_expected_at"], ENDPOINT["next_expected_by"])))
    rows.observation(node, ENDPOINT_DETAIL["observations"][0])
    rows.resource_type(3303, 5700, object_name="Temperature", name="Sensor Value", units="")
    rows.resource_type(3, 0, object_name="Device", name="Manufacturer")
    maker = RESOURCES["items"][0]
    rows.reading(node, maker["path"], moment(maker["time"]), data_type="string", value_text=maker["value"])
    for number, item in enumerate(HISTORY["items"]):
        sequence = int(EVENTS["items"][0]["id"]) - 1 + number
        received_at = moment(item["received_at"])
        key = rows.reading(
            node, PATH, moment(item["time"]), sequence=sequence, received_at=received_at, value_float=item["value"]
        )
    rows.event(node, "environment", [key], received_at)
    line = LOGS["items"][0]
    rows.log(node, moment(line["time"]), line["level"], line["text"], sequence=int(line["id"]))
    here = f"/api/v1/endpoints/{quote(ENDPOINT['name'], safe='')}"
    for url, example in (
        ("/api/v1/endpoints", {"items": [ENDPOINT], "next": None}),
        (here, ENDPOINT_DETAIL),
        (f"{here}/objects", OBJECTS),
        (f"{here}/resources", RESOURCES),
        (f"{here}/history?path={PATH}&{MARCH}", HISTORY),
        (f"{here}/history?path={PATH}&{MARCH}&bucket=10m", BUCKETS),
        (f"{here}/events", EVENTS),
        (f"{here}/logs", LOGS),
    ):
        answer = (await client.get(url)).json()
        assert contains(answer, example), f"{url} answers {json.dumps(answer, indent=1)}"


async def test_the_document_is_served(anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.get("/openapi.json")).json() == DOCUMENT


def test_the_document_is_printed_the_same_each_time() -> None:
    command = [sys.executable, "-m", "flownexus_api", "openapi"]
    printed = [subprocess.check_output(command, timeout=60) for _ in range(2)]
    assert printed[0] == printed[1]
    assert json.loads(printed[0]) == DOCUMENT


async def test_the_page_about_the_api_asks_no_other_host(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "/openapi.json" in answer.text
    assert "//" not in answer.text.replace("<!doctype html>", "")
    for path in DOCUMENT["paths"]:
        assert path in answer.text


async def test_a_body_beyond_all_measure_is_413(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.post("/api/v1/auth/token", data={"username": "x", "password": "y" * 100_000})
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    assert "send less" in answer.json()["detail"]
