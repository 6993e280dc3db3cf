"""What the end of an operation means for the update that asked for it."""

from __future__ import annotations

from datetime import datetime

from flownexus_operations.firmware.answers import told_by
from flownexus_operations.firmware.facts import Case
from flownexus_operations.firmware.trying import no_more_tries, retry
from flownexus_schemas.commands import CommandAnswer
from flownexus_schemas.firmware.happenings import Answered, CancelTooLate, GivenUp, Happening, Postponed, Told, Unmet
from flownexus_schemas.firmware.object5 import result_words, state_words
from flownexus_schemas.firmware.update import STEP_WORDS, Step, UpdateStatus
from flownexus_schemas.operations.operation import Operation, OperationStatus

MORE_TO_COME, NOT_FOUND = "2.31", "4.04"
_PASSING = frozenset({"4.08", "4.29", "5.00", "5.03", "5.04"})
"""Codes to a part of an image after which it is worth to begin anew the same way."""


def after_operation(case: Case) -> Happening | None:
    """What became of the operation that is waited for; None while it is open."""
    operation, step = case.facts.operation, case.update.step
    if operation is None or operation.is_open or step is None:
        return None
    at = operation.attempt.started_at if operation.attempt is not None else case.now
    match operation.status:
        case OperationStatus.CONFIRMED:
            return _confirmed(case, step, operation.answer or CommandAnswer(code="2.04"), at)
        case OperationStatus.FAILED if operation.unanswered:
            return _unanswered(case, step)
        case OperationStatus.FAILED:
            return _refused(case, step, operation, at)
        case _:
            return _not_sent(case, step, operation.status)


def _confirmed(case: Case, step: Step, answer: CommandAnswer, at: datetime) -> Happening:
    told = told_by(answer.values, at)
    match step:
        case Step.READ | Step.READ_STATE if told.state is None:
            return Unmet(f"The device answered {STEP_WORDS[step]} without its state (5/0/3).", silent=True)
        case Step.READ:
            action = f"The device says: {state_words(told.state)}, result {result_words(told.result)}."
            return Answered(told, action, moved=case.update.moved_at is None)
        case Step.READ_STATE:
            action = f"The device says: {state_words(told.state)}."
            return Answered(told, action, moved=case.update.moved_at is None)
        case Step.READ_RESULT:
            return Answered(told, f"The device says: result {result_words(told.result)}.")
        case Step.READ_PACKAGE_VERSION | Step.READ_PROTOCOLS | Step.READ_DELIVERY:
            return Answered(told, f"The device answered {STEP_WORDS[step]}.")
        case Step.READ_VERSION:
            version = told.running_version or ""
            return Answered(Told(at, running_version=version), f"The device runs {version or 'an unknown version'}.")
        case Step.OBSERVE_STATE:
            return Answered(told, "The device tells changes of its state.")
        case Step.OBSERVE_RESULT:
            observed = Told(at, result=told.result, observed=case.facts.generation)
            return Answered(observed, "The device tells changes of its result.")
        case Step.OFFER:
            begun = Told(at, begun_in=case.facts.generation or 0)
            return Answered(begun, "The device took the link to the image.", moved=True)
        case Step.PUSH:
            return _pushed(case, answer, at)
        case Step.INSTALL if case.update.status is UpdateStatus.CANCELLING:
            return CancelTooLate("It was too late to take it back: the device took the command to install.")
        case Step.INSTALL:
            return Answered(Told(at), "The device took the command to install.", moved=True)
        case Step.RESET:
            return Answered(Told(at), "The device was told to drop the image.", moved=True, settled=False)


def _pushed(case: Case, answer: CommandAnswer, at: datetime) -> Answered | GivenUp:
    size = case.update.size
    has_all = answer.code != MORE_TO_COME
    transferred = size if has_all else min(answer.transferred or 0, size)
    begun_in = case.facts.generation or 0
    told = Told(at, transferred=transferred, block_size=answer.block_size, begun_in=begun_in)
    action = f"The device has {transferred} of {size} bytes."
    if transferred > case.update.transferred:
        # What it makes of the whole image is another matter, and read then.
        return Answered(told, action, moved=True, settled=not has_all)
    return no_more_tries(case, action) or Answered(told, action, moved=True, spent=True)


def _unanswered(case: Case, step: Step) -> Happening:
    reason = f"The device did not answer {STEP_WORDS[step]}."
    match step:
        case Step.INSTALL if case.update.status is UpdateStatus.CANCELLING:
            return CancelTooLate(
                "It may be too late to take it back: the command to install was sent, and not answered."
            )
        case Step.OFFER | Step.PUSH if case.update.status is UpdateStatus.TRANSFERRING:
            may_have_it = Unmet(reason, silent=True, begun_in=case.facts.generation or 0)
            return no_more_tries(case, reason) or may_have_it
        case _:
            return Unmet(reason, silent=True)


def _refused(case: Case, step: Step, operation: Operation, at: datetime) -> Happening:
    """By the device with a code, or by the gateway, which can make no request of what was asked."""
    answer = operation.answer
    code = None if answer is None else answer.code
    said = operation.last_action if answer is None else f"{code} {answer.diagnostic or ''}".strip()
    reason = operation.last_action if answer is None else f"The device refused {STEP_WORDS[step]}: {said}."
    match step, case.update.status:
        case Step.READ, _ if code is not None:
            return Answered(Told(at, singly=True), f"{reason} Its resources are read one by one.")
        case Step.READ_STATE, UpdateStatus.PREPARING if code == NOT_FOUND:
            return GivenUp("The device has no Firmware Update object (5/0): it cannot be updated.")
        case Step.READ | Step.READ_STATE, UpdateStatus.PREPARING:
            return GivenUp(reason)
        case Step.READ_VERSION, _:
            return Answered(Told(at, running_version=""), f"The device does not tell its version (3/0/3): {said}")
        case Step.OBSERVE_STATE, _:
            return Answered(Told(at), f"{reason} Its state is read now and then.")
        case Step.OBSERVE_RESULT, _:
            return Answered(Told(at, observed=case.facts.generation), f"{reason} Its result is read now and then.")
        case Step.OFFER, UpdateStatus.TRANSFERRING:
            return retry(case, reason, other_way=True)
        case Step.PUSH, UpdateStatus.TRANSFERRING:
            return retry(case, reason, other_way=code not in _PASSING)
        case Step.READ | Step.READ_STATE, _:
            return Unmet(reason, silent=True)
        case Step.READ_RESULT | Step.READ_PACKAGE_VERSION | Step.READ_PROTOCOLS | Step.READ_DELIVERY, _:
            return Answered(Told(at), f"{reason} It may not have it.")
    return Unmet(reason)


def _not_sent(case: Case, step: Step, status: OperationStatus) -> Happening:
    if step is Step.INSTALL and case.update.status is UpdateStatus.INSTALLING:
        if status is OperationStatus.EXPIRED:
            return Postponed("The maintenance window was over before the device listened.")
        return Postponed("The command to install was taken back before it was sent.")
    return Unmet(f"Before the device listened, {STEP_WORDS[step]} was taken back.")
