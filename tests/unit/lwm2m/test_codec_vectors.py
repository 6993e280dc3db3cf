"""Every content format against payloads of the specifications and of devices."""

from __future__ import annotations

import pytest

from flownexus_schemas.lwm2m.codecs import SUPPORTED, decode, encode
from vectors.payloads import MODELS, Payload, load

VECTORS = load()


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_payload_decodes_to_its_records(vector: Payload) -> None:
    decoded = decode(vector.payload, vector.content_format, vector.base_path, MODELS)

    assert decoded == vector.records
    assert [type(record.value) for record in decoded] == [type(record.value) for record in vector.records]


@pytest.mark.parametrize("vector", [vector for vector in VECTORS if vector.exact], ids=str)
def test_records_encode_to_the_payload(vector: Payload) -> None:
    assert encode(vector.records, vector.content_format, vector.base_path) == vector.payload


def test_every_content_format_has_vectors() -> None:
    assert {vector.content_format for vector in VECTORS} == SUPPORTED
