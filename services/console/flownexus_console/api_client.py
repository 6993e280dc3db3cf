"""The REST API, called with a user's token."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import NoReturn, TypeVar
from urllib.parse import quote

import httpx
from httpx_sse import EventSource, SSEError
from pydantic import ValidationError

from flownexus_console.api_models import (
    AccessToken,
    Account,
    BucketPage,
    EndpointDetail,
    EndpointPage,
    EventPage,
    LoginBegun,
    LoginMethods,
    LogPage,
    ObjectTree,
    ReadingPage,
    Span,
    Statistics,
)
from flownexus_console.errors import ApiAway, ApiRefused, SignedOut
from flownexus_schemas.cloudevent import Frozen

Answer = TypeVar("Answer", bound=Frozen)
Query = dict[str, str | int]

MOST_READINGS = 1000

TIMEOUT = httpx.Timeout(5.0, connect=2.0)
STREAM_TIMEOUT = httpx.Timeout(None, connect=2.0, read=40.0)
"""The API sends a keep-alive each 15 s: a stream silent for 40 s is dead."""


class ApiClient:
    """Calls raise ApiAway, SignedOut (401) or ApiRefused (any other refusal)."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def sign_in(self, name: str, password: str, browser: Mapping[str, str]) -> AccessToken:
        """Exchange name and password for a token, with headers that say for which browser.

        A wrong pair is ApiRefused with status 401.
        """
        form = {"username": name, "password": password}
        with translated():
            response = await self.http.post("/api/v1/auth/token", data=form, headers=browser)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            raise ApiRefused(response.status_code, _detail(response))
        return read_answer(response, AccessToken)

    async def renew(self, token: str) -> AccessToken:
        """A new token for one that is still good; SignedOut where the session has lasted as long as it may."""
        with translated():
            response = await self.http.post("/api/v1/auth/renew", headers={"Authorization": f"Bearer {token}"})
        return read_answer(response, AccessToken)

    async def methods(self) -> LoginMethods:
        """How one can sign in."""
        with translated():
            return read_answer(await self.http.get("/api/v1/auth/methods"), LoginMethods)

    async def begin_login(self, redirect_uri: str) -> LoginBegun:
        """Begin a login at the identity provider."""
        with translated():
            response = await self.http.post("/api/v1/auth/oidc/start", json={"redirect_uri": redirect_uri})
        return read_answer(response, LoginBegun)

    async def finish_login(
        self, begun: LoginBegun, code: str, redirect_uri: str, browser: Mapping[str, str]
    ) -> AccessToken:
        """Exchange what the browser came back with for a token. A code that is not good is SignedOut."""
        given = {
            "code": code,
            "redirect_uri": redirect_uri,
            "nonce": begun.nonce,
            "code_verifier": begun.code_verifier,
        }
        with translated():
            response = await self.http.post("/api/v1/auth/oidc/finish", json=given, headers=browser)
        return read_answer(response, AccessToken)

    async def sign_out(self, token: str) -> None:
        """End the login of a token; one that has ended is no matter."""
        with contextlib.suppress(ApiAway), translated():
            await self.http.post("/api/v1/auth/logout", headers={"Authorization": f"Bearer {token}"})

    async def account(self, token: str) -> Account:
        """Whom the token belongs to."""
        return await self._get(token, "/users/me", {}, Account)

    async def statistics(self, token: str) -> Statistics:
        """Counts over the whole system."""
        return await self._get(token, "/statistics", {}, Statistics)

    async def endpoints(self, token: str, query: Query) -> EndpointPage:
        """Endpoints by `q`, `status`, `sort`, `limit`, `cursor`."""
        return await self._get(token, "/endpoints", query, EndpointPage)

    async def endpoint(self, token: str, name: str) -> EndpointDetail:
        """One endpoint; an unknown one is ApiRefused with status 404."""
        return await self._get(token, _endpoint(name), {}, EndpointDetail)

    async def objects(self, token: str, name: str) -> ObjectTree:
        """Objects, instances and resources of an endpoint, with the latest values."""
        return await self._get(token, _endpoint(name, "/objects"), {}, ObjectTree)

    async def events(self, token: str, name: str, limit: int) -> EventPage:
        """The newest stored events of an endpoint."""
        return await self._get(token, _endpoint(name, "/events"), {"limit": limit}, EventPage)

    async def logs(self, token: str, name: str, q: str, limit: int) -> LogPage:
        """The newest lines of an endpoint's own log; with `q`, those with this text in them."""
        query: Query = {"limit": limit, "q": q} if q else {"limit": limit}
        return await self._get(token, _endpoint(name, "/logs"), query, LogPage)

    async def readings(self, token: str, name: str, path: str, span: Span) -> ReadingPage:
        """Single readings of one resource in a span of time, MOST_READINGS of them at most."""
        query = {"path": path, **_between(span), "limit": MOST_READINGS}
        return await self._get(token, _endpoint(name, "/history"), query, ReadingPage)

    async def buckets(self, token: str, name: str, path: str, span: Span, bucket: str) -> BucketPage:
        """Readings of one resource in a span of time, gathered by `bucket` (`30s`, `5m`, `1h`, `1d`)."""
        query = {"path": path, **_between(span), "bucket": bucket}
        return await self._get(token, _endpoint(name, "/history"), query, BucketPage)

    async def stream(
        self, token: str, chosen: Mapping[str, str | list[str]], last_event_id: str | None = None, of: str = ""
    ) -> AsyncIterator[tuple[str, str]]:
        """Events as they happen, chosen by `endpoint` and `kind`: `(id, CloudEvent as JSON)`. Ends when the API does.
        `of`: what happens to `/operations`, `/firmware-updates` or `/rollouts` in place of events of devices.

        The first has an id only, from which the stream can be resumed.
        """
        headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        with translated():
            async with self.http.stream(
                "GET", f"/api/v1{of}/stream", params=chosen, headers=headers, timeout=STREAM_TIMEOUT
            ) as response:
                if response.status_code != httpx.codes.OK:
                    await response.aread()
                    _refuse(response)
                async for event in EventSource(response).aiter_sse():
                    yield event.id, event.data

    async def _get(self, token: str, path: str, query: Query, model: type[Answer]) -> Answer:
        with translated():
            response = await self.http.get(f"/api/v1{path}", params=query, headers={"Authorization": f"Bearer {token}"})
        return read_answer(response, model)


@contextlib.asynccontextmanager
async def connected(api_url: str) -> AsyncIterator[ApiClient]:
    """A client of the API at `api_url` while the block runs."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
    async with httpx.AsyncClient(base_url=api_url, timeout=TIMEOUT, limits=limits, trust_env=False) as http:
        yield ApiClient(http)


def _endpoint(name: str, rest: str = "") -> str:
    return f"/endpoints/{quote(name, safe='')}{rest}"


def _between(span: Span) -> Query:
    return {"from": span.start.isoformat(), "to": span.end.isoformat()}


def forwarded_for(address: str | None) -> dict[str, str]:
    """The header that tells the API, where it trusts us, whom we ask for."""
    return {"X-Forwarded-For": address} if address else {}


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turns errors of the connection into ApiAway."""
    try:
        yield
    except (httpx.TransportError, SSEError) as error:
        raise ApiAway(str(error) or type(error).__name__) from error


def read_answer(response: httpx.Response, model: type[Answer]) -> Answer:
    """The answer as its model. Raises ApiAway, SignedOut, ApiRefused."""
    if response.status_code not in {httpx.codes.OK, httpx.codes.CREATED, httpx.codes.ACCEPTED}:
        _refuse(response)
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        raise ApiAway(f"an answer that is not the API's: {error.error_count()} errors") from error


def _refuse(response: httpx.Response) -> NoReturn:
    if response.status_code == httpx.codes.UNAUTHORIZED:
        raise SignedOut
    if response.is_server_error:
        raise ApiAway(_detail(response))
    raise ApiRefused(response.status_code, _detail(response), _retry_after_s(response))


def _detail(response: httpx.Response) -> str:
    """What the problem details (RFC 9457) say to a person."""
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if isinstance(problem, dict):
        return str(problem.get("detail") or problem.get("title") or response.reason_phrase)
    return response.reason_phrase


def _retry_after_s(response: httpx.Response) -> float | None:
    try:
        return float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        return None
