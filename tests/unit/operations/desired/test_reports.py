"""What devices report by themselves, against what is desired."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from flownexus_operations.desired.alignment import aligned
from flownexus_operations.desired.lifecycle import Took, after
from flownexus_operations.desired.reports import Reported, reported, told
from flownexus_schemas.desired.standing import DesiredState, EndpointDesired
from unit.operations.desired.wanted import MINUTE, NOTHING_KNOWN, NOW, device, of, wish_of

LIFETIME = "1/0/1"
WISH = wish_of({LIFETIME: 600})
SECOND = timedelta(seconds=1)
PENDING = aligned(NOTHING_KNOWN, WISH, device(), NOW)


def report(value: int, received_at: datetime, time: datetime | None = None, registration: str = "r1") -> dict[str, Any]:
    return {LIFETIME: Reported(value, time, received_at, registration)}


def after_report(desired: EndpointDesired, reports: dict[str, Any]) -> EndpointDesired:
    return told(desired, reports, WISH.by_key, device())


IN_SYNC = after_report(PENDING, report(600, NOW))


def test_a_report_tells_whether_it_holds() -> None:
    assert of(IN_SYNC, LIFETIME).state is DesiredState.IN_SYNC
    differs = of(after_report(PENDING, report(300, NOW)), LIFETIME)
    assert (differs.state, differs.holds, differs.reported) == (DesiredState.PENDING, False, 300)
    drifted = of(after_report(IN_SYNC, report(300, NOW + MINUTE)), LIFETIME)
    assert (drifted.state, drifted.reported, drifted.reported_at) == (DesiredState.DRIFTED, 300, NOW + MINUTE)


def test_what_is_known_already_changes_nothing() -> None:
    assert after_report(IN_SYNC, report(600, NOW + MINUTE)) is IN_SYNC
    drifted = after_report(IN_SYNC, report(300, NOW + MINUTE))
    assert after_report(drifted, report(301, NOW + 2 * MINUTE)) is drifted


def test_what_is_older_than_what_is_known_or_of_a_former_registration_counts_for_nothing() -> None:
    late = NOW + MINUTE
    assert after_report(IN_SYNC, report(300, NOW - SECOND)) is IN_SYNC
    assert after_report(IN_SYNC, report(300, late, time=NOW - SECOND)) is IN_SYNC
    assert after_report(IN_SYNC, report(300, late, registration="r0")) is IN_SYNC
    assert after_report(PENDING, report(300, late, time=NOW - 2 * MINUTE)) is PENDING
    assert told(IN_SYNC, report(300, late), WISH.by_key, None) is IN_SYNC


def test_what_crossed_a_write_is_no_sign_that_it_does_not_hold() -> None:
    took = PENDING.model_copy(update={"resources": (after(PENDING.resources[0], Took(), 1, NOW),)})

    assert after_report(took, report(300, NOW + SECOND)) is took
    assert of(after_report(took, report(600, NOW + SECOND)), LIFETIME).state is DesiredState.IN_SYNC
    assert of(after_report(took, report(300, NOW + 5 * SECOND)), LIFETIME).state is DesiredState.DRIFTED


def event(records: list[dict[str, Any]]) -> bytes:
    data = {"registration_id": "r1", "records": records, "received_at": NOW.isoformat()}
    return json.dumps({"subject": "device-1", "data": data}).encode()


def test_the_newest_value_of_each_path_is_taken_and_the_devices_time_where_it_gave_one() -> None:
    records = [
        {"path": LIFETIME, "type": "integer", "value": value, "time": time.isoformat(), "anchored": anchored}
        for value, time, anchored in ((1, NOW, False), (3, NOW - SECOND, False))
    ]
    records.append({"path": "3/0/9", "type": "integer", "value": 97, "time": NOW.isoformat()})

    assert reported(event(records), {LIFETIME}) == {LIFETIME: Reported(1, NOW, NOW, "r1")}
    anchored = event([records[0] | {"anchored": True}])
    assert reported(anchored, {LIFETIME, "3/0/9"}) == {LIFETIME: Reported(1, None, NOW, "r1")}


@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", b'{"data": {}}', b'{"data": {"received_at": "x"}}', b"\xff"])
def test_what_is_no_report_tells_nothing(payload: bytes) -> None:
    assert reported(payload, {LIFETIME}) == {}
