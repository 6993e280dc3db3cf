"""Who may do what on the bus: a NATS user a service, each with the subjects that it works with and no other.

JetStream is used through subjects too: `$JS.API...` asks for a stream, a consumer or a message, `$KV...` and `$O...`
are the messages of buckets. NATS: Authorization; ADR-8, ADR-20. Replies come to inboxes of a user's own, so that none
reads what another is answered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from flownexus_schemas import subjects
from flownexus_schemas.subjects import Bucket, EventKind, Stream


class BusUser(StrEnum):
    """The users of a NATS server. OWNER may do all: it is for `flownexus migrate` and for administrators."""

    OWNER = "flownexus"
    GATEWAY = "gateway"
    INGEST = "ingest"
    OPERATIONS = "operations"
    API = "api"
    INTEGRATOR = "integrator"


ANSWERS_EXPIRE = "190m"
"""A request to a device that sleeps takes up to LONGEST_EDRX_S, and its answer comes after that at the latest."""

MAX_ANSWERS = 2


@dataclass(frozen=True, slots=True)
class Permissions:
    """Subjects, with wildcards. `answers`: whether it may reply to requests, wherever their replies are wanted."""

    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()
    answers: bool = False


@dataclass(slots=True)
class _Granted:
    """Permissions while they are put together."""

    user: BusUser
    publish: set[str] = field(default_factory=set)
    subscribe: set[str] = field(default_factory=set)

    def reads(self, *streams: str) -> _Granted:
        """Ask about streams, read single messages and follow them by consumers."""
        for stream in streams:
            self.publish |= {
                f"$JS.API.STREAM.INFO.{stream}",
                f"$JS.API.STREAM.MSG.GET.{stream}",
                f"$JS.API.DIRECT.GET.{stream}",
                f"$JS.API.DIRECT.GET.{stream}.>",
                f"$JS.API.CONSUMER.CREATE.{stream}",
                f"$JS.API.CONSUMER.CREATE.{stream}.>",
                f"$JS.API.CONSUMER.INFO.{stream}.>",
                f"$JS.API.CONSUMER.MSG.NEXT.{stream}.>",
                f"$JS.API.CONSUMER.DELETE.{stream}.>",
                f"$JS.FC.{stream}.>",
            }
        return self

    def reads_buckets(self, *buckets: Bucket) -> _Granted:
        return self.reads(*(f"KV_{bucket}" for bucket in buckets))

    def writes_buckets(self, *buckets: Bucket) -> _Granted:
        self.publish |= {f"$KV.{bucket}.>" for bucket in buckets}
        return self.reads_buckets(*buckets)

    def reads_objects(self, *stores: str) -> _Granted:
        """nats-py asks which stream has the chunks of an object."""
        self.publish.add("$JS.API.STREAM.NAMES")
        return self.reads(*(f"OBJ_{store}" for store in stores))

    def writes_objects(self, *stores: str) -> _Granted:
        for store in stores:
            self.publish |= {f"$O.{store}.>", f"$JS.API.STREAM.PURGE.OBJ_{store}"}
        return self.reads_objects(*stores)

    def publishes(self, *patterns: str) -> _Granted:
        self.publish |= set(patterns)
        return self

    def subscribes(self, *patterns: str) -> _Granted:
        self.subscribe |= set(patterns)
        return self

    def done(self, *, answers: bool = False) -> Permissions:
        own = f"{inbox_prefix(self.user)}.>"
        return Permissions(tuple(sorted(self.publish)), tuple(sorted(self.subscribe | {own})), answers)


def inbox_prefix(user: str) -> str:
    """Where a user's replies go. Users that are none of ours have NATS's default."""
    return f"_INBOX_{user}" if user in set(BusUser) else "_INBOX"


PERMISSIONS: dict[BusUser, Permissions] = {
    BusUser.OWNER: Permissions((">",), (">",), answers=True),
    BusUser.GATEWAY: _Granted(BusUser.GATEWAY)
    .publishes(
        subjects.ALL_EVENTS,
        subjects.ALL_OPERATION_ANSWERS,
        subjects.ALL_FIRMWARE_PROGRESS,
        subjects.ALL_GATEWAYS,
        subjects.ANY_GATEWAY_REQUEST,
        subjects.ALL_GATEWAY_ANSWERS,
    )
    .subscribes(subjects.ALL_GATEWAYS, subjects.ANY_GATEWAY_REQUEST, subjects.ALL_GATEWAY_ANSWERS)
    .writes_buckets(Bucket.REGISTRATIONS, Bucket.DTLS_SESSIONS, Bucket.CREDENTIALS)
    .reads_buckets(
        Bucket.OBSERVATION_PROFILES,
        Bucket.OBJECT_MODELS,
        Bucket.ENDPOINT_TAGS,
        Bucket.KEYS,
        Bucket.BOOTSTRAP_CONFIGURATIONS,
        Bucket.BOOTSTRAP_PROFILES,
    )
    .reads_objects(subjects.FIRMWARE)
    .writes_objects(subjects.LARGE_MESSAGES)
    .done(answers=True),
    BusUser.INGEST: _Granted(BusUser.INGEST)
    .reads(Stream.EVENTS, Stream.OPERATIONS)
    .publishes(
        subjects.ALL_DEAD_LETTERS,
        subjects.events_of_kind(EventKind.OVERDUE),
        subjects.ALL_GATEWAYS_ALIVE,
        f"$JS.API.STREAM.INFO.{Stream.DEAD_LETTERS}",
    )
    .reads_buckets(Bucket.OBJECT_MODELS)
    .done(),
    BusUser.OPERATIONS: _Granted(BusUser.OPERATIONS)
    .reads(Stream.EVENTS, Stream.OPERATIONS)
    .publishes(
        subjects.ALL_OPERATIONS,
        subjects.ALL_FIRMWARE,
        subjects.ALL_ROLLOUTS,
        subjects.ALL_DESIRED,
        subjects.ALL_OPERATIONS_ALIVE,
        subjects.ALL_GATEWAY_REQUESTS,
        subjects.ANY_GATEWAY_REQUEST,
        subjects.ALL_GATEWAYS_ALIVE,
    )
    .subscribes(subjects.ALL_OPERATIONS_ALIVE, subjects.ALL_EVENTS, subjects.ALL_FIRMWARE_PROGRESS)
    .writes_buckets(Bucket.CHECKPOINTS)
    .reads_buckets(
        Bucket.REGISTRATIONS,
        Bucket.DESIRED_VALUES,
        Bucket.DESIRED_PROFILES,
        Bucket.ENDPOINT_TAGS,
        Bucket.OBJECT_MODELS,
    )
    .done(),
    BusUser.API: _Granted(BusUser.API)
    .reads(Stream.EVENTS, Stream.OPERATIONS, Stream.DEAD_LETTERS)
    .publishes(
        subjects.ALL_EVENTS,
        subjects.ALL_OPERATIONS,
        subjects.ALL_FIRMWARE,
        subjects.ALL_FIRMWARE_PROGRESS,
        subjects.ALL_ROLLOUTS,
        subjects.ALL_GATEWAY_REQUESTS,
        subjects.ALL_GATEWAY_PROFILES,
        subjects.ANY_GATEWAY_REQUEST,
        f"$JS.API.STREAM.MSG.DELETE.{Stream.DEAD_LETTERS}",
    )
    .writes_buckets(
        Bucket.OBSERVATION_PROFILES,
        Bucket.OBJECT_MODELS,
        Bucket.ENDPOINT_TAGS,
        Bucket.DESIRED_VALUES,
        Bucket.DESIRED_PROFILES,
        Bucket.CREDENTIALS,
        Bucket.BOOTSTRAP_CONFIGURATIONS,
        Bucket.BOOTSTRAP_PROFILES,
    )
    .reads_buckets(Bucket.REGISTRATIONS, Bucket.KEYS)
    .writes_objects(subjects.FIRMWARE, subjects.LARGE_MESSAGES)
    .done(),
    BusUser.INTEGRATOR: Permissions(subscribe=(subjects.ALL_EVENTS,)),
}


def user_settings(user: BusUser, password: str) -> dict[str, Any]:
    """An entry of `authorization.users` in a server's configuration."""
    permissions = PERMISSIONS[user]
    allowed: dict[str, Any] = {
        "publish": {"allow": list(permissions.publish)} if permissions.publish else {"deny": [">"]},
        "subscribe": {"allow": list(permissions.subscribe)},
    }
    if permissions.answers:
        allowed["allow_responses"] = {"max": MAX_ANSWERS, "expires": ANSWERS_EXPIRE}
    return {"user": user.value, "password": password, "permissions": allowed}
