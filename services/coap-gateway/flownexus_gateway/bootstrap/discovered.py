"""What a device has before its bootstrap, by its answer to Bootstrap-Discover. Sans-IO. LwM2M Core 1.1.1, 6.1.7.2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flownexus_schemas.bootstrap.configuration import LAST_SHORT_SERVER_ID, NO_SHORT_SERVER_ID, SECURITY, SERVER
from flownexus_schemas.lwm2m.errors import InvalidPath
from flownexus_schemas.lwm2m.link_format import salvage_links
from flownexus_schemas.lwm2m.path import Path

USUAL_BOOTSTRAP_ACCOUNTS = frozenset({0, 1})
"""Instances of object 0 at which clients have the account of their bootstrap server, where they do not tell."""


@dataclass(frozen=True, slots=True)
class Discovered:
    """`accounts`: instances of objects 0 and 1 with the short server id that each is of. None for the account of the
    bootstrap server, and where none is stated. `is_known`: whether the device told at all.
    """

    accounts: Mapping[tuple[int, int], int | None] = field(default_factory=dict)
    is_known: bool = False

    @classmethod
    def parse(cls, payload: bytes) -> Discovered:
        """Read the links; raises nothing. What is no link is left out: Wakaama writes URIs with half their quotes."""
        links, _ = salvage_links(payload.decode(errors="replace"))
        accounts: dict[tuple[int, int], int | None] = {}
        for link in links:
            try:
                path = Path.parse(link.target)
            except InvalidPath:
                continue
            if path.depth == 2 and path.ids[0] in {SECURITY, SERVER}:
                accounts[path.ids[0], path.ids[1]] = _short_server_id(link.get("ssid"))
        return cls(accounts, any(object_id == SECURITY for object_id, _ in accounts))

    @property
    def bootstrap_accounts(self) -> frozenset[int]:
        """Instances of object 0 that must not be written: that of the bootstrap server, or where it usually is."""
        if not self.is_known:
            return USUAL_BOOTSTRAP_ACCOUNTS
        return frozenset(
            instance
            for (object_id, instance), short in self.accounts.items()
            if object_id == SECURITY and short is None
        )

    def instance_of(self, object_id: int, short_server_id: int) -> int | None:
        """The instance that the device has for this server."""
        found = (
            instance for (of, instance), short in self.accounts.items() if (of, short) == (object_id, short_server_id)
        )
        return next(found, None)

    def instances(self, object_id: int) -> frozenset[int]:
        """All that it has of object 0 or 1."""
        return frozenset(instance for of, instance in self.accounts if of == object_id)


def _short_server_id(text: str | None) -> int | None:
    """None for those that no server has: 0 and 65535 are of the bootstrap server. LwM2M Core 1.1.1, E.1."""
    number = int(text) if text is not None and text.isascii() and text.isdecimal() and len(text) <= 5 else 0
    return number if NO_SHORT_SERVER_ID < number <= LAST_SHORT_SERVER_ID else None
