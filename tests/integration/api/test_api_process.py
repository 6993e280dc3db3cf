"""The API as a process."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from flownexus_api import accounts
from harness.embedded import RunningNats, RunningPostgres
from harness.ports import free_port
from harness.waiting import blocking_until

if TYPE_CHECKING:
    from conftest import ServiceFactory


def log_in(url: str, database_url: str) -> dict[str, str]:
    accounts.add_user(database_url, "vera", "viewer", "a good password")
    answer = httpx.post(f"{url}/api/v1/auth/token", data={"username": "vera", "password": "a good password"})
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def test_it_serves_and_stops_cleanly(service: ServiceFactory, database_url: str) -> None:
    api = service("flownexus_api")
    headers = log_in(api.health_url, database_url)
    answer = httpx.get(f"{api.health_url}/api/v1/endpoints", headers=headers)
    assert answer.json() == {"items": [], "next": None}
    assert "flownexus_api_answer_seconds" in httpx.get(f"{api.health_url}/metrics").text
    began = time.monotonic()
    api.stop()
    assert time.monotonic() - began < 5


def test_it_starts_before_nats_and_the_database_and_outlives_them(
    service: ServiceFactory, postgres: RunningPostgres, database_url: str, nats_server: RunningNats
) -> None:
    nats_server.kill()
    postgres.kill()
    api = service("flownexus_api", wait=False)
    blocking_until(lambda: is_alive(api.health_url), what="the process to be alive")
    unready = httpx.get(f"{api.health_url}/readyz")
    assert (unready.status_code, unready.json()["checks"]) == (503, {"database": False, "nats": False})
    answer = httpx.post(f"{api.health_url}/api/v1/auth/token", data={"username": "a", "password": "b"}, timeout=20)
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"]
    postgres.start()
    nats_server.start()
    blocking_until(lambda: httpx.get(f"{api.health_url}/readyz").status_code == 200, what="readiness")
    headers = log_in(api.health_url, database_url)
    postgres.kill()
    assert httpx.get(f"{api.health_url}/api/v1/endpoints", headers=headers, timeout=20).status_code == 503
    postgres.start()
    blocking_until(
        lambda: httpx.get(f"{api.health_url}/api/v1/endpoints", headers=headers).status_code == 200,
        what="an answer after the database came back",
    )
    api.stop()


def is_alive(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"FLOWNEXUS_SESSION_LIFETIME_S": "soon"}, "FLOWNEXUS_SESSION_LIFETIME_S"),
        ({"FLOWNEXUS_NATS_URL": "nats://127.0.0.1:4222"}, "FLOWNEXUS_NATS_URL: Value error, has no password"),
        (
            {"FLOWNEXUS_NATS_URL": "nats://a:short@127.0.0.1:4222"},
            "FLOWNEXUS_NATS_URL: Value error, its password is too",
        ),
        (
            {"FLOWNEXUS_DATABASE_URL": "postgresql://a:changeme-changeme@h/d"},
            "FLOWNEXUS_DATABASE_URL: Value error, its",
        ),
        ({"FLOWNEXUS_DATABASE_URL": "mysql://x/y"}, "FLOWNEXUS_DATABASE_URL"),
        ({"FLOWNEXUS_OBJECT_MODEL_FOLDERS": '["/nowhere"]'}, "FLOWNEXUS_OBJECT_MODEL_FOLDERS"),
        ({"FLOWNEXUS_OBJECT_MODEL_FOLDERS": "not json"}, "FLOWNEXUS_OBJECT_MODEL_FOLDERS"),
        ({"FLOWNEXUS_CORS_ORIGINS": '["*"]'}, "FLOWNEXUS_CORS_ORIGINS"),
        ({"FLOWNEXUS_CORS_ORIGINS": '["https://my.example/"]'}, "FLOWNEXUS_CORS_ORIGINS"),
        ({"FLOWNEXUS_TRUSTED_PROXIES": "everybody"}, "FLOWNEXUS_TRUSTED_PROXIES"),
        ({"FLOWNEXUS_API_HOST": "192.0.2.77"}, "192.0.2.77"),
    ],
)
def test_a_misconfiguration_is_one_line_and_exit_code_2(changes: dict[str, str], named: str) -> None:
    env = {
        "FLOWNEXUS_NATS_URL": "nats://nobody:a-word-of-the-tests@127.0.0.1:1",
        "FLOWNEXUS_DATABASE_URL": "postgresql://nobody:a-word-of-the-tests@127.0.0.1:1/none",
        "FLOWNEXUS_API_PORT": str(free_port()),
        **changes,
    }
    ended = subprocess.run(
        [sys.executable, "-m", "flownexus_api"], env=env, check=False, capture_output=True, text=True, timeout=30
    )
    assert ended.returncode == 2
    lines = ended.stderr.strip().splitlines()
    assert len(lines) == 1, ended.stderr
    assert named.upper() in lines[0].upper()
