"""The ports that the outside uses: checked before anything is started, with advice."""

from __future__ import annotations

from typing import NamedTuple

from flownexus_local import ports
from flownexus_local.errors import CannotRun
from flownexus_local.ports import Kind
from flownexus_local.settings import StackSettings


class OuterPort(NamedTuple):
    """One port, what it is for, and the options that change it."""

    purpose: str
    kind: Kind
    host: str
    port: int
    option: str

    def problem(self) -> str:
        """Why it cannot be used and what to do, or nothing."""
        variable = f"FLOWNEXUS_{self.option.strip('-').replace('-', '_').upper()}_PORT"
        other = f"choose another with {self.option}-port (or {variable})"
        try:
            if ports.is_free(self.kind, self.host, self.port):
                return ""
        except PermissionError:
            return f"port {self.port} for {self.purpose} needs a right that this user does not have: {other}"
        except OSError as error:
            return f"{self.host} is not an address for {self.purpose} here ({error.strerror}): see {self.option}-host"
        by = ports.holder(self.kind, self.port)
        return (
            f"{self.kind.upper()} port {self.port} for {self.purpose} is in use{f' by {by}' if by else ''}: "
            f"stop that, or {other}"
        )


def outer_ports(settings: StackSettings) -> tuple[OuterPort, ...]:
    """The ports that the system will open to the outside."""
    host = settings.coap_host
    wanted = [
        OuterPort("CoAP", "udp", host, settings.coap_port, "--coap"),
        OuterPort("CoAP over DTLS", "udp", host, settings.coaps_port, "--coaps"),
        OuterPort("bootstraps", "udp", host, settings.bootstrap_coap_port, "--bootstrap-coap"),
        OuterPort("bootstraps over DTLS", "udp", host, settings.bootstrap_coaps_port, "--bootstrap-coaps"),
        OuterPort("the API", "tcp", settings.api_host, settings.api_port, "--api"),
        OuterPort("the console", "tcp", settings.console_host, settings.console_port, "--console"),
    ]
    if settings.nats_port is not None:
        wanted.append(OuterPort("NATS", "tcp", "127.0.0.1", settings.nats_port, "--nats"))
    if settings.postgres_port is not None:
        wanted.append(OuterPort("PostgreSQL", "tcp", "127.0.0.1", settings.postgres_port, "--postgres"))
    return tuple(wanted)


def check(settings: StackSettings) -> None:
    """Raises CannotRun with every problem that the ports have, one a line."""
    wanted = outer_ports(settings)
    problems = [problem for port in wanted if (problem := port.problem())]
    seen: dict[tuple[Kind, int], OuterPort] = {}
    for port in wanted:
        other = seen.setdefault((port.kind, port.port), port)
        if other is not port:
            problems.append(
                f"{port.purpose} and {other.purpose} cannot both have port {port.port}: see {port.option}-port"
            )
    if problems:
        raise CannotRun("\n".join(problems))
