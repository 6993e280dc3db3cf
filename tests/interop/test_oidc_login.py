"""Logging in at a certified OpenID Connect provider, by the api and by the console."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from nats.js import JetStreamContext

from flownexus_api import accounts
from harness.ports import free_port
from interop.oidc_provider import SECRET, OidcProvider, oidc_provider

if TYPE_CHECKING:
    from conftest import ServiceFactory

PEOPLE = {
    "1001": {"preferred_username": "vera", "groups": ["staff", "iot-operators"]},
    "1002": {"preferred_username": "ada", "groups": ["iot-operators", "iot-admins"]},
    "1003": {"preferred_username": "mallory", "groups": ["staff"]},
    "1004": {"preferred_username": "admin", "groups": ["iot-admins"]},
}
ROLES = '{"iot-operators": "operator", "iot-admins": "administrator"}'
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def console_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory, console_port: int) -> Iterator[OidcProvider]:
    redirect_uri = f"http://127.0.0.1:{console_port}/login/callback"
    with oidc_provider(tmp_path_factory.mktemp("oidc"), redirect_uri, PEOPLE) as one:
        yield one


class Api:
    """The api, and a login that goes through it."""

    def __init__(self, url: str, provider: OidcProvider) -> None:
        self.http = httpx.Client(base_url=f"{url}/api/v1", trust_env=False, timeout=30)
        self.provider = provider

    def begin(self) -> dict[str, str]:
        answer = self.http.post("/auth/oidc/start", json={"redirect_uri": self.provider.redirect_uri})
        assert answer.status_code == 200, answer.text
        begun: dict[str, str] = answer.json()
        return begun

    def come_back(self, begun: dict[str, str], login: str) -> dict[str, str]:
        """What the browser comes back with, after a look at the state."""
        back = dict(self.provider.log_in(begun["url"], login).params)
        assert back["state"] == begun["state"]
        return {"code": back["code"], "redirect_uri": self.provider.redirect_uri}

    def finish(self, begun: dict[str, str], back: dict[str, str], **other: str) -> httpx.Response:
        kept = {"nonce": begun["nonce"], "code_verifier": begun["code_verifier"]}
        return self.http.post("/auth/oidc/finish", json=back | kept | other)

    def log_in(self, login: str) -> httpx.Response:
        begun = self.begin()
        return self.finish(begun, self.come_back(begun, login))

    def get(self, path: str, token: str) -> Any:
        return self.http.get(path, headers={"Authorization": f"Bearer {token}"}).json()


def settings(provider: OidcProvider, **other: str) -> dict[str, Any]:
    given = {
        "FLOWNEXUS_OIDC_ISSUER": provider.issuer,
        "FLOWNEXUS_OIDC_CLIENT_SECRET": SECRET,
        "FLOWNEXUS_OIDC_LABEL": "my.example",
        "FLOWNEXUS_OIDC_ROLES": ROLES,
    }
    return given | other


@contextmanager
def running(service: ServiceFactory, provider: OidcProvider, **other: str) -> Iterator[Api]:
    api = Api(service("flownexus_api", **settings(provider, **other)).health_url, provider)
    with api.http:
        yield api


@pytest.fixture
def api(service: ServiceFactory, js: JetStreamContext, provider: OidcProvider) -> Iterator[Api]:
    with running(service, provider) as one:
        yield one


def test_who_comes_for_the_first_time_becomes_a_user_with_the_role_of_their_groups(api: Api) -> None:
    assert api.http.get("/auth/methods").json() == {"password": True, "oidc": "my.example"}
    for login, name, role in (("1001", "vera", "operator"), ("1002", "ada", "administrator")):
        answer = api.log_in(login)
        assert answer.status_code == 200, answer.text
        me = api.get("/users/me", answer.json()["access_token"])
        assert (me["name"], me["role"]) == (name, role)
    again = api.log_in("1002").json()["access_token"]
    users = api.get("/users", again)["items"]
    assert [(user["name"], user["has_password"], user["issuer"]) for user in users] == [
        ("ada", False, api.provider.issuer),
        ("vera", False, api.provider.issuer),
    ]
    done = [entry["action"] for entry in api.get("/audit?actor=ada", again)["items"]]
    assert done == ["login.succeeded", "login.succeeded", "user.created"]


def test_who_has_no_role_here_is_refused(api: Api) -> None:
    answer = api.log_in("1003")
    assert answer.status_code == 403
    assert "has no role here" in answer.json()["detail"]


def test_a_name_of_the_provider_does_not_make_a_local_user_of_anybody(api: Api, database_url: str) -> None:
    accounts.add_user(database_url, "admin", "administrator", PASSWORD)
    assert api.log_in("1004").status_code == 409
    form = {"username": "vera", "password": "anything at all"}
    api.log_in("1001")
    assert api.http.post("/auth/token", data=form).status_code == 401


def test_a_disabled_user_stays_out(api: Api) -> None:
    api.log_in("1001")
    ada = api.log_in("1002").json()["access_token"]
    headers = {"Authorization": f"Bearer {ada}"}
    assert api.http.patch("/users/vera", json={"disabled": True}, headers=headers).status_code == 200
    assert api.log_in("1001").status_code == 401
    changed = api.http.patch("/users/ada", json={"role": "viewer"}, headers=headers)
    assert changed.status_code == 409
    assert "identity provider" in changed.json()["detail"]


@pytest.mark.parametrize("wrong", ["nonce", "code_verifier", "redirect_uri", "code"])
def test_a_code_is_worth_nothing_without_what_was_kept(api: Api, wrong: str) -> None:
    begun = api.begin()
    back = api.come_back(begun, "1001")
    other = {"redirect_uri": "http://127.0.0.1:1/"}.get(wrong, "x" * 64)
    assert api.finish(begun, back, **{wrong: other}).status_code == 401


def test_a_code_is_good_once(api: Api) -> None:
    begun = api.begin()
    back = api.come_back(begun, "1001")
    assert api.finish(begun, back).status_code == 200
    assert api.finish(begun, back).status_code == 401


def test_a_wrong_client_secret_is_refused_by_the_provider(
    service: ServiceFactory, js: JetStreamContext, provider: OidcProvider
) -> None:
    with running(service, provider, FLOWNEXUS_OIDC_CLIENT_SECRET="another-word-of-the-tests-at-nobody") as api:
        assert api.log_in("1001").status_code == 401


def test_a_provider_that_is_away_or_another_is_503(
    service: ServiceFactory, js: JetStreamContext, provider: OidcProvider
) -> None:
    for issuer in ("http://127.0.0.1:1", f"{provider.issuer}/"):
        with running(service, provider, FLOWNEXUS_OIDC_ISSUER=issuer) as api:
            answer = api.http.post("/auth/oidc/start", json={"redirect_uri": provider.redirect_uri})
            assert answer.status_code == 503


def test_a_browser_signs_in_to_the_console_and_no_other_browser_by_its_address(
    service: ServiceFactory, api: Api, provider: OidcProvider, console_port: int
) -> None:
    api_url = str(api.http.base_url).removesuffix("/api/v1/")
    console = service("flownexus_console", FLOWNEXUS_API_URL=api_url, FLOWNEXUS_CONSOLE_PORT=console_port).health_url
    with httpx.Client(base_url=console, trust_env=False) as browser, httpx.Client(trust_env=False) as victim:
        login = browser.get("/login?next=/account").text
        assert "Sign in with my.example" in login
        assert 'href="/login/oidc?next=%2Faccount"' in login
        to_provider = browser.get("/login/oidc?next=/account")
        back = provider.log_in(to_provider.headers["location"], "1001")
        assert victim.get(back).status_code == 400
        signed_in = browser.get(back)
        assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/account")
        assert "vera" in browser.get("/account").text
        assert browser.get(back).status_code == 400
        denied = provider.log_in(browser.get("/login/oidc").headers["location"], "1003")
        answer = browser.get(denied)
        assert answer.status_code == 403
        assert "has no role here" in answer.text
