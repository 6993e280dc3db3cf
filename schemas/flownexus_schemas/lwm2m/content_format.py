"""CoAP Content-Format numbers that LwM2M uses."""

from enum import IntEnum


class ContentFormat(IntEnum):
    """IANA CoAP Content-Formats; LwM2M Core 1.1.1, 7.4; 1.2, 7.4 for LWM2M_CBOR."""

    TEXT = 0
    LINK_FORMAT = 40
    OPAQUE = 42
    CBOR = 60
    SENML_JSON = 110
    SENML_CBOR = 112
    SENML_ETCH_JSON = 320
    SENML_ETCH_CBOR = 322
    TLV = 11542
    LWM2M_JSON = 11543
    LWM2M_CBOR = 11544
    OLD_TLV = 1542
    OLD_JSON = 1543


COMPOSITE_FORMATS = frozenset(
    {
        ContentFormat.SENML_JSON,
        ContentFormat.SENML_CBOR,
        ContentFormat.SENML_ETCH_JSON,
        ContentFormat.SENML_ETCH_CBOR,
        ContentFormat.LWM2M_CBOR,
    }
)
"""Those that a composite request can be told to use. LwM2M Core 1.1.1, 7.4; 1.2, 7.4; RFC 8790."""
