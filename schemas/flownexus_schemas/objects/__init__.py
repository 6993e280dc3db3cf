"""The object models that come with Flow Nexus, and those that its owner adds.

`oma` has objects of the OMA, `ext` those of others in its registry, most of them the sensors of the IPSO Alliance,
`flownexus` our own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path

from flownexus_schemas.lwm2m.ddf import parse_ddf
from flownexus_schemas.lwm2m.errors import InvalidObjectModel
from flownexus_schemas.lwm2m.object_model import ObjectModel, ObjectModels

_SHIPPED = ("oma", "ext", "flownexus")


def load(folders: Iterable[Path] = ()) -> ObjectModels:
    """Ours, and those in the `*.xml` files of `folders`, which are DDF; folders inside them are not looked into.

    A later model replaces an earlier one of the same id and version: a folder's ours, a folder's that of a folder
    before it. Ours are read once in a process. Raises InvalidObjectModel, which names the folder or file.
    """
    ours = _shipped()
    theirs = [model for folder in folders for model in _folder(folder)]
    return ours.with_models(theirs) if theirs else ours


@cache
def _shipped() -> ObjectModels:
    package = files(__name__)
    entries = (entry for folder in _SHIPPED for entry in (package / folder).iterdir())
    return ObjectModels(model for entry in entries for model in _parse(entry.name, entry.read_bytes()))


def _folder(folder: Path) -> Iterator[ObjectModel]:
    try:
        # A hidden file is an editor's or a file manager's, not an object.
        paths = sorted(p for p in folder.iterdir() if p.suffix.lower() == ".xml" and not p.name.startswith("."))
        for path in paths:
            yield from _parse(str(path), path.read_bytes())
    except OSError as error:
        raise InvalidObjectModel(f"{error.filename or folder}: {error.strerror}") from error


def _parse(name: str, xml: bytes) -> list[ObjectModel]:
    try:
        return parse_ddf(xml)
    except InvalidObjectModel as error:
        raise InvalidObjectModel(f"{name}: {error}") from error
