"""Sets of object models: which version answers for what a device says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.object_model import ObjectModel, ObjectModels, ResourceModel, version_key
from flownexus_schemas.lwm2m.path import Path


def resource(number: int, name: str = "Level", operations: str = "R") -> ResourceModel:
    return ResourceModel(
        id=number, name=name, type=DataType.FLOAT, multiple=False, mandatory=False, operations=operations
    )


def model(object_id: int, version: str, *resources: ResourceModel, name: str = "Tank") -> ObjectModel:
    return ObjectModel(
        id=object_id,
        name=name,
        version=version,
        lwm2m_version="1.0",
        urn=f"urn:oma:lwm2m:x:{object_id}:{version}",
        multiple=True,
        mandatory=False,
        description="",
        resources={item.id: item for item in resources},
    )


def chosen(models: ObjectModels, object_id: int, version: str | None) -> str | None:
    found = models.object(object_id, version)
    return found.version if found else None


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("1.0", "1.0"),
        ("1.2", "1.2"),
        ("1.1", "1.10"),  # not there: the highest of its major; 1.10 is above 1.2
        ("2.0", "2.1"),
        ("2.1", "2.1"),
        ("3.0", "2.1"),
        (None, "1.10"),
        ("", "1.10"),
        ("nonsense", "1.10"),
    ],
)
def test_nearest_version_answers(stated: str | None, expected: str) -> None:
    models = ObjectModels([model(33000, version) for version in ("1.10", "2.1", "1.0", "1.2")])
    assert chosen(models, 33000, stated) == expected


def test_unknown_object_is_none() -> None:
    assert ObjectModels().object(33000, "1.0") is None
    assert ObjectModels().versions_of(33000) == ()


def test_object_of_another_major_alone_still_answers() -> None:
    assert chosen(ObjectModels([model(33000, "2.0")]), 33000, None) == "2.0"


def test_resource_is_found_by_any_path_at_or_below_it() -> None:
    models = ObjectModels([model(33000, "1.0", resource(1))])
    for path in ("33000/0/1", "33000/7/1", "33000/0/1/4"):
        found = models.resource(Path.parse(path))
        assert found is not None
        assert found.id == 1


@pytest.mark.parametrize("path", ["", "33000", "33000/0", "33000/0/2", "33001/0/1"])
def test_resource_of_shorter_or_unknown_path_is_none(path: str) -> None:
    models = ObjectModels([model(33000, "1.0", resource(1))])
    assert models.resource(Path.parse(path)) is None
    assert models.resource(Path.parse(path), {33000: "1.0"}) is None


def test_stated_version_decides_over_newer_ones() -> None:
    models = ObjectModels([model(33000, "1.0", resource(1, "Old")), model(33000, "1.1", resource(1, "New"))])
    path = Path.parse("33000/0/1")
    names = {
        version: found.name
        for version in ("1.0", "1.1")
        if (found := models.resource(path, {33000: version})) is not None
    }
    assert names == {"1.0": "Old", "1.1": "New"}


def test_resource_that_the_stated_version_lacks_comes_from_the_highest_of_its_major() -> None:
    models = ObjectModels(
        [
            model(33000, "1.0", resource(1)),
            model(33000, "1.1", resource(1), resource(2, "Of 1.1")),
            model(33000, "1.2", resource(1), resource(2, "Of 1.2")),
            model(33000, "2.0", resource(2, "Of 2.0"), resource(3, "Of 2.0")),
        ]
    )
    found = models.resource(Path.parse("33000/0/2"), {33000: "1.0"})
    assert found is not None
    assert found.name == "Of 1.2"
    assert models.resource(Path.parse("33000/0/3"), {33000: "1.0"}) is None


def test_versions_of_other_objects_do_not_matter() -> None:
    models = ObjectModels([model(33000, "1.0", resource(1))])
    assert models.resource(Path.parse("33000/0/1"), {3: "1.1"}) is not None


def test_later_model_replaces_the_same_version() -> None:
    first = ObjectModels([model(33000, "1.0", name="First"), model(33000, "1.1", name="Kept")])
    second = first.with_models([model(33000, "1.0", name="Second"), model(33001, "1.0")])
    assert [item.name for item in second.versions_of(33000)] == ["Second", "Kept"]
    assert [item.name for item in first.versions_of(33000)] == ["First", "Kept"]
    assert (len(first), len(second)) == (2, 3)
    assert 33001 in second
    assert 33001 not in first


def test_models_are_listed_by_id_then_version() -> None:
    models = ObjectModels([model(5, "1.10"), model(3, "1.0"), model(5, "1.9")])
    assert [(item.id, item.version) for item in models] == [(3, "1.0"), (5, "1.9"), (5, "1.10")]


def test_resources_are_sorted_and_read_only() -> None:
    found = model(33000, "1.0", resource(9), resource(1))
    assert list(found.resources) == [1, 9]
    with pytest.raises(TypeError):
        found.resources[2] = resource(2)  # type: ignore[index]


@pytest.mark.parametrize(
    ("operations", "flags"),
    [
        ("R", (True, False, False)),
        ("W", (False, True, False)),
        ("RW", (True, True, False)),
        ("E", (False, False, True)),
        ("", (False, False, False)),
    ],
)
def test_operations_say_what_a_server_may_do(operations: str, flags: tuple[bool, bool, bool]) -> None:
    item = resource(1, operations=operations)
    assert (item.readable, item.writable, item.executable) == flags


@given(st.text(max_size=12) | st.from_regex(r"\d{1,3}\.\d{1,3}", fullmatch=True))
def test_any_text_of_a_device_is_a_version_or_none(text: str) -> None:
    key = version_key(text)
    if key is not None:
        assert version_key(f"{key[0]}.{key[1]}") == key
    models = ObjectModels([model(33000, "1.0", resource(1)), model(33000, "2.0", resource(1))])
    assert models.resource(Path.parse("33000/0/1"), {33000: text}) is not None
