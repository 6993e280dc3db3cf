"""A server's request to a device, and the answer. LwM2M Core 1.1.1, 6.3 and 6.4."""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

from flownexus_schemas.lwm2m.content_format import ContentFormat
from flownexus_simulator import equipment, object5, representation
from flownexus_simulator.coap import Code, Message, Option, unsigned
from flownexus_simulator.firmware import Firmware
from flownexus_simulator.observations import Observation, Observations, select
from flownexus_simulator.package_blocks import PackageBlocks
from flownexus_simulator.values import Leaves, Path, Scalar, Tree, parse_path

FORBIDDEN_OBJECTS = frozenset({0})
ATTRIBUTES = frozenset({"pmin", "pmax", "gt", "lt", "st", "epmin", "epmax"})


class Effect(Enum):
    """What a request makes the device do after it has answered."""

    UPDATE = auto()
    RESTART = auto()


class Answer(NamedTuple):
    """Code, options and payload of a response, and what follows it."""

    code: int
    payload: bytes = b""
    content_format: int | None = None
    observe: int | None = None
    effect: Effect | None = None
    block1: int | None = None

    @property
    def options(self) -> tuple[tuple[int, bytes], ...]:
        """The response's options."""
        options = []
        if self.observe is not None:
            options.append((int(Option.OBSERVE), unsigned(self.observe)))
        if self.content_format is not None:
            options.append((int(Option.CONTENT_FORMAT), unsigned(self.content_format)))
        if self.block1 is not None:
            options.append((int(Option.BLOCK1), unsigned(self.block1)))
        return tuple(options)


NOT_FOUND = Answer(Code.NOT_FOUND)
NOT_ALLOWED = Answer(Code.METHOD_NOT_ALLOWED)
CHANGED = Answer(Code.CHANGED)


class Responder:
    """Answers requests from a tree, and changes it."""

    def __init__(
        self,
        tree: Tree,
        sensors: equipment.Sensors,
        update: Firmware,
        package: PackageBlocks,
        observations: Observations,
    ) -> None:
        self._tree = tree
        self._sensors = sensors
        self._firmware, self._package = update, package
        self._observations = observations
        self._attributes: dict[Path, dict[str, str]] = {}

    def answer(self, request: Message, now: float) -> Answer:
        """The answer to one request at `now`, Unix seconds."""
        try:
            path = parse_path("/".join(request.texts(Option.URI_PATH)))
        except ValueError:
            return NOT_FOUND
        block = request.number(Option.BLOCK1)
        if block is not None:
            if path != object5.PACKAGE or request.code != Code.PUT:
                return Answer(Code.BAD_OPTION, b"no block-wise transfer but of a package")
            code, echo = self._package.take(request, block)
            return Answer(code, block1=echo)
        if path and path[0] in FORBIDDEN_OBJECTS:
            return Answer(Code.UNAUTHORIZED)
        try:
            match request.code:
                case Code.GET if request.number(Option.ACCEPT) == ContentFormat.LINK_FORMAT:
                    return self._discover(path)
                case Code.GET:
                    return self._read(request, path, now)
                case Code.FETCH if not path:
                    return self._read_composite(request, now)
                case Code.IPATCH if not path:
                    return self._write_composite(request, now)
                case Code.PUT if request.number(Option.CONTENT_FORMAT) is None and request.texts(Option.URI_QUERY):
                    return self._write_attributes(request, path)
                case Code.POST if (len(path) == 3 and not self._tree.below(path)) or path in _EXECUTABLE:
                    return self._execute(path, now)
                case Code.PUT | Code.POST if len(path) >= 2:
                    return self._write(request, path, now)
                case _:
                    return NOT_ALLOWED
        except representation.NotRepresentable:
            return Answer(Code.NOT_ACCEPTABLE)
        except representation.UnsupportedFormat:
            return Answer(Code.UNSUPPORTED_CONTENT_FORMAT)
        except representation.Unreadable as error:
            return Answer(Code.BAD_REQUEST, str(error).encode())

    def _discover(self, path: Path) -> Answer:
        leaves = self._tree.below(path)
        if not leaves:
            return NOT_FOUND
        links = equipment.discovered(leaves, path, self._attributes)
        return Answer(Code.CONTENT, links.encode(), ContentFormat.LINK_FORMAT)

    def _read(self, request: Message, path: Path, now: float) -> Answer:
        self._sensors.measure(now)
        leaves = self._tree.below(path)
        if not leaves or not path:
            return NOT_ALLOWED if path in _EXECUTABLE or not path else NOT_FOUND
        wanted = _accept(request, representation.DEFAULT)
        return self._content(request, (path,), leaves, wanted, composite=False)

    def _read_composite(self, request: Message, now: float) -> Answer:
        given = _payload_format(request)
        paths = tuple(path for path, _ in representation.read_entries(request.payload, given))
        self._sensors.measure(now)
        leaves = select(self._tree, paths)
        if not leaves:
            return NOT_FOUND
        return self._content(request, paths, leaves, _accept(request, given), composite=True)

    def _content(
        self, request: Message, paths: tuple[Path, ...], leaves: Leaves, wanted: int, *, composite: bool
    ) -> Answer:
        observation = Observation(request.token, paths, wanted, composite)
        payload = representation.write(leaves, wanted, observation.base)
        asked = request.number(Option.OBSERVE)
        if asked == 0:
            self._observations.add(observation)
        elif asked == 1:
            self._observations.cancel(paths)
            self._observations.cancel_token(request.token)
        return Answer(Code.CONTENT, payload, wanted, observe=0 if asked == 0 else None)

    def _write_attributes(self, request: Message, path: Path) -> Answer:
        if not self._tree.below(path) or not path:
            return NOT_FOUND
        attributes = self._attributes.setdefault(path, {})
        for query in request.texts(Option.URI_QUERY):
            name, _, value = query.partition("=")
            if name not in ATTRIBUTES:
                return Answer(Code.BAD_REQUEST, f"no attribute {name}".encode())
            if value:
                attributes[name] = value
            else:
                attributes.pop(name, None)
        return CHANGED

    def _execute(self, path: Path, now: float) -> Answer:
        match path:
            case equipment.UPDATE_TRIGGER:
                return Answer(Code.CHANGED, effect=Effect.UPDATE)
            case equipment.REBOOT | equipment.FACTORY_RESET:
                return Answer(Code.CHANGED, effect=Effect.RESTART)
            case equipment.RESET_ERROR_CODE:
                return CHANGED
            case equipment.RESET_MIN_MAX:
                self._sensors.reset_extremes()
                return CHANGED
            case object5.UPDATE:
                return CHANGED if self._firmware.update(now) else NOT_ALLOWED
            case _:
                return NOT_FOUND

    def _write(self, request: Message, path: Path, now: float) -> Answer:
        if self._tree.type_at(path) is None and not self._tree.below(path):
            return NOT_FOUND
        return self._store(representation.read(request.payload, _payload_format(request), path, self._tree), now)

    def _write_composite(self, request: Message, now: float) -> Answer:
        return self._store(representation.read(request.payload, _payload_format(request), (), self._tree), now)

    def _store(self, values: list[tuple[Path, Scalar]], now: float) -> Answer:
        if any(path not in equipment.WRITABLE for path, _ in values):
            return NOT_ALLOWED
        if any(path == equipment.LIFETIME and (not isinstance(value, int) or value <= 0) for path, value in values):
            return Answer(Code.BAD_REQUEST, b"a lifetime is above 0")
        before = self._tree.value(equipment.LIFETIME)
        for path, value in values:
            if path == object5.PACKAGE:
                assert isinstance(value, bytes)
                return Answer(self._package.whole(value))
            if path == object5.PACKAGE_URI and not self._firmware.write_uri(str(value), now):
                return NOT_ALLOWED
            self._tree.put(path, value)
        changed = self._tree.value(equipment.LIFETIME) != before
        return Answer(Code.CHANGED, effect=Effect.UPDATE if changed else None)


_EXECUTABLE = frozenset(
    {
        equipment.UPDATE_TRIGGER,
        equipment.REBOOT,
        equipment.FACTORY_RESET,
        equipment.RESET_ERROR_CODE,
        equipment.RESET_MIN_MAX,
        object5.UPDATE,
    }
)


def _accept(request: Message, default: int) -> int:
    accept = request.number(Option.ACCEPT)
    return default if accept is None else accept


def _payload_format(request: Message) -> int:
    content_format = request.number(Option.CONTENT_FORMAT)
    return ContentFormat.TEXT if content_format is None else content_format
