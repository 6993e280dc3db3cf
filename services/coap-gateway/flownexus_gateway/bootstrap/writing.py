"""What is written to a device at its bootstrap: object instances, and each as requests in a Content-Format. Sans-IO.

LwM2M Core 1.1.1, 6.1.7.4, E.1, E.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

from flownexus_gateway.bootstrap.discovered import Discovered
from flownexus_gateway.downlink.request_of_command import value_of
from flownexus_schemas.bootstrap.configuration import MODES, SECURITY, SERVER, BootstrapConfiguration, ServerAccount
from flownexus_schemas.errors import InvalidRequest
from flownexus_schemas.lwm2m import codecs
from flownexus_schemas.lwm2m.content_format import ContentFormat
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Record, Value
from flownexus_schemas.lwm2m.typed_values import type_of

INSTANCE_FORMATS = (
    ContentFormat.SENML_CBOR,
    ContentFormat.TLV,
    ContentFormat.SENML_JSON,
    ContentFormat.LWM2M_CBOR,
    ContentFormat.LWM2M_JSON,
)
"""That an instance can be written in as a whole."""

_SINCE_1_1 = (ContentFormat.SENML_CBOR, ContentFormat.TLV, ContentFormat.SENML_JSON, ContentFormat.TEXT)
_IN_1_0 = (ContentFormat.TLV, ContentFormat.SENML_CBOR, ContentFormat.SENML_JSON, ContentFormat.TEXT)


class SecurityResource(IntEnum):
    """Of object 0. LwM2M Core 1.1.1, E.1."""

    URI = 0
    BOOTSTRAP_SERVER = 1
    MODE = 2
    PUBLIC_KEY_OR_IDENTITY = 3
    SERVER_PUBLIC_KEY = 4
    SECRET_KEY = 5
    SHORT_SERVER_ID = 10


class ServerResource(IntEnum):
    """Of object 1. LwM2M Core 1.1.1, E.2."""

    SHORT_SERVER_ID = 0
    LIFETIME = 1
    MIN_PERIOD = 2
    MAX_PERIOD = 3
    STORES_NOTIFICATIONS = 6
    BINDING = 7


class Secret(NamedTuple):
    """What a device shows and proves itself with, in the clear: an identity or certificate, and its key."""

    shown: bytes
    key: bytes


class Instance(NamedTuple):
    """One object instance. `is_account`: whether a device cannot do without it."""

    path: Path
    records: tuple[Record, ...]
    is_account: bool


class Write(NamedTuple):
    """One Bootstrap-Write."""

    path: Path
    payload: bytes
    content_format: int


class Placed(NamedTuple):
    """Instances in the order that they are written in, and what could not be as it was asked for."""

    instances: tuple[Instance, ...]
    notes: tuple[str, ...]


def formats(preferred: int | None, wanted: int | None) -> tuple[int, ...]:
    """The Content-Formats to try, the best first: `wanted` by the configuration, `preferred` by the device, then what
    its version has. Text, a resource a request, is the last.
    """
    first = [format_ for format_ in (wanted, preferred) if format_ is not None]
    return tuple(dict.fromkeys([*first, *(_IN_1_0 if preferred is None else _SINCE_1_1)]))


def place(
    configuration: BootstrapConfiguration,
    secrets: Mapping[int, Secret],
    discovered: Discovered,
    models: ObjectModels,
) -> Placed:
    """The instances with their ids: never that of the bootstrap server's account. `secrets` by short server id.

    Raises InvalidRequest for a value that is not of its type.
    """
    notes: list[str] = []
    instances: list[Instance] = []
    numbers = {object_id: _Numbers(configuration, discovered, object_id) for object_id in (SECURITY, SERVER)}
    for account in configuration.servers:
        wanted = account.security_instance
        if wanted is not None and discovered.is_known and wanted in discovered.bootstrap_accounts:
            notes.append(f"/0/{wanted} is the account of the bootstrap server: another instance was written")
            wanted = None
        security = numbers[SECURITY].next(wanted, account.short_server_id)
        server = numbers[SERVER].next(account.server_instance, account.short_server_id)
        instances.append(_security(account, secrets.get(account.short_server_id), security))
        instances.append(_server(account, server))
    # Accounts first, all of object 0 before object 1: a client looks for the key of a server that it is told of.
    instances.sort(key=lambda instance: instance.path.ids)
    return Placed((*instances, *_others(configuration, models)), tuple(notes))


def writes(instance: Instance, format_: int) -> list[Write]:
    """The requests that write an instance. Raises CodecError."""
    if format_ != ContentFormat.TEXT:
        payload = codecs.encode(instance.records, format_, instance.path)
        return [Write(instance.path, payload, format_)]
    # A request without a payload is no write to many.
    return [_single(record) for record in instance.records if record.value != b""]


def _single(record: Record) -> Write:
    format_ = ContentFormat.OPAQUE if record.type is DataType.OPAQUE else ContentFormat.TEXT
    return Write(record.path, codecs.encode([record], format_, record.path), format_)


class _Numbers:
    """Instance ids of object 0 or 1 that are still to be had."""

    def __init__(self, configuration: BootstrapConfiguration, discovered: Discovered, object_id: int) -> None:
        self._discovered, self._object_id = discovered, object_id
        asked = (
            server.security_instance if object_id == SECURITY else server.server_instance
            for server in configuration.servers
        )
        self._taken = {number for number in asked if number is not None}
        if object_id == SECURITY:
            self._taken |= discovered.bootstrap_accounts
        stays = not {"/", str(object_id)} & set(configuration.delete)
        self._of_others = discovered.instances(object_id) if stays else frozenset()

    def next(self, wanted: int | None, short_server_id: int) -> int:
        """The one asked for, else the one that the device has for this server, else the first that is free."""
        if wanted is not None:
            return wanted
        number = self._discovered.instance_of(self._object_id, short_server_id)
        if number is None or number in self._taken:
            not_free = self._taken | self._of_others
            number = next(number for number in range(len(not_free) + 1) if number not in not_free)
        self._taken.add(number)
        return number


def _security(account: ServerAccount, secret: Secret | None, instance: int) -> Instance:
    values: dict[int, tuple[DataType, Value]] = {
        SecurityResource.URI: (DataType.STRING, account.uri),
        SecurityResource.BOOTSTRAP_SERVER: (DataType.BOOLEAN, False),
        SecurityResource.MODE: (DataType.INTEGER, MODES[account.security]),
    }
    # These are mandatory; Leshan's client calls an account without them inconsistent.
    values[SecurityResource.PUBLIC_KEY_OR_IDENTITY] = (DataType.OPAQUE, b"" if secret is None else secret.shown)
    values[SecurityResource.SERVER_PUBLIC_KEY] = (DataType.OPAQUE, account.server_certificate or b"")
    values[SecurityResource.SECRET_KEY] = (DataType.OPAQUE, b"" if secret is None else secret.key)
    values[SecurityResource.SHORT_SERVER_ID] = (DataType.INTEGER, account.short_server_id)
    return _instance(Path(SECURITY, instance), values)


def _server(account: ServerAccount, instance: int) -> Instance:
    values: dict[int, tuple[DataType, Value]] = {
        ServerResource.SHORT_SERVER_ID: (DataType.INTEGER, account.short_server_id),
        ServerResource.LIFETIME: (DataType.INTEGER, account.lifetime_s),
    }
    if account.min_period_s is not None:
        values[ServerResource.MIN_PERIOD] = (DataType.INTEGER, account.min_period_s)
    if account.max_period_s is not None:
        values[ServerResource.MAX_PERIOD] = (DataType.INTEGER, account.max_period_s)
    values[ServerResource.STORES_NOTIFICATIONS] = (DataType.BOOLEAN, account.stores_notifications)
    values[ServerResource.BINDING] = (DataType.STRING, account.binding)
    return _instance(Path(SERVER, instance), values)


def _instance(path: Path, values: Mapping[int, tuple[DataType, Value]]) -> Instance:
    records = tuple(Record(path.child(number), type_, value) for number, (type_, value) in values.items())
    return Instance(path, records, is_account=True)


def _others(configuration: BootstrapConfiguration, models: ObjectModels) -> Sequence[Instance]:
    found: dict[Path, list[Record]] = {}
    for given in configuration.values:
        path = Path.parse(given.path)
        type_ = given.type or type_of(path, models, None)
        if type_ is None:
            raise InvalidRequest(f"no object model has /{path}: give its type")
        record = Record(path, type_, value_of(given.value, type_, given.path))
        found.setdefault(Path(*path.ids[:2]), []).append(record)
    return [Instance(path, tuple(records), is_account=False) for path, records in found.items()]
