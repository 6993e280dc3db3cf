"""Who is signed in: tokens stay in this process, the browser holds a signed session id."""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse

from flownexus_console.api_models import AccessToken, Account


@dataclass(frozen=True)
class Flash:
    """A word of what was done, for the next page alone, and a secret that is shown once."""

    said: str
    is_bad: bool = False
    secret: str = field(default="", repr=False)


@dataclass(eq=False)
class Session:
    """One signed-in browser at `address`. Read `token` anew for each call: a renewal may change it.

    `renew_at` and `expires_at` in seconds of the monotonic clock.
    """

    token: str = field(repr=False)
    account: Account
    renew_at: float
    expires_at: float
    renewing: bool = False
    address: str | None = None
    flash: Flash | None = None

    def take(self, token: AccessToken, now: float) -> None:
        """Go on with a new token, to be renewed when half of its time is gone."""
        self.token = token.access_token
        self.renew_at, self.expires_at = now + token.expires_in / 2, now + token.expires_in


class Sessions:
    """Sessions by the id in the browser's cookie. A restart forgets them: users sign in again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sessions: dict[str, Session] = {}

    def start(self, request: Request, token: AccessToken, account: Account) -> None:
        """Sign the browser in under a new session id, so that one known beforehand is worth nothing."""
        now = self._clock()
        self._sessions = {key: session for key, session in self._sessions.items() if session.expires_at > now}
        self.end(request)
        key = str(uuid.uuid4())
        request.session["id"] = key
        request.session["signed_in"] = True
        session = Session("", account, now, now)
        session.take(token, now)
        session.address = address_of(request)
        self._sessions[key] = session

    def end(self, request: Request) -> Session | None:
        """Sign the browser out: the session that it had."""
        request.session.pop("signed_in", None)
        return self._sessions.pop(request.session.get("id", ""), None)

    def of(self, request: Request) -> Session | None:
        """The session of a request, or None if there is none or it is over."""
        session = self._sessions.get(request.session.get("id", ""))
        return session if session is not None and self.lasts(session) else None

    def lasts(self, session: Session) -> bool:
        """Whether nobody ended the session, in this tab or another, and its token is still good."""
        return session.expires_at > self._clock() and session in self._sessions.values()

    async def keep(self, session: Session, renew: Callable[[str], Awaitable[AccessToken]]) -> None:
        """Exchange the token of a session that lasts when half of its time is gone, by one caller at a time.

        Raises what `renew` raises; the session goes on with the token that it has.
        """
        if session.renewing or self._clock() < session.renew_at or not self.lasts(session):
            return
        session.renewing = True
        try:
            asked_at = self._clock()
            session.take(await renew(session.token), asked_at)
        finally:
            session.renewing = False


def address_of(request: Request) -> str | None:
    """Where the browser is."""
    return request.client.host if request.client else None


def browser_of(request: Request) -> dict[str, str]:
    """The headers that tell the API, where it trusts us, for which browser we ask."""
    agent, address = request.headers.get("user-agent"), address_of(request)
    return ({"User-Agent": agent} if agent else {}) | ({"X-Forwarded-For": address} if address else {})


def safe_target(target: str) -> str:
    """`target` if it is a path of this console, else `/`: a link to us must not lead to somebody else."""
    if not target.startswith("/") or target.startswith(("//", "/\\")) or any(ord(c) < 0x20 for c in target):
        return "/"
    return target


def login_address(target: str, expired: bool) -> str:
    """The login page's address, coming back to `target` after."""
    query = f"next={quote(safe_target(target), safe='')}"
    return f"/login?expired=1&{query}" if expired else f"/login?{query}"


def to_login(request: Request) -> RedirectResponse:
    """Send the browser to the login page, and back here after. Its cookie says whether it was signed in before."""
    expired = bool(request.session.get("signed_in"))
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(login_address(target, expired), status_code=303)
