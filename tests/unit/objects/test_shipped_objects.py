"""The object models that come with Flow Nexus, and folders added to them."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path as FilePath

import pytest
from hatchling.builders.wheel import WheelBuilder

from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.errors import InvalidObjectModel
from flownexus_schemas.lwm2m.object_model import ObjectModel, ResourceModel
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.value_range import parse_range
from flownexus_schemas.objects import load

ROOT = FilePath(__file__).parents[3]

# Of RFC 8428 and RFC 8798; KB is LwM2M's own.
UNITS = {"", "%", "%RH", "B", "Cel", "KB", "Pa", "W", "Wh", "dB", "dBm", "deg", "lat", "lon", "m", "m/s", "m/s2", "mA"}
UNITS |= {"Ah", "V", "mV", "min", "ms", "s", "var", "varh"}


def resource(path: str, version: str | None = None) -> ResourceModel:
    parsed = Path.parse(path)
    assert parsed.object_id is not None
    found = load().resource(parsed, {parsed.object_id: version} if version else None)
    assert found is not None, path
    return found


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("0/0/5", ("Secret Key", DataType.OPAQUE, "", "", False)),
        ("1/0/1", ("Lifetime", DataType.INTEGER, "RW", "s", False)),
        ("1/0/8", ("Registration Update Trigger", None, "E", "", False)),
        ("2/0/2", ("ACL", DataType.INTEGER, "RW", "", True)),
        ("3/0/0", ("Manufacturer", DataType.STRING, "R", "", False)),
        ("3/0/4", ("Reboot", None, "E", "", False)),
        ("3/0/7", ("Power Source Voltage", DataType.INTEGER, "R", "mV", True)),
        ("3/0/9", ("Battery Level", DataType.INTEGER, "R", "%", False)),
        ("3/0/13", ("Current Time", DataType.TIME, "RW", "", False)),
        ("3/0/22", ("ExtDevInfo", DataType.OBJLNK, "R", "", True)),
        ("4/0/2", ("Radio Signal Strength", DataType.INTEGER, "R", "dBm", False)),
        ("5/0/0", ("Package", DataType.OPAQUE, "W", "", False)),
        ("5/0/1", ("Package URI", DataType.STRING, "RW", "", False)),
        ("5/0/3", ("State", DataType.INTEGER, "R", "", False)),
        ("6/0/0", ("Latitude", DataType.FLOAT, "R", "lat", False)),
        ("7/0/6", ("Start", None, "E", "", False)),
        ("16/0/0", ("Identity", DataType.STRING, "RW", "", True)),
        ("19/0/0", ("Data", DataType.OPAQUE, "RW", "", True)),
        ("20/0/4014", ("LogData", DataType.OPAQUE, "R", "", False)),
        ("3303/0/5700", ("Sensor Value", DataType.FLOAT, "R", "", False)),
        ("3303/0/5605", ("Reset Min and Max Measured Values", None, "E", "", False)),
        ("3311/0/5851", ("Dimmer", DataType.INTEGER, "RW", "%", False)),
        ("3342/0/5500", ("Digital Input State", DataType.BOOLEAN, "R", "", False)),
        ("10240/0/0", ("Registered", DataType.TIME, "R", "", False)),
        ("10240/0/1", ("Unregistered", DataType.TIME, "R", "", False)),
        ("10240/0/2", ("Updated", DataType.TIME, "R", "", False)),
        ("10300/0/0", ("Temperature", DataType.FLOAT, "R", "Cel", False)),
        ("10300/0/1", ("Humidity", DataType.FLOAT, "R", "%RH", False)),
        ("10300/0/2", ("Pressure", DataType.FLOAT, "R", "Pa", False)),
        ("10300/0/5", ("Acceleration Z", DataType.FLOAT, "R", "m/s2", False)),
        ("10300/0/6", ("Event Time", DataType.TIME, "R", "", False)),
    ],
)
def test_resource_is_as_registered(path: str, expected: tuple[str, DataType | None, str, str, bool]) -> None:
    found = resource(path)
    assert (found.name, found.type, found.operations, found.units, found.multiple) == expected


def test_manual_lists_what_is_there() -> None:
    manual = (ROOT / "docs" / "objects.md").read_text()
    rows = re.findall(r"^\| (\d+) \| (.+?) \| ([0-9., ]+) \|$", manual, re.MULTILINE)
    by_id = {model.id: load().versions_of(model.id) for model in load()}
    assert rows == [
        (str(object_id), versions[-1].name, ", ".join(model.version for model in versions))
        for object_id, versions in by_id.items()
    ]


def test_definition_that_the_manual_shows_is_taken(tmp_path: FilePath) -> None:
    manual = (ROOT / "docs" / "objects.md").read_text()
    (shown,) = re.findall(r"```xml\n(.*?)```", manual, re.DOTALL)
    (tmp_path / "tank.xml").write_text(shown)
    found = load([tmp_path]).resource(Path.parse("42769/0/0"))
    assert found is not None
    assert (found.name, found.units) == ("Level", "%")


def test_sensors_of_ipso_are_all_there() -> None:
    ids = {model.id for model in load()}
    assert ids >= {*range(3200, 3204), *range(3300, 3307), 3308, *range(3310, 3351)}


@pytest.mark.parametrize(
    ("object_id", "versions"),
    [
        (0, ["1.0", "1.1", "1.2"]),
        (1, ["1.0", "1.1", "1.2"]),
        (3, ["1.0", "1.1", "1.2"]),
        (4, ["1.0", "1.1", "1.2", "1.3"]),
        (5, ["1.0", "1.1", "1.2"]),
        (3336, ["1.1", "2.0"]),
    ],
)
def test_versions_stand_side_by_side(object_id: int, versions: list[str]) -> None:
    assert [model.version for model in load().versions_of(object_id)] == versions


def test_version_that_a_device_states_decides() -> None:
    assert parse_range(resource("5/0/5", "1.0").range_enumeration, DataType.INTEGER) == parse_range(
        "0..9", DataType.INTEGER
    )
    assert resource("3336/0/5514", "1.1").type is DataType.STRING
    assert resource("3336/0/6051", "2.0").type is DataType.FLOAT


def test_resource_newer_than_the_stated_version_is_still_known() -> None:
    assert resource("5/0/10", "1.0").name == "Cancel"


@pytest.mark.parametrize("model", list(load()), ids=lambda model: f"{model.id}-{model.version}")
def test_definition_is_whole(model: ObjectModel) -> None:
    assert model.description
    assert model.resources
    assert model.urn.split(":")[4] == str(model.id)
    assert model.urn.split(":")[5:] in ([], [model.version])
    for item in model.resources.values():
        assert item.description, f"{model.id}/{item.id} has no description"
        assert (item.type is None) == item.executable
        assert item.units in UNITS, f"{model.id}/{item.id}: {item.units}"
        if item.range_enumeration:
            assert parse_range(item.range_enumeration, item.type), f"{model.id}/{item.id}: {item.range_enumeration}"


def test_file_is_named_after_its_object_and_version() -> None:
    names = {
        entry.name
        for folder in ("oma", "ext", "flownexus")
        for entry in (files("flownexus_schemas.objects") / folder).iterdir()
    }
    assert names == {f"{model.id}-{model.version.replace('.', '_')}.xml" for model in load()}


def test_ours_are_read_once() -> None:
    assert load() is load([])


DDF = """<LWM2M><Object ObjectType="MODefinition"><Name>{name}</Name><Description1/><ObjectID>{id}</ObjectID>
<ObjectURN>urn:oma:lwm2m:x:{id}</ObjectURN><LWM2MVersion>1.0</LWM2MVersion><ObjectVersion>{version}</ObjectVersion>
<MultipleInstances>Single</MultipleInstances><Mandatory>Optional</Mandatory><Resources><Item ID="0"><Name>Level</Name>
<Operations>R</Operations><MultipleInstances>Single</MultipleInstances><Mandatory>Mandatory</Mandatory>
<Type>Float</Type><RangeEnumeration/><Units/><Description/></Item></Resources></Object></LWM2M>"""


def write(folder: FilePath, file: str, object_id: int, version: str = "1.0", name: str = "Tank") -> None:
    folder.mkdir(exist_ok=True)
    (folder / file).write_text(DDF.format(id=object_id, version=version, name=name))


def test_folder_adds_objects_to_ours(tmp_path: FilePath) -> None:
    write(tmp_path, "tank.xml", 33000)
    write(tmp_path, "pump.XML", 33001, name="Pump")
    (tmp_path / "notes.txt").write_text("not an object")
    models = load([tmp_path])
    assert models.resource(Path.parse("33000/0/0")) is not None
    assert 33001 in models
    assert 3303 in models
    assert 33000 not in load()


def test_folder_replaces_the_same_version_and_keeps_others(tmp_path: FilePath) -> None:
    write(tmp_path, "3.xml", 3, "1.1", name="Our Device")
    models = load([tmp_path])
    assert [model.name for model in models.versions_of(3)] == ["Device", "Our Device", "Device"]


def test_later_folder_replaces_an_earlier_one(tmp_path: FilePath) -> None:
    write(tmp_path / "a", "tank.xml", 33000, name="First")
    write(tmp_path / "b", "tank.xml", 33000, name="Second")
    model = load([tmp_path / "a", tmp_path / "b"]).object(33000)
    assert model is not None
    assert model.name == "Second"


def test_hidden_files_are_left_out(tmp_path: FilePath) -> None:
    (tmp_path / "._tank.xml").write_bytes(b"\x00\x05\x16\x07")
    assert load([tmp_path]) is load()


def test_bad_file_is_named_with_its_fault(tmp_path: FilePath) -> None:
    (tmp_path / "broken.xml").write_text("<LWM2M><Object>")
    with pytest.raises(InvalidObjectModel, match=r"broken\.xml: not XML"):
        load([tmp_path])


def test_missing_folder_is_named(tmp_path: FilePath) -> None:
    with pytest.raises(InvalidObjectModel, match=r"nowhere: No such file or directory"):
        load([tmp_path / "nowhere"])


def test_file_in_place_of_a_folder_is_named(tmp_path: FilePath) -> None:
    write(tmp_path, "tank.xml", 33000)
    with pytest.raises(InvalidObjectModel, match=r"tank\.xml: Not a directory"):
        load([tmp_path / "tank.xml"])


def test_wheel_carries_every_definition() -> None:
    builder = WheelBuilder(str(ROOT))
    carried = {file.distribution_path for file in builder.recurse_included_files()}
    folder = "flownexus_schemas/objects"
    definitions = {path for path in carried if path.startswith(folder) and path.endswith(".xml")}
    assert len(definitions) == len(load())
