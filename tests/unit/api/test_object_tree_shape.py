"""The tree of objects, from links, models and values."""

from __future__ import annotations

from datetime import UTC, datetime

from flownexus_api.object_tree import Latest, object_tree
from flownexus_schemas import objects
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MODELS = objects.load()


def latest(path: str, value: float) -> Latest:
    return Latest(Path.parse(path), "float", value, NOON)


def test_an_object_without_a_model_shows_what_was_sent() -> None:
    [found] = object_tree(["3303/0"], {"3303": "1.1"}, ObjectModels(), [latest("3303/0/5700", 24.5)])
    assert (found.known, found.name, found.version) == (False, None, "1.1")
    [resource] = found.instances[0].resources
    assert (resource.path, resource.name, resource.value, resource.operations) == ("3303/0/5700", None, 24.5, None)


def test_a_link_that_is_no_path_costs_only_itself() -> None:
    assert [one.id for one in object_tree(["3/x", "3/0", "", "5"], {}, MODELS, [])] == [3, 5]


def test_the_version_the_device_states_decides_the_model() -> None:
    [old] = object_tree(["1/0"], {"1": "1.0"}, MODELS, [])
    [new] = object_tree(["1/0"], {"1": "1.1"}, MODELS, [])
    assert (old.version, new.version) == ("1.0", "1.1")
    assert len(old.instances[0].resources) <= len(new.instances[0].resources)


def test_a_value_has_the_type_it_came_with() -> None:
    [found] = object_tree(["3303/0"], {}, MODELS, [Latest(Path.parse("3303/0/5700"), "string", "hot", NOON)])
    types = {resource.id: resource.type for resource in found.instances[0].resources}
    assert types[5700] == "string"
    assert types[5601] == "float"
