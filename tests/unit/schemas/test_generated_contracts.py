"""schemas/generated is what other languages read: it must be what the models say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from flownexus_schemas import generate
from flownexus_schemas.commands import command_adapter

GENERATED = Path(__file__).parents[3] / "schemas" / "generated"

REPORTED = {
    "specversion": "1.0",
    "id": "gw-1-7",
    "source": "/gateway/gw-1",
    "subject": "urn:imei:123456789012345",
    "time": "2026-11-22T12:00:00Z",
    "datacontenttype": "application/json",
    "type": "io.flownexus.lwm2m.reported.v1",
    "data": {
        "registration_id": "a1",
        "trigger": "notify",
        "composite": False,
        "event_type": None,
        "observation": {"token": "0102", "paths": ["3303/0/5700"]},
        "records": [
            {
                "path": "3303/0/5700",
                "type": "float",
                "value": 24.5,
                "time": "2026-11-22T12:00:00Z",
                "anchored": True,
            }
        ],
        "content_format": 110,
        "payload": "W10=",
        "undecoded": None,
        "received_at": "2026-11-22T12:00:00Z",
    },
}


def test_files_are_those_the_models_make() -> None:
    on_disk = {
        str(path.relative_to(GENERATED)): path.read_text()
        for path in GENERATED.rglob("*.json")
        if path.name != "openapi.json"
    }
    assert on_disk == generate.files(), "run `make schemas` and commit what it writes"


@pytest.mark.parametrize("name", sorted(generate.json_schemas()))
def test_each_schema_is_valid_json_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(generate.json_schemas()[name])


def test_a_reported_event_fits_its_schema_and_a_broken_one_does_not() -> None:
    validator = jsonschema.Draft202012Validator(generate.json_schemas()["ValuesReported"])
    validator.validate(REPORTED)
    broken = REPORTED | {"data": {**REPORTED["data"], "records": [{"path": "3303/0/5700"}]}}  # type: ignore[dict-item]
    assert list(validator.iter_errors(broken))


def test_every_reference_of_the_asyncapi_document_resolves() -> None:
    document = generate.asyncapi()
    references: list[str] = []

    def collect(node: Any) -> None:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                references.append(node["$ref"])
            for child in node.values():
                collect(child)
        elif isinstance(node, list):
            for child in node:
                collect(child)

    collect(document)
    assert references
    for reference in references:
        node: Any = document
        for part in reference.removeprefix("#/").split("/"):
            assert part in node, reference
            node = node[part]


def test_every_parameter_of_an_address_is_described() -> None:
    for channel in generate.asyncapi()["channels"].values():
        named = {part[1:-1] for part in channel["address"].split(".") if part.startswith("{")}
        assert set(channel["parameters"]) == named
        assert all(parameter["description"] for parameter in channel["parameters"].values())


def test_every_command_of_the_contract_is_generated() -> None:
    schema = command_adapter.json_schema()
    assert set(schema["discriminator"]["mapping"]) == {
        command.model_fields["operation"].default for command in generate.COMMANDS
    }
    assert json.loads((GENERATED / "asyncapi.json").read_text())["asyncapi"] == "3.0.0"


def test_the_openapi_document_is_that_of_the_api() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "flownexus_api", "openapi"], check=True, capture_output=True, text=True
    ).stdout
    assert (GENERATED / "openapi.json").read_text() == printed, "run `make schemas` and commit what it writes"
