"""Payloads to records and back, by Content-Format. LwM2M Core 1.1.1, 7.4."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from flownexus_schemas.lwm2m import cbor, lwm2m_cbor, lwm2m_json, opaque, senml_cbor, senml_json, text, tlv_records
from flownexus_schemas.lwm2m.content_format import ContentFormat
from flownexus_schemas.lwm2m.errors import CodecError, UnsupportedContentFormat
from flownexus_schemas.lwm2m.limits import check_size
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Record

_Decode = Callable[[bytes, Path, ObjectModels, Mapping[int, str] | None], list[Record]]
_DecodeNames = Callable[[bytes, Path, ObjectModels, Mapping[int, str] | None, str], list[Record]]
_Encode = Callable[[Sequence[Record], Path], bytes]
_EncodeNames = Callable[[Sequence[Record], Path, str], bytes]

_VALUES: Mapping[int, tuple[_Decode, _Encode]] = {
    ContentFormat.TEXT: (text.decode, text.encode),
    ContentFormat.OPAQUE: (opaque.decode, opaque.encode),
    ContentFormat.CBOR: (cbor.decode, cbor.encode),
    ContentFormat.LWM2M_CBOR: (lwm2m_cbor.decode, lwm2m_cbor.encode),
    ContentFormat.LWM2M_JSON: (lwm2m_json.decode, lwm2m_json.encode),
    ContentFormat.OLD_JSON: (lwm2m_json.decode, lwm2m_json.encode),
    ContentFormat.TLV: (tlv_records.decode, tlv_records.encode),
    ContentFormat.OLD_TLV: (tlv_records.decode, tlv_records.encode),
}
# Their names have the device's alternate path before them: LwM2M Transport 1.2.1, 6.4.1.
_SENML: Mapping[int, tuple[_DecodeNames, _EncodeNames]] = {
    ContentFormat.SENML_JSON: (senml_json.decode, senml_json.encode),
    ContentFormat.SENML_CBOR: (senml_cbor.decode, senml_cbor.encode),
    ContentFormat.SENML_ETCH_JSON: (senml_json.decode, senml_json.encode),
    ContentFormat.SENML_ETCH_CBOR: (senml_cbor.decode, senml_cbor.encode),
}
_PATHS: Mapping[int, tuple[Callable[[bytes], list[Path]], Callable[[Sequence[Path], str], bytes]]] = {
    ContentFormat.SENML_JSON: (senml_json.decode_paths, senml_json.encode_paths),
    ContentFormat.SENML_CBOR: (senml_cbor.decode_paths, senml_cbor.encode_paths),
    ContentFormat.SENML_ETCH_JSON: (senml_json.decode_paths, senml_json.encode_paths),
    ContentFormat.SENML_ETCH_CBOR: (senml_cbor.decode_paths, senml_cbor.encode_paths),
}
SENML_ETCH = frozenset({ContentFormat.SENML_ETCH_JSON, ContentFormat.SENML_ETCH_CBOR})
"""SenML with rules of its own for removal, which LwM2M does not use. RFC 8790; LwM2M Core 1.2, 7.4."""

_WITH_TIMES = frozenset(
    {ContentFormat.SENML_JSON, ContentFormat.SENML_CBOR, ContentFormat.LWM2M_JSON, ContentFormat.OLD_JSON}
)
SUPPORTED = frozenset({*_VALUES, *_SENML})
"""The Content-Formats that `decode` and `encode` take."""


def decode(
    payload: bytes,
    content_format: int,
    base_path: Path,
    models: ObjectModels,
    versions: Mapping[int, str] | None = None,
    *,
    root_path: str = "/",
) -> list[Record]:
    """The values in a payload, each of the type that the object model states, else of that natural to the format.

    `base_path` is what was asked for, the root for Send and composite operations; `versions` are those of objects at
    registration, `root_path` the device's alternate path, which names in SenML may begin with. No records for an empty
    payload. Raises CodecError, its subclass UnsupportedContentFormat.
    """
    if content_format not in SUPPORTED:
        raise UnsupportedContentFormat(f"Content-Format {content_format} is not known here")
    check_size(payload)
    if content_format in _SENML:
        return _SENML[content_format][0](payload, base_path, models, versions, root_path)
    return _VALUES[content_format][0](payload, base_path, models, versions)


def encode(records: Sequence[Record], content_format: int, base_path: Path, root_path: str = "/") -> bytes:
    """The inverse of `decode`; names in SenML begin with `root_path`. Raises CodecError, its subclass
    UnsupportedContentFormat.
    """
    if content_format not in SUPPORTED:
        raise UnsupportedContentFormat(f"Content-Format {content_format} is not known here")
    if content_format not in _WITH_TIMES and any(record.time is not None for record in records):
        raise CodecError(f"Content-Format {content_format} carries no times")
    if content_format in _SENML:
        return _SENML[content_format][1](records, base_path, root_path)
    return _VALUES[content_format][1](records, base_path)


def decode_paths(payload: bytes, content_format: int) -> list[Path]:
    """What Read-Composite or Observe-Composite asks for. Raises CodecError. LwM2M Core 1.1.1, 6.3.5 and 6.4.3."""
    if content_format not in _PATHS:
        raise UnsupportedContentFormat(f"Content-Format {content_format} carries no paths")
    check_size(payload)
    return _PATHS[content_format][0](payload)


def encode_paths(paths: Sequence[Path], content_format: int, root_path: str = "/") -> bytes:
    """The inverse of `decode_paths`. Raises UnsupportedContentFormat."""
    if content_format not in _PATHS:
        raise UnsupportedContentFormat(f"Content-Format {content_format} carries no paths")
    return _PATHS[content_format][1](paths, root_path)
