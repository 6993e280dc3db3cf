"""What a kind of message of LWM2M_OPERATIONS becomes: rows, each with the stage that writes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import BaseModel

from flownexus_ingest.rows import Rejected
from flownexus_ingest.staging import Stage
from flownexus_runtime.stream_message import Message

NUL, ITS_SYMBOL = "\0", "\N{SYMBOL FOR NULL}"


@dataclass(slots=True)
class Projected:
    """Rows in the order in which they are written, and the messages that cannot be read."""

    rows: list[tuple[Stage, Sequence[Sequence[Any]]]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Projection:
    """One kind of message, those below `subjects`, which ends in `>`; `forget` as StreamPosition has it."""

    subjects: str
    stages: tuple[Stage, ...]
    forget: tuple[str, ...]
    project: Callable[[Sequence[Message]], Projected]

    def of(self, messages: Sequence[Message]) -> Projected:
        """Those of this kind, as rows."""
        below = self.subjects.removesuffix(">")
        return self.project([message for message in messages if message.subject.startswith(below)])


def text(given: str) -> str:
    """PostgreSQL has no NUL in text: its symbol stands for it. The stream keeps it as it was."""
    return given.replace(NUL, ITS_SYMBOL)


def json(part: BaseModel) -> str:
    """The part as JSON that PostgreSQL takes."""
    return orjson.dumps(_without_nul(part.model_dump(mode="json"))).decode()


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        return {text(key): _without_nul(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    return value
