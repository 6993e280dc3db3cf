"""What a person types as the value of a resource."""

from __future__ import annotations

import pytest

from flownexus_console.typed_values import typed


@pytest.mark.parametrize(
    ("text", "type_", "value"),
    [
        ("300", "integer", 300),
        (" 300 ", "integer", 300),
        ("2.5", "float", 2.5),
        ("300", "string", "300"),
        ("AQI=", "opaque", "AQI="),
        ("true", "boolean", True),
        ("0", "boolean", False),
        ("yes", "boolean", "yes"),
        ("many", "integer", "many"),
        ("300", None, 300),
        ("Europe/Berlin", None, "Europe/Berlin"),
        ('{"a": 1}', None, '{"a": 1}'),
        ("", "string", ""),
    ],
)
def test_text_becomes_a_value_of_the_resources_type(text: str, type_: str | None, value: object) -> None:
    found = typed(text, type_)
    assert found == value
    assert type(found) is type(value)
