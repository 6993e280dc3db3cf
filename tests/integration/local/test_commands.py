"""The commands that need no system of ours: migrate and service, as containers use them."""

from __future__ import annotations

import re
import secrets
import subprocess
from pathlib import Path

import nats
import psycopg
from nats.js import JetStreamContext

from flownexus_schemas.database_role import DatabaseRole
from flownexus_schemas.subjects import Stream
from harness.containers import PostgresContainer
from harness.embedded import RunningNats, RunningPostgres
from harness.ports import free_port
from harness.server_process import ServerProcess
from harness.service_logins import ROLE_PASSWORDS, as_role
from harness.services import ServiceProcess
from harness.system import command

PASSWORD = secrets.token_hex(16)


def run(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The ended command with what it said."""
    program = command(folder, *arguments, env=env)
    return subprocess.run(
        program.argv, cwd=program.cwd, env=dict(program.env), capture_output=True, text=True, check=False
    )


async def test_migrate_makes_tables_streams_and_one_administrator(
    nats_server: RunningNats, postgres: RunningPostgres | PostgresContainer, tmp_path: Path
) -> None:
    env = {"FLOWNEXUS_NATS_URL": nats_server.url, "FLOWNEXUS_DATABASE_URL": postgres.create_database()}
    first, second = run(tmp_path, "migrate", env=env), run(tmp_path, "migrate", env=env)
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert re.search(r"First administrator: admin, password \S{12,} ", first.stdout)
    assert "password" not in second.stdout
    with psycopg.connect(env["FLOWNEXUS_DATABASE_URL"]) as connection:
        assert connection.execute("SELECT count(*) FROM resource").fetchone() == (0,)
    client = await nats.connect(nats_server.url)
    try:
        assert {stream.config.name for stream in await client.jetstream().streams_info()} >= set(Stream)
    finally:
        await client.close()


async def test_migrate_makes_the_roles_of_the_services_where_it_is_given_their_passwords(
    nats_server: RunningNats, postgres: RunningPostgres | PostgresContainer, tmp_path: Path
) -> None:
    url = postgres.create_database()
    given = {f"FLOWNEXUS_{role.name}_DATABASE_PASSWORD": password for role, password in ROLE_PASSWORDS.items()}
    env = {"FLOWNEXUS_NATS_URL": nats_server.url, "FLOWNEXUS_DATABASE_URL": url, **given}
    migrated = run(tmp_path, "migrate", env=env)
    assert migrated.returncode == 0, migrated.stderr
    for role in DatabaseRole:
        with psycopg.connect(as_role(url, role)) as connection:
            connection.execute("SELECT FROM endpoint")
    as_api = run(tmp_path, "migrate", env={**env, "FLOWNEXUS_DATABASE_URL": as_role(url, DatabaseRole.API)})
    assert as_api.returncode == 2
    assert "the roles of the services cannot be made: permission denied" in as_api.stderr


def test_migrate_without_servers_says_which_is_away(tmp_path: Path) -> None:
    away = f"127.0.0.1:{free_port()}"
    urls = {"NATS": f"nats://owner:{PASSWORD}@{away}", "DATABASE": f"postgresql://nobody:{PASSWORD}@{away}/x"}
    env = {f"FLOWNEXUS_{name}_URL": url for name, url in urls.items()}
    ended = run(tmp_path, "migrate", "--timeout", "0", env=env)
    assert ended.returncode == 2
    assert "the database does not answer" in ended.stderr
    assert PASSWORD not in ended.stderr


def test_a_service_runs_in_place_of_the_command_and_takes_its_signals(
    nats_server: RunningNats, js: JetStreamContext, tmp_path: Path
) -> None:
    service = ServiceProcess("flownexus_gateway", {"FLOWNEXUS_NATS_URL": nats_server.url}, tmp_path)
    program = command(tmp_path, "service", "gateway", env=service.env)
    process = ServerProcess("service gateway", lambda: program, service.is_ready, tmp_path / "service.log")
    process.start()
    assert process.stop() == 0


def test_an_unknown_service_is_answered_with_those_there_are(tmp_path: Path) -> None:
    ended = run(tmp_path, "service", "gatway")
    assert ended.returncode == 2
    assert "gateway, ingest, operations, api, console" in ended.stderr


def test_simulate_hands_its_options_over(tmp_path: Path) -> None:
    ended = run(tmp_path, "simulate", "--help")
    assert ended.returncode == 0
    assert "--rate" in ended.stdout


def test_endpoints_without_a_system_says_how_to_start_one(tmp_path: Path) -> None:
    ended = run(tmp_path, "endpoints")
    assert ended.returncode == 2
    assert "flownexus up" in ended.stderr


def test_doctor_on_a_machine_without_a_system_finds_the_programs(tmp_path: Path) -> None:
    ended = run(
        tmp_path,
        "doctor",
        f"--coap-port={free_port('udp')}",
        f"--coaps-port={free_port('udp')}",
        f"--bootstrap-coap-port={free_port('udp')}",
        f"--bootstrap-coaps-port={free_port('udp')}",
        f"--api-port={free_port()}",
        f"--console-port={free_port()}",
    )
    assert ended.returncode == 0, ended.stdout
    assert "does not run" in ended.stdout
    assert "nats-server" in ended.stdout
    assert not list(tmp_path.iterdir())
