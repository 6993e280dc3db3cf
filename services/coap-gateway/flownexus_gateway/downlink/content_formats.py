"""Which Content-Format a request is made in: what was asked for, what the device taught us, its profile, its version.

LwM2M Core 1.1.1, 7.4; 1.2, 7.4. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from flownexus_gateway.downlink.composite_formats import composite_formats
from flownexus_gateway.registrations.live import LiveRegistration
from flownexus_schemas.lwm2m.codecs import SENML_ETCH, SUPPORTED
from flownexus_schemas.lwm2m.content_format import COMPOSITE_FORMATS, ContentFormat


class Use(StrEnum):
    """What a format is chosen for; each is learned by itself."""

    READ = "read"
    WRITE_VALUE = "write-value"
    WRITE_OPAQUE = "write-opaque"
    WRITE_VALUES = "write-values"
    READ_COMPOSITE = "read-composite"
    WRITE_COMPOSITE = "write-composite"


_REFUSALS = frozenset({"4.06", "4.15"})

REFUSALS: Mapping[Use, frozenset[str]] = {
    **dict.fromkeys(Use, _REFUSALS),
    # Zephyr 3.1 refuses composite reads in SenML CBOR with 4.04; asking twice harms nobody.
    Use.READ_COMPOSITE: _REFUSALS | {"4.00", "4.02", "4.04", "4.05", "5.00", "5.01"},
}
"""The codes after which the next format is tried."""

_SINGLE_VALUE = frozenset({ContentFormat.TEXT, ContentFormat.OPAQUE, ContentFormat.CBOR})
_PREFERENCE = (
    ContentFormat.SENML_CBOR,
    ContentFormat.SENML_JSON,
    ContentFormat.LWM2M_CBOR,
    ContentFormat.TLV,
    ContentFormat.LWM2M_JSON,
)
_BY_VERSION: tuple[tuple[tuple[int, int], tuple[ContentFormat, ...]], ...] = (
    ((1, 2), (ContentFormat.SENML_CBOR, ContentFormat.SENML_JSON, ContentFormat.LWM2M_CBOR, ContentFormat.TLV)),
    ((1, 1), (ContentFormat.SENML_CBOR, ContentFormat.SENML_JSON, ContentFormat.TLV, ContentFormat.LWM2M_JSON)),
    ((1, 0), (ContentFormat.TLV, ContentFormat.LWM2M_JSON)),
)


def choices(
    live: LiveRegistration, use: Use | None, wanted: int | None = None, preferred: int | None = None
) -> tuple[int | None, ...]:
    """The formats to try, the first first; None is a request that states none.

    `wanted` by the caller is the only one, so the device's refusal of it is the answer. Else what was learned in this
    registration, then `preferred` by the profile, then what suits the device best.
    """
    if wanted is not None or use is None:
        return (wanted,)
    learned = live.stored.formats.get(use)
    first = [format_ for format_ in (learned, preferred) if format_ is not None and _carries(use, format_)]
    return tuple(dict.fromkeys([*first, *_suitable(live, use)]))


def _carries(use: Use, format_: int) -> bool:
    match use:
        case Use.READ_COMPOSITE | Use.WRITE_COMPOSITE:
            return format_ in COMPOSITE_FORMATS
        case Use.WRITE_VALUES | Use.READ:
            return format_ in SUPPORTED and format_ not in _SINGLE_VALUE | SENML_ETCH
    return format_ in SUPPORTED and format_ not in SENML_ETCH


def _suitable(live: LiveRegistration, use: Use) -> Iterable[int | None]:
    match use:
        case Use.READ:
            # Without Accept a client answers in what it likes best: TLV for 1.0, SenML CBOR since.
            return (None, *_of_values(live))
        case Use.WRITE_VALUE:
            return (ContentFormat.TEXT, *_of_values(live))
        case Use.WRITE_OPAQUE:
            return (ContentFormat.OPAQUE, *_of_values(live))
        case Use.WRITE_VALUES:
            return _of_values(live)
        case Use.WRITE_COMPOSITE if ContentFormat.LWM2M_CBOR in live.registration.content_formats:
            return (*composite_formats(live.registration), ContentFormat.LWM2M_CBOR)
    return composite_formats(live.registration)


def _of_values(live: LiveRegistration) -> Sequence[int]:
    """What the device states, then what its version has."""
    stated = [format_ for format_ in _PREFERENCE if format_ in live.registration.content_formats]
    of_version = next(formats for since, formats in _BY_VERSION if live.lwm2m_version >= since or since == (1, 0))
    return tuple(dict.fromkeys([*stated, *of_version]))
