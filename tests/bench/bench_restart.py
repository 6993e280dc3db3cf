"""A gateway killed under registered devices: how long until the first notification is understood again.

`python tests/bench/bench_restart.py [--devices 2000] [--times 5]` prints one JSON object. After each `kill -9` the
gateway is started at once; one device sends the same confirmable notification every 5 ms until it is acknowledged,
which is after JetStream has its event. Seconds count from the start of the process: Python's own start, the modules and
the registrations are in them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import selectors
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.bench_gateway import Device, provision, register_all
from harness.embedded import running_nats
from harness.services import ServiceProcess

EVERY_S = 0.005
STALLED_S = 60.0
ACKNOWLEDGEMENT, RESET = 0x60, 0x70


def until_understood(device: Device, started: float) -> float:
    """Seconds from `started` until a notification of this device is acknowledged. Raises on a Reset."""
    selector = selectors.DefaultSelector()
    selector.register(device.socket, selectors.EVENT_READ)
    device.notify()
    sent = device.message_id
    while time.perf_counter() - started < STALLED_S:
        if selector.select(EVERY_S):
            try:
                data = device.socket.recv(2048)
            except ConnectionRefusedError:
                data = b""
            if data and data[2] << 8 | data[3] == sent:
                if data[0] == RESET:
                    raise RuntimeError("the gateway did not know the token")
                if data[0] == ACKNOWLEDGEMENT:
                    return time.perf_counter() - started
        device.message_id = sent - 1  # the same message again, as its retransmission
        try:
            device.notify()
        except ConnectionRefusedError:
            time.sleep(EVERY_S)  # nobody has the port yet
    raise TimeoutError(f"no notification was understood within {STALLED_S} s")


def measure(count: int, times: int) -> dict[str, object]:
    """Everything in one run."""
    with tempfile.TemporaryDirectory() as name, running_nats(Path(name)) as server:
        asyncio.run(provision(server.url))
        env = {"FLOWNEXUS_NATS_URL": server.url, "FLOWNEXUS_LOG_LEVEL": "warning"}
        gateway = ServiceProcess("flownexus_gateway", env, Path(name))
        gateway.start()
        try:
            devices = [Device(number, int(gateway.env["FLOWNEXUS_COAP_PORT"])) for number in range(count)]
            selector = selectors.DefaultSelector()
            for device in devices:
                selector.register(device.socket, selectors.EVENT_READ, device)
            register_all(selector, devices)
            understood = []
            for time_ in range(times):
                gateway.kill()
                started = time.perf_counter()
                starting = threading.Thread(target=gateway.start)
                starting.start()
                understood.append(round(until_understood(devices[time_ % count], started), 2))
                starting.join()
        finally:
            gateway.kill()
    return {"devices": count, "seconds_to_first_notification_understood": understood}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--devices", type=int, default=2000)
    parser.add_argument("--times", type=int, default=5)
    given = parser.parse_args()
    print(json.dumps(measure(given.devices, given.times), indent=2))


if __name__ == "__main__":
    main()
