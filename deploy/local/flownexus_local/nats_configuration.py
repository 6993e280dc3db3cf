"""The configuration of a NATS server for containers: `python -m flownexus_local.nats_configuration`.

Who may do what is what `flownexus_schemas.bus_users` says; passwords come from the environment of the server.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from flownexus_local.embedded.nats import NatsServer
from flownexus_schemas.bus_users import BusUser

HEADER = """\
# NATS with JetStream on disk, and a user for each service. Written by `make schemas`; passwords are in the environment.
"""


def password_variable(user: BusUser) -> str:
    """The environment variable of a user's password."""
    return f"NATS_{user.name if user is not BusUser.OWNER else user.value.upper()}_PASSWORD"


def configuration() -> str:
    """The file's text."""
    variables = {user: f"${password_variable(user)}" for user in BusUser}
    settings = NatsServer(Path("/data"), 4222, variables).settings("0.0.0.0", 4222, "/data")  # noqa: S104 - in a container
    settings |= {"server_name": "nats-1", "http": "127.0.0.1:8222"}
    # A variable is read only without quotes.
    return HEADER + re.sub(r'"(\$\w+)"', r"\1", json.dumps(settings, indent=2)) + "\n"


if __name__ == "__main__":
    sys.stdout.write(configuration())
