"""The fleet, in a browser."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import nats
import pytest
from playwright.sync_api import Page, ViewportSize, expect

from harness.event_messages import event_message
from harness.lockstep import LockstepDevice
from harness.system import RunningSystem
from harness.watched_page import OpenPage, TakeScreenshot

DEVICES = 25
ROWS = ".fleet tbody tr"


def count(page: Page, status: str) -> int:
    return int(page.locator(f"[data-count={status}]").inner_text())


def test_every_device_is_listed_online(open_page: OpenPage, screenshot: TakeScreenshot) -> None:
    page = open_page("/").page
    expect(page.locator(ROWS)).to_have_count(DEVICES)
    expect(page.locator(f"{ROWS} .badge.online")).to_have_count(DEVICES)
    expect(page.locator("[data-count=online]")).to_have_text(str(DEVICES))
    expect(page.locator(ROWS).first).to_contain_text("1.1")
    screenshot(page, "fleet")


def test_a_device_comes_and_goes_before_the_eyes_of_the_user(system: RunningSystem, open_page: OpenPage) -> None:
    name = "greenhouse/north <b>ü</b> 100%"
    page = open_page("/").page
    expect(page.locator(ROWS)).to_have_count(DEVICES)
    page.evaluate("window.notReloaded = true")
    with LockstepDevice(system.coap_port, name) as device:
        device.register("</1/0>", lifetime=120)
        row = page.locator(ROWS).filter(has_text=name)
        expect(row.locator(".badge")).to_have_text("online")
        expect(page.locator("[data-count=total]")).to_have_text(str(DEVICES + 1))
        device.deregister()
        expect(row.locator(".badge")).to_have_text("offline")
    assert page.evaluate("window.notReloaded")
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    expect(page.locator(".facts-title .badge")).to_have_text("offline")


async def tell_overdue(nats_url: str, name: str) -> None:
    """As ingest does."""
    now = datetime.now(UTC)
    times = dict.fromkeys(("last_heard_at", "expected_at", "expected_by"), (now - timedelta(hours=1)).isoformat())
    message = event_message(name, "overdue", now, {"registration_id": "reg1", **times})
    client = await nats.connect(nats_url)
    await client.jetstream().publish(message.subject, message.payload)
    await client.close()


def test_one_that_is_overdue_is_counted_marked_and_found(system: RunningSystem, open_page: OpenPage) -> None:
    page = open_page("/").page
    expect(page.locator("[data-count=overdue]")).to_have_text("0")
    with LockstepDevice(system.coap_port, "late-again") as device:
        device.register("</1/0>", lifetime=120)
        row = page.locator(ROWS).filter(has_text="late-again")
        expect(row).to_be_visible()
        expect(row.locator(".expected")).to_contain_text("in ")
        with ThreadPoolExecutor() as pool:  # this thread has the loop of the browser
            pool.submit(asyncio.run, tell_overdue(str(system.connection.nats_url), "late-again")).result()
        expect(row.locator(".badge.overdue")).to_be_visible()
        page.locator(".count").filter(has=page.locator("[data-count=overdue]")).click()
        expect(page).to_have_url(re.compile(r"\?status=overdue$"))
        expect(page.locator(ROWS)).to_have_count(1)
        expect(page.locator("[data-count=overdue]")).to_have_text("1")
        device.update()
        expect(page.get_by_text("No endpoint matches")).to_be_visible()
        expect(page.locator("[data-count=overdue]")).to_have_text("0")
        device.deregister()


def test_filters_narrow_the_table_and_are_in_the_address(open_page: OpenPage) -> None:
    page = open_page("/").page
    page.get_by_label("Filter by name").fill("sim-0001")
    expect(page.locator(ROWS)).to_have_count(10)
    page.get_by_role("group", name="Status").get_by_role("button", name="online").click()
    expect(page).to_have_url(re.compile(r"\?q=sim-0001&status=online$"))
    page.reload()
    expect(page.locator(ROWS)).to_have_count(10)
    expect(page.get_by_label("Filter by name")).to_have_value("sim-0001")
    readings = page.locator(".count.rate b")
    expect(readings).not_to_have_text(readings.inner_text())
    expect(page.get_by_label("Filter by name")).to_have_value("sim-0001")
    page.get_by_label("Filter by name").fill("nothing is called so")
    expect(page.get_by_text("No endpoint matches")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    expect(page.locator(ROWS).first).to_be_visible()
    expect(page.get_by_label("Filter by name")).to_have_value("")


def test_the_latest_seen_can_come_first(open_page: OpenPage) -> None:
    page = open_page("/").page
    page.get_by_role("button", name="Last seen").click()
    expect(page.get_by_role("columnheader", name="Last seen")).to_have_attribute("aria-sort", "descending")


def test_the_keyboard_reaches_a_device(open_page: OpenPage) -> None:
    page = open_page("/").page
    expect(page.locator(ROWS)).not_to_have_count(0)
    page.get_by_label("Filter by name").focus()
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('.fleet td.name') !== null"):
            break
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/endpoints/"))


@pytest.mark.parametrize("width", [390, 320])
def test_a_phone_shows_all_of_it_without_scrolling_sideways(
    open_page: OpenPage, screenshot: TakeScreenshot, width: int
) -> None:
    page = open_page("/", viewport=ViewportSize(width=width, height=844)).page
    expect(page.locator(ROWS).first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    screenshot(page, f"fleet-phone-{width}")


def test_dark_is_as_the_system_has_it_unless_chosen(open_page: OpenPage, screenshot: TakeScreenshot) -> None:
    page = open_page("/", color_scheme="dark").page
    expect(page.locator(ROWS).first).to_be_visible()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    screenshot(page, "fleet-dark")
    page.get_by_role("button", name="Theme").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")


def test_a_silent_api_is_said_and_the_page_catches_up(system: RunningSystem, open_page: OpenPage) -> None:
    page = open_page("/").page
    expect(page.locator(ROWS).first).to_be_visible()
    banner = page.get_by_text("The API does not answer")
    expect(banner).to_be_hidden()
    api = system.process_number("api")
    os.kill(api, signal.SIGSTOP)
    try:
        expect(banner).to_be_visible()
    finally:
        os.kill(api, signal.SIGCONT)
    expect(banner).to_be_hidden()
    expect(page.locator(f"{ROWS} .badge.online").first).to_be_visible()


def test_a_large_fleet_is_shown_page_by_page(system: RunningSystem, open_page: OpenPage) -> None:
    names = [f"yard-{number:02}" for number in range(40)]
    for name in names:
        with LockstepDevice(system.coap_port, name) as device:
            device.register("</1/0>", lifetime=300)
    page = open_page("/").page
    expect(page.locator(ROWS)).to_have_count(50)
    expect(page.get_by_role("button", name="Previous")).to_be_disabled()
    page.get_by_role("button", name="Next").click()
    expect(page.locator(ROWS).last).to_contain_text(names[-1])
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    expect(page.get_by_label("Pages", exact=True)).to_contain_text("51 to ")
    page.get_by_role("button", name="Previous").click()
    expect(page.locator(ROWS)).to_have_count(50)
