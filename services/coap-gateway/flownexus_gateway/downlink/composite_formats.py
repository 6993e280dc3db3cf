"""Which Content-Formats composite requests are made in and answered in. No I/O.

LwM2M Core 1.1.1, 7.4; 1.2, 7.4 for LwM2M CBOR; RFC 8790 for SenML-ETCH.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from flownexus_schemas.events import Registration
from flownexus_schemas.lwm2m.content_format import ContentFormat
from flownexus_schemas.lwm2m.errors import InvalidLink
from flownexus_schemas.lwm2m.link_format import parse_links
from flownexus_schemas.lwm2m.object_links import ROOT_TYPE

_ANSWER_TO_ETCH: Mapping[int, ContentFormat] = {
    ContentFormat.SENML_ETCH_JSON: ContentFormat.SENML_JSON,
    ContentFormat.SENML_ETCH_CBOR: ContentFormat.SENML_CBOR,
}
_ETCH = {senml: etch for etch, senml in _ANSWER_TO_ETCH.items()}


class CompositeFormats(NamedTuple):
    """Content-Formats of one Read-Composite or Observe-Composite: of the paths, and of the values (Accept)."""

    paths: int
    values: int


def composite_formats(registration: Registration) -> tuple[ContentFormat, ...]:
    """The Content-Formats for composite requests, the one to begin with first, the others for when it is refused.

    Zephyr 3.1 answers Read-Composite in SenML CBOR with 4.04 or with the values of other resources, so it gets SenML
    JSON although it states `ct=112`; it is known by its root link, which has no `rt`. Everyone else gets what they
    state, JSON if both, CBOR if nothing. SenML-ETCH is for those who state it, first where they state no other.
    """
    json, cbor = ContentFormat.SENML_JSON, ContentFormat.SENML_CBOR
    stated = registration.content_formats
    is_json_first = json in stated or (cbor in stated and not _has_root_type(registration.links))
    senml = (json, cbor) if is_json_first else (cbor, json)
    etch = tuple(ContentFormat(_ETCH[format_]) for format_ in senml if _ETCH[format_] in stated)
    return (*senml, *etch) if not etch or json in stated or cbor in stated else (*etch, *senml)


def formats_of_read(wanted: int, registration: Registration) -> CompositeFormats:
    """Those of a Read-Composite or Observe-Composite told to use `wanted`.

    LwM2M CBOR has values and no way to write paths alone, so the paths are in SenML. SenML-ETCH is for requests, and
    is answered in SenML (RFC 8790, 3). Otherwise both are the same: Zephyr reads the paths in the format of Accept.
    """
    if wanted == ContentFormat.LWM2M_CBOR:
        return CompositeFormats(composite_formats(registration)[0], wanted)
    return CompositeFormats(wanted, _ANSWER_TO_ETCH.get(wanted, wanted))


def _has_root_type(links: str) -> bool:
    try:
        return any(ROOT_TYPE in (link.get("rt") or "").split() for link in parse_links(links))
    except InvalidLink:
        return False
