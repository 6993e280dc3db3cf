"""The api of a running system, as the commands of a terminal use it."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import IO, Any
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from flownexus_local.api_session import API, TIMEOUT_S, ApiSession
from flownexus_schemas.events import Event, parse_event
from flownexus_schemas.operations.messages import OperationEvent, parse_operation_event

PAGE = 500
QUEUE_S = 40.0
"""Seconds that a request to a device may take beside the wait for the device itself."""
UPLOAD_S = 600.0


class Endpoint(BaseModel):
    """A device as the api lists it."""

    name: str
    status: str
    lwm2m_version: str | None = None
    queue_mode: bool | None = None
    lifetime_s: int | None = None
    last_seen_at: datetime | None = None
    next_expected_at: datetime | None = None
    overdue: bool = False
    address: dict[str, Any] | None = None


class KnownObject(BaseModel):
    """One version of one object that has a model."""

    id: int
    version: str
    name: str
    uploaded: bool


class UnknownResource(BaseModel):
    """A resource that no model names."""

    id: int
    endpoints: int
    types: list[str]


class UnknownObject(BaseModel):
    """An object without a model, or with resources that its model lacks."""

    id: int
    name: str | None
    listed_by: int
    resources: list[UnknownResource]


class UndecodedReport(BaseModel):
    """A report of a device that could not be decoded."""

    id: str
    endpoint: str
    received_at: datetime
    content_format: int | None
    size: int
    reason: str
    decoded_at: datetime | None
    dismissed_at: datetime | None


class DecodedValue(BaseModel):
    """A value that a retry found."""

    path: str
    type: str


class RetriedAll(BaseModel):
    """How a retry of all undecoded reports went."""

    decoded: int
    left: int
    next: str | None


class DeadLetter(BaseModel):
    """A message that no service could process."""

    id: int
    service: str
    reason: str
    subject: str


class ApiClient(ApiSession):
    """What the commands ask of the api."""

    def endpoints(self, tags: Sequence[str] = (), *, only_overdue: bool = False) -> Iterator[Endpoint]:
        """All of them, or those with each of these tags, or that are overdue, by name."""
        cursor: str | None = None
        while True:
            query: dict[str, Any] = {"limit": PAGE, "tag": list(tags)}
            query |= ({"cursor": cursor} if cursor else {}) | ({"overdue": True} if only_overdue else {})
            page = self._answer(self._client.get(f"{API}/endpoints", params=query)).json()
            yield from map(Endpoint.model_validate, page["items"])
            cursor = page["next"]
            if cursor is None:
                return

    def ask(self, endpoint: str, request: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        """The answer of a device to one request, which may wait for those before it."""
        path = f"{API}/endpoints/{self.segment(endpoint)}/requests"
        patience = httpx.Timeout(TIMEOUT_S, read=timeout_s + QUEUE_S)
        answer: dict[str, Any] = self._answer(self._client.post(path, json=request, timeout=patience)).json()
        return answer

    def segment(self, endpoint: str) -> str:
        """An endpoint name as one segment of a path."""
        return quote(endpoint, safe="")

    def profiles(self) -> list[dict[str, Any]]:
        """All observation profiles."""
        items: list[dict[str, Any]] = self._json(self._client.get(f"{API}/profiles"))["items"]
        return items

    def profile(self, name: str) -> dict[str, Any]:
        """One profile."""
        return self._json(self._client.get(self._profile(name)))

    def put_profile(self, name: str, given: Any) -> dict[str, Any]:
        """Make a profile, or put another in its place."""
        return self._json(self._client.put(self._profile(name), json=given))

    def remove_profile(self, name: str) -> dict[str, Any]:
        """Take a profile away: what it was."""
        return self._json(self._client.delete(self._profile(name)))

    def apply_profile(self, path: str, timeout_s: float) -> list[dict[str, Any]]:
        """Apply the profile at this path, or that of the endpoint: how each endpoint stands."""
        patience = httpx.Timeout(TIMEOUT_S, read=timeout_s + QUEUE_S)
        query = {"timeout_s": timeout_s}
        answer = self._json(self._client.post(f"{API}/{path}/apply", params=query, timeout=patience))
        standings: list[dict[str, Any]] = answer.get("items", [answer])
        return standings

    def tags(self, endpoint: str) -> list[str]:
        """The tags of an endpoint, sorted."""
        tags: list[str] = self._json(self._client.get(f"{API}/endpoints/{self.segment(endpoint)}/tags"))["tags"]
        return tags

    def put_tags(self, endpoint: str, tags: Sequence[str]) -> list[str]:
        """Put these tags in place of those of the endpoint."""
        path = f"{API}/endpoints/{self.segment(endpoint)}/tags"
        put: list[str] = self._json(self._client.put(path, json={"tags": list(tags)}))["tags"]
        return put

    def models(self) -> list[KnownObject]:
        """All object models."""
        return self._models(self._client.get(f"{API}/models"))

    def undecoded(self, endpoint: str | None, state: str | None) -> Iterator[UndecodedReport]:
        """Reports that could not be decoded, the newest first."""
        query = {name: value for name, value in (("endpoint", endpoint), ("state", state)) if value is not None}
        yield from map(UndecodedReport.model_validate, self._every(f"{API}/undecoded", query))

    def undecoded_payload(self, report: str) -> bytes:
        """The payload of one."""
        return b64decode(self._json(self._client.get(f"{API}/undecoded/{quote(report, safe='')}"))["payload"])

    def retry_undecoded(self, report: str, content_format: int | None, base_path: str | None) -> list[DecodedValue]:
        """Decode one again: its values."""
        by = {"content_format": content_format, "base_path": base_path}
        answer = self._json(self._client.post(f"{API}/undecoded/{quote(report, safe='')}/retry", json=by))
        return [DecodedValue.model_validate(value) for value in answer["values"]]

    def retry_all_undecoded(self) -> RetriedAll:
        """Decode again what waits."""
        decoded = left = 0
        cursor: str | None = None
        while True:
            given = {"cursor": cursor} if cursor else {}
            done = RetriedAll.model_validate(self._json(self._client.post(f"{API}/undecoded/retry", params=given)))
            decoded, left, cursor = decoded + done.decoded, left + done.left, done.next
            if cursor is None:
                return RetriedAll(decoded=decoded, left=left, next=None)

    def dismiss_undecoded(self, report: str) -> None:
        """Say that one waits for no retry."""
        self._json(self._client.delete(f"{API}/undecoded/{quote(report, safe='')}"))

    def dead_letters(self) -> Iterator[DeadLetter]:
        """Messages that no service could process, the oldest first."""
        yield from map(DeadLetter.model_validate, self._every(f"{API}/dead-letters", {}))

    def retry_dead_letter(self, letter: int) -> str:
        """Publish one again: its subject."""
        return str(self._json(self._client.post(f"{API}/dead-letters/{letter}/retry"))["subject"])

    def delete_dead_letter(self, letter: int) -> str:
        """Take one away: the subject of its message."""
        return str(self._json(self._client.delete(f"{API}/dead-letters/{letter}"))["subject"])

    def unknown_objects(self) -> list[UnknownObject]:
        """What devices list or sent that no model names."""
        items = self._json(self._client.get(f"{API}/models/unknown"))["items"]
        return [UnknownObject.model_validate(item) for item in items]

    def add_models(self, xml: bytes) -> list[KnownObject]:
        """Upload a file of OMA DDF XML: its objects."""
        return self._models(self._client.put(f"{API}/models", content=xml))

    def remove_model(self, object_id: int, version: str) -> KnownObject:
        """Take an uploaded model away: what it was."""
        path = f"{API}/models/{object_id}/{quote(version, safe='')}"
        return KnownObject.model_validate(self._json(self._client.delete(path)))

    def _profile(self, name: str) -> str:
        return f"{API}/profiles/{quote(name, safe='')}"

    def _models(self, response: httpx.Response) -> list[KnownObject]:
        return [KnownObject.model_validate(item) for item in self._answer(response).json()["items"]]

    def request_operation(self, endpoint: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Have a request sent when the device listens: the operation."""
        path = f"{API}/endpoints/{self.segment(endpoint)}/operations"
        return self._json(self._client.post(path, json=request))

    def request_operations(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The same for all endpoints that it selects: the batch."""
        patience = httpx.Timeout(TIMEOUT_S, read=TIMEOUT_S + QUEUE_S)
        return self._json(self._client.post(f"{API}/operations", json=request, timeout=patience))

    def operations(self, query: Mapping[str, str | list[str]]) -> Iterator[dict[str, Any]]:
        """Those that meet the query, the newest first."""
        yield from self._every(f"{API}/operations", {**query, "limit": str(PAGE)})

    def operation(self, operation: str) -> dict[str, Any]:
        """One, with its history."""
        return self._json(self._client.get(f"{API}/operations/{quote(operation, safe='')}"))

    def cancel_operation(self, operation: str) -> dict[str, Any]:
        """Take one back: the operation."""
        return self._json(self._client.post(f"{API}/operations/{quote(operation, safe='')}/cancel"))

    def cancel_batch(self, batch: str) -> int:
        """Take back what of a batch is queued: how many that were."""
        patience = httpx.Timeout(TIMEOUT_S, read=TIMEOUT_S + QUEUE_S)
        path = f"{API}/operations/batches/{quote(batch, safe='')}/cancel"
        return int(self._json(self._client.post(path, timeout=patience))["cancelled"])

    def upload_firmware(self, content: IO[bytes], query: Mapping[str, str]) -> dict[str, Any]:
        """Upload an image, read as it is sent: what was kept."""
        patience = httpx.Timeout(UPLOAD_S)
        return self._json(self._client.post(f"{API}/firmware", params=query, content=content, timeout=patience))

    def firmware(self, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """The images that meet the query, the newest first."""
        yield from self._every(f"{API}/firmware", query)

    def firmware_link(self, firmware: str, lifetime_s: int) -> str:
        """A URL that gives an image without a login, for so many seconds."""
        path = f"{API}/firmware/{quote(firmware, safe='')}/link"
        made = self._json(self._client.post(path, params={"lifetime_s": lifetime_s}))
        return f"{self.api_url}{made['path']}"

    def delete_firmware(self, firmware: str) -> dict[str, Any]:
        """Remove an image: what it was."""
        return self._json(self._client.delete(f"{API}/firmware/{quote(firmware, safe='')}"))

    def audit(self, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """Logins and changes, the newest first."""
        yield from self._every(f"{API}/audit", query)

    def audit_file(self, query: Mapping[str, str]) -> Iterator[bytes]:
        """The same as a file in the `format` of the query."""
        yield from self._pieces(f"{API}/audit/export", query)

    def operation_events(self, query: Mapping[str, str]) -> Iterator[OperationEvent]:
        """What happens to operations from now on, without end."""
        for event in self._follow(f"{API}/operations/stream", query):
            yield parse_operation_event(event.data.encode())

    def events(self, endpoint: str | None) -> Iterator[Event]:
        """What happens from now on, without end."""
        for event in self._follow(f"{API}/stream", {"endpoint": endpoint} if endpoint else {}):
            yield parse_event(event.data.encode())
