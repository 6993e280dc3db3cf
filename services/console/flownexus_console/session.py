"""Who is signed in: tokens stay in this process, the browser holds a signed session id."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse

from flownexus_console.api_models import AccessToken, Account


@dataclass(frozen=True)
class Session:
    """One signed-in browser. `expires_at` in seconds of the monotonic clock."""

    token: str
    account: Account
    expires_at: float


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
        self._sessions[key] = Session(token.access_token, account, now + token.expires_in)

    def end(self, request: Request) -> None:
        """Sign the browser out."""
        self._sessions.pop(request.session.get("id", ""), None)
        request.session.pop("signed_in", None)

    def of(self, request: Request) -> Session | None:
        """The session of a request, or None if there is none or it is over."""
        session = self._sessions.get(request.session.get("id", ""))
        return session if session is not None and self.lasts(session) else None

    def lasts(self, session: Session) -> bool:
        """Whether nobody ended the session, in this tab or another, and its token is still good."""
        return session.expires_at > self._clock() and session in self._sessions.values()


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
