"""The audit, in a browser."""

from __future__ import annotations

import re
from urllib.parse import quote

from playwright.sync_api import expect

from flownexus_api.accounts import add_user
from harness.system import RunningSystem
from harness.watched_page import OpenPage, TakeScreenshot

LONG = "quite another pass phrase"
MARKUP = "<b>x</b>{{1+1}}"


def test_an_administrator_finds_who_did_what_and_pages_back(
    system: RunningSystem, open_page: OpenPage, screenshot: TakeScreenshot
) -> None:
    with system.api() as api:
        for name in ["audited"] * 51 + [quote(MARKUP, safe="")]:
            api.put(f"/api/v1/endpoints/{name}/tags", json={"tags": ["a"]}).raise_for_status()
    page = open_page("/users").page
    page.get_by_role("link", name="the audit").click()
    expect(page.get_by_role("heading", name="Audit")).to_be_visible()
    entries = page.get_by_role("region", name="Entries").get_by_role("row")
    expect(entries.nth(1)).to_contain_text(MARKUP)
    expect(entries.nth(1)).to_contain_text(str(system.connection.admin_user))
    screenshot(page, "audit")
    page.get_by_label("On what").fill("audited")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile(r"target=audited"))
    expect(page.get_by_label("On what")).to_have_value("audited")
    expect(entries).to_have_count(51)
    page.get_by_role("link", name="Older").click()
    expect(entries).to_have_count(2)
    expect(page.get_by_role("link", name="Older")).to_have_count(0)
    page.get_by_label("Who").fill("nobody")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("Nothing of that kind is in the audit.")).to_be_visible()


def test_it_fits_a_phone(open_page: OpenPage) -> None:
    page = open_page("/audit", viewport={"width": 320, "height": 640}).page
    expect(page.get_by_role("region", name="Entries")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_viewer_does_not_read_it(system: RunningSystem, open_page: OpenPage) -> None:
    add_user(str(system.connection.database_url), "iris", "viewer", LONG)
    watched = open_page("/", signed_in=False)
    watched.sign_in("iris", LONG)
    expect(watched.page.get_by_role("heading", name="Fleet")).to_be_visible()
    watched.page.goto("/audit")
    expect(watched.page.get_by_text("This needs the role administrator; yours is viewer.")).to_be_visible()
