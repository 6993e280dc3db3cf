"""When an endpoint is expected next, as the view says it at this moment."""

from __future__ import annotations

import psycopg
import pytest

MINUTE = 60
EXPECTED, BY, LATELY, LONGEST = 10 * MINUTE, 11 * MINUTE, 20 * MINUTE, 60 * MINUTE
"""Seconds after the beginning of the wake-up."""

ENDPOINT = "insert into endpoint (name, registered, expires_at) values ('dev', %s, now() + %s * interval '1 minute')"
WAKE_UPS = """
insert into endpoint_wake_ups
    (endpoint_id, began_at, learned, interval_s, expected_at, expected_by, lately_by, longest_by)
select id, began, '{}', 600, began + interval '10 minutes', began + interval '11 minutes',
    began + interval '20 minutes', began + interval '60 minutes'
from endpoint, lateral (select now() - %s * interval '1 minute' as began) as at
"""
FOUND = """
select round(extract(epoch from next_expected_at - now()) / 60),
    round(extract(epoch from next_expected_by - now()) / 60)
from endpoint_status
"""


def expected(url: str, *, registered: bool = True, expires_in: float = 1440, began_ago: float | None) -> object:
    """Minutes from now: the most likely, and nine of ten."""
    with psycopg.connect(url) as connection:
        connection.execute(ENDPOINT, [registered, expires_in])
        if began_ago is not None:
            connection.execute(WAKE_UPS, [began_ago])
        return connection.execute(FOUND).fetchone()


@pytest.mark.parametrize(
    ("began_ago", "next_at", "next_by"),
    [
        (1, 9, 10),
        (10.75, -1, 0),  # it is a little late
        (15, 5, 5),  # lately it took up to 20 minutes
        (25, 35, 35),  # once in these days an hour
        (65, 5, 6),  # it missed that: each 10 minutes from when it was due
    ],
)
def test_what_is_past_without_a_wake_up_is_followed_by_the_next(
    database_url: str, began_ago: float, next_at: int, next_by: int
) -> None:
    assert expected(database_url, began_ago=began_ago) == (next_at, next_by)


def test_a_live_registration_is_updated_before_it_ends(database_url: str) -> None:
    assert expected(database_url, expires_in=5, began_ago=1) == (5, 5)


def test_without_a_history_the_lifetime_is_all_that_is_known(database_url: str) -> None:
    assert expected(database_url, expires_in=30, began_ago=None) == (30, 30)


def test_one_that_is_not_registered_is_expected_by_its_habit_for_a_while(database_url: str) -> None:
    assert expected(database_url, registered=False, expires_in=-1, began_ago=1) == (9, 10)


@pytest.mark.parametrize(("registered", "began_ago"), [(False, 24 * MINUTE), (False, None), (True, None)])
def test_one_that_went_is_not_expected(database_url: str, registered: bool, began_ago: float | None) -> None:
    found = expected(database_url, registered=registered, expires_in=-1, began_ago=began_ago)
    assert found == (None, None)
