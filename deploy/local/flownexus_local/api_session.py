"""Talking to the api of a running system: the login, answers and their errors, pages, streams."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import httpx_sse

from flownexus_local.connection import connection_file, read_connection
from flownexus_local.errors import CannotRun
from flownexus_local.readiness import readiness

API = "/api/v1"
TIMEOUT_S = 15.0
RETRY_S = 0.5
STREAM_SILENCE_S = 45.0
"""The api writes at least a comment every 15 s."""

URL, TOKEN = "FLOWNEXUS_API_URL", "FLOWNEXUS_API_TOKEN"
"""A system anywhere, by an API token; without them the one in the folder, as its first administrator."""


class ApiSession:
    """Logged in, or with an API token. Raises CannotRun where the api is away or refuses."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._api_token = os.environ.get(TOKEN)
        self._connection = None if self._api_token and URL in os.environ else read_connection(folder)
        self.api_url = self._connection.api_url if self._connection else os.environ[URL].rstrip("/")
        self._client = httpx.Client(base_url=self.api_url, timeout=TIMEOUT_S, trust_env=False)

    def __enter__(self) -> Self:
        """Log in."""
        self._log_in()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the login and close the connections."""
        if self._api_token is None:
            with suppress(httpx.HTTPError):
                self._client.post(f"{API}/auth/logout")
        self._client.close()

    def _answer(self, response: httpx.Response) -> httpx.Response:
        if response.is_success:
            return response
        try:
            detail = response.json()["detail"]
        except (ValueError, KeyError, TypeError):
            detail = response.reason_phrase
        raise CannotRun(f"the API answered {response.status_code}: {detail}")

    def _json(self, response: httpx.Response) -> dict[str, Any]:
        answer: dict[str, Any] = self._answer(response).json()
        return answer

    def _every(self, path: str, query: Mapping[str, str | list[str]]) -> Iterator[dict[str, Any]]:
        """The items of all pages of a list."""
        cursor: str | None = None
        while True:
            page = self._json(self._client.get(path, params={**query, **({"cursor": cursor} if cursor else {})}))
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def _pieces(self, path: str, query: Mapping[str, str | list[str]]) -> Iterator[bytes]:
        """The answer as it comes."""
        with self._client.stream("GET", path, params=query) as response:
            if response.is_error:
                response.read()
            self._answer(response)
            yield from response.iter_bytes()

    def _follow(self, path: str, query: Mapping[str, str]) -> Iterator[httpx_sse.ServerSentEvent]:
        """Where the api goes away, it goes on from there when it is back."""
        resume: dict[str, str] = {}
        while True:
            try:
                with self._stream(path, query, resume) as source:
                    for event in source.iter_sse():
                        if not event.data:  # the hint when to connect again
                            continue
                        resume = {"Last-Event-ID": event.id}
                        yield event
            except httpx.TransportError:
                self._wait_for_api()
            # The api ends the stream when the token does.
            self._log_in()

    @contextmanager
    def _stream(self, path: str, query: Mapping[str, str], resume: dict[str, str]) -> Iterator[httpx_sse.EventSource]:
        patience = httpx.Timeout(TIMEOUT_S, read=STREAM_SILENCE_S)
        with httpx_sse.connect_sse(self._client, "GET", path, params=query, headers=resume, timeout=patience) as source:
            if source.response.is_error:
                source.response.read()
            self._answer(source.response)
            yield source

    def _wait_for_api(self) -> None:
        while not readiness(self.api_url).ready:
            time.sleep(RETRY_S)

    def _log_in(self) -> None:
        self._client.headers["Authorization"] = f"Bearer {self._api_token or self._session_token()}"

    def _session_token(self) -> str:
        connection = self._connection
        assert connection is not None
        if connection.admin_password is None:
            raise CannotRun(
                f"{connection_file(self._folder)} has no password, since the database had users before this folder was "
                f"made: make an API token (`flownexus token create`) and put it into {TOKEN}"
            )
        form = {"username": connection.admin_user, "password": connection.admin_password}
        try:
            response = self._client.post(f"{API}/auth/token", data=form)
        except httpx.TransportError:
            raise CannotRun(
                f"nothing answers at {self.api_url}: is `flownexus up` running in {self._folder}?"
            ) from None
        if response.status_code == httpx.codes.UNAUTHORIZED:
            raise CannotRun(
                f"{connection.admin_user} has another password now than {connection_file(self._folder)} says: make an "
                f"API token (`flownexus token create`) and put it into {TOKEN}"
            )
        return str(self._answer(response).json()["access_token"])
