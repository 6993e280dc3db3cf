"""Reads OMA DDF XML, the files in which objects are published and registered."""

from __future__ import annotations

import re
from typing import TypeVar

from lxml import etree

from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.errors import InvalidObjectModel
from flownexus_schemas.lwm2m.object_model import ObjectModel, ResourceModel, version_key
from flownexus_schemas.lwm2m.path import MAX_ID

MAX_BYTES = 1 << 20
"""The largest file taken. The largest of the OMA registry has 34 kB."""

_DEFAULT_VERSION = "1.0"
_OPERATIONS = frozenset({"", "R", "W", "RW", "E"})
_MULTIPLE = {"Multiple": True, "Single": False}
_MANDATORY = {"Mandatory": True, "Optional": False}
_TYPES: dict[str, DataType | None] = {
    "": None,
    "String": DataType.STRING,
    "Integer": DataType.INTEGER,
    "Unsigned Integer": DataType.UNSIGNED,
    "Float": DataType.FLOAT,
    "Boolean": DataType.BOOLEAN,
    "Opaque": DataType.OPAQUE,
    "Time": DataType.TIME,
    "Objlnk": DataType.OBJLNK,
    "Corelnk": DataType.CORELNK,
}
_URN_VERSION = re.compile(r":([0-9]+\.[0-9]+)$")

T = TypeVar("T")


def parse_ddf(xml: bytes) -> list[ObjectModel]:
    """The objects of one file, in its order. Raises InvalidObjectModel, which names the object, resource and element.

    Takes LWM2M.xsd of 1.0 and 1.1, elements in any order. Files of LwM2M 1.0 may lack LWM2MVersion and ObjectVersion:
    both are then 1.0, or the version at the end of the URN. Refused: document types (hence entities), more than
    MAX_BYTES. LwM2M Core 1.1.1, appendix D.1.
    """
    root = _root(xml)
    if root.tag != "LWM2M":
        raise InvalidObjectModel(f"the outermost element is {_shown(root.tag)}, not LWM2M")
    objects = [_object(element) for element in root.findall("Object")]
    if not objects:
        raise InvalidObjectModel("the file has no Object")
    seen: set[tuple[int, str]] = set()
    for model in objects:
        if (model.id, model.version) in seen:
            raise InvalidObjectModel(f"object {model.id} version {model.version} is there twice")
        seen.add((model.id, model.version))
    return objects


def _root(xml: bytes) -> etree._Element:
    if len(xml) > MAX_BYTES:
        raise InvalidObjectModel(f"the file has {len(xml)} bytes, at most {MAX_BYTES} are taken")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root: etree._Element = etree.fromstring(xml, parser)
    except (etree.LxmlError, ValueError, LookupError) as error:
        raise InvalidObjectModel(f"not XML: {error}") from error
    # Entities in text were not expanded; those in attributes were, within what libxml2 allows a small file.
    if root.getroottree().docinfo.internalDTD is not None:
        raise InvalidObjectModel("document types and entities are not taken")
    return root


def _object(element: etree._Element) -> ObjectModel:
    object_id = _id(_text(element, "ObjectID"), "ObjectID")
    where = f"object {object_id}"
    urn = _text(element, "ObjectURN")
    urn_version = _URN_VERSION.search(urn)
    version = _text(element, "ObjectVersion") or (urn_version[1] if urn_version else _DEFAULT_VERSION)
    lwm2m_version = _text(element, "LWM2MVersion") or _DEFAULT_VERSION
    for name, value in (("ObjectVersion", version), ("LWM2MVersion", lwm2m_version)):
        if version_key(value) is None:
            raise InvalidObjectModel(f"{where}: {name} is {_shown(value)}, not <major>.<minor>")
    container = element.find("Resources")
    if container is None:
        raise InvalidObjectModel(f"{where}: Resources is missing")
    resources: dict[int, ResourceModel] = {}
    for item in container.findall("Item"):
        resource = _resource(item, where)
        if resource.id in resources:
            raise InvalidObjectModel(f"{where}: resource {resource.id} is there twice")
        resources[resource.id] = resource
    return ObjectModel(
        id=object_id,
        name=_required(element, "Name", where),
        version=version,
        lwm2m_version=lwm2m_version,
        urn=urn,
        multiple=_one_of(_MULTIPLE, element, "MultipleInstances", where),
        mandatory=_one_of(_MANDATORY, element, "Mandatory", where),
        description=_text(element, "Description1"),
        resources=resources,
    )


def _resource(item: etree._Element, where: str) -> ResourceModel:
    resource_id = _id(item.get("ID", ""), f"{where}: Item ID")
    where = f"{where}, resource {resource_id}"
    operations = _text(item, "Operations")
    if operations not in _OPERATIONS:
        raise InvalidObjectModel(f"{where}: Operations is {_shown(operations)}, not R, W, RW, E or empty")
    declared = _one_of(_TYPES, item, "Type", where)
    return ResourceModel(
        id=resource_id,
        name=_required(item, "Name", where),
        # A few registered files give an executable resource a type, though it has no value.
        type=None if operations == "E" else declared,
        multiple=_one_of(_MULTIPLE, item, "MultipleInstances", where),
        mandatory=_one_of(_MANDATORY, item, "Mandatory", where),
        operations=operations,
        units=_text(item, "Units"),
        range_enumeration=_text(item, "RangeEnumeration"),
        description=_text(item, "Description"),
    )


def _text(parent: etree._Element, name: str) -> str:
    """The text of a child, lines trimmed; empty where the child is missing."""
    text = parent.findtext(name) or ""
    return "\n".join(line.strip() for line in text.split("\n")).strip()


def _required(parent: etree._Element, name: str, where: str) -> str:
    text = _text(parent, name)
    if not text:
        raise InvalidObjectModel(f"{where}: {name} is missing")
    return text


def _one_of(choices: dict[str, T], parent: etree._Element, name: str, where: str) -> T:
    text = _text(parent, name)
    if text not in choices:
        raise InvalidObjectModel(f"{where}: {name} is {_shown(text)}, not one of {', '.join(filter(None, choices))}")
    return choices[text]


def _id(text: str, what: str) -> int:
    bare = text.strip()
    if not (bare.isascii() and bare.isdecimal()) or len(bare.lstrip("0")) > 5 or int(bare) > MAX_ID:
        raise InvalidObjectModel(f"{what} is {_shown(text)}, not a number of 0 to {MAX_ID}")
    return int(bare)


def _shown(value: object) -> str:
    return repr(str(value)[:40])
