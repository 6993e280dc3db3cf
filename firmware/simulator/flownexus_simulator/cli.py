"""The command line: `python -m flownexus_simulator`, and `flownexus simulate`."""

from __future__ import annotations

import pathlib
import sys
from typing import Annotated

import orjson
import typer
from pydantic import ValidationError

from flownexus_runtime import logs
from flownexus_simulator.behaviour import Behaviour
from flownexus_simulator.faults import Fault, FirmwareBehaviour, Method, Protocol
from flownexus_simulator.fleet import Plan
from flownexus_simulator.link import OPEN_PORTS, Impairment
from flownexus_simulator.main import SPARE_FILES, LedgerFiles, allow_open_files, simulate
from flownexus_simulator.psk_keys import InvalidKeys, read_keys
from flownexus_simulator.server import InvalidServer, resolve
from flownexus_simulator.settings import SimulatorSettings

MISCONFIGURED = 2
DEFAULT_INTERVAL_S = 5.0

app = typer.Typer(add_completion=False, help="A fleet of simulated LwM2M devices.")


def refuse(reason: str) -> typer.Exit:
    """Say on standard error what is wrong; the exit to raise."""
    typer.echo(reason, err=True)
    return typer.Exit(MISCONFIGURED)


@app.command()
def run(
    *,
    devices: Annotated[int, typer.Option(min=1, max=60_000, help="How many devices.")] = 25,
    rate: Annotated[
        float | None, typer.Option(min=0.001, help="Notifications a second over the whole fleet, evenly spread.")
    ] = None,
    interval: Annotated[
        float | None,
        typer.Option(
            min=0.01, help=f"Seconds between a device's measurements ({DEFAULT_INTERVAL_S:g} if there is no --rate)."
        ),
    ] = None,
    server: Annotated[str, typer.Option(help="The LwM2M server; coaps:// for DTLS.")] = "coap://127.0.0.1:5683",
    psk_keys: Annotated[
        pathlib.Path | None,
        typer.Option(help="For coaps://: CSV with the columns endpoint, identity and key, in hex, of each device."),
    ] = None,
    no_connection_ids: Annotated[
        bool, typer.Option("--no-connection-ids", help="Devices whose DTLS knows no connection ids.")
    ] = False,
    prefix: Annotated[str, typer.Option(help="Endpoint names are PREFIX-00000 and on.")] = "sim",
    count: Annotated[int | None, typer.Option(min=1, help="Stop after this many notifications.")] = None,
    duration: Annotated[float | None, typer.Option(min=0.1, help="Stop after this many seconds.")] = None,
    lifetime: Annotated[int, typer.Option(min=10, help="Lifetime of the registrations, seconds.")] = 300,
    queue_mode: Annotated[bool, typer.Option("--queue-mode", help="Devices sleep between messages.")] = False,
    awake_window: Annotated[float, typer.Option(min=0.1, help="Seconds a queue-mode device listens.")] = 93.0,
    non_confirmable: Annotated[
        bool, typer.Option("--non-confirmable", help="Notifications that nobody acknowledges.")
    ] = False,
    loss: Annotated[float, typer.Option(min=0, max=1, help="Share of datagrams lost, each way.")] = 0.0,
    duplicates: Annotated[float, typer.Option(min=0, max=1, help="Share of datagrams doubled, each way.")] = 0.0,
    rebinding: Annotated[
        bool, typer.Option("--rebinding", help="Each datagram of a device comes from another port.")
    ] = False,
    latency: Annotated[
        float, typer.Option(min=0, max=60, help="Seconds that each datagram is on its way, each way.")
    ] = 0.0,
    seed: Annotated[int | None, typer.Option(help="Makes loss, duplicates and measurements repeatable.")] = None,
    start_rate: Annotated[float, typer.Option(min=0.1, help="Devices switched on in a second.")] = 200.0,
    ledger: Annotated[
        pathlib.Path | None, typer.Option(help="File for a JSON line about each notification and its fate.")
    ] = None,
    request_ledger: Annotated[
        pathlib.Path | None, typer.Option(help="File for a JSON line about each request that a device carried out.")
    ] = None,
    firmware_ledger: Annotated[
        pathlib.Path | None, typer.Option(help="File for a JSON line about each firmware image that a device had.")
    ] = None,
    firmware_method: Annotated[Method, typer.Option(help="How devices take firmware (5/0/9).")] = Method.BOTH,
    firmware_protocol: Annotated[
        list[Protocol] | None, typer.Option(help="What they fetch it by (5/0/8); may be repeated. coap and http.")
    ] = None,
    firmware_block_size: Annotated[
        int, typer.Option(min=16, max=1024, help="Bytes of a block, both ways; a power of two.")
    ] = 512,
    firmware_room: Annotated[int, typer.Option(min=1, help="Bytes of the largest image.")] = 64 << 20,
    firmware_rate: Annotated[
        float | None, typer.Option(min=1, help="Bytes a second that a device fetches at most.")
    ] = None,
    firmware_fault: Annotated[
        Fault | None, typer.Option(help="What goes wrong with firmware; the page of the simulator lists them.")
    ] = None,
    firmware_fault_times: Annotated[
        int | None, typer.Option(min=1, help="How often it goes wrong with each device; always if not given.")
    ] = None,
    firmware_restart_at: Annotated[
        float | None, typer.Option(min=0, max=100, help="Percent of an image at which each device restarts, once.")
    ] = None,
    firmware_keeps_download: Annotated[
        bool, typer.Option("--firmware-keeps-download", help="After a restart, a download goes on where it was.")
    ] = False,
    health_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of /healthz, /readyz and /metrics; none if not given.")
    ] = None,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Let the fleet loose on a server that is not this machine.")
    ] = False,
) -> None:
    """Simulate LwM2M 1.1 devices that register, are observed and notify; prints a summary in JSON at the end."""
    if rate is not None and interval is not None:
        raise refuse("give --rate or --interval, not both")
    if firmware_block_size.bit_count() != 1:
        raise refuse("--firmware-block-size is a power of two")
    try:
        settings = SimulatorSettings() if health_port is None else SimulatorSettings(health_port=health_port)
        host, port, is_secure = resolve(server, allow_remote=allow_remote)
        keys = None if psk_keys is None else read_keys(psk_keys)
    except (InvalidServer, InvalidKeys, ValidationError) as error:
        raise refuse(str(error)) from error
    if is_secure != (keys is not None):
        raise refuse("coaps:// and --psk-keys belong together: devices with DTLS need keys")
    logs.configure("simulator", settings.log_level, settings.log_format)
    needed = devices * (1 + OPEN_PORTS if rebinding else 1) + SPARE_FILES
    limit = allow_open_files(needed)
    if limit < needed:
        raise refuse(f"{devices} devices need {needed} open files, this process may open {limit}")
    plan = Plan(
        devices=devices,
        prefix=prefix,
        host=host,
        port=port,
        behaviour=Behaviour(
            interval_s=devices / rate if rate is not None else interval or DEFAULT_INTERVAL_S,
            every_observation=rate is None,
            lifetime_s=lifetime,
            confirmable=not non_confirmable,
            queue_mode=queue_mode,
            awake_window_s=awake_window,
            firmware=FirmwareBehaviour(
                method=firmware_method.value,
                protocols=tuple(one.value for one in firmware_protocol or (Protocol.COAP, Protocol.HTTP)),
                block_size=firmware_block_size,
                room=firmware_room,
                fault=firmware_fault,
                fault_times=firmware_fault_times,
                restart_at=firmware_restart_at,
                keeps_download=firmware_keeps_download,
                bytes_per_s=firmware_rate,
            ),
        ),
        impairment=Impairment(loss, duplicates, rebinding, latency),
        seed=seed,
        starts_per_s=start_rate,
        count=count,
        duration_s=duration,
        allow_remote=allow_remote,
        keys=keys,
        connection_ids=not no_connection_ids,
    )
    without = [] if keys is None else [name for name in plan.endpoints() if name not in keys]
    if without:
        raise refuse(f"{psk_keys} has no key of {without[0]}, nor of {len(without) - 1} others")
    files = LedgerFiles(ledger, request_ledger, firmware_ledger)
    serve_health = health_port is not None or "health_port" in settings.model_fields_set
    try:
        summary = simulate(plan, settings, files, serve_health=serve_health)
    except OSError as error:
        raise refuse(f"the simulator cannot start: {error}") from error
    sys.stdout.buffer.write(orjson.dumps(summary, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()
