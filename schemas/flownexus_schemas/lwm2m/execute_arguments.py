"""Arguments of an Execute: `0='a',1`. LwM2M Core 1.1.1, 6.3.5."""

from __future__ import annotations

import re

from flownexus_schemas.lwm2m.errors import InvalidArguments

# CHAR: printable ASCII without space, quotation mark, apostrophe and backslash.
_ARGUMENT = re.compile(r"([0-9])(?:='[!#-&(-\[\]-~]*')?")


def check_arguments(text: str) -> None:
    """Raises InvalidArguments: not a list of digits, each at most once, with or without a value in apostrophes."""
    digits: set[str] = set()
    position = 0
    while True:
        found = _ARGUMENT.match(text, position)
        if found is None or (found.end() < len(text) and text[found.end()] != ","):
            raise InvalidArguments(
                f"at character {position + 1}: arguments are digits with or without a value, like 0='a',1; a value has "
                "printable ASCII without space, quotation marks and backslash"
            )
        if found[1] in digits:
            raise InvalidArguments(f"the argument {found[1]} is given twice")
        digits.add(found[1])
        if found.end() == len(text):
            return
        position = found.end() + 1
