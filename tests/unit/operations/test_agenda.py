"""When endpoints are looked at again."""

from __future__ import annotations

from flownexus_operations.agenda import Agenda


def test_an_endpoint_is_due_once_at_its_earliest_time() -> None:
    agenda = Agenda()
    for when in (30.0, 10.0, 20.0):
        agenda.at(when, "device-1")
    agenda.at(15.0, "device-2")

    assert agenda.due(9.0) == []
    assert agenda.due(16.0) == ["device-1", "device-2"]
    assert agenda.due(100.0) == []
    assert len(agenda) == 0


def test_a_time_can_be_noted_again_after_it_came() -> None:
    agenda = Agenda()
    agenda.at(10.0, "device-1")
    assert agenda.due(10.0) == ["device-1"]
    agenda.at(10.0, "device-1")
    assert agenda.due(10.0) == ["device-1"]
