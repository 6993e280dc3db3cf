"""DDF files: those of the registry's habits are read, faults are named, attacks are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.ddf import MAX_BYTES, parse_ddf
from flownexus_schemas.lwm2m.errors import InvalidObjectModel

ITEM = """<Item ID="5700"><Name>Sensor Value</Name><Operations>R</Operations>
<MultipleInstances>Single</MultipleInstances><Mandatory>Mandatory</Mandatory><Type>Float</Type>
<RangeEnumeration>0..100</RangeEnumeration><Units>Cel</Units>
<Description>
   First line.
   Second line.
</Description></Item>"""

OBJECT = f"""<Object ObjectType="MODefinition"><Name>Tank</Name><Description1>A tank.</Description1>
<ObjectID>33000</ObjectID><ObjectURN>urn:oma:lwm2m:x:33000:1.2</ObjectURN><LWM2MVersion>1.1</LWM2MVersion>
<ObjectVersion>1.2</ObjectVersion><MultipleInstances>Multiple</MultipleInstances><Mandatory>Optional</Mandatory>
<Resources>{ITEM}</Resources><Description2/></Object>"""

FILE = f'<?xml version="1.0" encoding="UTF-8"?>\n<!-- a licence --><LWM2M>{OBJECT}</LWM2M>'


def changed(old: str, new: str) -> bytes:
    assert old in FILE
    return FILE.replace(old, new).encode()


def fault(xml: bytes) -> str:
    with pytest.raises(InvalidObjectModel) as caught:
        parse_ddf(xml)
    return str(caught.value)


def test_file_becomes_a_model() -> None:
    (model,) = parse_ddf(FILE.encode())
    assert (model.id, model.name, model.version, model.lwm2m_version) == (33000, "Tank", "1.2", "1.1")
    assert (model.urn, model.multiple, model.mandatory) == ("urn:oma:lwm2m:x:33000:1.2", True, False)
    assert model.description == "A tank."
    item = model.resources[5700]
    assert (item.name, item.type, item.operations, item.units) == ("Sensor Value", DataType.FLOAT, "R", "Cel")
    assert (item.multiple, item.mandatory, item.range_enumeration) == (False, True, "0..100")
    assert item.description == "First line.\nSecond line."


@pytest.mark.parametrize(
    ("text", "data_type"),
    [
        ("String", DataType.STRING),
        ("Integer", DataType.INTEGER),
        ("Unsigned Integer", DataType.UNSIGNED),
        ("Float", DataType.FLOAT),
        ("Boolean", DataType.BOOLEAN),
        ("Opaque", DataType.OPAQUE),
        ("Time", DataType.TIME),
        ("Objlnk", DataType.OBJLNK),
        ("Corelnk", DataType.CORELNK),
        ("", None),
    ],
)
def test_type_is_read(text: str, data_type: DataType | None) -> None:
    (model,) = parse_ddf(changed("<Type>Float</Type>", f"<Type>{text}</Type>"))
    assert model.resources[5700].type is data_type


def test_executable_resource_has_no_type_whatever_the_file_says() -> None:
    (model,) = parse_ddf(changed("<Operations>R<", "<Operations>E<"))
    assert model.resources[5700].type is None


@pytest.mark.parametrize(
    ("xml", "version", "lwm2m_version"),
    [
        (changed("<ObjectVersion>1.2</ObjectVersion>", ""), "1.2", "1.1"),  # of the URN
        (changed("<LWM2MVersion>1.1</LWM2MVersion>", ""), "1.2", "1.0"),
        (changed("<ObjectVersion>1.2</ObjectVersion>", "").replace(b":33000:1.2", b":33000"), "1.0", "1.1"),
    ],
)
def test_versions_that_files_of_1_0_leave_out_are_filled_in(xml: bytes, version: str, lwm2m_version: str) -> None:
    (model,) = parse_ddf(xml)
    assert (model.version, model.lwm2m_version) == (version, lwm2m_version)


def test_file_may_have_several_objects() -> None:
    other = OBJECT.replace("33000", "33001")
    assert [model.id for model in parse_ddf(f"<LWM2M>{OBJECT}{other}</LWM2M>".encode())] == [33000, 33001]


def test_object_without_resources_is_taken() -> None:
    (model,) = parse_ddf(changed(f"<Resources>{ITEM}</Resources>", "<Resources/>"))
    assert model.resources == {}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-1"])
def test_other_encodings_are_read(encoding: str) -> None:
    declared = {"utf-8-sig": "UTF-8", "utf-16": "UTF-16", "iso-8859-1": "ISO-8859-1"}[encoding]
    text = FILE.replace("UTF-8", declared).replace("A tank.", "Behälter")
    assert parse_ddf(text.encode(encoding))[0].description == "Behälter"


@pytest.mark.parametrize(
    ("xml", "told"),
    [
        (b"", "not XML"),
        (b"<LWM2M>", "not XML"),
        (b"\xff\xfe\x00", "not XML"),
        (b"<DDFList/>", "the outermost element is 'DDFList', not LWM2M"),
        (b"<LWM2M/>", "the file has no Object"),
        (f"<LWM2M>{OBJECT}{OBJECT}</LWM2M>".encode(), "object 33000 version 1.2 is there twice"),
        (changed("<ObjectID>33000</ObjectID>", ""), "ObjectID is '', not a number of 0 to 65535"),
        (changed("<ObjectID>33000<", "<ObjectID>65536<"), "ObjectID is '65536'"),
        (changed("<ObjectID>33000<", "<ObjectID>٣<"), "ObjectID is '٣'"),
        (changed("<Name>Tank</Name>", ""), "object 33000: Name is missing"),
        (changed("<ObjectVersion>1.2<", "<ObjectVersion>one<"), "object 33000: ObjectVersion is 'one'"),
        (changed("<LWM2MVersion>1.1<", "<LWM2MVersion>1<"), "object 33000: LWM2MVersion is '1'"),
        (changed("Multiple<", "Many<"), "object 33000: MultipleInstances is 'Many', not one of Multiple, Single"),
        (changed(f"<Resources>{ITEM}</Resources>", ""), "object 33000: Resources is missing"),
        (changed(ITEM, ITEM + ITEM), "object 33000: resource 5700 is there twice"),
        (changed(' ID="5700"', ""), "object 33000: Item ID is ''"),
        (changed(' ID="5700"', ' ID="-1"'), "object 33000: Item ID is '-1'"),
        (changed("<Name>Sensor Value</Name>", ""), "object 33000, resource 5700: Name is missing"),
        (changed("<Operations>R<", "<Operations>RX<"), "object 33000, resource 5700: Operations is 'RX'"),
        (changed("<Type>Float<", "<Type>Double<"), "object 33000, resource 5700: Type is 'Double', not one of String,"),
        (changed(">Mandatory<", ">Yes<"), "object 33000, resource 5700: Mandatory is 'Yes'"),
    ],
)
def test_fault_is_named_with_its_place(xml: bytes, told: str) -> None:
    assert told in fault(xml)


def test_entities_are_refused_before_they_grow() -> None:
    bomb = b'<!DOCTYPE LWM2M [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
    assert "document types" in fault(bomb + changed("A tank.", "&b;").split(b"?>\n", 1)[1])


def test_external_entities_are_refused() -> None:
    outside = b'<!DOCTYPE LWM2M [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
    assert "document types" in fault(outside + changed("A tank.", "&x;").split(b"?>\n", 1)[1])


def test_large_file_is_refused() -> None:
    assert f"at most {MAX_BYTES}" in fault(changed("A tank.", "x" * MAX_BYTES))


def test_deep_nesting_is_refused() -> None:
    assert "not XML" in fault(b"<LWM2M>" + b"<a>" * 5000 + b"</a>" * 5000 + b"</LWM2M>")


def only_its_own_error(xml: bytes) -> None:
    try:
        models = parse_ddf(xml)
    except InvalidObjectModel:
        return
    assert models


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(xml: bytes) -> None:
    only_its_own_error(xml)


@given(st.integers(0, len(FILE.encode()) - 1), st.integers(0, 40), st.binary(max_size=6))
def test_any_damage_is_read_or_refused(position: int, length: int, put: bytes) -> None:
    whole = FILE.encode()
    only_its_own_error(whole[:position] + put + whole[position + length :])
