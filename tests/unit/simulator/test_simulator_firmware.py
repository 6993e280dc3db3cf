"""The firmware of a simulated device: each state and result, by each way, and each thing that goes wrong."""

from __future__ import annotations

import hashlib

import cbor2
import pytest

from flownexus_simulator.behaviour import Behaviour
from flownexus_simulator.coap import Message, Option
from flownexus_simulator.downloads import Fetched, FetchFailed, Part
from flownexus_simulator.faults import Fault, FirmwareBehaviour
from flownexus_simulator.image import make
from flownexus_simulator.object5 import Result
from flownexus_simulator.registering import Standing
from unit.simulator.bench import ACK, CHANGED, CON, CREATED, GET, POST, PUT, Bench, datagram

URI = "coap://127.0.0.1:5683/fw/1.x/aa/u-1"
IMAGE = make("thermometer", "2.0.0", 4096)
IDLE, DOWNLOADING, DOWNLOADED, UPDATING = range(4)
OLD, NEW = "1.0.0", "2.0.0"
CONTINUE, NOT_ALLOWED, INCOMPLETE, TOO_LARGE, UNSUPPORTED, FAILED = 0x5F, 0x85, 0x88, 0x8D, 0x8F, 0xA0
MORE, SIZE_512, SIZE_1024 = 8, 5, 6
OPAQUE = b"\x2a"


class Updated(Bench):
    """A registered device that measures nothing, and whoever updates it."""

    def __init__(self, **firmware: object) -> None:
        super().__init__(Behaviour(interval_s=1e6, firmware=FirmwareBehaviour(**firmware)))  # type: ignore[arg-type]
        self.register()

    def read(self, *path: int) -> object:
        answer = self.request(GET, (*((11, str(part).encode()) for part in path), (17, b"\x70")))
        records = cbor2.loads(answer.payload)
        return records[0].get(2, records[0].get(3))

    def stands(self) -> tuple[object, object, object]:
        """State, result, running version."""
        return self.read(5, 0, 3), self.read(5, 0, 5), self.read(3, 0, 3)

    def offer(self, uri: str = URI) -> int:
        path = ((11, b"5"), (11, b"0"), (11, b"1"))
        return self.request(PUT, (*path, (12, b"")), uri.encode()).code

    def fetch(self, image: bytes = IMAGE, start: int = 0, end: int | None = None) -> None:
        """The fetcher's part: the image in parts of 512 bytes, as long as the device wants it."""
        for offset in range(start, len(image) if end is None else end, 512):
            if not self.fetcher.wanted:
                return
            self.device.fetched(Part(image[offset : offset + 512], len(image) if offset == 0 else None), self.now)
        if end is None and self.fetcher.wanted:
            self.device.fetched(Fetched(), self.now)

    def pull(self, image: bytes = IMAGE) -> None:
        assert self.offer() == CHANGED
        self.pass_until_due()
        assert self.fetcher.wanted == [(URI, 0)]
        self.fetch(image)

    def install(self) -> int:
        return self.request(POST, ((11, b"5"), (11, b"0"), (11, b"2"))).code

    def boot(self) -> None:
        """The device comes back, and registers again."""
        self.pass_until_due()
        register = self.one()
        assert register.texts(Option.URI_PATH) == ["rd"]
        self.answer(register, CREATED, ((8, b"rd"), (8, b"a2")))

    def push(self, block: int, payload: bytes, token: bytes = b"P", size: int | None = len(IMAGE)) -> Message | None:
        """The answer to one block of a package; None where there is none."""
        self.mid += 1
        path = ((11, b"5"), (11, b"0"), (11, b"0"))
        options = [*path, (12, OPAQUE), (27, block.to_bytes(2))]
        if size is not None and block >> 4 == 0:
            options.append((60, size.to_bytes(2)))
        self.give(datagram(CON, PUT, self.mid, token, tuple(options), payload=payload))
        sent = [message for message in self.sent() if message.type == ACK]
        return sent[0] if sent else None


def test_a_pull_ends_with_the_version_of_the_image() -> None:
    bench = Updated()
    bench.pull()
    assert bench.stands() == (DOWNLOADED, 0, OLD)
    assert (bench.read(5, 0, 6), bench.read(5, 0, 7)) == ("thermometer", NEW)
    assert bench.install() == CHANGED
    assert bench.stands() == (UPDATING, 0, OLD)
    bench.pass_until_due()
    bench.boot()
    assert bench.stands() == (IDLE, 1, NEW)
    digest = hashlib.sha256(IMAGE).hexdigest()
    assert [(one.via, one.size, one.sha256, one.version, one.result) for one in bench.downloads] == [
        ("coap", 4096, digest, NEW, Result.INITIAL),
        ("coap", 4096, digest, NEW, Result.SUCCESS),
    ]


def test_states_are_notified_when_they_change_and_only_then() -> None:
    bench = Updated()
    bench.request(GET, ((6, b""), (11, b"5"), (11, b"0"), (11, b"3"), (17, b"\x70")), token=b"S")
    seen: list[object] = []

    def notified() -> None:
        while bench.outbox:
            message = bench.sent()[0]
            if message.token == b"S" and message.type == CON:
                seen.append(cbor2.loads(message.payload)[0][2])
                bench.give(datagram(ACK, 0, message.mid))

    path = ((11, b"5"), (11, b"0"), (11, b"1"), (12, b""))
    bench.mid += 1
    bench.give(datagram(CON, PUT, bench.mid, b"U", path, payload=URI.encode()))
    bench.outbox.pop(0)
    notified()
    bench.pass_until_due()
    bench.fetch()
    notified()
    assert seen == [DOWNLOADING, DOWNLOADED]


@pytest.mark.parametrize(
    ("uri", "result"), [("ftp://x/y", 7), ("nothing", 7), ("coap:///x", 7), ("https://127.0.0.1/x", 9)]
)
def test_a_link_that_cannot_be_followed_is_told(uri: str, result: int) -> None:
    bench = Updated()
    assert bench.offer(uri) == CHANGED
    assert bench.stands() == (IDLE, result, OLD)


def test_an_empty_link_drops_what_is_there_and_another_begins_anew() -> None:
    bench = Updated()
    bench.offer()
    bench.pass_until_due()
    bench.fetch(end=1024)
    assert bench.offer() == CHANGED
    bench.pass_until_due()
    assert bench.fetcher.wanted == [(URI, 0)]
    assert bench.offer("") == CHANGED
    assert (bench.fetcher.wanted, bench.stands()) == ([], (IDLE, 0, OLD))
    bench.pull()
    assert bench.offer() == NOT_ALLOWED
    assert bench.offer("") == CHANGED
    assert bench.stands() == (IDLE, 0, OLD)


def test_what_is_not_downloaded_is_not_installed() -> None:
    bench = Updated()
    assert bench.install() == NOT_ALLOWED
    bench.offer()
    assert bench.install() == NOT_ALLOWED


@pytest.mark.parametrize(
    ("fault", "result"),
    [
        (Fault.NO_ROOM, 2),
        (Fault.OUT_OF_MEMORY, 3),
        (Fault.CONNECTION_LOST, 4),
        (Fault.CORRUPT, 5),
        (Fault.UNSUPPORTED, 6),
    ],
)
def test_a_download_that_goes_wrong_ends_in_its_result_and_the_next_is_whole(fault: Fault, result: int) -> None:
    bench = Updated(fault=fault, fault_times=1)
    bench.pull()
    assert bench.stands() == (IDLE, result, OLD)
    assert bench.downloads[-1].result == result
    bench.pull()
    assert bench.stands() == (DOWNLOADED, 0, OLD)


@pytest.mark.parametrize(("image", "result"), [(IMAGE[:-1] + b"?", 5), (b"no image", 6), (bytes(9000), 2)])
def test_an_image_that_is_none_or_does_not_fit_is_told(image: bytes, result: int) -> None:
    bench = Updated(room=8192)
    bench.pull(image)
    assert bench.stands() == (IDLE, result, OLD)


def test_what_the_server_refuses_is_told() -> None:
    bench = Updated()
    bench.offer()
    bench.pass_until_due()
    bench.device.fetched(FetchFailed(Result.INVALID_URI), bench.now)
    assert bench.stands() == (IDLE, 7, OLD)


def test_a_download_that_stalls_says_nothing_more() -> None:
    bench = Updated(fault=Fault.STALLS)
    bench.pull()
    assert (bench.stands(), bench.downloads) == ((DOWNLOADING, 0, OLD), [])


def test_a_device_that_never_answers_about_firmware_answers_the_rest() -> None:
    bench = Updated(fault=Fault.SILENT)
    bench.mid += 1
    bench.give(datagram(CON, GET, bench.mid, b"T", ((11, b"5"), (11, b"0"))))
    assert bench.sent() == []
    assert bench.read(3, 0, 3) == OLD


def test_an_installation_that_fails_leaves_the_image_there() -> None:
    bench = Updated(fault=Fault.INSTALL_FAILS)
    bench.pull()
    bench.install()
    bench.pass_until_due()
    assert bench.stands() == (DOWNLOADED, 8, OLD)


@pytest.mark.parametrize(
    ("fault", "stands"), [(Fault.OLD_VERSION, (IDLE, 0, OLD)), (Fault.FALSE_SUCCESS, (IDLE, 1, OLD))]
)
def test_a_device_starts_again_with_what_it_had(fault: Fault, stands: tuple[int, int, str]) -> None:
    bench = Updated(fault=fault)
    bench.pull()
    bench.install()
    bench.pass_until_due()
    bench.boot()
    assert bench.stands() == stands


def test_a_device_installs_without_registering_again() -> None:
    bench = Updated(fault=Fault.NO_REGISTER)
    bench.pull()
    bench.install()
    bench.pass_until_due()
    assert bench.sent() == []
    assert bench.stands() == (IDLE, 1, NEW)


def test_a_device_registers_before_it_says_the_result() -> None:
    bench = Updated(fault=Fault.LATE_REPORT)
    bench.pull()
    bench.install()
    bench.pass_until_due()
    bench.boot()
    assert bench.stands() == (UPDATING, 0, NEW)
    bench.pass_until_due()
    assert bench.stands() == (IDLE, 1, NEW)


def test_an_image_that_silences_devices_silences_each() -> None:
    bench = Updated()
    bench.pull(make("thermometer", "2.0.0", 4096, fault="quiet"))
    bench.install()
    bench.pass_until_due()
    assert (bench.device.standing, bench.sent(), bench.device.due()) == (Standing.GONE, [], None)


def test_an_image_that_makes_devices_restart_does_so_until_a_better_one() -> None:
    bench = Updated()
    bench.pull(make("thermometer", "1.9.0", 4096, fault="reboots"))
    bench.install()
    bench.pass_until_due()
    for _ in range(3):
        bench.boot()
        assert bench.read(3, 0, 3) == "1.9.0"
        bench.pass_until_due()
    bench.boot()
    bench.pull()
    bench.install()
    bench.pass_until_due()
    bench.boot()
    assert bench.stands() == (IDLE, 1, NEW)
    bench.now += 60
    bench.device.tick(bench.now)
    assert bench.sent() == []


@pytest.mark.parametrize("percent", [0, 50, 99])
def test_a_device_that_restarts_in_a_download_forgets_it(percent: int) -> None:
    bench = Updated(restart_at=percent)
    bench.offer()
    bench.pass_until_due()
    bench.fetch()
    bench.boot()
    assert (bench.fetcher.wanted, bench.stands()) == ([], (IDLE, 0, OLD))
    bench.pull()
    assert bench.stands() == (DOWNLOADED, 0, OLD)


def test_or_goes_on_with_it() -> None:
    bench = Updated(restart_at=50, keeps_download=True)
    bench.offer()
    bench.pass_until_due()
    bench.fetch()
    bench.boot()
    assert (bench.fetcher.wanted, bench.stands()) == ([(URI, 2048)], (DOWNLOADING, 0, OLD))
    bench.fetch(start=2048)
    assert bench.stands() == (DOWNLOADED, 0, OLD)
    assert bench.downloads[-1].sha256 == hashlib.sha256(IMAGE).hexdigest()


def test_a_push_is_taken_in_blocks_of_the_size_of_the_device() -> None:
    bench = Updated()
    answer = bench.push(MORE | SIZE_1024, IMAGE[:1024])
    assert answer is not None
    assert (answer.code, answer.number(27)) == (CONTINUE, MORE | SIZE_512)
    assert bench.read(5, 0, 3) == DOWNLOADING
    for number in range(2, 8):
        more = MORE if number < 7 else 0
        answer = bench.push(number << 4 | more | SIZE_512, IMAGE[number * 512 : (number + 1) * 512])
        assert answer is not None
        assert (answer.code, answer.number(27)) == (CONTINUE if more else CHANGED, number << 4 | more | SIZE_512)
    assert bench.stands() == (DOWNLOADED, 0, OLD)
    assert bench.downloads[-1].sha256 == hashlib.sha256(IMAGE).hexdigest()


def code(answer: Message | None) -> int | None:
    return None if answer is None else answer.code


def test_blocks_that_are_missing_are_4_08_and_those_that_came_before_are_taken_as_had() -> None:
    bench = Updated()
    assert code(bench.push(1 << 4 | MORE | SIZE_512, IMAGE[512:1024])) == INCOMPLETE
    assert code(bench.push(MORE | SIZE_512, IMAGE[:512])) == CONTINUE
    assert code(bench.push(1 << 4 | MORE | SIZE_512, IMAGE[512:1024])) == CONTINUE
    assert code(bench.push(MORE | SIZE_512, IMAGE[:512], size=None)) == CONTINUE  # begins anew
    assert code(bench.push(1 << 4 | MORE | SIZE_512, IMAGE[512:1024])) == CONTINUE
    assert code(bench.push(1 << 4 | MORE | SIZE_512, IMAGE[512:1024])) == CONTINUE  # again
    assert code(bench.push(3 << 4 | MORE | SIZE_512, IMAGE[1536:2048])) == INCOMPLETE


@pytest.mark.parametrize(
    ("firmware", "answered", "result"),
    [({"fault": Fault.NO_ROOM}, TOO_LARGE, 2), ({"room": 100}, TOO_LARGE, 2), ({"method": "pull"}, NOT_ALLOWED, 0)],
)
def test_a_push_that_cannot_be_taken_is_refused(firmware: dict[str, object], answered: int, result: int) -> None:
    bench = Updated(**firmware)
    assert code(bench.push(MORE | SIZE_512, IMAGE[:512])) == answered
    assert bench.stands() == (IDLE, result, OLD)


def test_a_push_of_a_damaged_image_is_5_00_and_its_result() -> None:
    bench = Updated(fault=Fault.CORRUPT)
    for number in range(8):
        answer = bench.push(number << 4 | (MORE if number < 7 else 0) | SIZE_512, IMAGE[number * 512 :][:512])
    assert code(answer) == FAILED
    assert bench.stands() == (IDLE, 5, OLD)


@pytest.mark.parametrize(("percent", "blocks"), [(0, 0), (50, 3), (99, 7)])
def test_a_device_that_restarts_in_a_push_leaves_the_block_without_an_answer(percent: int, blocks: int) -> None:
    bench = Updated(restart_at=percent)
    for number in range(blocks + 1):
        answer = bench.push(number << 4 | (MORE if number < 7 else 0) | SIZE_512, IMAGE[number * 512 :][:512])
        assert code(answer) == (None if number == blocks else CONTINUE)
    bench.boot()
    assert bench.stands() == (IDLE, 0, OLD)
    assert code(bench.push((blocks + 1) << 4 | MORE | SIZE_512, IMAGE[:512])) == INCOMPLETE


def test_a_push_that_stalls_is_not_answered_and_the_rest_is() -> None:
    bench = Updated(fault=Fault.STALLS)
    answers = [code(bench.push(number << 4 | MORE | SIZE_512, IMAGE[number * 512 :][:512])) for number in range(5)]
    assert answers == [CONTINUE] * 3 + [None] * 2
    assert bench.stands() == (DOWNLOADING, 0, OLD)


def test_blocks_in_another_format_are_4_15() -> None:
    bench = Updated()
    path = ((11, b"5"), (11, b"0"), (11, b"0"))
    assert bench.request(PUT, (*path, (12, b"\x2d\x16"), (27, b"\x0d")), IMAGE[:512]).code == UNSUPPORTED


def test_how_it_takes_firmware_is_told() -> None:
    bench = Updated(method="pull", protocols=("http", "coap"))
    assert bench.read(5, 0, 9) == 0
    answer = bench.request(GET, ((11, b"5"), (11, b"0"), (11, b"8"), (17, b"\x70")))
    assert [record[2] for record in cbor2.loads(answer.payload)] == [2, 0]
