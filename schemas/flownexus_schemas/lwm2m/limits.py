"""What one payload may hold, so that a peer cannot keep a gateway busy."""

from __future__ import annotations

from flownexus_schemas.lwm2m.errors import CodecError

MAX_BYTES = 1 << 20
"""The largest payload decoded."""

MAX_RECORDS = 10_000
"""The most values, or entries around them, decoded from one payload; as events these already fill a message of NATS."""


def check_size(payload: bytes) -> None:
    """Raises CodecError for more than MAX_BYTES."""
    if len(payload) > MAX_BYTES:
        raise CodecError(f"the payload has {len(payload)} bytes, at most {MAX_BYTES} are taken")


def check_count(number: int) -> None:
    """Raises CodecError for more than MAX_RECORDS."""
    if number > MAX_RECORDS:
        raise CodecError(f"the payload has more than {MAX_RECORDS} values")
