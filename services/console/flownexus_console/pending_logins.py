"""Logins that are under way at the identity provider, each bound to the browser that began it."""

from __future__ import annotations

import hmac
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from flownexus_console.api_models import LoginBegun

LASTS_S = 600.0
MOST = 1000
COOKIE_KEY = "pending_login"


@dataclass(frozen=True)
class Pending:
    """One of them, and where it leads."""

    begun: LoginBegun
    target: str
    expires_at: float


class PendingLogins:
    """By an id in the browser's signed cookie: a `state` that another browser began is worth nothing here."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pending: dict[str, Pending] = {}

    def keep(self, request: Request, begun: LoginBegun, target: str) -> None:
        """Remember one for ten minutes; the oldest go where there are too many."""
        now = self._clock()
        self._pending = {key: one for key, one in self._pending.items() if one.expires_at > now}
        while len(self._pending) >= MOST:
            self._pending.pop(next(iter(self._pending)))
        key = str(uuid.uuid4())
        request.session[COOKIE_KEY] = key
        self._pending[key] = Pending(begun, target, now + LASTS_S)

    def take(self, request: Request, state: str) -> Pending | None:
        """The one that this browser began with this `state`, once; None if there is none or its time is over."""
        pending = self._pending.pop(request.session.pop(COOKIE_KEY, ""), None)
        if pending is None or pending.expires_at <= self._clock():
            return None
        return pending if hmac.compare_digest(pending.begun.state.encode(), state.encode()) else None
