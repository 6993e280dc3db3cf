"""Operations on a sleeping device over the whole system, with every datagram between device and gateway written down.

The first is the example of the source document, 4.3.2, in its seven steps.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest

from harness.embedded import open_folder
from harness.lockstep import CHANGED, METHOD_NOT_ALLOWED, PUT, Heard, LockstepDevice, Silence, parse
from harness.system import RunningSystem
from harness.waiting import blocking_until
from harness.wire import Wire

pytestmark = pytest.mark.timeout(300)

LINKS = '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</5/0>'
URL = "https://url.com/fw.bin"
WRITE = {"operation": "write", "path": "5/0/1", "value": URL}
AWAKE_S, ASLEEP_S = 2, 3.0


@pytest.fixture(scope="module")
def system() -> Iterator[RunningSystem]:
    with open_folder() as folder:
        running = RunningSystem(folder)
        try:
            running.start()
            with running.api() as client:
                profile = {"observe": [], "awake_window_s": AWAKE_S}
                assert client.put("/api/v1/profiles/default", json=profile).is_success
            yield running
        finally:
            running.erase()


class Backend:
    """What a user sees of one device, over REST."""

    def __init__(self, client: httpx.Client, endpoint: str) -> None:
        self._client, self._endpoint = client, endpoint

    def status(self) -> str:
        """Of the device."""
        return str(self._client.get(f"/api/v1/endpoints/{self._endpoint}").json().get("status"))

    def becomes(self, status: str) -> None:
        blocking_until(lambda: self.status() == status, 30, f"{self._endpoint} is {status}")

    def ask(self, **changes: Any) -> str:
        answer = self._client.post(f"/api/v1/endpoints/{self._endpoint}/operations", json=WRITE | changes)
        assert (answer.status_code, answer.json()["status"]) == (202, "QUEUED"), answer.text
        return str(answer.json()["id"])

    def now(self, operation: str) -> dict[str, Any]:
        found: dict[str, Any] = self._client.get(f"/api/v1/operations/{operation}").json()
        return found

    def reaches(self, operation: str, status: str, attempts: int) -> dict[str, Any]:
        """The operation once it stands so, in the tables too."""

        def there() -> dict[str, Any] | None:
            found = self.now(operation)
            stands = (found["status"], found["attempts"]) == (status, attempts)
            return found if stands and found["history"] and found["history"][-1]["status"] == status else None

        found: dict[str, Any] = blocking_until(there, 40, f"{operation} {status} after {attempts} attempts")
        return found

    def waiting(self) -> list[str]:
        """What the list has of the device's operations that wait."""
        query = {"endpoint": self._endpoint, "status": "QUEUED"}
        return [item["id"] for item in self._client.get("/api/v1/operations", params=query).json()["items"]]


def requests_on(wire: Wire) -> list[Heard]:
    """The datagrams with which the device was asked to write."""
    return [heard for heard in map(parse, wire.to_device()) if (heard.code, heard.path()) == (PUT, "5/0/1")]


def next_request(device: LockstepDevice) -> Heard:
    """After an Update: the device wakes up and is asked."""
    while (heard := device.receive()).code != PUT:
        pass
    return heard


def test_the_example_of_the_source_document_step_by_step(system: RunningSystem) -> None:
    endpoint = "urn:imei:123456789012345"
    with system.api() as client, Wire(system.coap_port) as wire, LockstepDevice(wire.port, endpoint) as device:
        backend = Backend(client, endpoint)
        device.register(LINKS, "b=U", "Q")
        backend.becomes("online")
        backend.becomes("asleep")
        slept_since = time.time()

        # 1. The user creates the operation. 2. The backend knows that the endpoint sleeps.
        operation = backend.ask()
        assert backend.status() == "asleep"
        # 3. No further action is taken.
        queued = backend.reaches(operation, "QUEUED", 0)
        assert (queued["last_attempt_at"], queued["last_action"]) == (None, "Requested.")
        assert backend.waiting() == [operation]
        with pytest.raises(Silence):
            device.receive(ASLEEP_S)
        assert wire.to_device(since=slept_since) == []
        assert backend.now(operation)["status"] == "QUEUED"

        # 4. The endpoint comes online. 5. and 6. What is pending is found, and sent.
        device.update()
        request = next_request(device)
        assert (request.path(), request.payload) == ("5/0/1", URL.encode())
        backend.becomes("online")
        sending = backend.reaches(operation, "SENDING", 1)
        assert sending["code"] is None
        assert backend.waiting() == []

        # 7. The endpoint acknowledges it: it is completed.
        device.answer(request, CHANGED)
        done = backend.reaches(operation, "CONFIRMED", 1)
        assert (done["code"], done["last_action"]) == ("2.04", "The device answered 2.04.")
        assert [step["status"] for step in done["history"]] == ["QUEUED", "SENDING", "CONFIRMED"]
        times = [step["time"] for step in done["history"]]
        assert times == sorted(times)
        backend.becomes("asleep")
        assert {heard.message_id for heard in requests_on(wire)} == {request.message_id}


def test_a_device_that_never_answers_gets_three_datagrams_on_three_wake_ups_and_no_fourth(
    system: RunningSystem,
) -> None:
    """The time of an attempt is over before CoAP sends its datagram again: each attempt is one."""
    with system.api() as client, Wire(system.coap_port) as wire, LockstepDevice(wire.port, "silent") as device:
        backend = Backend(client, "silent")
        device.register(LINKS, "b=U", "Q")
        backend.becomes("asleep")
        operation = backend.ask(timeout_s=1.5)
        for attempt in (1, 2, 3):
            device.update()
            next_request(device)
            backend.reaches(operation, "FAILED" if attempt == 3 else "QUEUED", attempt)
            with pytest.raises(Silence):
                device.receive(ASLEEP_S)
            assert len(requests_on(wire)) == attempt
        for _ in range(2):
            device.update()
            with pytest.raises(Silence):
                device.receive(ASLEEP_S)

        assert len({heard.message_id for heard in requests_on(wire)}) == len(requests_on(wire)) == 3
        failed = backend.now(operation)
        assert failed["last_action"].startswith("No answer to 3 attempts")
        assert [step["status"] for step in failed["history"]] == [
            "QUEUED",
            *["SENDING", "QUEUED"] * 2,
            "SENDING",
            "FAILED",
        ]


def test_within_one_attempt_the_same_datagram_comes_again_and_counts_once(system: RunningSystem) -> None:
    with system.api() as client, Wire(system.coap_port) as wire, LockstepDevice(wire.port, "lossy") as device:
        backend = Backend(client, "lossy")
        device.register(LINKS)
        backend.becomes("online")
        operation = backend.ask()
        first = next_request(device)
        again = next_request(device)  # after 2 to 3 s: RFC 7252, 4.2
        assert backend.now(operation)["attempts"] == 1
        device.answer(again, CHANGED)
        assert backend.reaches(operation, "CONFIRMED", 1)["code"] == "2.04"
        assert first == again
        asked = [data for data in wire.to_device() if parse(data).code == PUT]
        assert len(asked) >= 2
        assert len(set(asked)) == 1


def test_a_refusal_is_the_end_at_once_with_its_code(system: RunningSystem) -> None:
    with system.api() as client, Wire(system.coap_port) as wire, LockstepDevice(wire.port, "unwilling") as device:
        backend = Backend(client, "unwilling")
        device.register(LINKS, "b=U", "Q")
        backend.becomes("asleep")
        operation = backend.ask()
        device.update()
        device.answer(next_request(device), METHOD_NOT_ALLOWED, payload=b"not now")
        failed = backend.reaches(operation, "FAILED", 1)
        assert (failed["code"], failed["diagnostic"]) == ("4.05", "not now")
        device.update()
        with suppress(Silence):
            while device.receive(ASLEEP_S).code != PUT:
                pass
        assert len({heard.message_id for heard in requests_on(wire)}) == 1
