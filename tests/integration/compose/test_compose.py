"""deploy/compose, as far as it can be tried without a Docker engine: with the real NATS server and our own settings."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from flownexus_api.settings import ApiSettings
from flownexus_console.settings import ConsoleSettings
from flownexus_gateway.settings import GatewaySettings
from flownexus_ingest.settings import IngestSettings
from flownexus_local.embedded.nats import binary
from flownexus_local.nats_configuration import configuration, password_variable
from flownexus_local.program import Program
from flownexus_local.services import SERVICES
from flownexus_runtime import bus
from flownexus_runtime.settings import ServiceSettings
from flownexus_schemas.bus_users import BusUser
from harness.ports import free_port
from harness.server_process import ServerProcess

COMPOSE = Path(__file__).parents[3] / "deploy" / "compose"
DOCUMENT: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
WITH_TLS: dict[str, Any] = yaml.safe_load((COMPOSE / "tls.yaml").read_text())
SETTINGS: dict[str, type[BaseSettings]] = {
    "gateway": GatewaySettings,
    "ingest": IngestSettings,
    "api": ApiSettings,
    "console": ConsoleSettings,
}
UNSET = {"FIRMWARE_COAP_URL", "FIRMWARE_COAPS_URL", "FIRMWARE_HTTP_URL", "AUDIT_DAYS"}
"""No secrets: without a value, links to firmware have the container's own address, and the audit is kept for ever."""

CHOICES = {"PLAIN_COAP": "closed", "CONSOLE_ADDRESS": "172.30.57.5", "FRONT_SUBNET": "172.30.57.0/29"}
"""What an operator may choose in .env, and what holds without it."""


def environment(service: str) -> dict[str, str]:
    return dict(DOCUMENT["services"][service].get("environment", {}))


@pytest.fixture
def secrets(tmp_path: Path) -> dict[str, str]:
    """What make-secrets writes, made in a folder of the test's own."""
    script = tmp_path / "make-secrets"
    script.write_bytes((COMPOSE / "make-secrets").read_bytes())
    script.chmod(0o755)
    subprocess.run([script], check=True, capture_output=True)
    written = tmp_path / ".env"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    again = subprocess.run([script], check=False, capture_output=True, text=True)
    assert again.returncode == 1
    assert "there already" in again.stderr
    return dict(line.split("=", 1) for line in written.read_text().splitlines())


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """What make-certificates writes, in a folder of the test's own."""
    script = tmp_path / "make-certificates"
    script.write_bytes((COMPOSE / "make-certificates").read_bytes())
    script.chmod(0o755)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run([script], check=True, capture_output=True, env={"PATH": path})
    return tmp_path / "tls"


@pytest.mark.parametrize("service", SETTINGS)
def test_the_environment_of_a_service_is_what_its_settings_read(
    service: str, secrets: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("FLOWNEXUS_")]:
        monkeypatch.delenv(name)
    fields = SETTINGS[service].model_fields
    known = secrets | dict.fromkeys(UNSET, "") | CHOICES
    for name, value in environment(service).items():
        assert name.removeprefix("FLOWNEXUS_").lower() in fields, f"{service} reads no {name}"
        monkeypatch.setenv(name, re.sub(r"\$\{(\w+):[?-][^}]*\}", lambda match: known[match[1]], value))
    SETTINGS[service]()


def test_each_service_runs_a_command_that_the_image_has() -> None:
    assert set(SETTINGS) <= {service.name for service in SERVICES}
    for service in SETTINGS:
        assert DOCUMENT["services"][service]["command"] == ["service", service]
    assert DOCUMENT["services"]["migrate"]["command"] == ["migrate"]


def test_a_secret_that_a_newer_version_needs_is_added_and_the_others_stay(tmp_path: Path) -> None:
    script, written = tmp_path / "make-secrets", tmp_path / ".env"
    script.write_bytes((COMPOSE / "make-secrets").read_bytes())
    written.write_text("NATS_API_PASSWORD=old\n")
    subprocess.run(["sh", script], check=True, capture_output=True)
    lines = dict(line.split("=", 1) for line in written.read_text().splitlines())
    assert lines["NATS_API_PASSWORD"] == "old"
    assert len(lines["CREDENTIALS_KEY"]) > 32


def test_no_secret_has_a_default_and_all_are_generated(secrets: dict[str, str]) -> None:
    text = (COMPOSE / "compose.yaml").read_text()
    used = set(re.findall(r"\$\{(\w+)", text))
    assert used == set(secrets) | UNSET | set(CHOICES)
    assert all(len(value) >= 64 for value in secrets.values())
    assert len(set(secrets.values())) == len(secrets)
    without = set(re.findall(r"\$\{(\w+)(?!\w|:\?)", text))
    assert without == UNSET | set(CHOICES), "a secret without a value must stop compose, with advice"


def test_devices_without_dtls_are_kept_out_unless_the_operator_says_so() -> None:
    assert environment("gateway")["FLOWNEXUS_PLAIN_COAP"] == "${PLAIN_COAP:-closed}"


def test_the_api_believes_the_console_alone_about_who_asks() -> None:
    front, console = DOCUMENT["networks"]["front"], DOCUMENT["services"]["console"]
    address = "${CONSOLE_ADDRESS:-172.30.57.5}"
    assert console["networks"] == {"front": {"ipv4_address": address}}
    assert environment("api")["FLOWNEXUS_TRUSTED_PROXIES"] == f'["{address}/32"]'
    [network] = (ipaddress.ip_network(one["subnet"].split(":-")[1].rstrip("}")) for one in front["ipam"]["config"])
    # Docker takes the first for itself: what comes over a published port comes from there.
    assert ipaddress.ip_address("172.30.57.5") in list(network.hosts())[1:]


def test_each_service_is_the_user_that_its_name_says() -> None:
    for name in ("gateway", "ingest", "operations", "api"):
        user = BusUser(name)
        expected = f"nats://{name}:${{{password_variable(user)}:?run ./make-secrets}}@nats:4222"
        assert environment(name)["FLOWNEXUS_NATS_URL"] == expected
    for name in ("ingest", "api"):
        login = f"postgresql://flownexus_{name}:${{{name.upper()}_DATABASE_PASSWORD:?run ./make-secrets}}@"
        assert environment(name)["FLOWNEXUS_DATABASE_URL"].startswith(login)


def test_the_configuration_of_nats_is_the_one_that_the_permissions_say() -> None:
    assert (COMPOSE / "nats-server.conf").read_text() == configuration(), "make schemas writes it anew"


def test_with_tls_the_same_services_come_as_the_same_users() -> None:
    on_the_bus = {name for name in DOCUMENT["services"] if "FLOWNEXUS_NATS_URL" in environment(name)}
    assert set(WITH_TLS["services"]) == on_the_bus | {"nats"}
    for name in on_the_bus:
        changed = WITH_TLS["services"][name]
        assert set(changed) == {"environment", "volumes"}
        url = environment(name)["FLOWNEXUS_NATS_URL"].replace("nats://", "tls://")
        assert changed["environment"] == {"FLOWNEXUS_NATS_URL": url, "FLOWNEXUS_NATS_CA": "/etc/flownexus/nats-ca.pem"}
        assert changed["volumes"] == ["./tls/nats-ca.pem:/etc/flownexus/nats-ca.pem:ro"]


async def test_with_tls_the_nats_server_takes_its_services_by_the_name_that_they_use(
    secrets: dict[str, str], certificates: Path, tmp_path: Path
) -> None:
    configuration, port = tmp_path / "nats-server.conf", free_port()
    written = (COMPOSE / "nats-server.conf").read_text().replace("/data", str(tmp_path / "data"))
    configuration.write_text(re.sub(r'"(port|http)":.*', "", written))
    flags = [flag.replace("/etc/nats/tls", str(certificates)) for flag in WITH_TLS["services"]["nats"]["command"][2:]]
    environment = {name: secrets[name] for name in map(password_variable, BusUser)}
    argv = (str(binary()), "-c", str(configuration), f"--port={port}", *flags)
    server = ServerProcess(
        "nats-server", lambda: Program(argv, tmp_path, environment), lambda: is_open(port), tmp_path / "nats.log"
    )
    server.start()
    try:
        url = f"tls://gateway:{secrets['NATS_GATEWAY_PASSWORD']}@127.0.0.1:{port}"
        settings = ServiceSettings.model_validate(
            {"nats_url": url, "nats_ca": certificates / "nats-ca.pem", "nats_server_name": "nats"}
        )
        client = await asyncio.wait_for(bus.connect(settings, "test"), 10)
        await client.close()
    finally:
        server.stop()


def is_open(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_images_are_pinned() -> None:
    for service in DOCUMENT["services"].values():
        assert re.search(r":\d+\.\d+", service["image"]), service["image"]


def test_the_nats_server_takes_the_configuration(secrets: dict[str, str], tmp_path: Path) -> None:
    configuration = tmp_path / "nats-server.conf"
    configuration.write_text((COMPOSE / "nats-server.conf").read_text().replace("/data", str(tmp_path / "data")))
    checked = subprocess.run(
        [binary(), "-t", "-c", configuration],
        env={name: secrets[name] for name in map(password_variable, BusUser)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stderr
