"""Which endpoints listen, and which answer although they sleep."""

from __future__ import annotations

from typing import Any

import pytest

from flownexus_operations.listening import Listeners, Way
from flownexus_schemas.events import Address, Registration
from flownexus_schemas.registrations import StoredRegistration

T = 1_000_000.0


def entry(last_seen_at: float = T, **changes: Any) -> bytes:
    registration = Registration(
        registration_id="abc",
        lifetime_s=600,
        lwm2m_version="1.1",
        binding="U",
        queue_mode=True,
        awake_window_s=20,
        address=Address(host="192.0.2.1", port=5683),
        gateway="gw-1",
        object_links=(),
    ).model_copy(update=changes)
    stored = StoredRegistration(endpoint="e", registration=registration, registered_at=T, last_seen_at=last_seen_at)
    return stored.model_dump_json().encode()


def listeners(**changes: Any) -> tuple[Listeners, list[str]]:
    looked_at: list[str] = []
    found = Listeners(looked_at.append)
    found.apply("e", entry(**changes), 1)
    looked_at.clear()
    return found, looked_at


@pytest.mark.parametrize(
    ("within_s", "at", "way"),
    [
        (None, T + 19, Way("gw-1")),
        (None, T + 20, None),
        (82.0, T + 19, Way("gw-1")),
        (82.0, T + 20, Way("gw-1", 82.0)),
        (82.0, T + 600, None),  # its lifetime is over
    ],
)
def test_one_that_answers_although_it_sleeps_is_reached_as_long_as_it_is_registered(
    within_s: float | None, at: float, way: Way | None
) -> None:
    found, _ = listeners(answers_asleep_within_s=within_s)
    assert found.way_to("e", at) == way


def test_what_was_asked_in_vain_waits_for_a_sign_of_life_since_it_was_asked() -> None:
    found, looked_at = listeners(answers_asleep_within_s=82.0)
    assert found.way_to("e", T + 300, asked_at=T + 100) is None
    assert found.way_to("e", T + 300) == Way("gw-1", 82.0)
    found.heard("e", T + 200)
    assert looked_at == ["e"]
    assert found.way_to("e", T + 300, asked_at=T + 100) == Way("gw-1", 82.0)


def test_one_that_was_heard_while_it_was_waited_for_is_asked_again_at_once() -> None:
    found, _ = listeners(answers_asleep_within_s=82.0)
    found.heard("e", T + 150)
    found.silent("e", since=T + 100)
    assert found.way_to("e", T + 160) == Way("gw-1")
    found.silent("e", since=T + 160)
    assert found.way_to("e", T + 161) is None


def test_a_profile_that_lets_it_be_reached_asleep_has_it_looked_at() -> None:
    found, looked_at = listeners()
    found.apply("e", entry(), 2)
    assert looked_at == []
    found.apply("e", entry(answers_asleep_within_s=82.0), 3)
    assert looked_at == ["e"]


def test_an_update_is_a_sign_of_life_though_the_clock_of_its_gateway_is_behind() -> None:
    looked_at: list[str] = []
    found = Listeners(looked_at.append, clock=lambda: T + 103)
    found.apply("e", entry(), 1)
    found.is_loaded = True
    found.heard("e", T + 90)
    found.silent("e", since=T + 101)
    assert found.way_to("e", T + 102) is None
    found.apply("e", entry(last_seen_at=T + 100), 2)
    assert found.way_to("e", T + 104) == Way("gw-1")


def test_what_was_stored_before_the_start_is_of_its_own_time() -> None:
    looked_at: list[str] = []
    found = Listeners(looked_at.append, clock=lambda: T + 2)
    found.apply("e", entry(), 1)
    found.silent("e", since=T + 1)
    assert found.way_to("e", T + 2) is None


def test_an_update_that_became_known_late_is_of_its_own_time() -> None:
    looked_at: list[str] = []
    found = Listeners(looked_at.append, clock=lambda: T + 400)
    found.apply("e", entry(), 1)
    found.apply("e", entry(last_seen_at=T + 300), 2)
    assert looked_at == ["e", "e"]
    assert found.way_to("e", T + 400) is None


def test_an_entry_that_was_written_anew_for_another_reason_is_no_sign_of_life() -> None:
    found, looked_at = listeners()
    found.silent("e", since=T + 1)
    found.apply("e", entry(), 2)
    assert looked_at == []
    assert found.way_to("e", T + 2) is None


def test_a_registration_that_ended_is_nobody_to_ask() -> None:
    found, _ = listeners()
    found.apply("e", None, 2)
    found.heard("e", T + 1)
    assert found.way_to("e", T + 1) is None
    assert (found.is_registered("e"), found.gateways()) == (False, set())
