"""`flownexus up` as a person runs it: live data, crashes, a stop, a second start."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress

import httpx
import psutil
import pytest

from harness.dtls_client import Alerted
from harness.embedded import open_folder
from harness.lockstep import CREATED, LockstepDevice
from harness.readings import TEMPERATURE, newest_reading
from harness.secure_device import SecureDevice
from harness.server_process import ServerProcess
from harness.system import RunningSystem, command
from harness.waiting import blocking_until

pytestmark = pytest.mark.timeout(240)

DEVICES = 3
SUPERVISED = ("gateway", "ingest", "operations", "api", "console", "nats", "postgres")


@pytest.fixture(scope="module")
def system() -> Iterator[RunningSystem]:
    """One system for the tests of this module; each leaves it running."""
    with open_folder() as folder:
        running = RunningSystem(folder, f"--devices={DEVICES}", "--device-interval=1", "--nats-tls")
        try:
            running.start()
            yield running
        finally:
            running.erase()


def test_connection_json_says_how_to_reach_everything(system: RunningSystem) -> None:
    connection = system.connection
    assert connection.coap_port == system.coap_port
    assert connection.nats_url.startswith("tls://")
    assert httpx.get(f"{connection.console_url}/readyz", trust_env=False).status_code == 200
    assert set(connection.health) == {"gateway", "ingest", "operations", "api", "console"}
    for url in connection.health.values():
        assert httpx.get(f"{url}/readyz", trust_env=False).status_code == 200


def test_a_device_with_a_key_comes_over_dtls_until_that_is_revoked(system: RunningSystem) -> None:
    assert f"coaps://127.0.0.1:{system.coaps_port}" in system.log_text()
    asked = {"endpoint": "sensor-1", "type": "psk", "identity": "its identity"}
    with system.api() as api:
        made = api.post("/api/v1/credentials", json=asked).raise_for_status().json()
        key = bytes.fromhex(made["key"])
        with SecureDevice(system.coaps_port, "sensor-1", identity="its identity", key=key) as device:
            blocking_until(lambda: is_let_in(device), what="the credential at the gateway")
            assert device.register("</1/0>").code == CREATED
            blocking_until(lambda: api.get("/api/v1/endpoints/sensor-1").status_code == 200, what="the endpoint")
            api.post(f"/api/v1/credentials/{made['id']}/revoke").raise_for_status()
            with pytest.raises(Alerted):
                device.receive(10)
            assert not is_let_in(device)


def is_let_in(device: LockstepDevice) -> bool:
    assert isinstance(device, SecureDevice)
    try:
        device.reconnect()
    except Alerted:
        return False
    return True


def test_secrets_are_readable_by_their_owner_alone(system: RunningSystem) -> None:
    assert stat.S_IMODE(system.folder.stat().st_mode) == 0o700
    for name in ("connection.json", "secrets.json", "nats/nats.conf", "pki/nats.key"):
        assert stat.S_IMODE((system.folder / name).stat().st_mode) == 0o600, name


def test_the_password_is_shown_once_and_works(system: RunningSystem) -> None:
    assert system.log_text().count(str(system.connection.admin_password)) == 1
    with system.api() as api:
        assert api.get("/api/v1/users/me").json()["name"] == "admin"


def test_simulated_devices_are_listed_with_live_values(system: RunningSystem) -> None:
    with system.api() as api:
        names = blocking_until(lambda: _online(api) if len(_online(api)) == DEVICES else None, 30, "all devices online")
        first = blocking_until(lambda: newest_reading(api, names[0]), 30, "a first value")
        blocking_until(lambda: newest_reading(api, names[0]) not in {None, first}, 30, "a newer value")


def test_the_terminal_commands_show_the_same(system: RunningSystem) -> None:
    listed = run(system, "endpoints")
    assert len(re.findall(r"^sim-\d+ +online", listed, re.MULTILINE)) == DEVICES
    assert run(system, "user", "add", "ada", "--role", "viewer").startswith("ada is viewer now, with the password ")
    assert "already" in run(system, "user", "add", "ada", "--role", "viewer", expected=2)
    diagnosis = run(system, "doctor")
    for name in ("gateway", "ingest", "operations", "api", "console"):
        assert re.search(rf"✓ {name} +ready", diagnosis)
    assert "is running" in run(system, "up", expected=2)
    assert "is running" in run(system, "erase", "--yes", expected=2)


def test_operations_are_asked_for_followed_and_shown_in_the_terminal(system: RunningSystem) -> None:
    with system.api() as api:
        device = blocking_until(lambda: _online(api), 30, "a device online")[0]
    program = command(system.folder.parent, "operations", "follow", "--endpoint", device)
    following = ServerProcess("follow", lambda: program, lambda: True, system.folder.parent / "follow.log")
    following.start()

    def heard(operation: str) -> bool:
        return f"{operation} {device} write CONFIRMED: The device answered 2.04." in following.log_text()

    def asked() -> str | None:
        """It may not follow yet: what it does not hear of is asked for again."""
        operation = run(system, "write", device, "1/0/2", "3", "--later").strip()
        with suppress(AssertionError):
            return blocking_until(lambda: operation if heard(operation) else None, 5, "the operation in the terminal")
        return None

    operation = blocking_until(asked, 60, "an operation that is followed")
    assert following.stop() == 0
    shown = run(system, "operations", "show", operation)
    assert shown.splitlines()[1].endswith("QUEUED: Requested.")
    assert f"{operation} {device} write 1/0/2 CONFIRMED" in run(system, "operations", "list", "--endpoint", device)

    asked_all = run(system, "operations", "request", '{"operation": "read", "path": "3/0/0"}', "--endpoint=sim-*")
    batch, count, _ = asked_all.split()
    assert int(count) == DEVICES

    def all_done() -> bool:
        listed = run(system, "operations", "list", "--batch", batch, "--status", "CONFIRMED")
        return len(listed.splitlines()) == DEVICES

    blocking_until(all_done, 30, "the answer of every device")
    assert "CONFIRMED" in run(system, "operations", "cancel", operation, expected=2)
    assert run(system, "operations", "cancel", "--batch", batch) == "0 cancelled\n"
    assert "no JSON" in run(system, "operations", "request", "{", "--endpoint=*", expected=2)


def test_firmware_is_uploaded_linked_to_and_deleted_in_the_terminal(system: RunningSystem) -> None:
    image = system.folder.parent / "thermometer.bin"
    image.write_bytes(bytes(range(256)) * 1000)
    named = ("--name=thermometer", "--version=1.4.0")
    identifier, digest = run(system, "firmware", "upload", str(image), *named).split()
    assert digest == hashlib.sha256(image.read_bytes()).hexdigest()
    assert f"{identifier} thermometer 1.4.0 256000 bytes, thermometer.bin" in run(system, "firmware", "list")
    link = run(system, "firmware", "link", identifier).strip()
    assert httpx.get(link, trust_env=False).content == image.read_bytes()
    assert "already" in run(system, "firmware", "upload", str(image), *named, expected=2)
    assert run(system, "firmware", "delete", identifier) == "thermometer 1.4.0 deleted\n"
    assert run(system, "firmware", "list") == ""
    assert httpx.get(link, trust_env=False).status_code == 404


def test_watch_shows_values_as_they_come(system: RunningSystem) -> None:
    with system.api() as api:
        device = blocking_until(lambda: _online(api), 30, "a device online")[0]
    program = command(system.folder.parent, "watch", device)
    watching = ServerProcess("watch", lambda: program, lambda: True, system.folder.parent / "watch.log")
    watching.start()
    shown = rf"{device} reported .*{TEMPERATURE}=\d"
    blocking_until(lambda: re.search(shown, watching.log_text()), 30, "a value in the terminal")
    assert watching.stop() == 0
    assert "Traceback" not in watching.log_text()


@pytest.mark.parametrize("name", SUPERVISED)
def test_a_killed_process_is_started_again_and_data_flows_on(system: RunningSystem, name: str) -> None:
    killed = system.process_number(name)
    os.kill(killed, signal.SIGKILL)
    blocking_until(lambda: system.process_number(name) != killed, 30, f"a new {name}")
    connection = system.connection

    def all_ready() -> bool:
        try:
            return all(
                httpx.get(f"{url}/readyz", timeout=2, trust_env=False).status_code == 200
                for url in connection.health.values()
            )
        except httpx.HTTPError:
            return False

    blocking_until(all_ready, 40, f"readiness after {name} was killed")
    # Readiness is looked at once a second: it can be of the moment before the kill.
    blocking_until(lambda: _lets_in(system), 40, f"a login after {name} was killed")
    with system.api() as api:
        device = (blocking_until(lambda: _online(api), 30, "a device online"))[0]
        before = newest_reading(api, device)
        blocking_until(
            lambda: newest_reading(api, device) not in {None, before}, 40, f"a newer value after {name} was killed"
        )


def test_it_stops_cleanly_and_keeps_its_data_for_the_next_start(system: RunningSystem) -> None:
    with system.api() as api:
        device = (blocking_until(lambda: _online(api), 30, "a device online"))[0]
        kept = blocking_until(lambda: newest_reading(api, device), 30, "a value")
    children = psutil.Process(system.pid).children(recursive=True)
    began = time.monotonic()
    assert system.stop(timeout_s=30) == 0
    print(f"stopped in {time.monotonic() - began:.1f} s")
    assert not [child for child in children if child.is_running()]
    password = system.connection.admin_password
    system.start()
    assert system.connection.admin_password == password
    assert system.log_text().count(str(password)) == 1
    with system.api() as api:
        history = api.get(
            f"/api/v1/endpoints/{device}/history", params={"path": kept.path, "from": kept.time, "limit": 1}
        ).raise_for_status()
        assert history.json()["items"][0]["value"] == kept.value


def test_what_a_killed_supervisor_left_is_ended_by_the_next_start(system: RunningSystem) -> None:
    numbers = [system.process_number(name) for name in SUPERVISED]
    os.kill(system.pid, signal.SIGKILL)
    blocking_until(lambda: not system.is_running, 10, "the end of the supervisor")
    assert all(psutil.pid_exists(number) for number in numbers)
    system.start()
    assert "left over from a run that was killed" in system.log_text()
    assert not set(numbers) & {system.process_number(name) for name in SUPERVISED}


def run(system: RunningSystem, *arguments: str, expected: int = 0) -> str:
    """What the command says, having ended with the expected exit code."""
    program = command(system.folder.parent, *arguments)
    done = subprocess.run(
        program.argv, cwd=program.cwd, env=dict(program.env), capture_output=True, text=True, check=False
    )
    assert done.returncode == expected, done.stdout + done.stderr
    return done.stdout + done.stderr


def _online(api: httpx.Client) -> list[str]:
    items = api.get("/api/v1/endpoints", params={"limit": 500}).raise_for_status().json()["items"]
    return [item["name"] for item in items if item["status"] == "online" and item["name"].startswith("sim-")]


def _lets_in(system: RunningSystem) -> bool:
    try:
        with system.api():
            return True
    except httpx.HTTPError:
        return False
