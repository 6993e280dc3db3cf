"""Users, logins and API tokens over the REST API, in the name of who is signed in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import quote, urlencode

from flownexus_console.account_models import (
    Accounts,
    Audit,
    EndedSessions,
    LoginSessions,
    NewAccount,
    NewToken,
    Tokens,
    User,
)
from flownexus_console.api_client import ApiClient, forwarded_for, read_answer, translated
from flownexus_console.session import Session
from flownexus_schemas.cloudevent import Frozen

Answer = TypeVar("Answer", bound=Frozen)
MOST_USERS = 500


class AccountClient:
    """Calls raise ApiAway, SignedOut or ApiRefused, as those of ApiClient do."""

    def __init__(self, api: ApiClient) -> None:
        self._http = api.http

    async def change_password(self, session: Session, current: str, password: str) -> User:
        """Take another password; the other logins end."""
        given = {"current": current, "password": password}
        return await self._ask(session, "PUT", "/users/me/password", User, given)

    async def sessions(self, session: Session) -> LoginSessions:
        """Where one is logged in."""
        return await self._ask(session, "GET", "/users/me/sessions", LoginSessions)

    async def end_session(self, session: Session, login: str) -> EndedSessions:
        """End one login; all of them where `login` is empty."""
        path = f"/users/me/sessions/{quote(login, safe='')}" if login else "/users/me/sessions"
        return await self._ask(session, "DELETE", path, EndedSessions)

    async def tokens(self, session: Session) -> Tokens:
        """One's own API tokens."""
        return await self._ask(session, "GET", "/users/me/tokens", Tokens)

    async def create_token(self, session: Session, name: str, scopes: list[str], days: float) -> NewToken:
        """Make an API token."""
        given = {"name": name, "scopes": scopes, "days": days}
        return await self._ask(session, "POST", "/users/me/tokens", NewToken, given)

    async def revoke_token(self, session: Session, token: str) -> Frozen:
        """Take one away."""
        return await self._ask(session, "DELETE", f"/users/me/tokens/{quote(token, safe='')}", Frozen)

    async def users(self, session: Session) -> Accounts:
        """The first 500 users, by name."""
        return await self._ask(session, "GET", f"/users?limit={MOST_USERS}", Accounts)

    async def audit(self, session: Session, asked: Mapping[str, str], cursor: str) -> Audit:
        """A page of the audit: what the filters ask for, from the cursor on."""
        query = urlencode({**asked, **({"cursor": cursor} if cursor else {})})
        return await self._ask(session, "GET", f"/audit?{query}", Audit)

    async def create_user(self, session: Session, name: str, role: str, program: bool) -> NewAccount:
        """Make a user, with a password that is made for them, or a program."""
        given = {"name": name, "role": role, "program": program}
        return await self._ask(session, "POST", "/users", NewAccount, given)

    async def change_user(self, session: Session, name: str, **change: object) -> User:
        """Change `role` or `disabled` of a user."""
        return await self._ask(session, "PATCH", _user(name), User, change)

    async def reset_password(self, session: Session, name: str) -> NewAccount:
        """Make another password for a user."""
        return await self._ask(session, "POST", f"{_user(name)}/password", NewAccount)

    async def end_sessions_of(self, session: Session, name: str) -> EndedSessions:
        """Log a user out everywhere."""
        return await self._ask(session, "DELETE", f"{_user(name)}/sessions", EndedSessions)

    async def delete_user(self, session: Session, name: str) -> User:
        """Remove a user."""
        return await self._ask(session, "DELETE", _user(name), User)

    async def _ask(
        self, session: Session, method: str, path: str, model: type[Answer], given: Mapping[str, object] | None = None
    ) -> Answer:
        headers = {"Authorization": f"Bearer {session.token}", **forwarded_for(session.address)}
        with translated():
            response = await self._http.request(method, f"/api/v1{path}", headers=headers, json=given)
        return read_answer(response, model)


def _user(name: str) -> str:
    return f"/users/{quote(name, safe='')}"
