"""What a server observes on a device. RFC 7641; LwM2M Core 1.1.1, 6.4."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flownexus_simulator.values import Leaves, Path, Tree

SEQUENCE_MODULUS = 1 << 24

Key = tuple[Path, ...]
"""The paths observed: what an observation is, whatever its token."""


@dataclass(slots=True)
class Observation:
    """One observation. `content_format` is that of its notifications.

    Stale: the device has begun to register anew and the server has not observed again. What is measured is kept for
    it, and waits.
    """

    token: bytes
    paths: Key
    content_format: int
    composite: bool
    sequence: int = 0
    stale: bool = False

    @property
    def base(self) -> Path:
        """The path that values are relative to: the root for a composite one."""
        return () if self.composite else self.paths[0]

    def next_sequence(self) -> int:
        """The value of the Observe option of the next notification."""
        self.sequence = (self.sequence + 1) % SEQUENCE_MODULUS
        return self.sequence

    def select(self, tree: Tree) -> Leaves:
        """The values observed."""
        return select(tree, self.paths)


def select(tree: Tree, paths: Key) -> Leaves:
    """The values at or below any of the paths, each once."""
    return list(dict(item for path in paths for item in tree.below(path)).items())


class Observations:
    """The observations of a device, one for each set of paths; observing again replaces the token."""

    def __init__(self) -> None:
        self._by_key: dict[Key, Observation] = {}

    def __iter__(self) -> Iterator[Observation]:
        return iter(tuple(self._by_key.values()))

    def __len__(self) -> int:
        return len(self._by_key)

    def get(self, key: Key) -> Observation | None:
        """The observation of these paths."""
        return self._by_key.get(key)

    def add(self, observation: Observation) -> None:
        """Begin, or begin anew."""
        self._by_key[observation.paths] = observation

    def cancel(self, key: Key) -> None:
        """End the observation of these paths, if there is one."""
        self._by_key.pop(key, None)

    def cancel_token(self, token: bytes) -> None:
        """End the observation with this token, if there is one."""
        for observation in self:
            if observation.token == token:
                self.cancel(observation.paths)

    def make_stale(self) -> None:
        """The device registers anew."""
        for observation in self:
            observation.stale = True

    def drop_stale(self) -> None:
        """The device has registered: what the server has not observed again by now is over."""
        for observation in self:
            if observation.stale:
                self.cancel(observation.paths)
