"""What each service is told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from flownexus_local.pki import server_files
from flownexus_local.services import SERVICES, Wiring, invocation, reachable
from flownexus_schemas.bus_users import BusUser
from flownexus_schemas.database_role import DatabaseRole

WIRING = Wiring(
    nats_urls={user: f"nats://{user}:word@127.0.0.1:4222" for user in BusUser},
    database_urls={role: f"postgresql://{role}:word@127.0.0.1:5432/flownexus" for role in DatabaseRole},
    coap_host="::",
    coap_port=5683,
    coaps_port=5684,
    bootstrap_coap_port=5783,
    bootstrap_coaps_port=5784,
    api_host="0.0.0.0",
    api_port=8000,
    console_host="127.0.0.1",
    console_port=8080,
    console_secret="c" * 32,
    credentials_key="k" * 32,
    object_model_folders='["/models"]',
    log_level="info",
)
CALLS = {service.name: invocation(service, WIRING, lambda _: 9100) for service in SERVICES}


def told(name: str) -> Mapping[str, str]:
    """The environment of one service."""
    return CALLS[name].environment


@pytest.mark.parametrize(
    ("variable", "services"),
    [
        ("FLOWNEXUS_DATABASE_URL", {"ingest", "api"}),
        ("FLOWNEXUS_NATS_URL", {"gateway", "ingest", "operations", "api"}),
        ("FLOWNEXUS_CONSOLE_SECRET", {"console"}),
        ("FLOWNEXUS_CREDENTIALS_KEY", {"gateway", "api"}),
        ("FLOWNEXUS_COAP_PORT", {"gateway"}),
        ("FLOWNEXUS_OBJECT_MODEL_FOLDERS", {"gateway", "ingest", "api"}),
    ],
)
def test_a_service_is_told_only_what_it_needs(variable: str, services: set[str]) -> None:
    assert {name for name in CALLS if variable in told(name)} == services


def test_each_service_is_a_user_of_its_own_on_the_bus_and_in_the_database() -> None:
    users = {name: urlsplit(told(name)["FLOWNEXUS_NATS_URL"]).username for name in CALLS if name != "console"}
    assert users == {name: name for name in users}
    roles = {name: urlsplit(told(name)["FLOWNEXUS_DATABASE_URL"]).username for name in ("ingest", "api")}
    assert roles == {"ingest": "flownexus_ingest", "api": "flownexus_api"}


def test_health_is_on_the_own_port_of_a_service_that_serves_and_on_a_given_one_otherwise() -> None:
    assert CALLS["api"].health_url == "http://127.0.0.1:8000"
    assert CALLS["console"].health_url == "http://127.0.0.1:8080"
    assert CALLS["gateway"].health_url == "http://127.0.0.1:9100"
    assert told("gateway")["FLOWNEXUS_HEALTH_PORT"] == "9100"
    assert "FLOWNEXUS_HEALTH_PORT" not in told("api")


def test_the_console_finds_an_api_that_listens_everywhere() -> None:
    assert told("console")["FLOWNEXUS_API_URL"] == "http://127.0.0.1:8000"


def test_links_to_firmware_begin_where_the_api_listens_unless_a_setting_says_otherwise() -> None:
    gateway = next(service for service in SERVICES if service.name == "gateway")
    given = {"firmware_coap_url": "coap://a", "firmware_coaps_url": "coaps://a", "firmware_http_url": "https://a"}
    changed = gateway.environment(WIRING.model_copy(update=given))
    assert told("gateway")["FLOWNEXUS_FIRMWARE_HTTP_URL"] == "http://0.0.0.0:8000"
    assert "FLOWNEXUS_FIRMWARE_COAP_URL" not in told("gateway")
    assert (changed["FLOWNEXUS_FIRMWARE_COAP_URL"], changed["FLOWNEXUS_FIRMWARE_HTTP_URL"]) == ("coap://a", "https://a")


@pytest.mark.parametrize(
    ("host", "reached"),
    [("::", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "[::1]"), ("192.0.2.7", "192.0.2.7")],
)
def test_a_server_is_reached_at_an_address_that_a_url_can_have(host: str, reached: str) -> None:
    assert reachable(host) == reached


def test_the_gateway_has_a_certificate_where_there_is_one(tmp_path: Path) -> None:
    gateway = next(service for service in SERVICES if service.name == "gateway")
    assert not [name for name in gateway.environment(WIRING) if name.startswith("FLOWNEXUS_DTLS_")]
    folder = tmp_path / "pki"
    folder.mkdir()
    for name in ("server.pem", "server.key"):
        (folder / name).touch()
    told = gateway.environment(WIRING.model_copy(update={"server_files": server_files(tmp_path)}))
    assert told["FLOWNEXUS_DTLS_CERTIFICATE"] == str(folder / "server.pem")
    assert told["FLOWNEXUS_DTLS_PRIVATE_KEY"] == str(folder / "server.key")
    assert "FLOWNEXUS_DTLS_CLIENT_CA" not in told
    (folder / "ca.pem").touch()
    told = gateway.environment(WIRING.model_copy(update={"server_files": server_files(tmp_path)}))
    assert told["FLOWNEXUS_DTLS_CLIENT_CA"] == str(folder / "ca.pem")
