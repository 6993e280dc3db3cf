"""The life of a firmware update, as its transition table has it, and its messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from flownexus_schemas.errors import InvalidMessage
from flownexus_schemas.firmware.happenings import (
    Answered,
    Asked,
    CameBack,
    CancelAsked,
    Cancelled,
    CancelTooLate,
    Downloaded,
    GivenUp,
    Happening,
    InstallAsked,
    InstalledByItself,
    Postponed,
    Reported,
    Retried,
    Succeeded,
    Told,
    Unmet,
    WayChosen,
)
from flownexus_schemas.firmware.lifecycle import TRANSITIONS, InvalidTransition, apply
from flownexus_schemas.firmware.messages import EVENT_OF, EventType, changed, parse_firmware_event, requested
from flownexus_schemas.firmware.update import CLOSED, FirmwareUpdate, Step, UpdateStatus, Way

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
PULL = Way(method="pull", scheme="coap")
PUSH = Way(method="push")
QUEUED = FirmwareUpdate(
    id="u1",
    endpoint="device-1",
    firmware="0123456789abcdef",
    name="app",
    version="2.0",
    size=1000,
    sha256="00",
    requested_at=NOW,
)
EXAMPLES: tuple[Happening, ...] = (
    Asked(Step.READ),
    Answered(Told(NOW, state=0), "The device answered."),
    Unmet("silence", silent=True),
    Reported(Told(NOW, state=1), "It downloads."),
    WayChosen(PULL, "1.0"),
    Retried("The connection was lost.", PUSH, NOW + timedelta(seconds=30), PULL),
    Downloaded("It has the image."),
    InstallAsked(1),
    InstalledByItself(1),
    Postponed("The window is over."),
    CameBack("It registered again."),
    Succeeded("2.0", "It runs 2.0."),
    GivenUp("No way is left."),
    CancelAsked("admin"),
    CancelTooLate("It installs."),
    Cancelled("It dropped the image."),
)


def after(*happenings: Happening) -> FirmwareUpdate:
    update = QUEUED
    for happening in happenings:
        update = apply(update, happening, NOW)
    return update


INSTALLING = after(Asked(Step.READ), EXAMPLES[1], WayChosen(PULL, "1.0"), Downloaded("It has it."), InstallAsked(7))


@pytest.mark.parametrize("status", UpdateStatus)
@pytest.mark.parametrize("happening", EXAMPLES, ids=lambda happening: type(happening).__name__)
def test_what_the_table_lacks_is_refused_and_what_it_has_leads_there(
    status: UpdateStatus, happening: Happening
) -> None:
    update = INSTALLING.model_copy(update={"status": status})
    target = TRANSITIONS.get((status, type(happening)))

    if target is None:
        with pytest.raises(InvalidTransition, match=status if isinstance(happening, Asked) else None):
            apply(update, happening, NOW)
    else:
        changed_to = apply(update, happening, NOW)
        assert changed_to.status is target
        assert (changed_to.finished_at == NOW) is (target in CLOSED)
        assert (changed_to.waiting_for is None) is (target in CLOSED)
        assert changed_to.last_action.endswith(".") or isinstance(happening, Unmet)


def test_nothing_leads_away_from_an_end_and_every_happening_has_its_event() -> None:
    assert {status for status, _ in TRANSITIONS} == set(UpdateStatus) - CLOSED
    assert set(EVENT_OF) == set(get_args(Happening)) == {type(example) for example in EXAMPLES}
    assert set(EVENT_OF.values()) | {"io.flownexus.firmware.requested.v1"} == set(get_args(EventType))


def test_each_operation_that_is_asked_for_has_an_id_of_its_own() -> None:
    first = after(Asked(Step.READ))
    second = apply(apply(first, EXAMPLES[1], NOW), Asked(Step.READ_VERSION), NOW)

    assert (first.step, first.operation) == (Step.READ, "u1-1")
    assert (second.step, second.operation, second.steps) == (Step.READ_VERSION, "u1-2", 2)


def test_what_the_device_says_replaces_what_it_said_and_what_it_says_nothing_of_stays() -> None:
    update = after(
        Asked(Step.READ),
        Answered(Told(NOW, state=0, result=5, package_version="1.0", delivery=2, protocols=(0, 1)), "Read."),
        Reported(Told(NOW, state=1, transferred=100), "It downloads."),
    )

    assert (update.state, update.result, update.transferred) == (1, 5, 100)
    assert (update.device.package_version, update.device.delivery, update.device.protocols) == ("1.0", 2, (0, 1))


def test_an_install_that_was_not_sent_is_not_counted() -> None:
    assert INSTALLING.installs == 1
    assert apply(INSTALLING, Postponed("The window is over."), NOW).installs == 0


def test_once_the_device_installs_it_is_too_late_to_cancel() -> None:
    assert apply(INSTALLING, CancelAsked("admin"), NOW).status is UpdateStatus.CANCELLING
    begun = apply(INSTALLING, Answered(Told(NOW), "The device began to install.", moved=True), NOW)
    with pytest.raises(InvalidTransition, match="installs the image already"):
        apply(begun, CancelAsked("admin"), NOW)


def test_a_retry_begins_anew_by_another_way() -> None:
    update = after(
        Asked(Step.READ), EXAMPLES[1], WayChosen(PULL, "1.0"), Reported(Told(NOW, transferred=10), "."), EXAMPLES[5]
    )

    assert (update.retries, update.transferred, update.way, update.ways_refused) == (1, 0, PUSH, (PULL,))
    assert update.waiting_for == "the next try, from 2026-11-27 12:00:30 UTC on"


def test_messages_are_read_back() -> None:
    update = apply(QUEUED, Asked(Step.READ), NOW)
    for message in (
        requested(QUEUED, "/api"),
        changed(update, Asked(Step.READ), after=7, source="/operations/a", now=NOW),
    ):
        assert parse_firmware_event(message.model_dump_json().encode()) == message
    with pytest.raises(InvalidMessage, match="not a firmware event: data"):
        parse_firmware_event(requested(QUEUED, "/api").model_copy(update={"data": None}).model_dump_json().encode())
