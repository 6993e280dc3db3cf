"""The system on one machine: what is started, in which order, and how it is wired together."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from flownexus_api.accounts import FIRST_ADMINISTRATOR
from flownexus_local.connection import Connection, write_connection
from flownexus_local.embedded import places
from flownexus_local.embedded.account import server_account
from flownexus_local.embedded.nats import HOST as NATS_HOST
from flownexus_local.embedded.nats import NatsServer
from flownexus_local.embedded.postgres import PostgresServer
from flownexus_local.instance import Instance
from flownexus_local.migration import migrate_servers
from flownexus_local.nats_certificates import kept_or_made
from flownexus_local.pki import FOLDER, server_files
from flownexus_local.program import Program, base_environment
from flownexus_local.readiness import readiness
from flownexus_local.services import SERVICES, Invocation, Wiring, invocation, reachable
from flownexus_local.settings import StackSettings
from flownexus_local.supervisor import Report, Supervised, Supervision, stop_in_stages
from flownexus_runtime.settings import NatsSettings
from flownexus_schemas.bus_users import BusUser
from flownexus_schemas.database_role import DatabaseRole
from flownexus_schemas.tables.upgrade import provide_roles, url_of_role

SERVER_TIMEOUT_S = 120.0
"""A PostgreSQL that crashed replays its log first."""

SERVICE_TIMEOUT_S = 120.0
DATABASE = "flownexus"
DEVICES_STAGE, SERVERS_STAGE = -1, 9

Progress = Callable[[str, float], None]
"""Called with what is ready and how many seconds it took."""


class Stack:
    """Starts and stops everything in one instance's folder. `start` raises CannotRun; `stop` can follow at any time."""

    def __init__(self, instance: Instance, settings: StackSettings, report: Report, progress: Progress) -> None:
        self._instance, self._settings = instance, settings
        self._report, self._progress = report, progress
        self._running: list[Supervised] = []
        self.new_admin_password: str | None = None

    async def start(self) -> Connection:
        """Start all of it, wait until each part is ready, write connection.json."""
        server, database = self._servers()
        await asyncio.to_thread(server.prepare)
        await asyncio.to_thread(database.prepare)
        await asyncio.gather(
            self._serve("nats", server.program(), server.is_ready),
            self._serve("postgres", database.program(), database.is_ready),
        )
        secrets = self._instance.secrets()
        database_url = await asyncio.to_thread(database.provide, DATABASE, DATABASE, secrets.database_password)
        await asyncio.to_thread(provide_roles, database.url(DATABASE), secrets.role_passwords)
        await self._migrate(server, database_url)
        wiring = self._wiring(server, database_url)
        invocations = {
            service.name: invocation(service, wiring, lambda name: self._instance.port(f"{name} health"))
            for service in SERVICES
        }
        await asyncio.gather(
            *(
                self._run_service(service.name, service.module, invocations[service.name], service.stop_stage)
                for service in SERVICES
            )
        )
        if self._settings.devices:
            await self._simulate()
        connection = self._connection(wiring, database_url, invocations)
        write_connection(self._instance.folder, connection)
        return connection

    async def stop(self) -> None:
        """Stop what runs: the devices, the console, the services, the servers."""
        await stop_in_stages(self._running)

    def kill(self) -> None:
        """End everything at once."""
        for process in self._running:
            process.kill()

    def _servers(self) -> tuple[NatsServer, PostgresServer]:
        secrets, settings = self._instance.secrets(), self._settings
        account = server_account(places.kept_data(self._instance.folder))
        server = NatsServer(
            folder=self._instance.folder / "nats",
            port=settings.nats_port or self._instance.port("nats"),
            passwords=secrets.nats_passwords,
            tls=kept_or_made(self._instance.folder / FOLDER, [NATS_HOST], datetime.now(UTC))
            if settings.nats_tls
            else None,
        )
        database = PostgresServer(
            programs=places.programs(account),
            data=places.data_folder(self._instance.folder, account),
            port=settings.postgres_port or self._instance.port("postgres"),
            password=secrets.postgres_password,
            account=account,
        )
        return server, database

    async def _migrate(self, server: NatsServer, database_url: str) -> None:
        started = time.monotonic()
        nats = NatsSettings(nats_url=SecretStr(server.url()), nats_ca=_ca(server), nats_server_name=None)
        password = await migrate_servers(database_url, nats)
        if password is not None:
            self._instance.keep(self._instance.secrets().model_copy(update={"admin_password": password}))
            self.new_admin_password = password
        self._progress("migrations", time.monotonic() - started)

    async def _serve(self, name: str, program: Program, is_ready: Callable[[], bool]) -> None:
        await self._supervise(Supervision(name, program, is_ready, self._log(name), SERVERS_STAGE), SERVER_TIMEOUT_S)

    async def _run_service(self, name: str, module: str, call: Invocation, stop_stage: int) -> None:
        await self._supervise(
            Supervision(
                name=name,
                program=_python(module, folder=self._instance.folder, environment=call.environment),
                is_ready=lambda: readiness(call.health_url).ready,
                log=self._log(name),
                stop_stage=stop_stage,
            ),
            SERVICE_TIMEOUT_S,
        )

    async def _simulate(self) -> None:
        settings = self._settings
        arguments = {
            "--devices": settings.devices,
            "--interval": settings.device_interval_s,
            "--server": f"coap://{reachable(settings.coap_host)}:{settings.coap_port}",
        }
        program = _python(
            "flownexus_simulator",
            *(str(part) for pair in arguments.items() for part in pair),
            folder=self._instance.folder,
            environment={},
        )
        supervision = Supervision("devices", program, lambda: True, self._log("devices"), DEVICES_STAGE, 3.0)
        await self._supervise(supervision, SERVICE_TIMEOUT_S)

    async def _supervise(self, supervision: Supervision, timeout_s: float) -> None:
        started = time.monotonic()
        process = Supervised(supervision, self._instance.runs, self._report)
        self._running.append(process)
        process.launch()
        await process.until_ready(timeout_s)
        self._progress(supervision.name, time.monotonic() - started)

    def _wiring(self, server: NatsServer, database_url: str) -> Wiring:
        settings, secrets = self._settings, self._instance.secrets()
        return Wiring(
            nats_urls={user: server.url(user) for user in BusUser},
            nats_ca=_ca(server),
            database_urls={
                role: url_of_role(database_url, role, password) for role, password in secrets.role_passwords.items()
            },
            coap_host=settings.coap_host,
            coap_port=settings.coap_port,
            coaps_port=settings.coaps_port,
            bootstrap_coap_port=settings.bootstrap_coap_port,
            bootstrap_coaps_port=settings.bootstrap_coaps_port,
            plain_coap=settings.plain_coap,
            server_files=server_files(self._instance.folder),
            api_host=settings.api_host,
            api_port=settings.api_port,
            console_host=settings.console_host,
            console_port=settings.console_port,
            firmware_coap_url=settings.firmware_coap_url,
            firmware_coaps_url=settings.firmware_coaps_url,
            firmware_http_url=settings.firmware_http_url,
            console_secret=secrets.console_secret,
            credentials_key=secrets.credentials_key,
            object_model_folders=json.dumps([str(folder.absolute()) for folder in settings.object_model_folders]),
            log_level=settings.log_level,
        )

    def _connection(self, wiring: Wiring, database_url: str, invocations: dict[str, Invocation]) -> Connection:
        return Connection(
            api_url=wiring.api_url,
            console_url=wiring.console_url,
            admin_user=FIRST_ADMINISTRATOR,
            admin_password=self._instance.secrets().admin_password,
            nats_url=wiring.nats_urls[BusUser.OWNER],
            integrator_nats_url=wiring.nats_urls[BusUser.INTEGRATOR],
            nats_ca=None if wiring.nats_ca is None else str(wiring.nats_ca),
            database_url=database_url,
            grafana_database_url=wiring.database_urls[DatabaseRole.GRAFANA],
            coap_host=reachable(wiring.coap_host).strip("[]"),
            coap_port=wiring.coap_port,
            coaps_port=wiring.coaps_port,
            health={name: call.health_url for name, call in invocations.items()},
        )

    def _log(self, name: str) -> Path:
        return self._instance.logs / f"{name}.log"


def _ca(server: NatsServer) -> Path | None:
    return None if server.tls is None else server.tls.ca


def _python(module: str, *arguments: str, folder: Path, environment: Mapping[str, str]) -> Program:
    return Program(
        argv=(sys.executable, "-m", module, *arguments), cwd=folder, env=base_environment() | dict(environment)
    )
