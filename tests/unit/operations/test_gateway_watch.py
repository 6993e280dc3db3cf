"""Which process a gateway is, looked at while something is asked of it."""

from __future__ import annotations

import asyncio

import pytest

from flownexus_operations import gateway_watch
from flownexus_operations.gateway_watch import GatewayWatch
from harness.waiting import until


class Gateways:
    """The process of each, as the test says; `looks` counts how often somebody asked."""

    def __init__(self) -> None:
        self.process: dict[str, str | None] = {"gw-1": "a", "gw-2": "b"}
        self.looks = 0

    async def look(self, gateway: str) -> str | None:
        self.looks += 1
        return self.process[gateway]


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_watch, "INTERVAL_S", 0.001)


async def looked(gateways: Gateways) -> None:
    """Until it was looked again."""
    seen = gateways.looks
    await until(lambda: gateways.looks >= seen + 2, what="another look")


async def test_another_process_in_its_place_is_told_to_all_who_ask_it() -> None:
    gateways = Gateways()
    watch = GatewayWatch(gateways.look)
    async with watch.replaced("gw-1") as first, watch.replaced("gw-1") as second, watch.replaced("gw-2") as other:
        await looked(gateways)
        assert not first.is_set()
        gateways.process["gw-1"] = "c"
        await asyncio.wait_for(first.wait(), 1)
        assert second.is_set()
        assert not other.is_set()
        async with watch.replaced("gw-1") as later:
            await looked(gateways)
            assert not later.is_set()


async def test_one_that_says_nothing_for_a_while_is_the_same_afterwards() -> None:
    gateways = Gateways()
    watch = GatewayWatch(gateways.look)
    async with watch.replaced("gw-1") as replaced:
        await looked(gateways)
        for process in (None, "a"):
            gateways.process["gw-1"] = process
            await looked(gateways)
        assert not replaced.is_set()


async def test_nobody_is_looked_at_while_nothing_is_asked() -> None:
    gateways = Gateways()
    watch = GatewayWatch(gateways.look)
    async with watch.replaced("gw-1"):
        await looked(gateways)
    seen = gateways.looks
    await asyncio.sleep(0.01)
    assert gateways.looks == seen
