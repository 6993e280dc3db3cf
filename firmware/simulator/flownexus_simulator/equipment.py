"""The objects of a simulated device, and how its sensors move them. LwM2M Core 1.1.1, appendix E; OMA registry."""

from __future__ import annotations

from random import Random

from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_simulator.environment import Environment
from flownexus_simulator.faults import METHODS, PROTOCOLS, FirmwareBehaviour
from flownexus_simulator.object5 import PACKAGE, PACKAGE_URI, RUNNING_VERSION
from flownexus_simulator.values import Leaf, Leaves, Path, Tree, path_text

LIFETIME: Path = (1, 0, 1)
REBOOT: Path = (3, 0, 4)
FACTORY_RESET: Path = (3, 0, 5)
RESET_ERROR_CODE: Path = (3, 0, 12)
UPDATE_TRIGGER: Path = (1, 0, 8)
RESET_MIN_MAX: Path = (3303, 0, 5605)
ENVIRONMENT_EVENT: Path = (10300, 0)
TEMPERATURE: Path = (3303, 0, 5700)
MIN_MEASURED: Path = (3303, 0, 5601)
MAX_MEASURED: Path = (3303, 0, 5602)

VERSIONS = {1: "1.1", 3: "1.1"}
"""Object versions stated at registration; the others are 1.0."""

WRITABLE = frozenset(
    {
        LIFETIME,
        (1, 0, 2),
        (1, 0, 3),
        (1, 0, 6),
        (1, 0, 7),
        (3, 0, 13),
        (3, 0, 14),
        (3, 0, 15),
        PACKAGE,
        PACKAGE_URI,
    }
)


def build(endpoint: str, lifetime_s: int, binding: str, now: float, firmware: FirmwareBehaviour) -> Tree:
    """The objects of a device at `now`, Unix seconds."""
    text, integer, number = DataType.STRING, DataType.INTEGER, DataType.FLOAT
    leaves: dict[Path, Leaf] = {
        (1, 0, 0): Leaf(integer, 123),
        LIFETIME: Leaf(integer, lifetime_s),
        (1, 0, 2): Leaf(integer, 0),
        (1, 0, 3): Leaf(integer, 0),
        (1, 0, 6): Leaf(DataType.BOOLEAN, True),
        (1, 0, 7): Leaf(text, binding),
        (3, 0, 0): Leaf(text, "Flow Nexus"),
        (3, 0, 1): Leaf(text, "simulated device"),
        (3, 0, 2): Leaf(text, endpoint),
        RUNNING_VERSION: Leaf(text, "1.0.0"),
        (3, 0, 6, 0): Leaf(integer, 1),
        (3, 0, 7, 0): Leaf(integer, 3700),
        (3, 0, 8, 0): Leaf(integer, 25),
        (3, 0, 9): Leaf(integer, 97),
        (3, 0, 10): Leaf(integer, 96),
        (3, 0, 11, 0): Leaf(integer, 0),
        (3, 0, 13): Leaf(DataType.TIME, int(now)),
        (3, 0, 14): Leaf(text, "+00:00"),
        (3, 0, 15): Leaf(text, "Etc/UTC"),
        (3, 0, 16): Leaf(text, "U"),
        (3, 0, 17): Leaf(text, "environment sensor"),
        PACKAGE_URI: Leaf(text, ""),
        (5, 0, 3): Leaf(integer, 0),
        (5, 0, 5): Leaf(integer, 0),
        (5, 0, 6): Leaf(text, ""),
        (5, 0, 7): Leaf(text, ""),
        (5, 0, 9): Leaf(integer, METHODS[firmware.method]),
        (6, 0, 0): Leaf(number, 0.0),
        (6, 0, 1): Leaf(number, 0.0),
        (6, 0, 5): Leaf(DataType.TIME, int(now)),
        MIN_MEASURED: Leaf(number, 0.0),
        MAX_MEASURED: Leaf(number, 0.0),
        (3303, 0, 5603): Leaf(number, -40.0),
        (3303, 0, 5604): Leaf(number, 85.0),
        TEMPERATURE: Leaf(number, 0.0),
        (3303, 0, 5701): Leaf(text, "Cel"),
    }
    leaves |= {
        (5, 0, 8, number): Leaf(integer, PROTOCOLS[protocol]) for number, protocol in enumerate(firmware.protocols)
    }
    leaves |= {(*ENVIRONMENT_EVENT, resource): Leaf(number, 0.0) for resource in range(6)}
    leaves[*ENVIRONMENT_EVENT, 6] = Leaf(DataType.TIME, int(now))
    return Tree(leaves.items(), write_only={PACKAGE: DataType.OPAQUE})


class Sensors:
    """Moves the measured values of a tree with the time."""

    def __init__(self, tree: Tree, random: Random, now: float) -> None:
        self._tree = tree
        self._environment = Environment.somewhere(random)
        self._started = now
        tree.put((6, 0, 0), round(random.uniform(46.0, 48.0), 6))
        tree.put((6, 0, 1), round(random.uniform(7.0, 10.0), 6))
        self.measure(now)
        self.reset_extremes()

    def measure(self, now: float) -> None:
        """Take every sensor's value at `now`, Unix seconds."""
        sample = self._environment.sample(now)
        put = self._tree.put
        put(TEMPERATURE, sample.temperature)
        put(MIN_MEASURED, min(sample.temperature, float(self._tree.value(MIN_MEASURED))))
        put(MAX_MEASURED, max(sample.temperature, float(self._tree.value(MAX_MEASURED))))
        values = (sample.temperature, sample.humidity, sample.pressure, *sample.acceleration, int(now))
        for resource, value in enumerate(values):
            put((*ENVIRONMENT_EVENT, resource), value)
        put((3, 0, 9), max(5, 97 - int((now - self._started) / 3600)))
        put((3, 0, 13), int(now))
        put((6, 0, 5), int(now))

    def reset_extremes(self) -> None:
        """Execute 3303/0/5605."""
        for path in (MIN_MEASURED, MAX_MEASURED):
            self._tree.put(path, self._tree.value(TEMPERATURE))


def object_links(tree: Tree) -> str:
    """The links of a Register, e.g. `</>;ct=112,</1>;ver=1.1,</1/0>`. LwM2M Core 1.1.1, 6.2.1."""
    parts = ["</>;ct=112"]
    for object_id, instance_id in tree.instances():
        if instance_id == 0 and object_id in VERSIONS:
            parts.append(f"</{object_id}>;ver={VERSIONS[object_id]}")
        parts.append(f"</{object_id}/{instance_id}>")
    return ",".join(parts)


def discovered(leaves: Leaves, path: Path, attributes: dict[Path, dict[str, str]]) -> str:
    """The links that Discover answers at `path`. LwM2M Core 1.1.1, 6.3.2."""
    listed: list[Path] = [path] if path else []
    for leaf_path, _ in leaves:
        for depth in range(len(path) + 1, min(len(leaf_path), 3) + 1):
            if leaf_path[:depth] not in listed:
                listed.append(leaf_path[:depth])
    parts = []
    for item in listed:
        instances = sum(1 for leaf_path, _ in leaves if len(leaf_path) == 4 and leaf_path[:3] == item)
        version = f";ver={VERSIONS[item[0]]}" if len(item) == 1 and item[0] in VERSIONS else ""
        dimension = f";dim={instances}" if instances and len(item) == 3 else ""
        stated = "".join(f";{name}={value}" for name, value in attributes.get(item, {}).items())
        parts.append(f"</{path_text(item)}>{version}{dimension}{stated}")
    return ",".join(parts)
