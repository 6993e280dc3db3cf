"""Whether a port is free, and who has it."""

from __future__ import annotations

import os
import socket

import pytest

from flownexus_local import ports
from flownexus_local.ports import Kind

TYPES: dict[Kind, socket.SocketKind] = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


@pytest.mark.parametrize("kind", ["tcp", "udp"])
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::"])
def test_a_port_that_someone_has_on_one_address_is_not_free_on_all(kind: Kind, host: str) -> None:
    if host == "::" and not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    with socket.socket(socket.AF_INET, TYPES[kind]) as holder:
        holder.bind(("127.0.0.1", 0))
        if kind == "tcp":
            holder.listen()
        port: int = holder.getsockname()[1]
        assert not ports.is_free(kind, host, port)
        assert f"(process {os.getpid()})" in ports.holder(kind, port)
    assert ports.is_free(kind, host, port)
    assert ports.holder(kind, port) == ""


def test_an_address_of_another_machine_is_an_error_not_a_taken_port() -> None:
    with pytest.raises(OSError, match="assign"):
        ports.is_free("udp", "192.0.2.1", 5683)


def test_the_preferred_port_is_picked_where_it_is_free() -> None:
    port = ports.pick("tcp")
    assert ports.pick("tcp", port) == port
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        assert ports.pick("tcp", port) != port
