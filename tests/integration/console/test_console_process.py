"""The console as a process, with no API behind it: what a browser meets before the login, settings, the end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from harness.services import CONSOLE_SECRET, ServiceProcess

if TYPE_CHECKING:
    from conftest import ServiceFactory


NO_API = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    process = ServiceProcess("flownexus_console", {"FLOWNEXUS_API_URL": NO_API}, tmp_path_factory.mktemp("console"))
    process.start()
    yield process
    process.kill()


@pytest.fixture
def browser(console: ServiceProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=console.health_url, trust_env=False) as client:
        yield client


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/users",
        "/audit",
        "/account",
        "/endpoints/urn:imei:356938035643809",
        "/endpoints/a%2Fb",
        "/firmware",
        "/rollouts",
        "/rollouts/a",
    ],
)
def test_without_a_login_each_page_leads_to_the_login(browser: httpx.Client, path: str) -> None:
    response = browser.get(path)
    assert response.status_code == 303
    assert response.headers["location"].startswith("/login?next=%2F")


def test_without_a_login_no_image_is_read(browser: httpx.Client) -> None:
    image = {"image": ("fw.bin", b"x" * 100_000)}
    response = browser.post("/firmware/upload", data={"name": "a", "version": "1"}, files=image)
    assert response.status_code == 303
    assert response.headers["location"].startswith("/login?")


def test_each_answer_tells_the_browser_what_the_page_may_do(browser: httpx.Client) -> None:
    for path in ("/login", "/", "/assets/console.css", "/nothing-here"):
        headers = browser.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"], path
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["x-frame-options"] == "DENY", path


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(browser: httpx.Client) -> None:
    cookie = browser.get("/login").headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie


def test_the_cookie_is_kept_to_https_where_that_is_set(service: ServiceFactory) -> None:
    console = service("flownexus_console", FLOWNEXUS_API_URL=NO_API, FLOWNEXUS_CONSOLE_COOKIE_SECURE="true")
    cookie = httpx.get(f"{console.health_url}/login", trust_env=False).headers["set-cookie"].lower()
    assert "; secure" in cookie
    assert cookie.startswith("__host-flownexus_console=")


def test_a_made_up_session_cookie_is_worth_nothing(browser: httpx.Client) -> None:
    response = browser.get("/", headers={"Cookie": "flownexus_console=eyJpZCI6ICJ4In0=.aaaaaa.bbbbbb"})
    assert response.status_code == 303


def test_the_login_says_that_the_api_is_away(browser: httpx.Client) -> None:
    response = browser.post("/login", data={"name": "ada", "password": "secret", "next": "/"})
    assert response.status_code == 503
    assert "The API does not answer" in response.text
    assert 'value="ada"' in response.text
    assert "secret" not in response.text


def test_what_was_typed_comes_back_escaped(browser: httpx.Client) -> None:
    text = '"><script>alert(1)</script>'
    response = browser.post("/login", data={"name": text, "password": "x", "next": text})
    assert "<script>alert" not in response.text


@pytest.mark.parametrize("path", ["/login", "/logout"])
def test_a_form_of_another_site_is_refused(browser: httpx.Client, path: str) -> None:
    form = {"name": "ada", "password": "secret"}
    assert browser.post(path, data=form, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


@pytest.mark.parametrize("origin", ["http://127.0.0.1:1", "https://evil.example", "null"])
def test_another_port_of_this_host_is_another_site(browser: httpx.Client, origin: str) -> None:
    for path in ("/login", "/account/password", "/users/add", "/_nicegui_ws/socket.io/?EIO=4&transport=polling"):
        assert browser.post(path, headers={"Origin": origin}).status_code == 403, path
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "x" * 22 + "==",
    }
    answer = browser.get("/_nicegui_ws/socket.io/?EIO=4&transport=websocket", headers={"Origin": origin, **upgrade})
    assert answer.status_code == 403


def test_our_own_pages_may_send(browser: httpx.Client) -> None:
    own = str(browser.base_url).rstrip("/")
    form = {"name": "ada", "password": "secret"}
    assert browser.post("/login", data=form, headers={"Origin": own}).status_code == 503
    assert browser.post("/login", data=form, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 503


def test_a_trusted_proxy_says_that_the_browser_came_over_tls(service: ServiceFactory) -> None:
    console = service("flownexus_console", FLOWNEXUS_API_URL=NO_API, FLOWNEXUS_TRUSTED_PROXIES='["127.0.0.0/8"]')
    forwarded = {"X-Forwarded-Proto": "https"}
    headers = httpx.get(f"{console.health_url}/login", headers=forwarded, trust_env=False).headers
    assert headers["strict-transport-security"] == "max-age=31536000"


def test_a_prefix_header_does_not_bend_redirects(browser: httpx.Client) -> None:
    response = browser.get("/", headers={"X-Forwarded-Prefix": "//evil.example"})
    assert response.headers["location"].startswith("/login?")


def test_it_is_ready_without_the_api(browser: httpx.Client) -> None:
    assert browser.get("/readyz").status_code == 200
    assert browser.get("/healthz").json() == {"alive": True}
    assert "python_info" in browser.get("/metrics").text


def test_it_ends_cleanly_on_sigterm(service: ServiceFactory) -> None:
    service("flownexus_console", FLOWNEXUS_API_URL=NO_API).stop(timeout_s=5)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"FLOWNEXUS_CONSOLE_SECRET": "short"}, "FLOWNEXUS_CONSOLE_SECRET: too short"),
        ({"FLOWNEXUS_API_URL": "nowhere"}, "FLOWNEXUS_API_URL: "),
        ({"FLOWNEXUS_TRUSTED_PROXIES": "everybody"}, "FLOWNEXUS_TRUSTED_PROXIES: "),
        ({"FLOWNEXUS_CONSOLE_PORT": "70000"}, "FLOWNEXUS_CONSOLE_PORT: "),
    ],
)
def test_a_setting_that_cannot_work_is_one_line_and_exit_code_2(
    tmp_path: Path, given: dict[str, str], reason: str
) -> None:
    ended = _run(tmp_path, given)
    assert ended.returncode == 2
    assert reason in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def test_a_port_in_use_is_one_line_and_exit_code_2(console: ServiceProcess, tmp_path: Path) -> None:
    ended = _run(tmp_path, {"FLOWNEXUS_CONSOLE_PORT": console.env["FLOWNEXUS_CONSOLE_PORT"]})
    assert ended.returncode == 2
    assert "cannot listen" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def _run(folder: Path, given: dict[str, str]) -> subprocess.CompletedProcess[str]:
    settings = {"FLOWNEXUS_API_URL": NO_API, "FLOWNEXUS_CONSOLE_SECRET": CONSOLE_SECRET, **given}
    command = [sys.executable, "-m", "flownexus_console"]
    return subprocess.run(command, env=settings, cwd=folder, capture_output=True, text=True, timeout=30, check=False)
