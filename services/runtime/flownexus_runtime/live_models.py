"""Object models that grow while a service runs: those it began with, and those uploaded to the KV bucket."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from flownexus_schemas.lwm2m.ddf import parse_ddf
from flownexus_schemas.lwm2m.errors import InvalidObjectModel
from flownexus_schemas.lwm2m.object_model import ObjectModel, ObjectModels

log = structlog.get_logger(__name__)


def model_key(model: ObjectModel) -> str:
    """The key of one version of one object in the bucket: `3303.1.1`."""
    return f"{model.id}.{model.version}"


class LiveObjectModels(ObjectModels):
    """The models as they are now. An uploaded one counts in place of another of the same id and version.

    `on_change` is called after each change.
    """

    __slots__ = ("_first", "_uploaded", "on_change")

    def __init__(self, first: ObjectModels) -> None:
        super().__init__(first)
        self._first = first
        self._uploaded: dict[str, ObjectModel] = {}
        self.on_change: Callable[[], None] = _nothing

    def is_uploaded(self, model: ObjectModel) -> bool:
        """Whether this model came over the bucket."""
        return self._uploaded.get(model_key(model)) is model

    def apply(self, key: str, value: bytes | None, revision: int) -> None:
        """Take over an entry of the bucket, a DDF file; what cannot be read leaves things as they are."""
        if value is None:
            self._uploaded.pop(key, None)
        else:
            try:
                found = [model for model in parse_ddf(value) if model_key(model) == key]
            except InvalidObjectModel as error:
                log.error("object_model.invalid", key=key, revision=revision, error=str(error))
                return
            if not found:
                log.error("object_model.invalid", key=key, revision=revision, error="the file has another object")
                return
            self._uploaded[key] = found[0]
        super().__init__([*self._first, *self._uploaded.values()])
        self.on_change()


def _nothing() -> None:
    """Nobody waits for changes."""
