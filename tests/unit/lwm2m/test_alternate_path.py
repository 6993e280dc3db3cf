"""Names in SenML of a device whose objects are below an alternate path. LwM2M Transport 1.2.1, 6.4.1."""

from __future__ import annotations

import cbor2
import orjson
import pytest

from flownexus_schemas.lwm2m.codecs import decode, encode, encode_paths
from flownexus_schemas.lwm2m.content_format import ContentFormat
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.errors import CodecError
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Record

NONE = ObjectModels(())
ROOT = "/gateway/lwm2m"


@pytest.mark.parametrize(
    "entry",
    [
        {"n": "/gateway/lwm2m/3/0/9", "v": 80},
        {"bn": "/gateway/lwm2m/3/0/", "n": "9", "v": 80},
        {"bn": "/gateway/lwm2m", "n": "/3/0/9", "v": 80},
        {"bn": "/gateway/lwm2m/", "n": "3/0/9", "v": 80},
        {"n": "/3/0/9", "v": 80},
        {"v": 80},
    ],
)
def test_names_are_taken_with_and_without_it(entry: dict[str, object]) -> None:
    base = Path(3, 0, 9)
    records = decode(orjson.dumps([entry]), ContentFormat.SENML_JSON, base, NONE, root_path=ROOT)
    assert records == [Record(base, DataType.INTEGER, 80)]


@pytest.mark.parametrize("name", ["/lwm2m/3/0/9", "/gateway/lwm2mX/3/0/9", "/gateway/3/0/9"])
def test_another_prefix_is_refused(name: str) -> None:
    with pytest.raises(CodecError):
        decode(orjson.dumps([{"n": name, "v": 80}]), ContentFormat.SENML_JSON, Path(), NONE, root_path=ROOT)


def test_names_are_written_with_it() -> None:
    records = [Record(Path(3, 0, 9), DataType.INTEGER, 80), Record(Path(3, 0, 10), DataType.INTEGER, 1)]
    written = orjson.loads(encode(records, ContentFormat.SENML_JSON, Path(3, 0), ROOT))
    assert written == [{"bn": "/gateway/lwm2m/3/0/", "n": "9", "v": 80}, {"n": "10", "v": 1}]
    in_cbor = cbor2.loads(encode(records, ContentFormat.SENML_CBOR, Path(3, 0), ROOT))
    assert in_cbor[0][-2] == "/gateway/lwm2m/3/0/"
    assert orjson.loads(encode_paths([Path(3, 0)], ContentFormat.SENML_JSON, ROOT)) == [{"n": "/gateway/lwm2m/3/0"}]
