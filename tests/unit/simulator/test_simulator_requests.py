"""What a simulated device answers to each kind of request. LwM2M Core 1.1.1, 6.3; codes of 6.3 and 7.5."""

from __future__ import annotations

from random import Random

import cbor2
import pytest

from flownexus_simulator import equipment, image
from flownexus_simulator.coap import Message, Option, code_text, unsigned
from flownexus_simulator.faults import FirmwareBehaviour
from flownexus_simulator.firmware import Firmware
from flownexus_simulator.object5 import State
from flownexus_simulator.observations import Observations
from flownexus_simulator.package_blocks import PackageBlocks
from flownexus_simulator.requests import Answer, Effect, Responder

NOW = 1_800_000_000.0
GET, POST, PUT, FETCH, IPATCH = 1, 2, 3, 5, 7
TEXT, LINKS, OPAQUE, JSON, CBOR, TLV = 0, 40, 42, 110, 112, 11542


class NoFetcher:
    """Nothing is fetched here."""

    def start(self, uri: str, offset: int) -> None:
        raise AssertionError(f"{uri} from {offset}")

    def stop(self) -> None:
        pass


class Served:
    """The objects of a device and what answers for them."""

    def __init__(self) -> None:
        behaviour = FirmwareBehaviour()
        self.tree = equipment.build("sim-1", 300, "U", NOW, behaviour)
        self.sensors = equipment.Sensors(self.tree, Random(3), NOW)
        self.firmware = Firmware(self.tree, behaviour, NoFetcher(), lambda _: None)
        self.observations = Observations()
        package = PackageBlocks(self.firmware, behaviour.block_size)
        self._responder = Responder(self.tree, self.sensors, self.firmware, package, self.observations)

    def ask(
        self,
        code: int,
        path: str,
        payload: bytes = b"",
        *,
        content_format: int | None = None,
        accept: int | None = None,
        query: tuple[str, ...] = (),
        more: tuple[tuple[int, bytes], ...] = (),
        now: float = NOW,
    ) -> Answer:
        options = [(int(Option.URI_PATH), part.encode()) for part in path.split("/") if part]
        options += [(int(Option.URI_QUERY), part.encode()) for part in query]
        if content_format is not None:
            options.append((int(Option.CONTENT_FORMAT), unsigned(content_format)))
        if accept is not None:
            options.append((int(Option.ACCEPT), unsigned(accept)))
        return self._responder.answer(Message(0, code, 1, b"t", (*options, *more), payload), now)

    def state(self) -> int:
        """Resource 5/0/3."""
        return int(self.tree.value((5, 0, 3)))

    def code(self, *args: object, **kwargs: object) -> str:
        return code_text(self.ask(*args, **kwargs).code)  # type: ignore[arg-type]


@pytest.fixture
def served() -> Served:
    return Served()


def test_a_resource_is_read_in_the_format_asked_for(served: Served) -> None:
    assert served.ask(GET, "3/0/0", accept=TEXT).payload == b"Flow Nexus"
    assert served.ask(GET, "3/0/0", accept=TLV).payload == b"\xc8\x00\x0a" + b"Flow Nexus"
    assert b'"vs":"Flow Nexus"' in served.ask(GET, "3/0/0", accept=JSON).payload
    answer = served.ask(GET, "3/0/0")
    assert answer.content_format == CBOR
    assert cbor2.loads(answer.payload) == [{-2: "/3/0/", 0: "0", 3: "Flow Nexus"}]


@pytest.mark.parametrize(
    ("code", "path", "extra", "expected"),
    [
        (GET, "3/0/99", {}, "4.04"),
        (GET, "4/0", {}, "4.04"),
        (GET, "0/0", {}, "4.01"),
        (GET, "", {}, "4.05"),
        (GET, "3/0/4", {}, "4.05"),
        (GET, "3/x", {}, "4.04"),
        (GET, "3/0", {"accept": TEXT}, "4.06"),
        (GET, "3/0", {"accept": 11543}, "4.06"),
        (GET, "3/0/0", {"more": ((27, b"\x08"),)}, "4.02"),
        (PUT, "3/0/0", {"payload": b"x", "content_format": TEXT}, "4.05"),
        (PUT, "1/0/1", {"payload": b"x", "content_format": TEXT}, "4.00"),
        (PUT, "1/0/1", {"payload": b"0", "content_format": TEXT}, "4.00"),
        (PUT, "1/0/1", {"payload": b"x", "content_format": 60}, "4.15"),
        (PUT, "1/0/99", {"payload": b"1", "content_format": TEXT}, "4.04"),
        (PUT, "1/0/1", {"payload": b"60", "content_format": TEXT}, "2.04"),
        (POST, "1/0", {"payload": bytes.fromhex("C1013C"), "content_format": TLV}, "2.04"),
        (POST, "3/0/77", {}, "4.04"),
        (POST, "3/0/12", {}, "2.04"),
        (POST, "5/0/2", {}, "4.05"),
        (POST, "3", {}, "4.05"),
        (4, "3/0", {}, "4.05"),
        (FETCH, "", {"payload": b'[{"n":"/4"}]', "content_format": JSON}, "4.04"),
        (FETCH, "", {"payload": b"x", "content_format": CBOR}, "4.00"),
        (FETCH, "", {"payload": b"x", "content_format": TLV}, "4.15"),
        (IPATCH, "", {"payload": b'[{"n":"/1/0/1","v":60}]', "content_format": 320}, "2.04"),
    ],
)
def test_each_request_has_its_code(
    served: Served, code: int, path: str, extra: dict[str, object], expected: str
) -> None:
    assert served.code(code, path, **extra) == expected


def test_a_composite_read_gathers_values_of_several_objects(served: Served) -> None:
    body = cbor2.dumps([{0: "/3303/0/5701"}, {0: "/3/0/0"}])
    answer = served.ask(FETCH, "", body, content_format=CBOR)
    assert cbor2.loads(answer.payload) == [
        {-2: "/3303/0/", 0: "5701", 3: "Cel"},
        {-2: "/3/0/", 0: "0", 3: "Flow Nexus"},
    ]


def test_discover_lists_versions_dimensions_and_attributes(served: Served) -> None:
    assert served.code(PUT, "3303/0/5700", query=("pmin=5", "pmax=60")) == "2.04"
    listed = served.ask(GET, "3303", accept=LINKS)
    assert listed.content_format == LINKS
    links = listed.payload.decode().split(",")
    assert links[0] == "</3303>"
    assert "</3303/0/5700>;pmin=5;pmax=60" in links
    device = served.ask(GET, "3", accept=LINKS).payload.decode().split(",")
    assert device[0] == "</3>;ver=1.1"
    assert "</3/0/6>;dim=1" in device
    assert served.code(PUT, "3303/0/5700", query=("pmin",)) == "2.04"
    assert "</3303/0/5700>;pmax=60" in served.ask(GET, "3303/0/5700", accept=LINKS).payload.decode()
    assert served.code(PUT, "3303/0/5700", query=("color=1",)) == "4.00"
    assert served.code(GET, "4", accept=LINKS) == "4.04"


def test_a_changed_lifetime_makes_an_update_and_the_same_again_does_not(served: Served) -> None:
    assert served.ask(PUT, "1/0/1", b"60", content_format=TEXT).effect is Effect.UPDATE
    assert served.ask(PUT, "1/0/1", b"60", content_format=TEXT).effect is None


def test_a_reboot_restarts_the_device(served: Served) -> None:
    assert served.ask(POST, "3/0/4").effect is Effect.RESTART


def test_extremes_follow_the_temperature_until_they_are_reset(served: Served) -> None:
    for hour in range(24):
        served.sensors.measure(NOW + 3600 * hour)
    lowest, highest = served.tree.value((3303, 0, 5601)), served.tree.value((3303, 0, 5602))
    assert isinstance(lowest, float)
    assert isinstance(highest, float)
    assert highest - lowest > 5
    assert served.code(POST, "3303/0/5605") == "2.04"
    assert served.tree.value((3303, 0, 5601)) == served.tree.value((3303, 0, 5700))


def test_a_temperature_is_believable_all_year(served: Served) -> None:
    for hour in range(0, 24 * 365, 7):
        served.sensors.measure(NOW + 3600 * hour)
        temperature = served.tree.value((3303, 0, 5700))
        humidity = served.tree.value((10300, 0, 1))
        assert isinstance(temperature, float)
        assert isinstance(humidity, float)
        assert -5 < temperature < 40
        assert 0 < humidity <= 100


def test_a_package_in_one_message_is_downloaded_at_once_and_an_empty_one_resets(served: Served) -> None:
    package = image.make("a", "2", 100)
    assert served.code(PUT, "5/0/0", package, content_format=OPAQUE) == "2.04"
    assert served.state() == State.DOWNLOADED
    assert served.code(PUT, "5/0/0", package, content_format=OPAQUE) == "4.05"
    assert served.code(PUT, "5/0/0", b"\0", content_format=OPAQUE) == "2.04"
    assert served.state() == State.IDLE
    assert served.code(PUT, "5/0/0", b"no image", content_format=OPAQUE) == "5.00"
    assert served.tree.value((5, 0, 5)) == 6


def test_an_address_that_is_none_is_refused_by_the_firmware_object(served: Served) -> None:
    served.ask(PUT, "5/0/1", b"ftp://x", content_format=TEXT)
    assert (served.tree.value((5, 0, 3)), served.tree.value((5, 0, 5))) == (0, 7)
    served.ask(PUT, "5/0/1", b"", content_format=TEXT)
    assert served.tree.value((5, 0, 5)) == 0
