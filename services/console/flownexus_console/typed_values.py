"""What a person typed as the value of a resource."""

from __future__ import annotations

import json

from flownexus_console.api_models import Value

_TRUE_FALSE = {"true": True, "1": True, "false": False, "0": False}


def typed(text: str, type_: str | None) -> Value:
    """The text as a value of this type; a number or text where no model names one.

    What does not fit stays text: the API says what is wrong with it.
    """
    plain = text.strip()
    match type_:
        case "string" | "opaque" | "objlnk" | "corelnk":
            return text
        case "boolean":
            return _TRUE_FALSE.get(plain.lower(), text)
    try:
        value = json.loads(plain)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) else text
