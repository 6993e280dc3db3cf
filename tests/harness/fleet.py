"""The simulator as a process, with its ledger: what devices sent, and what was acknowledged to them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple, cast

from flownexus_local.program import base_environment
from harness.rows import rows


class Sent(NamedTuple):
    """One value of one notification. `time_us`: the device's own time in Unix microseconds."""

    endpoint: str
    path: str
    time_us: int
    value: float


class RunningFleet:
    """`python -m flownexus_simulator` against 127.0.0.1, with `psk_keys` over DTLS. `options`: of its command line."""

    def __init__(self, folder: Path, coap_port: int, *options: str, psk_keys: Path | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._ledger = folder / "ledger.jsonl"
        self._request_ledger = folder / "requests.jsonl"
        self._firmware_ledger = folder / "firmware.jsonl"
        self._log = folder / "simulator.log"
        server = [f"--server={'coap' if psk_keys is None else 'coaps'}://127.0.0.1:{coap_port}"]
        server += [] if psk_keys is None else [f"--psk-keys={psk_keys}"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "flownexus_simulator",
                    *server,
                    f"--ledger={self._ledger}",
                    f"--request-ledger={self._request_ledger}",
                    f"--firmware-ledger={self._firmware_ledger}",
                    *options,
                ],
                env=base_environment(),
                stdout=subprocess.PIPE,
                stderr=log,
            )

    def finish(self, timeout_s: float = 200) -> dict[str, Any]:
        """Wait until it ends by itself; its summary. AssertionError with its log if it failed or is late."""
        try:
            output, _ = self._process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the simulator did not end within {timeout_s} s:\n{self.log_text()}") from None
        assert self._process.returncode == 0, self.log_text()
        return cast("dict[str, Any]", json.loads(output))

    def stop(self) -> dict[str, Any]:
        """SIGTERM, and its summary."""
        self._process.send_signal(signal.SIGTERM)
        return self.finish(timeout_s=15)

    def kill(self) -> None:
        """SIGKILL, if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    @property
    def pid(self) -> int:
        """The process number."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process.poll() is None

    def log_text(self) -> str:
        """What it logged."""
        return self._log.read_text(errors="replace")

    def requests(self) -> list[dict[str, Any]]:
        """Every request that a device carried out, in their order. Complete once the process has ended."""
        return [json.loads(line) for line in self._request_ledger.read_bytes().splitlines()]

    def firmware(self) -> list[dict[str, Any]]:
        """What became of every firmware image that a device had, so far."""
        return [json.loads(line) for line in self._firmware_ledger.read_bytes().splitlines()]

    def ledger(self) -> list[dict[str, Any]]:
        """Every notification whose fate is known. Complete once the process has ended."""
        return [json.loads(line) for line in self._ledger.read_bytes().splitlines()]


def values_of(ledger: list[dict[str, Any]], *, acknowledged: bool) -> set[Sent]:
    """The values of all notifications, or of the acknowledged ones alone."""
    return {
        Sent(line["endpoint"], path, round(line["time"] * 1_000_000), float(value))
        for line in ledger
        if not acknowledged or line["outcome"] == "acknowledged"
        for path, value in line["values"].items()
    }


STORED = """
    select e.name, concat_ws('/', t.object_id, r.object_instance_id, t.resource_id),
           (extract(epoch from r.time) * 1000000)::bigint, r.value_number
    from resource r join endpoint e on e.id = r.endpoint_id join resource_type t on t.id = r.resource_type_id
    where starts_with(e.name, %s) and t.object_id in (3303, 10300) and r.time <> r.received_at
"""


def stored_values(database_url: str, prefix: str) -> Counter[Sent]:
    """Every value that devices of a fleet with this prefix gave a time, with how often it is in the database.

    The first value of an observation has none: it gets that of receipt, which may by chance be that of a measurement.
    """
    return Counter(Sent(*row) for row in rows(database_url, STORED, f"{prefix}-"))
