"""How many requests are begun at a time."""

from __future__ import annotations

import asyncio

import pytest

from flownexus_operations.places import Places, PlacesByPace


async def test_what_waits_for_a_silent_device_makes_room_for_others() -> None:
    places = Places(1, held_s=0.05)
    async with asyncio.timeout(5), places.one(), places.one(), places.one():
        pass


async def test_a_place_is_given_back_once_and_at_the_end_of_what_failed_too() -> None:
    places = Places(1, held_s=3600)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with places.one():
                raise ZeroDivisionError
    async with places.one():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), places.one():
                pass


async def test_those_that_were_slow_keep_no_place_from_the_others_until_they_are_quick_again() -> None:
    places = PlacesByPace(1, held_s=3600)
    places.took("slow", 3600)
    slow, other, asleep = (
        places.of("slow", asleep=False),
        places.of("other", asleep=False),
        places.of("other", asleep=True),
    )
    async with asyncio.timeout(5), slow.one(), other.one(), asleep.one():
        pass
    places.took("slow", 0.1)
    assert places.of("slow", asleep=False) is other
