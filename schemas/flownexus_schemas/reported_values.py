"""Values as the bus has them in `reported` events and in answers."""

from __future__ import annotations

import base64
import math

from flownexus_schemas.lwm2m.record import Value


def wire_value(value: Value) -> bool | int | float | str:
    """A value as the bus has it: bytes in base64, a float that JSON lacks by its name."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
