"""How long gateways are there."""

from __future__ import annotations

from flownexus_ingest.presence import LONGEST_GAP_S, Presence


def test_a_gateway_is_there_for_as_long_as_it_answers_each_time_but_for_a_restart() -> None:
    presence = Presence()
    assert presence.there_for("gw-1", 0) == 0
    for now in (0, 5, 10, 10 + LONGEST_GAP_S, 40):
        presence.seen(["gw-1"], now)
    assert presence.there_for("gw-1", 42) == 42
    assert presence.there_for("gw-2", 42) == 0


def test_after_an_outage_it_counts_anew() -> None:
    presence = Presence()
    presence.seen(["gw-1"], 0)
    assert presence.there_for("gw-1", LONGEST_GAP_S + 1) == 0
    presence.seen(["gw-1"], 100)
    assert presence.there_for("gw-1", 110) == 10
