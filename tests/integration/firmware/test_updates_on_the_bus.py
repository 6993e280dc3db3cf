"""Firmware updates asked for and taken back over a real NATS server: one an endpoint, whoever asks."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from nats.js import JetStreamContext

from flownexus_runtime.firmware_updates import (
    Overtaken,
    UpdateUnderWay,
    cancel_update,
    change_update,
    load_update,
    request_update,
)
from flownexus_schemas.errors import Conflict, NotFound
from flownexus_schemas.firmware.happenings import Asked, GivenUp
from flownexus_schemas.firmware.update import FirmwareUpdate, Step, UpdateStatus

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def update(name: str, endpoint: str = "urn:imei:1.2", **changes: Any) -> FirmwareUpdate:
    fixed = {"firmware": "0123456789abcdef", "name": "app", "version": "2.0", "size": 1000, "sha256": "00"}
    return FirmwareUpdate(id=name, endpoint=endpoint, requested_at=NOW, **(fixed | changes))


async def test_an_endpoint_has_one_open_update(js: JetStreamContext) -> None:
    one = await request_update(js, update("u1"), "/api")
    assert await request_update(js, update("other", "device-2"), "/api") is not None
    with pytest.raises(UpdateUnderWay, match=r"'urn:imei:1.2' is being updated to '2.0' \(update u1, QUEUED\)"):
        await request_update(js, update("u2"), "/api")
    with pytest.raises(NotFound):
        await load_update(js, "u2")

    _, sequence = await load_update(js, one.id, one.endpoint)
    await change_update(js, one, sequence, GivenUp("It failed."), source="/test", now=NOW)
    assert (await request_update(js, update("u2"), "/api")).id == "u2"
    assert (await load_update(js, "u1"))[0].status is UpdateStatus.FAILED


async def test_the_same_update_asked_for_again_is_the_one_that_is_there(js: JetStreamContext) -> None:
    one = await request_update(js, update("u1", rollout="r1"), "/operations/a")
    _, sequence = await load_update(js, "u1", one.endpoint)
    failed, _ = await change_update(js, one, sequence, GivenUp("It failed."), source="/test", now=NOW)
    await request_update(js, update("u2"), "/api")

    assert await request_update(js, update("u1", rollout="r1"), "/operations/b") == failed


async def test_of_two_that_ask_at_the_same_moment_one_is_refused(js: JetStreamContext) -> None:
    asked = [request_update(js, update(f"u{number}"), "/api") for number in range(8)]
    got = await asyncio.gather(*asked, return_exceptions=True)

    assert sum(isinstance(one, FirmwareUpdate) for one in got) == 1
    assert sum(isinstance(one, UpdateUnderWay) for one in got) == 7


async def test_it_is_taken_back_once(js: JetStreamContext) -> None:
    await request_update(js, update("u1"), "/api")

    cancelled = await cancel_update(js, "u1", "admin", "/api")

    assert (cancelled.status, cancelled.last_action) == (UpdateStatus.CANCELLED, "Taken back by admin.")
    assert (await load_update(js, "u1"))[0] == cancelled
    with pytest.raises(Conflict, match="is CANCELLED"):
        await cancel_update(js, "u1", "admin", "/api")
    with pytest.raises(NotFound):
        await cancel_update(js, "none", "admin", "/api")


async def test_a_change_that_rests_on_an_old_message_is_refused(js: JetStreamContext) -> None:
    one = await request_update(js, update("u1"), "/api")
    _, sequence = await load_update(js, "u1")
    await change_update(js, one, sequence, Asked(Step.READ), source="/operations/a", now=NOW)

    with pytest.raises(Overtaken):
        await change_update(js, one, sequence, GivenUp("It failed."), source="/operations/b", now=NOW)
    assert (await load_update(js, "u1"))[0].step is Step.READ
