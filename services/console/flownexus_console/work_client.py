"""What is to be done to devices, over the REST API: operations, desired values, firmware updates, rollouts."""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping
from typing import Literal, TypeVar
from urllib.parse import quote

from flownexus_console.api_client import ApiClient, Query, read_answer, translated
from flownexus_console.session import Session
from flownexus_console.work_models import (
    Desired,
    Image,
    ImagePage,
    Operation,
    OperationDetail,
    OperationPage,
    Rollout,
    RolloutDetail,
    RolloutPage,
    Update,
    UpdatePage,
)
from flownexus_schemas.cloudevent import Frozen

Answer = TypeVar("Answer", bound=Frozen)
Turn = Literal["pause", "resume", "stop", "next"]

UPLOAD_TIMEOUT_S = 600.0
MOST_IMAGES = 100


class WorkClient:
    """Calls raise ApiAway, SignedOut or ApiRefused, as those of ApiClient do."""

    def __init__(self, api: ApiClient) -> None:
        self._http = api.http

    async def operations(self, session: Session, endpoint: str, limit: int) -> OperationPage:
        """The newest operations of an endpoint."""
        return await self._get(session, "/operations", OperationPage, {"endpoint": endpoint, "limit": limit})

    async def operation(self, session: Session, operation: str) -> OperationDetail:
        """One operation with its history."""
        return await self._get(session, f"/operations/{quote(operation, safe='')}", OperationDetail)

    async def ask(self, session: Session, endpoint: str, request: Mapping[str, object]) -> Operation:
        """Have a request sent when the device listens."""
        return await self._send(session, "POST", f"{_endpoint(endpoint)}/operations", Operation, request)

    async def cancel(self, session: Session, operation: str) -> Operation:
        """Take an operation back while it is queued."""
        return await self._send(session, "POST", f"/operations/{quote(operation, safe='')}/cancel", Operation)

    async def desired(self, session: Session, endpoint: str) -> Desired:
        """What is desired of an endpoint."""
        return await self._get(session, f"{_endpoint(endpoint)}/desired", Desired)

    async def declare(self, session: Session, endpoint: str, known: Desired, values: list[object]) -> Desired:
        """Declare these values in place of those of `known`; ApiRefused with 409 where somebody was faster."""
        given = {"values": values, "attributes": list(known.attributes)}
        headers = {"If-Match": f'"{known.revision or 0}"'}
        return await self._send(session, "PUT", f"{_endpoint(endpoint)}/desired", Desired, given, headers)

    async def images(self, session: Session) -> ImagePage:
        """The newest firmware images."""
        return await self._get(session, "/firmware", ImagePage, {"limit": MOST_IMAGES})

    async def upload(self, session: Session, query: Query, content: AsyncIterable[bytes]) -> Image:
        """Keep an image; it is sent on as it is read."""
        headers = {"Authorization": f"Bearer {session.token}"}
        with translated():
            response = await self._http.post(
                "/api/v1/firmware", params=query, content=content, headers=headers, timeout=UPLOAD_TIMEOUT_S
            )
        return read_answer(response, Image)

    async def remove_image(self, session: Session, image: str) -> Image:
        """Remove an image for good."""
        return await self._send(session, "DELETE", f"/firmware/{quote(image, safe='')}", Image)

    async def updates(self, session: Session, limit: int) -> UpdatePage:
        """The newest firmware updates."""
        return await self._get(session, "/firmware-updates", UpdatePage, {"limit": limit})

    async def update(self, session: Session, endpoint: str, image: str) -> Update:
        """Have a device updated to an image."""
        path = f"{_endpoint(endpoint)}/firmware-updates"
        return await self._send(session, "POST", path, Update, {"firmware": image})

    async def cancel_update(self, session: Session, update: str) -> Update:
        """Take an update back."""
        return await self._send(session, "POST", f"/firmware-updates/{quote(update, safe='')}/cancel", Update)

    async def rollouts(self, session: Session, limit: int) -> RolloutPage:
        """The newest rollouts."""
        return await self._get(session, "/rollouts", RolloutPage, {"limit": limit})

    async def rollout(self, session: Session, rollout: str) -> RolloutDetail:
        """One rollout with its groups and its history."""
        return await self._get(session, f"/rollouts/{quote(rollout, safe='')}", RolloutDetail)

    async def turn(self, session: Session, rollout: str, turn: Turn) -> Rollout:
        """Pause, resume or stop a rollout, or begin its next group."""
        return await self._send(session, "POST", f"/rollouts/{quote(rollout, safe='')}/{turn}", Rollout)

    async def _get(self, session: Session, path: str, model: type[Answer], query: Query | None = None) -> Answer:
        headers = {"Authorization": f"Bearer {session.token}"}
        with translated():
            response = await self._http.get(f"/api/v1{path}", params=query, headers=headers)
        return read_answer(response, model)

    async def _send(  # noqa: PLR0917 - what a request is made of
        self,
        session: Session,
        method: str,
        path: str,
        model: type[Answer],
        given: Mapping[str, object] | None = None,
        more: Mapping[str, str] | None = None,
    ) -> Answer:
        headers = {"Authorization": f"Bearer {session.token}", **(more or {})}
        with translated():
            response = await self._http.request(method, f"/api/v1{path}", json=given, headers=headers)
        return read_answer(response, model)


def _endpoint(name: str) -> str:
    return f"/endpoints/{quote(name, safe='')}"
