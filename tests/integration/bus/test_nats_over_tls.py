"""NATS over TLS with a real server: who comes in, and what the others are told to do."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import nats
import pytest
from structlog.testing import capture_logs

from conftest import ServiceFactory
from flownexus_local import nats_certificates
from flownexus_local.nats_certificates import NatsFiles
from flownexus_runtime import bus, bus_tls
from flownexus_runtime.bus_tls import TlsFailed
from flownexus_runtime.settings import ServiceSettings
from flownexus_schemas import jetstream
from flownexus_schemas.bus_users import BusUser
from harness.embedded import RunningNats, running_nats
from harness.lockstep import CREATED, LockstepDevice
from harness.rows import rows
from harness.server_process import ServerProcess
from harness.system import command
from harness.waiting import blocking_until, until

HOST = "127.0.0.1"
SERVICES = {"gateway": BusUser.GATEWAY, "ingest": BusUser.INGEST, "operations": BusUser.OPERATIONS, "api": BusUser.API}
NOW = datetime.datetime.now(datetime.UTC)
LONG_AGO = NOW - nats_certificates.GOOD_FOR - datetime.timedelta(days=1)
LATER = NOW + datetime.timedelta(days=1)


def files(folder: Path, *, host: str = HOST, made: datetime.datetime = NOW) -> NatsFiles:
    return nats_certificates.make(folder, [host], made)


@pytest.fixture
def tls(tmp_path: Path) -> NatsFiles:
    return files(tmp_path / "tls")


@pytest.fixture
def nats_server(tmp_path: Path, tls: NatsFiles) -> Iterator[RunningNats]:
    """In place of the one without TLS."""
    with running_nats(tmp_path, tls) as server:
        yield server


@pytest.fixture
async def provided(nats_server: RunningNats, tls: NatsFiles) -> AsyncIterator[None]:
    """Our streams and buckets are there."""
    client = await nats.connect(nats_server.url, tls=bus_tls.context(tls.ca))
    try:
        await jetstream.provision(client.jetstream())
        yield
    finally:
        await client.close()


def settings(url: str, ca: Path | None = None, server_name: str | None = None) -> ServiceSettings:
    return ServiceSettings.model_validate({"nats_url": url, "nats_ca": ca, "nats_server_name": server_name})


async def refusal(given: ServiceSettings) -> str:
    """What the person who starts a service is told."""
    with pytest.raises(TlsFailed) as refused:
        async with asyncio.timeout(10):
            await bus.connect(given, "test")
    return str(refused.value)


@pytest.mark.usefixtures("provided")
def test_a_report_reaches_the_database_over_tls_alone(
    nats_server: RunningNats, tls: NatsFiles, service: ServiceFactory, database_url: str
) -> None:
    running = [service(f"flownexus_{name}", wait=False, FLOWNEXUS_NATS_CA=str(tls.ca)) for name in SERVICES]
    for one in running:
        one.wait_ready()
        assert one.env["FLOWNEXUS_NATS_URL"].startswith("tls://")
    with LockstepDevice(int(running[0].env["FLOWNEXUS_COAP_PORT"]), "tls-1") as device:
        assert device.register("</3/0>").code == CREATED
    blocking_until(lambda: rows(database_url, "select 1 from endpoint where name = 'tls-1'"), 20, "its row")


async def test_a_certificate_of_another_ca_is_refused(nats_server: RunningNats, tmp_path: Path) -> None:
    other = files(tmp_path / "other")
    said = await refusal(settings(nats_server.url, other.ca))
    assert "of a CA that is not known here: FLOWNEXUS_NATS_CA names the file" in said
    assert "of a CA that is not known here" in await refusal(settings(nats_server.url))


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (LONG_AGO, "has expired: give the server a new one"),
        (LATER, "not valid yet: is the clock of this machine right"),
    ],
)
async def test_a_certificate_out_of_its_time_is_refused(made: datetime.datetime, expected: str, tmp_path: Path) -> None:
    stale = files(tmp_path / "stale", made=made)
    with running_nats(tmp_path, stale) as server:
        assert expected in await refusal(settings(server.url, stale.ca))


async def test_a_certificate_for_another_name_is_refused_unless_the_name_is_said(tmp_path: Path) -> None:
    named = files(tmp_path / "named", host="nats.example.org")
    with running_nats(tmp_path, named) as server:
        said = await refusal(settings(server.url, named.ca))
        assert "is for another name" in said
        assert "FLOWNEXUS_NATS_SERVER_NAME" in said
        client = await bus.connect(settings(server.url, named.ca, "nats.example.org"), "test")
        await client.close()


async def test_one_server_of_a_cluster_with_a_bad_certificate_keeps_nobody_out(
    nats_server: RunningNats, tls: NatsFiles, tmp_path: Path
) -> None:
    stale = files(tmp_path / "stale", made=LONG_AGO)
    with running_nats(tmp_path / "bad", stale) as bad:
        # In any order, as nats-py shuffles them.
        ports = f"{urlsplit(bad.url).port}", f"{urlsplit(nats_server.url).port}"
        urls = [nats_server.url.replace(ports[1], port) for port in ports]
        for order in (urls, urls[::-1]):
            client = await asyncio.wait_for(bus.connect(settings(",".join(order), tls.ca), "test"), 10)
            assert client.connected_url is not None
            assert client.connected_url.port == int(ports[1])
            await client.close()


async def test_a_plain_client_is_told_to_use_tls(nats_server: RunningNats) -> None:
    said = await refusal(settings(nats_server.url.replace("tls://", "nats://")))
    assert "write tls:// in FLOWNEXUS_NATS_URL" in said
    assert "FLOWNEXUS_NATS_CA" in said


async def test_a_server_that_offers_no_tls_is_sent_nothing(tls: NatsFiles) -> None:
    received = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"x","version":"2.11.0","max_payload":1048576}\r\n')
        sent = await reader.read()
        if not received.done():
            received.set_result(sent)
        writer.close()

    async with await asyncio.start_server(serve, HOST, 0) as server:
        port = server.sockets[0].getsockname()[1]
        said = await refusal(settings(f"tls://gateway:a-word-of-the-tests@{HOST}:{port}", tls.ca))
        assert "NATS offers no TLS" in said
        assert await asyncio.wait_for(received, 10) == b""


@pytest.mark.parametrize("wrong", ["another CA", "plain"])
def test_each_service_and_migrate_end_with_one_line_that_says_what_to_do(
    wrong: str, nats_server: RunningNats, service: ServiceFactory, database_url: str, tmp_path: Path
) -> None:
    if wrong == "plain":
        env, expected, scheme = {}, "NATS takes TLS alone", "nats://"
    else:
        ca = files(tmp_path / "other").ca
        env, expected, scheme = {"FLOWNEXUS_NATS_CA": str(ca)}, "of a CA that is not known here", "tls://"
    started: list[ServerProcess] = []
    for name, user in SERVICES.items():
        url = nats_server.url_of(user).replace("tls://", scheme)
        started.append(service(f"flownexus_{name}", wait=False, FLOWNEXUS_NATS_URL=url, **env))
    owner = {"FLOWNEXUS_NATS_URL": nats_server.url.replace("tls://", scheme), "FLOWNEXUS_DATABASE_URL": database_url}
    migrate = command(tmp_path, "migrate", "--timeout=1", env=owner | env)
    migrating = ServerProcess("migrate", lambda: migrate, lambda: True, tmp_path / "migrate.log")
    migrating.launch()
    for one in (*started, migrating):
        assert one.wait_end() == 2, one.log_text()
        assert expected in one.log_text().splitlines()[-1]
        assert "Traceback" not in one.log_text()


async def test_a_running_service_says_what_is_wrong_and_comes_back(
    nats_server: RunningNats, tls: NatsFiles, tmp_path: Path
) -> None:
    good = [path.read_bytes() for path in tls]
    client = await bus.connect(settings(nats_server.url, tls.ca), "test")
    try:
        with capture_logs() as logged:
            await asyncio.to_thread(nats_server.stop)
            files(tls.ca.parent)
            await asyncio.to_thread(nats_server.start)
            await until(lambda: any(line["event"] == "nats.tls_failed" for line in logged), what="the warning")
        assert any("FLOWNEXUS_NATS_CA" in line.get("advice", "") for line in logged)
        assert not client.is_connected
        await asyncio.to_thread(nats_server.stop)
        for path, content in zip(tls, good, strict=True):
            path.write_bytes(content)
        await asyncio.to_thread(nats_server.start)
        await until(lambda: client.is_connected, what="the connection")
    finally:
        await client.close()
