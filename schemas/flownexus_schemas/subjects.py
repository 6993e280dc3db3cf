"""Every NATS name of the project: subjects, streams, consumers, buckets. Nothing else spells one.

An endpoint name is one token of a subject. Characters outside `A-Za-z0-9:_-` are percent-encoded as UTF-8 bytes, so
`urn:imei:123456789012345` stays readable and no name can break out of its subject. Keys of a KV bucket allow neither
`:` nor `%` (NATS ADR-8), so there the same bytes are written `=3A`.
"""

from __future__ import annotations

import re
import string
from enum import StrEnum
from functools import lru_cache

from flownexus_schemas.errors import InvalidName

MAX_ENDPOINT_BYTES = 255
"""UTF-8 bytes of an endpoint name that we take."""

_SUBJECT_SAFE = frozenset((string.ascii_letters + string.digits + ":_-").encode())
# Keys that begin with _kv are NATS's own (ADR-8), so an underscore is escaped.
_KEY_SAFE = frozenset((string.ascii_letters + string.digits + "-").encode())
_SUBJECT_ESCAPE = re.compile(r"%([0-9A-F]{2})")
_KEY_ESCAPE = re.compile(r"=([0-9A-F]{2})")
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Stream(StrEnum):
    """JetStream streams."""

    EVENTS = "LWM2M_EVENTS"
    OPERATIONS = "LWM2M_OPERATIONS"
    DEAD_LETTERS = "LWM2M_DEAD_LETTERS"


class Bucket(StrEnum):
    """KV buckets."""

    REGISTRATIONS = "lwm2m_registrations"
    OBSERVATION_PROFILES = "lwm2m_observation_profiles"
    OBJECT_MODELS = "lwm2m_object_models"
    ENDPOINT_TAGS = "lwm2m_endpoint_tags"
    CREDENTIALS = "lwm2m_credentials"
    DTLS_SESSIONS = "lwm2m_dtls_sessions"
    DESIRED_VALUES = "lwm2m_desired_values"
    DESIRED_PROFILES = "lwm2m_desired_profiles"
    BOOTSTRAP_CONFIGURATIONS = "lwm2m_bootstrap_configurations"
    BOOTSTRAP_PROFILES = "lwm2m_bootstrap_profiles"
    KEYS = "lwm2m_keys"
    CHECKPOINTS = "lwm2m_checkpoints"


LATE = "Flownexus-Late"
"""Header of a message that tells of something long past, as a retry does: it is no sign of life of its endpoint."""

LARGE_MESSAGES = "lwm2m_large_messages"
"""Bucket of the object store: bodies of requests and answers that no message of NATS holds."""


FIRMWARE = "lwm2m_firmware"
"""Bucket of the object store: firmware images, by their id."""

OPERATIONS_CHECKPOINT_KEY = "operations"
"""Key in CHECKPOINTS: from where a replica of operations reads LWM2M_OPERATIONS when it starts."""

FIRMWARE_LINKS_KEY = "firmware-links"
"""Key in KEYS: what links to firmware images are signed with, 32 bytes that `flownexus migrate` makes."""


class EventKind(StrEnum):
    """The last token of an event's subject."""

    REGISTERED = "registered"
    UPDATED = "updated"
    DEREGISTERED = "deregistered"
    REPORTED = "reported"
    OBSERVATION = "observation"
    LOG = "log"
    HEARD = "heard"
    OVERDUE = "overdue"
    BOOTSTRAP = "bootstrap"


ALL_EVENTS = "lwm2m.event.>"
ALL_OPERATIONS = "lwm2m.operation.>"
OPERATION_STATES = "lwm2m.operation.*.*"
"""The filter of what became of operations, without the answers of gateways below them."""
ALL_DESIRED = "lwm2m.desired.>"
ALL_FIRMWARE = "lwm2m.firmware.>"
FIRMWARE_UPDATES = "lwm2m.firmware.*.*"
"""The filter of every firmware update of every endpoint."""
ALL_ROLLOUTS = "lwm2m.rollout.>"
ROLLOUT_STATES = "lwm2m.rollout.*.state"
"""The filter of how rollouts stand, without their plans and devices."""
ALL_FIRMWARE_PROGRESS = "lwm2m.firmware-progress.*"
ALL_OPERATIONS_ALIVE = "lwm2m.operations.*.alive"
ANSWERED = "answered"
ALL_OPERATION_ANSWERS = f"lwm2m.operation.*.*.{ANSWERED}"
ALL_GATEWAYS = "lwm2m.gateway.>"
ALL_GATEWAY_REQUESTS = "lwm2m.gateway.*.request"
ALL_GATEWAYS_ALIVE = "lwm2m.gateway.*.alive"
ALL_GATEWAY_PROFILES = "lwm2m.gateway.*.profile"
ALL_GATEWAY_ANSWERS = "lwm2m.gateways.answer.*"
ANY_GATEWAY_REQUEST = "lwm2m.gateways.request"
"""As `gateway_request`, answered by whichever gateway is there: for a device whose own is away."""

GATEWAYS = "gateways"
"""Queue group of all gateways on ANY_GATEWAY_REQUEST."""
ALL_DEAD_LETTERS = "lwm2m.dead.>"


def _escape(name: str, safe: frozenset[int], mark: str) -> str:
    return "".join(chr(byte) if byte in safe else f"{mark}{byte:02X}" for byte in name.encode())


def _unescape(token: str, pattern: re.Pattern[str]) -> str:
    raw = pattern.sub(lambda match: chr(int(match[1], 16)), token)
    try:
        return raw.encode("latin-1").decode()
    except UnicodeError as error:
        raise InvalidName(f"{token[:80]!r} is not an escaped endpoint name") from error


@lru_cache(maxsize=65536)
def endpoint_token(endpoint: str) -> str:
    """The endpoint name as one subject token. Raises InvalidName: empty, over 255 bytes, or not UTF-8."""
    try:
        size = len(endpoint.encode())
    except UnicodeEncodeError as error:
        raise InvalidName("an endpoint name is UTF-8 text") from error
    if not 0 < size <= MAX_ENDPOINT_BYTES:
        raise InvalidName(f"an endpoint name has 1 to {MAX_ENDPOINT_BYTES} bytes, this one has {size}")
    return _escape(endpoint, _SUBJECT_SAFE, "%")


def endpoint_of_token(token: str) -> str:
    """The inverse of `endpoint_token`. Raises InvalidName."""
    return _unescape(token, _SUBJECT_ESCAPE)


def endpoint_key(endpoint: str) -> str:
    """The endpoint name as a KV key. Raises InvalidName as `endpoint_token` does."""
    endpoint_token(endpoint)
    return _escape(endpoint, _KEY_SAFE, "=")


def endpoint_of_key(key: str) -> str:
    """The inverse of `endpoint_key`. Raises InvalidName."""
    return _unescape(key, _KEY_ESCAPE)


def _plain(name: str) -> str:
    """A name of our own making as it is: ids, services. Raises InvalidName."""
    if not _PLAIN.fullmatch(name):
        raise InvalidName(f"{name[:80]!r} is not a name of 1 to 64 letters, digits, - and _")
    return name


def event(endpoint: str, kind: EventKind) -> str:
    """`lwm2m.event.<endpoint>.<kind>` in LWM2M_EVENTS."""
    return f"lwm2m.event.{endpoint_token(endpoint)}.{kind}"


def events_of(endpoint: str) -> str:
    """The filter that matches every event of one endpoint."""
    return f"lwm2m.event.{endpoint_token(endpoint)}.>"


def events_of_kind(kind: EventKind) -> str:
    """The filter that matches the events of one kind of every endpoint."""
    return f"lwm2m.event.*.{kind}"


def endpoint_of_subject(subject: str) -> str:
    """The endpoint name in an event, operation or firmware subject. Raises InvalidName."""
    parts = subject.split(".")
    if len(parts) != 4 or parts[0] != "lwm2m" or parts[1] not in {"event", "operation", "firmware"}:
        raise InvalidName(f"{subject[:120]!r} names no endpoint")
    return endpoint_of_token(parts[2])


def operation(endpoint: str, operation_id: str) -> str:
    """`lwm2m.operation.<endpoint>.<operation id>` in LWM2M_OPERATIONS. Raises InvalidName."""
    return f"lwm2m.operation.{endpoint_token(endpoint)}.{_plain(operation_id)}"


def operations_of(endpoint: str) -> str:
    """The filter that matches every operation of one endpoint, without the answers of gateways below them."""
    return f"lwm2m.operation.{endpoint_token(endpoint)}.*"


def operation_of_any(operation_id: str) -> str:
    """The filter that matches one operation, whichever endpoint it is of. Raises InvalidName."""
    return f"lwm2m.operation.*.{_plain(operation_id)}"


def operation_answer(endpoint: str, operation_id: str) -> str:
    """`lwm2m.operation.<endpoint>.<operation id>.answered` in LWM2M_OPERATIONS. Raises InvalidName."""
    return f"{operation(endpoint, operation_id)}.{ANSWERED}"


def operation_of_subject(subject: str) -> tuple[str, str, bool]:
    """Endpoint name, operation id, and whether it is a gateway's answer. Raises InvalidName."""
    parts = subject.split(".")
    is_answer = len(parts) == 5 and parts[4] == ANSWERED
    if parts[:2] != ["lwm2m", "operation"] or not (is_answer or len(parts) == 4):
        raise InvalidName(f"{subject[:120]!r} names no operation")
    return endpoint_of_token(parts[2]), parts[3], is_answer


def operations_alive(replica: str) -> str:
    """`lwm2m.operations.<replica>.alive`, the sign of life of an operations replica, in no stream."""
    return f"lwm2m.operations.{_plain(replica)}.alive"


def desired(endpoint: str) -> str:
    """`lwm2m.desired.<endpoint>` in LWM2M_OPERATIONS. Raises InvalidName."""
    return f"lwm2m.desired.{endpoint_token(endpoint)}"


def endpoint_of_desired(subject: str) -> str | None:
    """Endpoint name in the subject of desired values; None where it is another kind of subject. Raises InvalidName."""
    parts = subject.split(".")
    return endpoint_of_token(parts[2]) if len(parts) == 3 and parts[:2] == ["lwm2m", "desired"] else None


def firmware(endpoint: str, update_id: str) -> str:
    """`lwm2m.firmware.<endpoint>.<update id>` in LWM2M_OPERATIONS. Raises InvalidName."""
    return f"lwm2m.firmware.{endpoint_token(endpoint)}.{_plain(update_id)}"


def firmware_updates_of(endpoint: str) -> str:
    """The filter that matches every firmware update of one endpoint."""
    return f"lwm2m.firmware.{endpoint_token(endpoint)}.*"


def firmware_update_of_any(update_id: str) -> str:
    """The filter that matches one firmware update, whichever endpoint it is of. Raises InvalidName."""
    return f"lwm2m.firmware.*.{_plain(update_id)}"


def is_firmware(subject: str) -> bool:
    """Whether the subject is that of a firmware update."""
    return subject.startswith(ALL_FIRMWARE.removesuffix(">"))


def firmware_of_subject(subject: str) -> tuple[str, str]:
    """Endpoint name and update id. Raises InvalidName."""
    parts = subject.split(".")
    if parts[:2] != ["lwm2m", "firmware"] or len(parts) != 4:
        raise InvalidName(f"{subject[:120]!r} names no firmware update")
    return endpoint_of_token(parts[2]), parts[3]


def rollout(rollout_id: str) -> str:
    """`lwm2m.rollout.<rollout id>.state` in LWM2M_OPERATIONS. Raises InvalidName."""
    return f"lwm2m.rollout.{_plain(rollout_id)}.state"


def rollout_plan(rollout_id: str) -> str:
    """`lwm2m.rollout.<rollout id>.plan` in LWM2M_OPERATIONS. Raises InvalidName."""
    return f"lwm2m.rollout.{_plain(rollout_id)}.plan"


def rollout_device(rollout_id: str, endpoint: str) -> str:
    """`lwm2m.rollout.<rollout id>.device.<endpoint>` in LWM2M_OPERATIONS. Raises InvalidName."""
    return f"lwm2m.rollout.{_plain(rollout_id)}.device.{endpoint_token(endpoint)}"


def all_of_rollout(rollout_id: str) -> str:
    """The filter that matches a rollout, its plan and its devices. Raises InvalidName."""
    return f"lwm2m.rollout.{_plain(rollout_id)}.>"


def is_rollout(subject: str) -> bool:
    """Whether the subject is of a rollout."""
    return subject.startswith(ALL_ROLLOUTS.removesuffix(">"))


def rollout_of_subject(subject: str) -> str:
    """The rollout id in a subject of it. Raises InvalidName."""
    parts = subject.split(".")
    if parts[:2] != ["lwm2m", "rollout"] or len(parts) not in {4, 5}:
        raise InvalidName(f"{subject[:120]!r} names no rollout")
    return parts[2]


def firmware_progress(update_id: str) -> str:
    """`lwm2m.firmware-progress.<update id>`, in no stream: how far a device's download is. Raises InvalidName."""
    return f"lwm2m.firmware-progress.{_plain(update_id)}"


def dead_letter(service: str) -> str:
    """`lwm2m.dead.<service>` in LWM2M_DEAD_LETTERS. Raises InvalidName."""
    return f"lwm2m.dead.{_plain(service)}"


def gateway_request(gateway_id: str) -> str:
    """`lwm2m.gateway.<gateway id>.request`, request and reply, in no stream. Raises InvalidName."""
    return f"lwm2m.gateway.{_plain(gateway_id)}.request"


def gateway_answer(mark: str) -> str:
    """`lwm2m.gateways.answer.<mark>`, in no stream: datagrams that answer requests of the gateway whose tokens begin
    with `mark`, in hex, and that came to another one. Raises InvalidName.
    """
    return f"lwm2m.gateways.answer.{_plain(mark)}"


def gateway_alive(gateway_id: str) -> str:
    """`lwm2m.gateway.<gateway id>.alive`, request and reply, in no stream: who has this id. Raises InvalidName."""
    return f"lwm2m.gateway.{_plain(gateway_id)}.alive"


def gateway_profile(gateway_id: str) -> str:
    """`lwm2m.gateway.<gateway id>.profile`, request and reply, in no stream. Raises InvalidName."""
    return f"lwm2m.gateway.{_plain(gateway_id)}.profile"


def gateway_session(gateway_id: str) -> str:
    """`lwm2m.gateway.<gateway id>.session`, request and reply, in no stream: another gateway has a record of a DTLS
    session of this one. Raises InvalidName.
    """
    return f"lwm2m.gateway.{_plain(gateway_id)}.session"
