"""The services of a system, in the order of their start: each one's module and what it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from flownexus_local.pki import ServerFiles
from flownexus_schemas.bus_users import BusUser
from flownexus_schemas.database_role import DatabaseRole


class Wiring(BaseModel):
    """Everything that a service may have to be told about the system around it."""

    model_config = ConfigDict(frozen=True)

    nats_urls: Mapping[BusUser, str]
    nats_ca: Path | None = None
    database_urls: Mapping[DatabaseRole, str]
    coap_host: str
    coap_port: int
    coaps_port: int
    bootstrap_coap_port: int
    bootstrap_coaps_port: int
    plain_coap: str = "open"
    server_files: ServerFiles | None = None
    api_host: str
    api_port: int
    console_host: str
    console_port: int
    firmware_coap_url: str | None = None
    firmware_coaps_url: str | None = None
    firmware_http_url: str | None = None
    console_secret: str
    credentials_key: str
    object_model_folders: str
    log_level: str

    @property
    def api_url(self) -> str:
        """Where a program on this machine finds the api."""
        return f"http://{reachable(self.api_host)}:{self.api_port}"

    @property
    def console_url(self) -> str:
        """Where a browser on this machine finds the console."""
        return f"http://{reachable(self.console_host)}:{self.console_port}"


Environment = Mapping[str, str]


@dataclass(frozen=True)
class Service:
    """One service. `environment` is what it needs beyond NATS, health and logs."""

    name: str
    module: str
    environment: Callable[[Wiring], Environment]
    own_port: Callable[[Wiring], tuple[str, int]] | None = None
    """Address and port of a service that answers /readyz where it serves; the others get a port for it."""
    bus_user: BusUser | None = None
    """Who it is on NATS; None where it does not connect."""
    stop_stage: int = 1
    """Stages are stopped one after the other, from the lowest; the servers under them last."""


def _ingest(wiring: Wiring) -> Environment:
    return _database(wiring, DatabaseRole.INGEST)


def _database(wiring: Wiring, role: DatabaseRole) -> Environment:
    return {
        "FLOWNEXUS_DATABASE_URL": wiring.database_urls[role],
        "FLOWNEXUS_OBJECT_MODEL_FOLDERS": wiring.object_model_folders,
    }


def _gateway(wiring: Wiring) -> Environment:
    by_http = wiring.firmware_http_url or f"http://{_in_url(wiring.api_host)}:{wiring.api_port}"
    by_coap = {"COAP": wiring.firmware_coap_url, "COAPS": wiring.firmware_coaps_url}
    return {
        **{f"FLOWNEXUS_FIRMWARE_{scheme}_URL": url for scheme, url in by_coap.items() if url is not None},
        "FLOWNEXUS_FIRMWARE_HTTP_URL": by_http,
        "FLOWNEXUS_COAP_HOST": wiring.coap_host,
        "FLOWNEXUS_COAP_PORT": str(wiring.coap_port),
        "FLOWNEXUS_COAPS_HOST": wiring.coap_host,
        "FLOWNEXUS_COAPS_PORT": str(wiring.coaps_port),
        "FLOWNEXUS_BOOTSTRAP_COAP_PORT": str(wiring.bootstrap_coap_port),
        "FLOWNEXUS_BOOTSTRAP_COAPS_PORT": str(wiring.bootstrap_coaps_port),
        "FLOWNEXUS_PLAIN_COAP": wiring.plain_coap,
        **_certificate(wiring.server_files),
        "FLOWNEXUS_CREDENTIALS_KEY": wiring.credentials_key,
        "FLOWNEXUS_OBJECT_MODEL_FOLDERS": wiring.object_model_folders,
    }


def _certificate(files: ServerFiles | None) -> Environment:
    if files is None:
        return {}
    ca = {} if files.client_ca is None else {"FLOWNEXUS_DTLS_CLIENT_CA": str(files.client_ca)}
    return {
        "FLOWNEXUS_DTLS_CERTIFICATE": str(files.certificate),
        "FLOWNEXUS_DTLS_PRIVATE_KEY": str(files.private_key),
        **ca,
    }


def _api(wiring: Wiring) -> Environment:
    return {
        **_database(wiring, DatabaseRole.API),
        "FLOWNEXUS_API_HOST": wiring.api_host,
        "FLOWNEXUS_API_PORT": str(wiring.api_port),
        # The console, which says for whom it asks.
        "FLOWNEXUS_TRUSTED_PROXIES": '["127.0.0.1/32", "::1/128"]',
        "FLOWNEXUS_CREDENTIALS_KEY": wiring.credentials_key,
    }


def _console(wiring: Wiring) -> Environment:
    return {
        "FLOWNEXUS_API_URL": wiring.api_url,
        "FLOWNEXUS_CONSOLE_HOST": wiring.console_host,
        "FLOWNEXUS_CONSOLE_PORT": str(wiring.console_port),
        "FLOWNEXUS_CONSOLE_SECRET": wiring.console_secret,
    }


SERVICES = (
    Service("gateway", "flownexus_gateway", _gateway, bus_user=BusUser.GATEWAY),
    Service("ingest", "flownexus_ingest", _ingest, bus_user=BusUser.INGEST),
    Service("operations", "flownexus_operations", lambda _: {}, bus_user=BusUser.OPERATIONS),
    Service(
        "api",
        "flownexus_api",
        _api,
        own_port=lambda wiring: (wiring.api_host, wiring.api_port),
        bus_user=BusUser.API,
    ),
    Service(
        "console",
        "flownexus_console",
        _console,
        own_port=lambda wiring: (wiring.console_host, wiring.console_port),
        stop_stage=0,
    ),
)


class Invocation(NamedTuple):
    """How one service is run in one system."""

    environment: Environment
    health_url: str


def invocation(service: Service, wiring: Wiring, health_port: Callable[[str], int]) -> Invocation:
    """The service's environment and where its /readyz is; `health_port` gives a port to those that need one."""
    common = {"FLOWNEXUS_LOG_LEVEL": wiring.log_level, "FLOWNEXUS_LOG_FORMAT": "json"}
    if service.bus_user is not None:
        common["FLOWNEXUS_NATS_URL"] = wiring.nats_urls[service.bus_user]
        if wiring.nats_ca is not None:
            common["FLOWNEXUS_NATS_CA"] = str(wiring.nats_ca)
    if service.own_port is not None:
        host, port = service.own_port(wiring)
    else:
        host, port = "127.0.0.1", health_port(service.name)
        common |= {"FLOWNEXUS_HEALTH_HOST": host, "FLOWNEXUS_HEALTH_PORT": str(port)}
    return Invocation({**common, **service.environment(wiring)}, f"http://{reachable(host)}:{port}")


def is_everywhere(host: str) -> bool:
    """Whether a server on `host` takes packets from every network of this machine."""
    return host in {"::", "0.0.0.0"}  # noqa: S104 - compared, not bound


def reachable(host: str) -> str:
    """The address at which a program of this machine reaches a server on `host`, as a URL has it."""
    return "127.0.0.1" if is_everywhere(host) else _in_url(host)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
