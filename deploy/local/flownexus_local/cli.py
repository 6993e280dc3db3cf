"""The `flownexus` command."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer
from rich.console import Console
from rich.markup import escape

from flownexus_local.api_client import ApiClient
from flownexus_local.doctor import examine
from flownexus_local.errors import CannotRun
from flownexus_local.instance import Instance
from flownexus_local.lazy_group import LazyGroup
from flownexus_local.options import DEFAULT_FOLDER, Folder
from flownexus_local.services import SERVICES
from flownexus_local.settings import StackSettings
from flownexus_local.terminal import endpoint_table, event_line

UNUSABLE = 2
"""Exit code of a command that its user has to change something for."""

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class Group(LazyGroup):
    """Commands whose user has to change something end with one message and exit code 2."""

    lazy_commands: ClassVar[dict[str, str]] = {
        "audit": "flownexus_local.audit_commands:audit_app",
        "discover": "flownexus_local.device_commands:device_app",
        "execute": "flownexus_local.device_commands:device_app",
        "migrate": "flownexus_local.migrate_command:migrate_app",
        "observe": "flownexus_local.device_commands:device_app",
        "read": "flownexus_local.device_commands:device_app",
        "tag": "flownexus_local.profile_commands:tag_app",
        "write": "flownexus_local.device_commands:device_app",
    }
    lazy_groups: ClassVar[dict[str, str]] = {
        "bootstrap": "flownexus_local.bootstrap_commands:bootstrap_app",
        "ca": "flownexus_local.ca_commands:ca_app",
        "credentials": "flownexus_local.credential_commands:credential_app",
        "dead-letters": "flownexus_local.quarantine_commands:dead_letter_app",
        "desired": "flownexus_local.desired_commands:desired_app",
        "firmware": "flownexus_local.firmware_update_commands:firmware_app",
        "model": "flownexus_local.model_commands:model_app",
        "nats": "flownexus_local.nats_commands:nats_app",
        "operations": "flownexus_local.operation_commands:operation_app",
        "profiles": "flownexus_local.profile_commands:profile_app",
        "rollout": "flownexus_local.rollout_commands:rollout_app",
        "token": "flownexus_local.token_commands:token_app",
        "undecoded": "flownexus_local.quarantine_commands:undecoded_app",
        "user": "flownexus_local.user_commands:user_app",
    }

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Raises typer.Exit in place of CannotRun."""
        try:
            return super().invoke(ctx)
        except CannotRun as error:
            err.print(f"flownexus: {error}", style="red", markup=False, soft_wrap=True)
            raise typer.Exit(UNUSABLE) from None


app = typer.Typer(
    name="flownexus",
    cls=Group,
    help="LwM2M devices on your own machines.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class LogLevel(StrEnum):
    """How much the services log."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def port_option(purpose: str, variable: str) -> typer.models.OptionInfo:
    """A TCP or UDP port that can be given as an option or a variable."""
    option: typer.models.OptionInfo = typer.Option(help=purpose, envvar=variable, min=1, max=65535)
    return option


@app.command()
def up(  # noqa: PLR0917 - typer makes each argument an option
    folder: Folder = DEFAULT_FOLDER,
    devices: Annotated[
        int, typer.Option(min=0, help="Simulated devices beside your own.", envvar="FLOWNEXUS_DEVICES")
    ] = 0,
    device_interval: Annotated[
        float, typer.Option(min=0.1, help="Seconds between two values of a simulated device.")
    ] = 5.0,
    coap_host: Annotated[
        str,
        typer.Option(help="Address for devices; :: takes them from every network.", envvar="FLOWNEXUS_COAP_HOST"),
    ] = "127.0.0.1",
    coap_port: Annotated[int, port_option("UDP port for devices.", "FLOWNEXUS_COAP_PORT")] = 5683,
    coaps_port: Annotated[int, port_option("UDP port for devices with DTLS.", "FLOWNEXUS_COAPS_PORT")] = 5684,
    bootstrap_coap_port: Annotated[
        int, port_option("UDP port for bootstraps.", "FLOWNEXUS_BOOTSTRAP_COAP_PORT")
    ] = 5783,
    bootstrap_coaps_port: Annotated[
        int, port_option("UDP port for bootstraps with DTLS.", "FLOWNEXUS_BOOTSTRAP_COAPS_PORT")
    ] = 5784,
    plain_coap: Annotated[
        str,
        typer.Option(
            help="Who may come without DTLS: open, closed, or networks joined by commas.",
            envvar="FLOWNEXUS_PLAIN_COAP",
        ),
    ] = "open",
    api_host: Annotated[str, typer.Option(help="Address of the API.", envvar="FLOWNEXUS_API_HOST")] = "127.0.0.1",
    api_port: Annotated[int, port_option("Port of the API.", "FLOWNEXUS_API_PORT")] = 8000,
    console_host: Annotated[
        str, typer.Option(help="Address of the console.", envvar="FLOWNEXUS_CONSOLE_HOST")
    ] = "127.0.0.1",
    console_port: Annotated[int, port_option("Port of the console.", "FLOWNEXUS_CONSOLE_PORT")] = 8080,
    nats_port: Annotated[
        int | None, port_option("Port of NATS, on this machine only; a free one by default.", "FLOWNEXUS_NATS_PORT")
    ] = None,
    nats_tls: Annotated[
        bool,
        typer.Option("--nats-tls", help="NATS over TLS, with a certificate made here.", envvar="FLOWNEXUS_NATS_TLS"),
    ] = False,
    postgres_port: Annotated[
        int | None,
        port_option("Port of PostgreSQL, on this machine only; a free one by default.", "FLOWNEXUS_POSTGRES_PORT"),
    ] = None,
    firmware_coap_url: Annotated[
        str | None,
        typer.Option(
            help="Where devices reach the gateway, for links to firmware; by default the address that each uses.",
            envvar="FLOWNEXUS_FIRMWARE_COAP_URL",
        ),
    ] = None,
    firmware_coaps_url: Annotated[
        str | None,
        typer.Option(
            help="The same for devices that come by DTLS.",
            envvar="FLOWNEXUS_FIRMWARE_COAPS_URL",
        ),
    ] = None,
    firmware_http_url: Annotated[
        str | None,
        typer.Option(
            help="Where devices reach the API, for links to firmware; by default where it listens.",
            envvar="FLOWNEXUS_FIRMWARE_HTTP_URL",
        ),
    ] = None,
    object_models: Annotated[
        list[Path] | None,
        typer.Option(
            help="A folder of object definitions (OMA DDF XML); may be repeated.", exists=True, file_okay=False
        ),
    ] = None,
    log_level: Annotated[LogLevel, typer.Option(envvar="FLOWNEXUS_LOG_LEVEL")] = LogLevel.INFO,
) -> None:
    """Run the whole system on this machine until Ctrl-C."""
    from flownexus_local.up import Up  # noqa: PLC0415 - it brings the services' code, which most commands do without

    settings = StackSettings(
        folder=folder,
        devices=devices,
        device_interval_s=device_interval,
        coap_host=coap_host,
        coap_port=coap_port,
        coaps_port=coaps_port,
        bootstrap_coap_port=bootstrap_coap_port,
        bootstrap_coaps_port=bootstrap_coaps_port,
        plain_coap=plain_coap,
        api_host=api_host,
        api_port=api_port,
        console_host=console_host,
        console_port=console_port,
        nats_port=nats_port,
        nats_tls=nats_tls,
        postgres_port=postgres_port,
        firmware_coap_url=firmware_coap_url,
        firmware_coaps_url=firmware_coaps_url,
        firmware_http_url=firmware_http_url,
        object_model_folders=tuple(object_models or ()),
        log_level=log_level.value,
    )

    async def run() -> int:
        return await Up(settings, out).run()

    raise typer.Exit(asyncio.run(run()))


@app.command()
def endpoints(
    tag: Annotated[list[str] | None, typer.Option(help="Only those with this tag; may be repeated.")] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those that were due and were not heard.")] = False,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """List the devices: who is registered, when each was last seen, and when it is expected next."""
    with ApiClient(folder) as api:
        listed = list(api.endpoints(tag or (), only_overdue=overdue))
    if not listed and (tag or overdue):
        tagged = [f"has {' and '.join(tag)}"] if tag else []
        out.print("No device " + " and ".join(["is overdue"] * overdue + tagged), markup=False)
        return
    if not listed:
        out.print("No device has registered yet: `flownexus simulate --devices 5` makes some.", markup=False)
        return
    out.print(endpoint_table(listed, datetime.now(UTC)))


@app.command()
def watch(
    endpoint: Annotated[str | None, typer.Argument(help="One device; all of them by default.")] = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Show what happens, as it happens, until Ctrl-C."""
    with ApiClient(folder) as api, suppress(KeyboardInterrupt):
        for event in api.events(endpoint):
            out.print(event_line(event), soft_wrap=True)


@app.command()
def doctor(  # noqa: PLR0917 - typer makes each argument an option
    folder: Folder = DEFAULT_FOLDER,
    coap_port: Annotated[int, port_option("UDP port for devices.", "FLOWNEXUS_COAP_PORT")] = 5683,
    coaps_port: Annotated[int, port_option("UDP port for devices with DTLS.", "FLOWNEXUS_COAPS_PORT")] = 5684,
    bootstrap_coap_port: Annotated[
        int, port_option("UDP port for bootstraps.", "FLOWNEXUS_BOOTSTRAP_COAP_PORT")
    ] = 5783,
    bootstrap_coaps_port: Annotated[
        int, port_option("UDP port for bootstraps with DTLS.", "FLOWNEXUS_BOOTSTRAP_COAPS_PORT")
    ] = 5784,
    api_port: Annotated[int, port_option("Port of the API.", "FLOWNEXUS_API_PORT")] = 8000,
    console_port: Annotated[int, port_option("Port of the console.", "FLOWNEXUS_CONSOLE_PORT")] = 8080,
) -> None:
    """Say what is wrong with this machine or the running system, and what to do. Exit code 1 if anything is."""
    settings = StackSettings(
        folder=folder,
        coap_host="127.0.0.1",
        coap_port=coap_port,
        coaps_port=coaps_port,
        bootstrap_coap_port=bootstrap_coap_port,
        bootstrap_coaps_port=bootstrap_coaps_port,
        api_host="127.0.0.1",
        api_port=api_port,
        console_host="127.0.0.1",
        console_port=console_port,
    )
    troubled = False
    for what, state, advice in examine(settings):
        troubled |= bool(advice)
        out.print(f"  {'[red]✗[/]' if advice else '[green]✓[/]'} {escape(f'{what:<12} {state}')}", soft_wrap=True)
        if advice:
            out.print(f"      {advice}", markup=False, soft_wrap=True)
    raise typer.Exit(int(troubled))


@app.command()
def erase(
    folder: Folder = DEFAULT_FOLDER,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete everything that a stopped system keeps: data, users, secrets, logs."""
    if not folder.is_dir():
        raise CannotRun(f"there is no {folder}")
    if not yes:
        typer.confirm(f"Delete all data of the system in {folder.absolute()}?", abort=True)
    Instance(folder).erase()
    out.print(f"{folder} is gone", markup=False)


@app.command()
def service(name: Annotated[str, typer.Argument(help=" | ".join(service.name for service in SERVICES))]) -> None:
    """Run one service in the foreground, configured by environment variables; for containers."""
    modules = {service.name: service.module for service in SERVICES}
    if name not in modules:
        raise CannotRun(f"there is no service {name!r}; there are {', '.join(modules)}")
    _become(modules[name])


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []})
def simulate(context: typer.Context) -> None:
    """Run simulated devices against any server; --help lists its options."""
    _become("flownexus_simulator", *context.args)


def _become(module: str, *arguments: str) -> None:
    # In place of ourselves, so that signals reach the service and not a parent of it.
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])  # noqa: S606 - no shell is meant
