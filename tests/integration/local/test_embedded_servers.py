"""The embedded servers: they keep their data over a stop and over a kill."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import nats
import psycopg
import pytest
from nats.js import JetStreamContext

from harness.embedded import RunningNats, RunningPostgres


async def test_a_killed_nats_server_keeps_what_it_acknowledged(nats_server: RunningNats, js: JetStreamContext) -> None:
    ack = await js.publish("lwm2m.event.sim-1.registered", b"{}")
    nats_server.kill()
    nats_server.start()
    client = await nats.connect(nats_server.url)
    try:
        kept = await client.jetstream().get_msg(ack.stream, ack.seq)
    finally:
        await client.close()
    assert kept.data == b"{}"


def test_nats_refuses_a_client_without_the_password(nats_server: RunningNats) -> None:
    # Bytes by hand: nats-py leaves the transport of a refused connection open.
    port = urlsplit(nats_server.url).port
    with (
        socket.create_connection(("127.0.0.1", port or 0), timeout=5) as connection,
        connection.makefile("rb") as lines,
    ):
        assert lines.readline().startswith(b"INFO")
        connection.sendall(b'CONNECT {"verbose":false,"user":"flownexus","pass":"wrong"}\r\nPING\r\n')
        assert b"Authorization Violation" in lines.readline()


def test_a_killed_postgres_keeps_what_it_committed(postgres: RunningPostgres) -> None:
    url = postgres.create_database()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    postgres.kill()
    postgres.start()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_postgres_refuses_a_client_without_the_password(postgres: RunningPostgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.url, password="wrong")
