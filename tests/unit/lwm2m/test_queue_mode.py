"""Queue mode: bindings of 1.0 and 1.1, and when a device listens."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownexus_schemas.lwm2m.queue_mode import (
    AWAKE_WINDOW_S,
    ZEPHYR_AWAKE_WINDOW_S,
    Binding,
    Presence,
    Status,
    is_awake,
    parse_binding,
    queue_parameter,
)


@pytest.mark.parametrize(
    ("text", "binding"),
    [
        # LwM2M 1.0.2, 5.3.1.1
        ("U", Binding("U", queue_mode=False)),
        ("UQ", Binding("U", queue_mode=True)),
        ("S", Binding("S", queue_mode=False)),
        ("SQ", Binding("S", queue_mode=True)),
        ("US", Binding("US", queue_mode=False)),
        ("UQS", Binding("US", queue_mode=True)),
        # LwM2M Core 1.1.1 and 1.2, 6.2.1.2
        ("UT", Binding("UT", queue_mode=False)),
        ("UMHTSN", Binding("UMHTSN", queue_mode=False)),
        # not of the specification
        ("uq", Binding("U", queue_mode=True)),
        ("UUQQ", Binding("U", queue_mode=True)),
        ("Q", Binding("", queue_mode=True)),
        ("", Binding("", queue_mode=False)),
        ("U?X", Binding("U", queue_mode=False, unknown="?X")),
    ],
)
def test_binding_is_taken_apart(text: str, binding: Binding) -> None:
    assert parse_binding(text) == binding


@pytest.mark.parametrize(
    ("values", "queues"),
    [
        ([], False),
        ([None], True),
        ([""], True),
        (["1"], True),
        (["true"], True),
        (["0"], False),
        (["false"], False),
        (["False"], False),
        (["0", None], True),
    ],
)
def test_parameter_q_asks_for_queue_mode(values: list[str | None], queues: bool) -> None:
    assert queue_parameter(values) is queues


@pytest.mark.parametrize(
    ("now", "queue_mode", "awake"),
    [
        (1000.0, True, True),
        (1092.9, True, True),
        (1093.0, True, False),
        (5000.0, True, False),
        (5000.0, False, True),
        (999.0, True, True),  # the clock was set back
    ],
)
def test_device_listens_for_the_window_after_its_last_message(now: float, queue_mode: bool, awake: bool) -> None:
    assert AWAKE_WINDOW_S == 93.0
    assert is_awake(now, 1000.0, queue_mode=queue_mode) is awake


def test_window_of_zephyr_is_shorter() -> None:
    assert is_awake(1019.9, 1000.0, queue_mode=True, awake_window_s=ZEPHYR_AWAKE_WINDOW_S)
    assert not is_awake(1020.0, 1000.0, queue_mode=True, awake_window_s=ZEPHYR_AWAKE_WINDOW_S)


QUEUING = Presence(registered=True, queue_mode=True, last_seen=1000.0, expires_at=1600.0)


@pytest.mark.parametrize(
    ("presence", "now", "status"),
    [
        (QUEUING, 1050.0, "online"),
        (QUEUING, 1093.0, "asleep"),
        (QUEUING, 1599.9, "asleep"),
        (QUEUING, 1600.0, "offline"),
        (replace(QUEUING, awake_window_s=20.0), 1050.0, "asleep"),
        (replace(QUEUING, registered=False), 1050.0, "offline"),
        (replace(QUEUING, queue_mode=False), 1599.9, "online"),
        (replace(QUEUING, queue_mode=False), 1600.0, "offline"),
        (replace(QUEUING, expires_at=1010.0), 1050.0, "offline"),  # a lifetime shorter than the window
    ],
)
def test_status_follows_registration_and_window(presence: Presence, now: float, status: Status) -> None:
    assert presence.status(now) == status


@given(st.text(max_size=12))
def test_any_binding_is_read_without_loss(text: str) -> None:
    binding = parse_binding(text)
    read = set(binding.transports) | set(binding.unknown) | ({"Q"} if binding.queue_mode else set())
    assert read == set(text.upper())


@given(st.floats(0, 4e9), st.floats(0, 4e9), st.floats(0, 4e9), st.booleans(), st.booleans())
def test_status_only_falls_while_nothing_comes(
    first: float, second: float, expires_at: float, registered: bool, queue_mode: bool
) -> None:
    order: list[Status] = ["online", "asleep", "offline"]
    presence = Presence(registered=registered, queue_mode=queue_mode, last_seen=0.0, expires_at=expires_at)
    earlier, later = (order.index(presence.status(now)) for now in sorted((first, second)))
    assert earlier <= later
