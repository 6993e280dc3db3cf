"""Requests that schemathesis makes from the OpenAPI document, right ones and wrong ones: none is a fault of ours."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from nats.js import JetStreamContext
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from sqlalchemy import func, insert

from flownexus_api import accounts, api_tokens, bearer, user_changes
from flownexus_api.app import create_app
from flownexus_api.scopes import Scope
from flownexus_schemas.tables import Session
from integration.api.callers import PASSWORD

if TYPE_CHECKING:
    from conftest import ServiceFactory

EXAMPLES = 8
"""Requests of each kind for each route: some 1,000 in all, so that the test ends within minutes."""

FEW = 3
STREAM_S = 1.0
OWN = ("/auth/", "/users/me/")
"""What only a login may ask."""

DOCUMENT: dict[str, Any] = create_app().openapi()


class Asking:
    """The running api, asked with a token that is good for everything, or by somebody who is logged in."""

    def __init__(self, url: str, database_url: str) -> None:
        self.url, self._database_url = url, database_url
        accounts.add_user(database_url, "ada", "administrator", PASSWORD)
        with accounts.transaction(database_url) as connection:
            ada = user_changes.find(connection, "ada")
            self._ada: int = ada.id
            self._api_token = api_tokens.create(connection, ada, "everything", Scope, 1).token
        self._login = "none yet"
        self.statuses: set[int] = set()
        self.faults: dict[str, str] = {}

    def ask(self, case: Any, is_stream: bool) -> None:
        """Keep the first answer of 500 or above of each route."""
        token = self._logged_in() if any(part in case.path for part in OWN) else self._api_token
        headers = {"Authorization": f"Bearer {token}"}
        try:
            answer = case.call(base_url=self.url, headers=headers, timeout=STREAM_S if is_stream else 60)
        except requests.ReadTimeout:
            assert is_stream, f"{case.method} {case.path} is not answered"
            return
        self.statuses.add(answer.status_code)
        if answer.status_code >= 500:
            self.faults.setdefault(f"{case.method} {case.path}", f"{case.as_curl_command()}\n{answer.text}")

    def _logged_in(self) -> str:
        """The token of a login; another one where the last was ended.

        Not by the password: wrong ones of now, which requests to change it have, make the next login wait.
        """
        me = httpx.get(f"{self.url}/api/v1/users/me", headers={"Authorization": f"Bearer {self._login}"}, timeout=30)
        if me.status_code != 200:
            self._login = bearer.new_token(bearer.SESSION)
            end = func.now() + timedelta(hours=1)
            session = {"id": bearer.new_id(), "token_hash": bearer.digest(self._login), "user_id": self._ada}
            with accounts.transaction(self._database_url) as connection:
                connection.execute(insert(Session).values(**session, expires_at=end, ends_at=end))
        return self._login


def operations() -> Iterator[Any]:
    for found in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations():
        assert isinstance(found, Ok), found
        yield found.ok()


def try_out(asking: Asking, operation: Any, mode: GenerationMode) -> None:
    is_stream = "/stream" in operation.path

    @settings(
        max_examples=FEW if is_stream else EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        asking.ask(case, is_stream)

    try:
        ask()
    except Unsatisfiable:
        # A route without parameters and body has no wrong request.
        assert mode is GenerationMode.NEGATIVE, operation.label


@pytest.mark.timeout(1200)
def test_no_request_is_answered_by_a_fault_of_ours(
    service: ServiceFactory, js: JetStreamContext, database_url: str
) -> None:
    key = "a key of the tests and of nobody else"
    api = service("flownexus_api", FLOWNEXUS_LOG_LEVEL="warning", FLOWNEXUS_CREDENTIALS_KEY=key)
    asking = Asking(api.health_url, database_url)
    tried = 0
    for operation in operations():
        for mode in GenerationMode:
            try_out(asking, operation, mode)
        tried += 1
    assert not asking.faults, "\n".join(asking.faults.values())
    assert tried == sum(len(methods) for methods in DOCUMENT["paths"].values())
    assert {200, 201, 404, 422} <= asking.statuses, "the requests do not get far"
