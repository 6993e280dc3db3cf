"""Gateway, operations or NATS killed at each step of an operation: it is not lost, not stuck, and done once.

A proxy between a service and NATS stops at the message that marks the step; the kill comes there.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import pytest
from nats.errors import Error as NatsError

from flownexus_schemas.bus_users import BusUser
from flownexus_schemas.commands import PathValue, WriteResource
from flownexus_schemas.operations.operation import Operation, OperationStatus
from flownexus_schemas.profiles import ObservationProfile
from harness.lockstep import ACK, CHANGED, CON, POST, PUT, URI_PATH, LockstepDevice, Silence, datagram
from harness.nats_proxy import NatsProxy, Stop
from harness.server_process import ServerProcess
from harness.waiting import until
from integration.operations.conftest import LINKS, Asked

if TYPE_CHECKING:
    from conftest import ServiceFactory
    from harness.containers import NatsContainer
    from harness.embedded import RunningNats
    from harness.services import ServiceProcess

WRITE = WriteResource(
    endpoint="device-1", path="1/0/1", values=(PathValue(path="1/0/1", value=300),), timeout_s=2
)  # fmt: skip


class Step(NamedTuple):
    """Where it is stopped: at which proxy, at which message. `kept_back`: the device answers after the kill only."""

    at: str
    stop: Callable[[], Stop] | None
    kept_back: bool = False


def _sent(subject: bytes, said: bytes = b"") -> Callable[[], Stop]:
    """A message that the service sends."""
    return lambda: Stop(True, lambda to, message: to.startswith(subject) and said in message)


def _got(subject: bytes) -> Callable[[], Stop]:
    """A message that the service gets."""
    return lambda: Stop(False, lambda to, _: to.startswith(subject))


def _acknowledged(after: bytes) -> Callable[[], Stop]:
    """JetStream's word that it has a message that the service sent."""
    return lambda: Stop(False, lambda _, message: b'"stream":"LWM2M_OPERATIONS"' in message, after)


OPERATION, REQUEST, INBOX = b"lwm2m.operation.device-1.", b"lwm2m.gateway.gw-1.request", b"_INBOX_operations"
STEPS = {
    "sending, not in the stream": Step("operations", _sent(OPERATION, b"operation.sending")),
    "sending in the stream, not known": Step("operations", _acknowledged(b"operation.sending")),
    "sending, gateway not asked": Step("operations", _sent(REQUEST)),
    "gateway asked, not sent": Step("gateway", _got(REQUEST)),
    "sent, not answered": Step("device", None, kept_back=True),
    "answered, not kept": Step("gateway", _sent(OPERATION, b".answered")),
    "kept, not known": Step("gateway", _acknowledged(b".answered")),
    "kept, not replied": Step("gateway", _sent(INBOX, b'"2.04"')),
    "replied, not in the stream": Step("operations", _sent(OPERATION, b"operation.confirmed")),
    "confirmed in the stream, not known": Step("operations", _acknowledged(b"operation.confirmed")),
}
UNKNOWABLE = ("answered, not kept", "gateway")
"""Nobody but the dead gateway knew that the device had answered."""


class Device:
    """Wakes up again and again, and carries out each request once, as RFC 7252, 4.5 has it."""

    def __init__(self, device: LockstepDevice, kept_back: bool) -> None:
        self._device, self._ended = device, threading.Event()
        self.asked, self.may_answer = threading.Event(), threading.Event()
        self.carried_out: list[int] = []
        if not kept_back:
            self.may_answer.set()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Device:
        self._device.register(LINKS, "b=U", "Q")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                heard = self._device.receive(0.7)
            except Silence:
                options = [(URI_PATH, part.encode()) for part in self._device.location.split("/")]
                self._device.send(datagram(CON, POST, next(self._device.message_ids), b"\x03", options))
                continue
            if heard.type == ACK or heard.code != PUT:
                continue
            self.asked.set()
            if not self.may_answer.is_set():
                continue
            if heard.message_id not in self.carried_out:
                self.carried_out.append(heard.message_id)
            self._device.answer(heard, CHANGED)


@pytest.fixture
def profile() -> ObservationProfile:
    return ObservationProfile(awake_window_s=2)


@pytest.fixture
def proxies(nats_server: RunningNats | NatsContainer) -> Iterator[dict[str, NatsProxy]]:
    gateways, operations = nats_server.url_of(BusUser.GATEWAY), nats_server.url_of(BusUser.OPERATIONS)
    with NatsProxy(gateways) as of_gateway, NatsProxy(operations) as of_operations:
        yield {"gateway": of_gateway, "operations": of_operations}


@pytest.fixture
async def gateway(stored_profile: None, proxies: dict[str, NatsProxy], service: ServiceFactory) -> ServiceProcess:
    return service("flownexus_gateway", FLOWNEXUS_NATS_URL=proxies["gateway"].url)


@pytest.fixture
def operations(gateway: ServiceProcess, proxies: dict[str, NatsProxy], service: ServiceFactory) -> ServiceProcess:
    return service("flownexus_operations", FLOWNEXUS_NATS_URL=proxies["operations"].url)


@pytest.mark.parametrize("victim", ["gateway", "operations", "nats"])
@pytest.mark.parametrize("step", STEPS)
async def test_killed_at_any_step_an_operation_is_neither_lost_nor_stuck_nor_done_twice(  # noqa: PLR0917
    nats_server: RunningNats | NatsContainer,
    proxies: dict[str, NatsProxy],
    device: LockstepDevice,
    operations: ServiceProcess,
    gateway: ServiceProcess,
    asked: Asked,
    step: str,
    victim: str,
) -> None:  # fmt: skip
    at, make, kept_back = STEPS[step]
    processes: dict[str, ServerProcess | NatsContainer] = {
        "gateway": gateway,
        "operations": operations,
        "nats": nats_server,
    }
    stop = None if make is None else proxies[at].stop_at(make())
    with Device(device, kept_back) as playing:
        name = await asked.ask(WRITE)
        reached = playing.asked if stop is None else stop.reached
        assert await asyncio.to_thread(reached.wait, 20), f"never there: {step}"
        processes[victim].kill()
        for proxy in proxies.values():
            proxy.go_on()
        playing.may_answer.set()
        processes[victim].start()

        async def last() -> Operation | None:
            with suppress(NatsError, TimeoutError):  # NATS may not be back yet
                history = await asked.history(name)
                return None if history[-1].data.is_open else history[-1].data
            return None

        operation: Operation = await until(last, 60, f"the end of {name}")
        assert operation.status is OperationStatus.CONFIRMED, operation
        await asyncio.sleep(2)  # some wake-ups more
        most = 2 if (step, victim) == UNKNOWABLE else 1
        assert 1 <= len(playing.carried_out) <= most
