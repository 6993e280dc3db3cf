"""Credentials as CSV: read with the number of each line that cannot be taken, written without keys. RFC 4180."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from flownexus_api.credential_bucket import MAX_CHANGES
from flownexus_api.credential_decisions import Change, Made, make, shown_by_another, taken
from flownexus_api.credential_query import place
from flownexus_api.credential_requests import NewCredential, NewPskCredential, NewX509Credential
from flownexus_api.credential_views import credential
from flownexus_api.csv_lines import csv_lines, harmless
from flownexus_api.errors import InvalidLines, advice
from flownexus_runtime.live_credentials import AnyCredential, LiveCredentials
from flownexus_runtime.sealing import Sealer
from flownexus_schemas.credentials import PskCredential
from flownexus_schemas.errors import InvalidRequest

MAX_BYTES = 1 << 20
"""Of a file that is read: MAX_CHANGES lines of long names and keys."""

READ = ("endpoint", "type", "identity", "key", "subject", "not_before", "expires_at")
NEEDED = frozenset({"endpoint", "type"})
WRITTEN = (
    "id",
    "endpoint",
    "type",
    "identity",
    "subject",
    "state",
    "created_at",
    "not_before",
    "expires_at",
    "until_used",
    "revoked_at",
)
PAGE = 1000

_asked: TypeAdapter[NewPskCredential | NewX509Credential] = TypeAdapter(NewCredential)


class Line(NamedTuple):
    """What a line of the file asks for, and its number: the header is in line 1."""

    number: int
    asked: NewPskCredential | NewX509Credential


def read(content: bytes) -> list[Line]:
    """The lines of a file, each in order by itself. Raises InvalidRequest, InvalidLines with all that are not."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise InvalidLines([(number, "it is not UTF-8 text")]) from error
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: list[Line] = []
    wrong: list[tuple[int, str]] = []
    header, number = _header(rows), 2
    try:
        for row in rows:
            try:
                if any(cell.strip() for cell in row):
                    found.append(Line(number, _read(header, row)))
            except InvalidRequest as error:
                wrong.append((number, str(error)))
            number = rows.line_num + 1
    except csv.Error as error:
        wrong.append((number, f"it is not CSV: {error}"))
    if wrong:
        raise InvalidLines(wrong)
    if not found:
        raise InvalidRequest("body: the file has no line below its header.")
    if len(found) > MAX_CHANGES:
        raise InvalidRequest(
            f"body: the file has {len(found)} lines; at most {MAX_CHANGES} go in at once, all or none of them."
        )
    return found


def _header(rows: Iterator[list[str]]) -> list[str]:
    try:
        header = [name.strip() for name in next(rows, [])]
    except csv.Error as error:
        raise InvalidLines([(1, f"it is not CSV: {error}")]) from error
    unknown = [name for name in header if name not in READ]
    if unknown or not NEEDED.issubset(header) or len(set(header)) < len(header):
        raise InvalidLines(
            [(1, f"it is the header: endpoint,type and what is needed of {','.join(READ[2:])}, separated by commas")]
        )
    return header


def _read(header: Sequence[str], row: Sequence[str]) -> NewPskCredential | NewX509Credential:
    """Raises InvalidRequest, whose words have nothing of what was given: it may be a key."""
    if len(row) != len(header):
        raise InvalidRequest(f"it has {len(row)} cells, and the header {len(header)}")
    given = {name: cell.strip() for name, cell in zip(header, row, strict=True) if cell.strip()}
    try:
        return _asked.validate_python(given)
    except ValidationError as error:
        said = "; ".join(_reason(one["loc"], advice(one)) for one in error.errors(include_input=False))
        raise InvalidRequest(said) from error


def _reason(location: Sequence[int | str], said: str) -> str:
    """The type stands in front of each location."""
    where = ".".join(map(str, location[1:]))
    return f"{where}: {said}" if where else said


def made_of(lines: Iterable[Line], sealer: Sealer | None, now: float) -> list[tuple[int, Made]]:
    """What the lines ask for. Raises InvalidLines, Unavailable."""
    made: list[tuple[int, Made]] = []
    wrong: list[tuple[int, str]] = []
    for line in lines:
        try:
            made.append((line.number, make(line.asked, sealer, now)))
        except InvalidRequest as error:
            wrong.append((line.number, str(error)))
    if wrong:
        raise InvalidLines(wrong)
    return made


def added(live: LiveCredentials, made: Iterable[tuple[int, Made]], now: float) -> list[Change]:
    """All of them beside those that there are. Raises InvalidLines where what a device shows would name two."""
    changes: list[Change] = []
    wrong: list[tuple[int, str]] = []
    first: dict[str, int] = {}
    for number, (new, _) in made:
        other = shown_by_another(live, new, now)
        before = first.setdefault(_shown(new), number)
        if other is not None:
            wrong.append((number, taken(new, other).rstrip(".")))
        elif before != number:
            wrong.append((number, f"what it shows is that of line {before} too"))
        changes.append(Change(new.id, new))
    if wrong:
        raise InvalidLines(wrong)
    return changes


def written(credentials: Iterable[AnyCredential], now: float) -> Iterator[bytes]:
    """A file, a thousand lines at a time. No keys: it is for reading, not for importing it elsewhere."""
    yield csv_lines([WRITTEN])
    rest = iter(sorted(credentials, key=place))
    while page := list(islice(rest, PAGE)):
        yield csv_lines(_cells(one, now) for one in page)


def _cells(one: AnyCredential, now: float) -> Iterator[str]:
    shown = credential(one, now).model_dump(mode="json")
    return (harmless(shown[name]) for name in WRITTEN)


def _shown(one: AnyCredential) -> str:
    return f"psk:{one.identity}" if isinstance(one, PskCredential) else one.subject
