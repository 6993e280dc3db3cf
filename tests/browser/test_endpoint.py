"""One endpoint, in a browser."""

from __future__ import annotations

import asyncio
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import nats
import pytest
from playwright.sync_api import Page, ViewportSize, expect

from flownexus_schemas.events import LogLine, LogReported, subject_of
from harness.system import RunningSystem
from harness.watched_page import OpenPage, TakeScreenshot

POINTS = """() => {
    if (typeof mounted_app === "undefined" || !mounted_app) return 0;
    const chart = Object.values(mounted_app.$refs).find((part) => part?.chart)?.chart;
    return chart ? chart.getOption().series[2].data.length : 0;
}"""
ZOOM = """() => {
    const chart = Object.values(mounted_app.$refs).find((part) => part?.chart).chart;
    chart.dispatchAction({ type: "dataZoom", startValue: Date.now() - 60000, endValue: Date.now() });
}"""
INK = """() => {
    const canvas = document.querySelector(".history-chart canvas");
    if (!canvas) return 0;
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let line = 0;
    for (let i = 0; i < data.length; i += 4)
        if (data[i] < 60 && data[i + 1] > 120 && data[i + 2] > 130 && data[i + 3] > 200) line += 1;
    return line;
}"""


async def publish_logs(nats_url: str, endpoint: str, *lines: str) -> None:
    client = await nats.connect(nats_url)
    now = datetime.now(UTC)
    for line in lines:
        event = LogReported(
            id=uuid.uuid4().hex,
            source="/gateway/gw-1",
            subject=endpoint,
            time=now,
            data=LogLine(level="warning", text=line, time=now),
        )
        await client.jetstream().publish(subject_of(event), event.model_dump_json().encode())
    await client.close()


def reading(page: Page, path: str) -> str:
    return page.locator(f"[data-path='{path}'] .reading").inner_text()


def test_objects_have_their_names_and_values_their_units(open_page: OpenPage) -> None:
    page = open_page("/endpoints/sim-00000").page
    for name in ("Temperature", "Environment Event", "Device", "LwM2M Server"):
        expect(page.locator(".object h2").get_by_text(name, exact=True)).to_be_visible()
    expect(page.locator("[data-path='3/0/0']")).to_contain_text("Flow Nexus")
    expect(page.locator("[data-path='10300/0/0']")).to_contain_text("Cel")
    expect(page.locator(".facts")).to_contain_text("gw-1")
    expect(page.get_by_label("Observations")).to_contain_text("3303/0/5700")


def test_values_change_without_a_reload(open_page: OpenPage) -> None:
    page = open_page("/endpoints/sim-00001").page
    expect(page.locator("[data-path='10300/0/2'] .reading")).to_be_visible()
    page.evaluate("window.notReloaded = true")
    for _ in range(3):
        expect(page.locator("[data-path='10300/0/2'] .reading")).not_to_have_text(reading(page, "10300/0/2"))
    assert page.evaluate("window.notReloaded")


def test_the_chart_draws_points_and_goes_on_live(open_page: OpenPage, screenshot: TakeScreenshot) -> None:
    page = open_page("/endpoints/sim-00000").page
    expect(page.locator(".history h2")).to_have_text("Temperature · Sensor Value")
    page.wait_for_function(f"({POINTS})() > 5")
    page.wait_for_function(f"({INK})() > 50")
    drawn = page.evaluate(POINTS)
    page.wait_for_function(f"({POINTS})() > {drawn}")
    screenshot(page, "endpoint")


def test_another_resource_and_another_range_can_be_chosen(open_page: OpenPage) -> None:
    page = open_page("/endpoints/sim-00002").page
    page.locator("[data-path='10300/0/1'] button").click()
    expect(page.locator(".history h2")).to_have_text("Environment Event · Humidity")
    expect(page.locator(".object tr.selected")).to_contain_text("10300/0/1")
    for name in ("1 h", "24 h", "7 d", "15 min"):
        button = page.get_by_role("group", name="Range").get_by_role("button", name=name, exact=True)
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        page.wait_for_function(f"({POINTS})() > 0")


def test_zooming_in_brings_finer_points(open_page: OpenPage) -> None:
    page = open_page("/endpoints/sim-00000").page
    page.get_by_role("group", name="Range").get_by_role("button", name="7 d", exact=True).click()
    page.wait_for_function(f"0 < ({POINTS})() && ({POINTS})() < 5")
    page.evaluate(ZOOM)
    page.wait_for_function(f"({POINTS})() > 5")


def test_a_span_can_be_chosen(open_page: OpenPage) -> None:
    page = open_page("/endpoints/sim-00002").page
    expect(page.locator(".history h2")).to_have_text("Temperature · Sensor Value")
    page.get_by_role("button", name="custom").click()
    expect(page.get_by_text("Choose two times")).to_be_visible()
    page.get_by_label("from").fill("2020-01-01T00:00:00")
    page.get_by_label("from").press("Tab")
    page.get_by_label("to", exact=True).fill("2020-01-02T00:00:00")
    page.get_by_label("to", exact=True).press("Tab")
    expect(page.get_by_text("No number in this range")).to_be_visible()


def test_an_event_opens_to_its_values(open_page: OpenPage) -> None:
    page = open_page("/endpoints/sim-00005").page
    page.get_by_label("Events").hover()
    event = page.get_by_label("Events").locator("details").first
    expect(event).to_contain_text("environment")
    event.locator("summary").click()
    expect(event.locator(".resources")).to_contain_text("Humidity")


def test_the_log_of_a_device_can_be_searched(system: RunningSystem, open_page: OpenPage) -> None:
    lines = ("modem attached", "low <b>memory</b>")
    with ThreadPoolExecutor() as pool:  # this thread has the loop of the browser
        pool.submit(asyncio.run, publish_logs(str(system.connection.nats_url), "sim-00006", *lines)).result()
    page = open_page("/endpoints/sim-00006").page
    log = page.get_by_label("Log", exact=True)
    expect(log.locator("li")).to_have_count(2)
    expect(log).to_contain_text("low <b>memory</b>")
    page.get_by_label("Search the log").fill("MODEM")
    expect(log.locator("li")).to_have_count(1)
    expect(log).to_contain_text("modem attached")
    page.get_by_label("Search the log").fill("never said")
    expect(log).to_contain_text("No line has this text in it.")


def test_resources_without_a_value_can_be_shown(open_page: OpenPage) -> None:
    page = open_page("/endpoints/sim-00000").page
    server = page.locator("[data-object='1']")
    server.get_by_role("button", name="Show").click()
    expect(server).to_contain_text("Default Minimum Period")


def test_an_endpoint_that_never_was_is_said_to_be_unknown(open_page: OpenPage) -> None:
    page = open_page("/endpoints/nobody").page
    expect(page.get_by_text("No endpoint of this name has ever registered.")).to_be_visible()


@pytest.mark.parametrize("width", [390, 320])
def test_a_phone_shows_all_of_it_without_scrolling_sideways(
    open_page: OpenPage, screenshot: TakeScreenshot, width: int
) -> None:
    page = open_page("/endpoints/sim-00000", viewport=ViewportSize(width=width, height=844)).page
    page.wait_for_function(f"({POINTS})() > 0")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    screenshot(page, f"endpoint-phone-{width}")


def test_it_is_readable_in_the_dark(open_page: OpenPage, screenshot: TakeScreenshot) -> None:
    page = open_page("/endpoints/sim-00000", color_scheme="dark").page
    page.wait_for_function(f"({POINTS})() > 0")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(int(part) for part in background.removeprefix("rgb(").removesuffix(")").split(",")) < 150
    screenshot(page, "endpoint-dark")
