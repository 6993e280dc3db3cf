"""deploy/compose, as far as it can be tried without a Docker engine: with the real NATS server and our own settings."""

from __future__ import annotations

import os
import re
import stat
import subprocess
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
from flownexus_local.services import SERVICES
from flownexus_schemas.bus_users import BusUser

COMPOSE = Path(__file__).parents[3] / "deploy" / "compose"
DOCUMENT: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
SETTINGS: dict[str, type[BaseSettings]] = {
    "gateway": GatewaySettings,
    "ingest": IngestSettings,
    "api": ApiSettings,
    "console": ConsoleSettings,
}
ADDRESSES = {"FIRMWARE_COAP_URL", "FIRMWARE_HTTP_URL"}
"""No secrets: without a value, links to firmware have the container's own address, or there are none."""

CHOICES = {"PLAIN_COAP": "closed"}
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


@pytest.mark.parametrize("service", SETTINGS)
def test_the_environment_of_a_service_is_what_its_settings_read(
    service: str, secrets: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("FLOWNEXUS_")]:
        monkeypatch.delenv(name)
    fields = SETTINGS[service].model_fields
    known = secrets | dict.fromkeys(ADDRESSES, "") | CHOICES
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
    assert used == set(secrets) | ADDRESSES | set(CHOICES)
    assert all(len(value) >= 64 for value in secrets.values())
    assert len(set(secrets.values())) == len(secrets)
    without = set(re.findall(r"\$\{(\w+)(?!\w|:\?)", text))
    assert without == ADDRESSES | set(CHOICES), "a secret without a value must stop compose, with advice"


def test_devices_without_dtls_are_kept_out_unless_the_operator_says_so() -> None:
    assert environment("gateway")["FLOWNEXUS_PLAIN_COAP"] == "${PLAIN_COAP:-closed}"


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
