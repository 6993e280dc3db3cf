"""The whole system, and Chromium in front of its console."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, StorageState, ViewportSize, expect, sync_playwright

from harness.embedded import open_folder
from harness.system import RunningSystem
from harness.watched_page import LAPTOP, ColorScheme, OpenPage, TakeScreenshot, WatchedPage

DEVICES = 25
CHROMIUM_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def system() -> Iterator[RunningSystem]:
    """`flownexus up` with simulated devices."""
    with open_folder() as folder:
        running = RunningSystem(folder, f"--devices={DEVICES}", "--device-interval=1")
        try:
            running.start()
            yield running
        finally:
            running.erase()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Chromium of this machine."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.fail("The browser tests need Chromium: apt install chromium")
    expect.set_options(timeout=15_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def administrator(system: RunningSystem, chromium: Browser) -> StorageState:
    """The cookies of a browser in which the first administrator is signed in."""
    connection = system.connection
    context = chromium.new_context(base_url=connection.console_url)
    watched = WatchedPage(context.new_page(), urlsplit(connection.console_url).netloc)
    watched.page.goto("/login")
    watched.sign_in(str(connection.admin_user), str(connection.admin_password))
    expect(watched.page.get_by_role("heading", name="Fleet")).to_be_visible()
    cookies = context.storage_state()
    context.close()
    return cookies


@pytest.fixture
def open_page(system: RunningSystem, chromium: Browser, administrator: StorageState) -> Iterator[OpenPage]:
    """Opens pages; afterwards none has sent a request to another host or written an error to its console."""
    console = system.connection.console_url
    opened: list[WatchedPage] = []

    def open_(
        path: str, viewport: ViewportSize = LAPTOP, color_scheme: ColorScheme = "light", signed_in: bool = True
    ) -> WatchedPage:
        context = chromium.new_context(
            base_url=console,
            viewport=viewport,
            color_scheme=color_scheme,
            locale="en-GB",
            timezone_id="UTC",
            storage_state=administrator if signed_in else None,
        )
        watched = WatchedPage(context.new_page(), urlsplit(console).netloc)
        opened.append(watched)
        watched.page.goto(path)
        return watched

    yield open_
    for watched in opened:
        watched.page.context.close()
    for watched in opened:
        watched.assert_quiet()


@pytest.fixture
def screenshot(tmp_path: Path) -> TakeScreenshot:
    """Takes pictures for people to look at."""
    folder = Path(os.environ.get("FLOWNEXUS_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)

    def take(page: Page, name: str) -> None:
        page.screenshot(path=folder / f"{name}.png", animations="disabled")

    return take
