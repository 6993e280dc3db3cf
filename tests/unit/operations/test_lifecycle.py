"""The life of an operation, as its transition table has it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from flownexus_schemas.commands import CommandAnswer, ReadResource
from flownexus_schemas.operations.lifecycle import (
    TRANSITIONS,
    Cancelled,
    Confirmed,
    Dispatched,
    Expired,
    GivenUp,
    Happening,
    InvalidTransition,
    NotSent,
    Refused,
    Unanswered,
    after_answer,
    after_silence,
    apply,
)
from flownexus_schemas.operations.messages import EVENT_OF
from flownexus_schemas.operations.operation import OPEN, Operation, OperationStatus

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DONE = CommandAnswer(code="2.05")
QUEUED = Operation(
    id="op1", endpoint="device-1", command=ReadResource(endpoint="device-1", path="3/0/0"), requested_at=NOW
)
EXAMPLES: tuple[Happening, ...] = (
    Dispatched("ops-1", "gw-1", NOW + timedelta(seconds=93)),
    Confirmed(DONE),
    Refused("no", CommandAnswer(code="4.05")),
    Unanswered("silence"),
    GivenUp("silence"),
    NotSent("the gateway is away"),
    Cancelled("admin"),
    Expired(),
)


def sent(operation: Operation = QUEUED) -> Operation:
    return apply(operation, EXAMPLES[0], NOW)


@pytest.mark.parametrize("status", OperationStatus)
@pytest.mark.parametrize("happening", EXAMPLES, ids=lambda happening: type(happening).__name__)
def test_what_the_table_lacks_is_refused_and_what_it_has_leads_there(
    status: OperationStatus, happening: Happening
) -> None:
    operation = sent().model_copy(update={"status": status})
    target = TRANSITIONS.get((status, type(happening)))

    if target is None:
        with pytest.raises(InvalidTransition, match=status):
            apply(operation, happening, NOW)
    else:
        assert apply(operation, happening, NOW).status is target


def test_nothing_leads_away_from_an_end_and_every_happening_has_its_event() -> None:
    assert {status for status, _ in TRANSITIONS} == OPEN
    assert set(EVENT_OF) == set(get_args(Happening)) == {type(example) for example in EXAMPLES}


def test_a_third_silence_is_the_last() -> None:
    operation = QUEUED
    for number in (1, 2, 3):
        operation = sent(operation)
        assert operation.attempts == number
        operation = apply(operation, after_silence(operation, "no answer within 93 s"), NOW)

    assert operation.status is OperationStatus.FAILED
    assert operation.finished_at == NOW
    assert operation.last_action == "No answer to 3 attempts: no answer within 93 s."


def test_what_was_not_sent_costs_no_attempt() -> None:
    operation = apply(sent(), NotSent("the gateway is away"), NOW)

    assert (operation.status, operation.attempts) == (OperationStatus.QUEUED, 0)


@pytest.mark.parametrize(("code", "status"), [("2.04", "CONFIRMED"), ("4.05", "FAILED"), ("5.00", "FAILED")])
def test_the_devices_code_decides_at_once(code: str, status: str) -> None:
    answer = CommandAnswer(code=code, diagnostic="why")

    operation = apply(sent(), after_answer(answer), NOW)

    assert (operation.status, operation.answer) == (status, answer)
