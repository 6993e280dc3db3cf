"""DTLS without sockets: handshakes, records, and what a session takes in memory and in the store.

`python tests/bench/bench_dtls.py [--sessions 5000] [--records 100000]` prints one JSON object. Rates are of the
server's part alone, a second of its CPU time: neither what else the machine does is in them, nor the clients.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import structlog

sys.path.insert(0, str(Path(__file__).parents[1]))

from flownexus_gateway.transport.dtls.openssl_context import ServerCertificate
from flownexus_gateway.transport.dtls.stored_session import StoredSession, secrets_of
from flownexus_schemas.credentials import X509Credential
from harness.certificates import Ca
from harness.dtls_client import CCM_8, GCM
from harness.dtls_openssl_client import OpenSslClient
from harness.dtls_wire import SEALER, Credentials, Wire, WireClient, psk_credential

PAYLOAD = b"x" * 60


class Timed:
    """The CPU time that the server of a wire takes."""

    def __init__(self, wire: Wire) -> None:
        self.spent_s = 0.0
        self._receive = wire.server.receive
        wire.server.receive = self.receive  # type: ignore[method-assign]

    def receive(self, datagram: bytes, path: object, now: float) -> None:
        begun = time.process_time()
        self._receive(datagram, path, now)  # type: ignore[arg-type]
        self.spent_s += time.process_time() - begun


def psk_handshakes(count: int, cid: bytes | None) -> float:
    wire = Wire(Credentials(psk_credential()))
    timed = Timed(wire)
    for number in range(count):
        client = wire.client(cid=cid, address=("192.0.2.1", 1024 + number))
        client.handshake()
        client.say(b"x")
    return count / timed.spent_s


def ecdsa_handshakes(count: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        ca = Ca(Path(folder))
        ours, theirs = ca.issue("server"), ca.issue("device-1")
        named = X509Credential(id="x1", endpoint="device-1", subject="device-1", created_at=0.0)
        wire = Wire(Credentials(named), ServerCertificate(ours.pem, ours.key_pem, ca.root.pem))
        timed = Timed(wire)
        for number in range(count):
            client = OpenSslClient(wire, theirs, port=1024 + number)
            client.handshake()
            client.say(b"x")
        return count / timed.spent_s


def records(count: int, suite: int, cid: bytes | None) -> dict[str, int]:
    """Opened and handed on, and sealed and sent, each a second."""
    wire = Wire(Credentials(psk_credential()))
    client = wire.client(suite=suite, cid=cid)
    client.handshake()
    association = client.say(b"x")
    wire.server.deliver = lambda *_: None
    datagrams, path = [client.seal(23, PAYLOAD) for _ in range(count)], wire.peer(client.address)

    def receive() -> None:
        for datagram in datagrams:
            wire.server.receive(datagram, path, 1.0)

    def send() -> None:
        for _ in range(count):
            association.send(PAYLOAD)

    opened, sealed = _rate(count, receive), _rate(count, send)
    return {"opened": round(opened), "sealed": round(sealed)}


def _rate(count: int, work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return count / (time.process_time() - begun)


def memory(count: int) -> dict[str, int]:
    """Of sessions that are open and idle, and of one as it is kept."""
    wire = Wire(Credentials(*(psk_credential(f"device-{number}", id_=f"c{number}") for number in range(count))))
    wire.server.deliver = lambda *_: None
    process = psutil.Process()
    # One first: what is taken once for all is no matter.
    _open(wire, 0)
    gc.collect()
    before = process.memory_info().rss
    for number in range(1, count):
        _open(wire, number)
    wire.sent.clear()
    gc.collect()
    live = (process.memory_info().rss - before) / (count - 1)
    association = next(iter(wire.server.associations))
    sealed = SEALER.seal(secrets_of(association, 1000).model_dump_json().encode(), b"k")
    stored = len(StoredSession(gateway="gw-1", sealed=sealed).model_dump_json())
    return {"sessions": len(wire.server.associations), "live_bytes": round(live), "stored_bytes": stored}


def _open(wire: Wire, number: int) -> WireClient:
    client = wire.client(f"device-{number}", cid=b"", address=(f"10.0.{number >> 8}.{number & 255}", 5684))
    client.handshake()
    client.send(b"x")
    del wire.sent[client.address]
    return client


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sessions", type=int, default=5000)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--handshakes", type=int, default=1000)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    result = {
        "memory": memory(options.sessions),
        "handshakes_per_cpu_second": {
            "psk": round(psk_handshakes(options.handshakes, None)),
            "psk_with_connection_id": round(psk_handshakes(options.handshakes, b"")),
            "ecdsa_mutual": round(ecdsa_handshakes(options.handshakes)),
        },
        "records_per_cpu_second": {
            "ccm_8": records(options.records, CCM_8, None),
            "ccm_8_with_connection_id": records(options.records, CCM_8, b""),
            "gcm": records(options.records, GCM, None),
        },
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
