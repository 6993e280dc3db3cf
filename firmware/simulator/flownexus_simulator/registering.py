"""The registration of a device as a state machine: what to ask of the server next, and when. LwM2M Core 1.1.1, 6.2."""

from __future__ import annotations

from enum import Enum, auto
from random import Random

from flownexus_schemas.lwm2m.content_format import ContentFormat
from flownexus_simulator import equipment
from flownexus_simulator.coap import Code, Message, Option, Type, unsigned
from flownexus_simulator.values import Tree

LWM2M_VERSION = "1.1"
FIRST_RETRY_S = 5.0
LAST_RETRY_S = 120.0
BOOT_S = 1.0


class Standing(Enum):
    """Where the device stands with the server."""

    OUT = auto()
    REGISTERED = auto()
    LEAVING = auto()
    GONE = auto()


class Kind(Enum):
    """The requests of a device."""

    REGISTER = auto()
    UPDATE = auto()
    DEREGISTER = auto()


NEXT = {Standing.OUT: Kind.REGISTER, Standing.REGISTERED: Kind.UPDATE, Standing.LEAVING: Kind.DEREGISTER}


class Registering:
    """Times are Unix seconds; `due` is when the next request is to be sent, None for never."""

    def __init__(self, endpoint: str, tree: Tree, random: Random, *, queue_mode: bool) -> None:
        self._endpoint = endpoint
        self._tree = tree
        self._random = random
        self._queue_mode = queue_mode
        self._location: tuple[str, ...] = ()
        self._told_lifetime_s = 0
        self._pause_s = FIRST_RETRY_S / 2
        self._leaving = False
        self.standing = Standing.OUT
        self.due: float | None = None

    def begin(self, at: float) -> None:
        """Register at this time, whatever was before."""
        self.standing = Standing.OUT
        self.due = at

    def leave(self, now: float, *, register_under_way: bool) -> None:
        """Deregister now, or after the answer to a Register under way; never to come back."""
        self._leaving = True
        if self.standing is Standing.REGISTERED:
            self.standing = Standing.LEAVING
            self.due = now
        elif self.standing is Standing.OUT and not register_under_way:
            self.standing = Standing.GONE
            self.due = None

    def vanish(self) -> None:
        """Never say anything again."""
        self.standing = Standing.GONE
        self.due = None

    def update_soon(self, now: float) -> None:
        """Send an Update now instead of when it is due."""
        if self.standing is Standing.REGISTERED:
            self.due = now

    def kind(self) -> Kind:
        """The request that `due` is about."""
        return NEXT[self.standing]

    def message(self, kind: Kind, mid: int, token: bytes) -> Message:
        """The request as a confirmable message."""
        options: list[tuple[int, bytes]] = []
        payload = b""
        if kind is Kind.REGISTER:
            self._told_lifetime_s = self._lifetime_s
            payload = equipment.object_links(self._tree).encode()
            options.append((Option.URI_PATH, b"rd"))
            options.append((Option.CONTENT_FORMAT, unsigned(ContentFormat.LINK_FORMAT)))
            queries = [f"lwm2m={LWM2M_VERSION}", f"ep={self._endpoint}", f"lt={self._lifetime_s}", "b=U"]
            if self._queue_mode:
                queries.append("Q")
            options += [(Option.URI_QUERY, query.encode()) for query in queries]
        else:
            options += [(Option.URI_PATH, segment.encode()) for segment in self._location]
            if kind is Kind.UPDATE and self._lifetime_s != self._told_lifetime_s:
                self._told_lifetime_s = self._lifetime_s
                options.append((Option.URI_QUERY, f"lt={self._lifetime_s}".encode()))
        code = Code.DELETE if kind is Kind.DEREGISTER else Code.POST
        return Message(Type.CON, code, mid, token, tuple(options), payload)

    def answered(self, kind: Kind, response: Message, now: float) -> bool:
        """Take the server's answer; False where it refused."""
        if kind is Kind.REGISTER and response.code == Code.CREATED:
            self._location = tuple(response.texts(Option.LOCATION_PATH))
            self._registered(now)
            return True
        if kind is Kind.UPDATE and response.code == Code.CHANGED:
            self._registered(now)
            return True
        self.unanswered(kind, now)
        return kind is Kind.DEREGISTER and response.code == Code.DELETED

    def unanswered(self, kind: Kind, now: float) -> None:
        """The server refused, or was silent to the last: register later, register at once, or be gone."""
        if kind is Kind.DEREGISTER or self._leaving:
            self.standing = Standing.GONE
            self.due = None
        elif kind is Kind.UPDATE:
            self.begin(now)
        else:
            self._pause_s = min(2 * self._pause_s, LAST_RETRY_S)
            self.begin(now + self._pause_s * self._random.uniform(1.0, 1.5))

    def _registered(self, now: float) -> None:
        self._pause_s = FIRST_RETRY_S / 2
        if self._leaving:
            self.standing = Standing.LEAVING
            self.due = now
            return
        self.standing = Standing.REGISTERED
        self.due = now + self._lifetime_s - min(0.3 * self._lifetime_s, 100.0)

    @property
    def _lifetime_s(self) -> int:
        return int(self._tree.value(equipment.LIFETIME))
