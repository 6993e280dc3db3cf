"""What is to be done to devices, in a browser: operations, settings, firmware, rollouts."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

from flownexus_api.accounts import add_user
from harness.lockstep import CHANGED, CONTENT, GET, METHOD_NOT_ALLOWED, PUT, TEXT, LockstepDevice
from harness.system import RunningSystem
from harness.watched_page import OpenPage, TakeScreenshot

PASSWORD = "quite another pass phrase"
AWAY, ROLLED = "work-away", "work-rolled"
"""Devices with object 5 that registered and are not there: what they are asked for waits."""


@pytest.fixture(scope="module", autouse=True)
def _devices(system: RunningSystem) -> None:
    for name in (AWAY, ROLLED):
        with LockstepDevice(system.coap_port, name) as device:
            device.register("</1/0>,</5/0>", lifetime=300)
            device.deregister()


def fill(panel: Locator, path: str, value: str | None = None) -> None:
    panel.get_by_label("Path").fill(path)
    if value is not None:
        panel.get_by_label("Value").fill(value)


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def answer(  # noqa: PLR0917 - the fields of the answer in the order of the wire
    device: LockstepDevice, method: int, path: str, code: int, payload: bytes = b"", content_format: int | None = None
) -> None:
    """The device's answer to this request; those that are sent again, as the test is slow, are none of it."""
    while (request := device.receive(30)).code != method or request.path() != path:
        pass
    device.answer(request, code, payload, content_format)


@pytest.fixture
def here(system: RunningSystem) -> Iterator[LockstepDevice]:
    """A device that listens and of which nothing is observed."""
    with LockstepDevice(system.coap_port, f"work-here-{time.time_ns():x}") as device:
        device.register("</1/0>", lifetime=300)
        yield device


def test_a_device_is_asked_and_answers_before_the_eyes_of_the_user(
    here: LockstepDevice, open_page: OpenPage, screenshot: TakeScreenshot
) -> None:
    page = open_page(f"/endpoints/{here.endpoint}").page
    panel = page.get_by_label("Operations", exact=True)
    fill(panel, "3/0/0")
    panel.get_by_role("button", name="Ask").click()
    answer(here, GET, "3/0/0", CONTENT, b"a maker", TEXT)
    asked = panel.locator("[data-operation]").first
    expect(asked.locator(".tag").first).to_have_text("confirmed")
    asked.locator("summary").press("Enter")  # what comes above may move it under the mouse
    expect(asked.locator("ol")).to_contain_text("Sent to the device by gw-1")
    expect(asked).to_contain_text("a maker")
    expect(asked).to_contain_text("1 of 3")
    screenshot(page, "operations")

    panel.get_by_label("Request").select_option("write")
    fill(panel, "3/0/0", "another maker")
    panel.get_by_role("button", name="Ask").click()
    answer(here, PUT, "3/0/0", METHOD_NOT_ALLOWED, b"not by you")
    refused = panel.locator("[data-operation]").filter(has_text="another maker")
    expect(refused.locator(".tag").first).to_have_text("failed")
    expect(refused).to_contain_text("4.05 not by you")
    fill(panel, "1/0/1", "many")
    panel.get_by_role("button", name="Ask").click()
    expect(panel.get_by_role("alert")).to_contain_text("1/0/1")
    expect(panel.locator("[data-operation]")).to_have_count(2)


def test_what_waits_for_a_device_can_be_taken_back(open_page: OpenPage) -> None:
    page = open_page(f"/endpoints/{AWAY}").page
    panel = page.get_by_label("Operations", exact=True)
    panel.get_by_label("Request").select_option("execute")
    fill(panel, "3/0/4")
    panel.get_by_role("button", name="Ask").click()
    asked = panel.locator("[data-operation]").first
    expect(asked.locator(".tag").first).to_have_text("queued")
    asked.get_by_role("button", name="Cancel").click()
    expect(asked.locator(".tag").first).to_have_text("cancelled")
    expect(asked.get_by_role("button", name="Cancel")).to_have_count(0)


def test_a_setting_is_declared_seen_to_differ_and_removed(
    here: LockstepDevice, open_page: OpenPage, screenshot: TakeScreenshot
) -> None:
    page = open_page(f"/endpoints/{here.endpoint}").page
    panel = page.get_by_label("Settings", exact=True)
    fill(panel, "1/0/2", "600")
    panel.get_by_role("button", name="Keep it so").click()
    answer(here, GET, "1/0/2", CONTENT, b"300", TEXT)
    kept = panel.locator("[data-desired='1/0/2']")
    expect(kept).to_contain_text("the device has 300")
    answer(here, PUT, "1/0/2", CHANGED)
    answer(here, GET, "1/0/2", CONTENT, b"600", TEXT)
    expect(kept.locator(".tag").first).to_have_text("in-sync")
    screenshot(page, "settings")

    fill(panel, "1/0/3", "900")
    panel.get_by_role("button", name="Write once").click()
    answer(here, PUT, "1/0/3", CHANGED)
    written = page.get_by_label("Operations", exact=True).locator("[data-operation]").filter(has_text="1/0/3 = 900")
    expect(written.locator(".tag").first).to_have_text("confirmed")
    expect(panel.locator("[data-desired]")).to_have_count(1)
    fill(panel, "1/0/2", "many")
    panel.get_by_role("button", name="Keep it so").click()
    expect(panel.get_by_role("alert")).to_contain_text("1/0/2")
    panel.get_by_role("button", name="Remove 1/0/2").click()
    expect(kept).to_have_count(0)
    expect(panel).to_contain_text("Nothing is to be kept")


def test_firmware_is_uploaded_and_an_update_asked_for_and_taken_back(
    open_page: OpenPage, screenshot: TakeScreenshot
) -> None:
    page = open_page("/firmware").page
    page.get_by_label("Package").fill("thermometer")
    page.get_by_label("Version").fill("7.1")
    page.get_by_label("File").set_input_files({"name": "fw.bin", "mimeType": "", "buffer": bytes(5000)})
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("alert").first).to_contain_text("thermometer 7.1 is here: 5,000 bytes")
    expect(page.get_by_label("Images", exact=True)).to_contain_text("5,000")
    page.get_by_label("Endpoint").fill(AWAY)
    page.get_by_label("Image", exact=True).select_option("thermometer 7.1")
    page.get_by_role("button", name="Update", exact=True).click()
    expect(page.get_by_role("alert").first).to_contain_text(f"{AWAY} will be updated to thermometer 7.1")
    update = page.locator(f"[data-update='{AWAY}']").first
    expect(update).to_contain_text("Waiting for")
    screenshot(page, "firmware")
    update.get_by_role("button", name="Cancel").click()
    expect(update.locator(".tag")).to_have_text(re.compile("cancel"))
    page.get_by_label("Endpoint").fill("nobody is called so")
    page.get_by_role("button", name="Update", exact=True).click()
    expect(page.get_by_role("alert").first).to_contain_text("nobody is called so")


def test_a_rollout_is_paused_resumed_and_stopped(
    system: RunningSystem, open_page: OpenPage, screenshot: TakeScreenshot
) -> None:
    with system.api() as api:
        query = {"name": "thermometer", "version": "7.2", "file_name": "fw.bin"}
        image = api.post("/api/v1/firmware", params=query, content=bytes(100)).raise_for_status().json()["id"]
        asked = {"name": "spring", "firmware": image, "select": {"endpoints": [ROLLED]}, "groups": [{}]}
        api.post("/api/v1/rollouts", json=asked).raise_for_status()
    page = open_page("/rollouts").page
    page.get_by_role("link", name="spring").click()
    expect(page.get_by_role("heading", name="spring · thermometer 7.2")).to_be_visible()
    stands = page.locator(".stands .tag")
    expect(stands).to_have_text("running")
    page.get_by_role("button", name="Pause").click()
    expect(stands).to_have_text("paused")
    screenshot(page, "rollout")
    page.get_by_role("button", name="Resume").click()
    expect(stands).to_have_text("running")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Stop").click()
    expect(stands).to_have_text("stopped")
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    expect(page.locator(".rollout ol")).to_contain_text("Stopped by")


def test_a_viewer_sees_it_all_and_asks_for_nothing(system: RunningSystem, open_page: OpenPage) -> None:
    add_user(str(system.connection.database_url), "wanda", "viewer", PASSWORD)
    watched = open_page("/", signed_in=False)
    watched.sign_in("wanda", PASSWORD)
    page = watched.page
    expect(page.get_by_role("heading", name="Fleet")).to_be_visible()
    page.goto(f"/endpoints/{AWAY}")
    for name in ("Operations", "Settings"):
        expect(page.get_by_label(name, exact=True)).to_be_visible()
    expect(page.locator(".request")).to_have_count(0)
    page.get_by_role("link", name="Firmware").click()
    expect(page.get_by_label("Updates", exact=True)).to_be_visible()
    expect(page.locator("form.fields")).to_have_count(0)
    page.get_by_role("link", name="Rollouts").click()
    expect(page).to_have_url(re.compile("/rollouts$"))


@pytest.mark.parametrize("path", [f"/endpoints/{AWAY}", "/firmware", "/rollouts"])
def test_a_phone_shows_all_of_it_without_scrolling_sideways(
    open_page: OpenPage, screenshot: TakeScreenshot, path: str
) -> None:
    page = open_page(path, viewport=ViewportSize(width=320, height=844)).page
    expect(page.locator(".panel").first).to_be_visible()
    expect(page.get_by_text("Loading…")).to_have_count(0)
    assert fits(page)
    screenshot(page, f"work-phone{path.replace('/', '-')}")
