"""Objects with live values over what the API said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flownexus_console.api_models import DeviceObject, ObjectInstance, ObjectTree, Resource
from flownexus_console.object_values import ObjectValues
from flownexus_schemas.events import ReportedRecord
from flownexus_schemas.lwm2m.datatype import DataType

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(seconds=10)


def tree(*resources: Resource, object_id: int = 3303, name: str | None = "Temperature") -> ObjectTree:
    instance = ObjectInstance(id=0, resources=resources)
    return ObjectTree(items=(DeviceObject(id=object_id, name=name, instances=(instance,)),))


def celsius(value: float | None = 20.0, time: datetime | None = NOON) -> Resource:
    return Resource(path="3303/0/5700", id=5700, name="Sensor Value", type="float", units="Cel", value=value, time=time)


def record(value: float, time: datetime, path: str = "3303/0/5700") -> ReportedRecord:
    return ReportedRecord(path=path, type=DataType.FLOAT, value=value, time=time)


def shown(values: ObjectValues, path: str = "3303/0/5700") -> object:
    resource = values.current(path)
    return None if resource is None else resource.value


def test_a_live_value_replaces_an_older_one() -> None:
    values = ObjectValues()
    values.read(tree(celsius(20.0)))
    assert not values.take([record(21.0, LATER)])
    assert shown(values) == 21.0


def test_the_newest_of_several_values_is_shown() -> None:
    values = ObjectValues()
    values.read(tree(celsius(20.0)))
    values.take([record(22.0, LATER), record(21.0, NOON)])
    assert shown(values) == 22.0


def test_a_late_value_of_the_past_is_not_shown() -> None:
    values = ObjectValues()
    values.read(tree(celsius(20.0, LATER)))
    values.take([record(18.0, NOON)])
    assert shown(values) == 20.0


def test_rows_that_lag_behind_do_not_take_a_live_value_back() -> None:
    values = ObjectValues()
    values.read(tree(celsius(20.0)))
    values.take([record(21.0, LATER)])
    values.read(tree(celsius(20.0)))
    assert shown(values) == 21.0


def test_a_resource_that_nobody_listed_asks_for_a_new_tree() -> None:
    values = ObjectValues()
    values.read(tree(celsius()))
    assert values.take([record(1.0, LATER, "3304/0/5700")])


def test_a_measured_value_is_charted_first() -> None:
    values = ObjectValues()
    lifetime = Resource(path="1/0/1", id=1, name="Lifetime", type="integer", value=300, time=NOON)
    text = Resource(path="3303/0/5701", id=5701, type="string", value="Cel", time=NOON)
    values.read(ObjectTree(items=(*tree(lifetime, object_id=1, name="Server").items, *tree(text, celsius()).items)))
    first = values.first_numeric()
    assert first is not None
    assert first.path == "3303/0/5700"
    assert values.title(first) == "Temperature · Sensor Value"


def test_nothing_is_charted_where_there_is_no_number() -> None:
    values = ObjectValues()
    values.read(tree(celsius(None, None)))
    assert values.first_numeric() is None


def test_the_browser_gets_live_values_and_whether_they_can_be_charted() -> None:
    values = ObjectValues()
    unknown = Resource(path="33901/0/1", id=1, type=None, value=None)
    values.read(tree(unknown, object_id=33901, name=None))
    values.take([record(7.0, LATER, "33901/0/1")])
    (device_object,) = values.objects()
    instances = device_object["instances"]
    assert isinstance(instances, list)
    (resource,) = instances[0]["resources"]
    assert (resource["value"], resource["type"], resource["chartable"]) == (7.0, "float", True)
