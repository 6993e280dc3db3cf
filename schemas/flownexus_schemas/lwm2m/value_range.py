"""Which values a resource takes, as its object definition says in RangeEnumeration."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.record import Value

Number = int | float

_NUMERIC = frozenset({DataType.INTEGER, DataType.UNSIGNED, DataType.FLOAT, DataType.TIME})
_SIZED = frozenset({DataType.STRING, DataType.OPAQUE})

_NUMBER = r"[+-]?[0-9]{1,20}(?:\.[0-9]{1,20})?"
_SPAN = re.compile(rf"({_NUMBER})\s*(?:\.\.\.?|to)\s*({_NUMBER})")
# Files of LwM2M 1.0 write 0-255, and 16-32-48 for one of three.
_DASHED = re.compile(r"[0-9]{1,20}(?:\s*-\s*[0-9]{1,20})+")
_BOUND = re.compile(rf"(>=|<=|>|<)\s*({_NUMBER})")
_SINGLE = re.compile(_NUMBER)
_LABELLED = re.compile(rf"({_NUMBER})\s*[:=]\s*\S.*")
_BYTES = re.compile(r"\s*\bbytes?\s*$", re.IGNORECASE)
_SEPARATOR = re.compile(r"\s*(?:[,;]|\bor\b)\s*")


@dataclass(frozen=True, slots=True)
class Span:
    """The numbers between two bounds, None for no bound; a bound belongs to the span unless it is exclusive."""

    lowest: Number | None
    highest: Number | None
    exclusive: bool = False

    def __contains__(self, number: Number) -> bool:
        if self.exclusive and number in (self.lowest, self.highest):
            return False
        return (self.lowest is None or self.lowest <= number) and (self.highest is None or number <= self.highest)


@dataclass(frozen=True, slots=True)
class ValueRange:
    """What is allowed: a number in one of the spans, or for text and opaque data a size in bytes in one of them.

    `text` is what the object definition says, to be shown to whoever sent another value.
    """

    text: str
    spans: tuple[Span, ...]
    sizes: bool

    def allows(self, value: Value) -> bool:
        """Whether the value is in the range. False for one of another kind, and for a float that is no number."""
        if self.sizes:
            if not isinstance(value, str | bytes):
                return False
            number: Number = len(value.encode(errors="surrogatepass") if isinstance(value, str) else value)
        elif isinstance(value, str | bytes):
            return False
        else:
            number = value
        return any(number in span for span in self.spans)


@lru_cache(maxsize=1024)
def parse_range(text: str, data_type: DataType | None) -> ValueRange | None:
    """Read `1..10`, `0-255`, `0,1,2`, `0..247, 255`, `>=0`, `0: off` on each line, `16,32,48 bytes`. Raises nothing.

    None, which is no constraint, for what is not understood: the field is free text, and to refuse a good value is
    worse than to pass a bad one on to the device. For the same reason a single number is the largest size of text and
    opaque data, and says nothing of a number: registered files mean bits, or the highest value, by it.
    LwM2M Core 1.1.1, appendix D.1.
    """
    stripped = text.strip()
    sizes = data_type in _SIZED
    if not stripped or not (sizes or data_type in _NUMERIC):
        return None
    spans = _labelled(stripped) if "\n" in stripped and not sizes else _items(stripped, sizes)
    return ValueRange(stripped, spans, sizes) if spans else None


def _items(text: str, sizes: bool) -> tuple[Span, ...]:
    """Empty where any item is not understood."""
    bare = _BYTES.sub("", text) if sizes else text
    spans: list[Span] = []
    for item in _SEPARATOR.split(bare):
        read = _item(item)
        if read is None:
            return ()
        spans.extend(read)
    if len(spans) == 1 and _SINGLE.fullmatch(bare):
        return (Span(None, spans[0].highest),) if sizes else ()
    return tuple(spans)


def _item(text: str) -> list[Span] | None:
    if match := _SPAN.fullmatch(text):
        # A few registered files have the higher bound first.
        lowest, highest = sorted((_number(match[1]), _number(match[2])))
        return [Span(lowest, highest)]
    if _SINGLE.fullmatch(text):
        return [_one(text)]
    if _DASHED.fullmatch(text):
        parts = text.split("-")
        if len(parts) > 2:
            return [_one(part) for part in parts]
        lowest, highest = sorted((_number(parts[0]), _number(parts[1])))
        return [Span(lowest, highest)]
    if match := _BOUND.fullmatch(text):
        number, exclusive = _number(match[2]), "=" not in match[1]
        return [Span(number, None, exclusive) if match[1].startswith(">") else Span(None, number, exclusive)]
    return None


def _labelled(text: str) -> tuple[Span, ...]:
    """One value a line, each with its name; empty where a line is anything else."""
    matches = [_LABELLED.fullmatch(line.strip()) for line in text.split("\n")]
    found = [match for match in matches if match is not None]
    return tuple(_one(match[1]) for match in found) if len(found) == len(matches) else ()


def _one(text: str) -> Span:
    number = _number(text)
    return Span(number, number)


def _number(text: str) -> Number:
    bare = text.strip()
    return float(bare) if "." in bare else int(bare)
