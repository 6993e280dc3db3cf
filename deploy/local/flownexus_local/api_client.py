"""The api of a running system, as the commands of a terminal use it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx
import httpx_sse
from pydantic import BaseModel

from flownexus_local.connection import Connection, connection_file, read_connection
from flownexus_local.errors import CannotRun
from flownexus_local.readiness import readiness
from flownexus_schemas.events import Event, parse_event

API = "/api/v1"
PAGE = 500
TIMEOUT_S = 15.0
RETRY_S = 0.5
QUEUE_S = 40.0
"""Seconds that a request to a device may take beside the wait for the device itself."""
STREAM_SILENCE_S = 45.0
"""The api writes at least a comment every 15 s."""


class Endpoint(BaseModel):
    """A device as the api lists it."""

    name: str
    status: str
    lwm2m_version: str | None = None
    queue_mode: bool | None = None
    lifetime_s: int | None = None
    last_seen_at: datetime | None = None
    address: dict[str, Any] | None = None


class KnownObject(BaseModel):
    """One version of one object that has a model."""

    id: int
    version: str
    name: str
    uploaded: bool


class ApiClient:
    """Logged in as the first administrator. Raises CannotRun where the api is away or refuses the login."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._connection: Connection = read_connection(folder)
        self._client = httpx.Client(base_url=self._connection.api_url, timeout=TIMEOUT_S, trust_env=False)

    def __enter__(self) -> Self:
        """Log in."""
        self._log_in()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self._client.close()

    def endpoints(self) -> Iterator[Endpoint]:
        """All of them, by name."""
        cursor: str | None = None
        while True:
            query: dict[str, str | int] = {"limit": PAGE} | ({"cursor": cursor} if cursor else {})
            page = self._answer(self._client.get(f"{API}/endpoints", params=query)).json()
            yield from map(Endpoint.model_validate, page["items"])
            cursor = page["next"]
            if cursor is None:
                return

    def ask(self, endpoint: str, request: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        """The answer of a device to one request, which may wait for those before it."""
        path = f"{API}/endpoints/{quote(endpoint, safe='')}/requests"
        patience = httpx.Timeout(TIMEOUT_S, read=timeout_s + QUEUE_S)
        answer: dict[str, Any] = self._answer(self._client.post(path, json=request, timeout=patience)).json()
        return answer

    def models(self) -> list[KnownObject]:
        """All object models."""
        return self._models(self._client.get(f"{API}/models"))

    def add_models(self, xml: bytes) -> list[KnownObject]:
        """Upload a file of OMA DDF XML: its objects."""
        return self._models(self._client.put(f"{API}/models", content=xml))

    def _models(self, response: httpx.Response) -> list[KnownObject]:
        return [KnownObject.model_validate(item) for item in self._answer(response).json()["items"]]

    def events(self, endpoint: str | None) -> Iterator[Event]:
        """What happens from now on, without end: where the api goes away, it goes on from there when it is back."""
        query = {"endpoint": endpoint} if endpoint else {}
        resume: dict[str, str] = {}
        while True:
            try:
                with self._stream(query, resume) as source:
                    for event in source.iter_sse():
                        if not event.data:  # the hint when to connect again
                            continue
                        resume = {"Last-Event-ID": event.id}
                        yield parse_event(event.data.encode())
            except httpx.TransportError:
                self._wait_for_api()
            # The api ends the stream when the token does.
            self._log_in()

    @contextmanager
    def _stream(self, query: dict[str, str], resume: dict[str, str]) -> Iterator[httpx_sse.EventSource]:
        patience = httpx.Timeout(TIMEOUT_S, read=STREAM_SILENCE_S)
        with httpx_sse.connect_sse(
            self._client, "GET", f"{API}/stream", params=query, headers=resume, timeout=patience
        ) as source:
            if source.response.is_error:
                source.response.read()
            self._answer(source.response)
            yield source

    def _wait_for_api(self) -> None:
        while not readiness(self._connection.api_url).ready:
            time.sleep(RETRY_S)

    def _log_in(self) -> None:
        password = self._connection.admin_password
        if password is None:
            raise CannotRun(
                f"{connection_file(self._folder)} has no password: the database had users before this folder was made"
            )
        form = {"username": self._connection.admin_user, "password": password}
        try:
            response = self._client.post(f"{API}/auth/token", data=form)
        except httpx.TransportError:
            raise CannotRun(
                f"nothing answers at {self._connection.api_url}: is `flownexus up` running in {self._folder}?"
            ) from None
        self._client.headers["Authorization"] = f"Bearer {self._answer(response).json()['access_token']}"

    def _answer(self, response: httpx.Response) -> httpx.Response:
        if response.is_success:
            return response
        try:
            detail = response.json()["detail"]
        except (ValueError, KeyError, TypeError):
            detail = response.reason_phrase
        raise CannotRun(f"the API answered {response.status_code}: {detail}")
