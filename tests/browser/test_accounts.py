"""Users, passwords, logins and API tokens, in a browser."""

from __future__ import annotations

import re

import httpx
from playwright.sync_api import Page, expect

from flownexus_api.accounts import add_user
from harness.system import RunningSystem
from harness.watched_page import OpenPage, TakeScreenshot, WatchedPage

LONG = "quite another pass phrase"


def said(page: Page) -> str:
    """The secret that a page shows once."""
    return page.locator(".secret").inner_text()


def sign_in(open_page: OpenPage, name: str, password: str) -> WatchedPage:
    watched = open_page("/", signed_in=False)
    watched.sign_in(name, password)
    return watched


def test_an_administrator_makes_a_user_who_chooses_a_password_and_is_locked_out_later(
    open_page: OpenPage, screenshot: TakeScreenshot
) -> None:
    watched = open_page("/")
    page = watched.page
    page.get_by_role("link", name="Users").click()
    expect(page.get_by_role("heading", name="Users", exact=True)).to_be_visible()
    page.get_by_label("Name", exact=True).fill("hedy")
    page.get_by_label("Role", exact=True).select_option("operator")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text("hedy is operator now")
    password = said(page)
    screenshot(page, "users")
    page.reload()
    expect(page.get_by_role("alert")).to_have_count(0)

    theirs = sign_in(open_page, "hedy", password)
    expect(theirs.page.get_by_text("Choose a password of your own")).to_be_visible()
    theirs.page.goto("/")
    expect(theirs.page).to_have_url(re.compile("/account$"))
    for label, typed in (("Current password", password), ("New password", LONG), ("New password again", LONG)):
        theirs.page.get_by_label(label, exact=True).fill(typed)
    theirs.page.get_by_role("button", name="Change password").click()
    expect(theirs.page.get_by_role("alert")).to_contain_text("another one now")
    theirs.page.goto("/")
    expect(theirs.page.get_by_role("heading", name="Fleet")).to_be_visible()

    mine = page.get_by_role("row").filter(has=page.get_by_role("cell", name="hedy", exact=True))
    mine.get_by_label("Role of hedy").select_option("viewer")
    mine.get_by_role("button", name="Set", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("hedy is viewer now")
    mine.get_by_role("button", name="Disable").click()
    expect(page.get_by_role("alert")).to_contain_text("hedy is disabled")
    expect(mine).to_contain_text("disabled")
    expect(theirs.page.get_by_role("alert")).to_contain_text("Your session has ended")
    page.on("dialog", lambda dialog: dialog.accept())
    mine.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("alert")).to_contain_text("hedy is gone")
    expect(mine).to_have_count(0)


def test_a_token_is_made_shown_once_and_revoked(
    system: RunningSystem, open_page: OpenPage, screenshot: TakeScreenshot
) -> None:
    database_url = str(system.connection.database_url)
    add_user(database_url, "mary", "operator", LONG)
    page = sign_in(open_page, "mary", LONG).page
    page.get_by_role("link", name="mary").click()
    page.get_by_label("Name of the token").fill("report")
    page.get_by_label("read", exact=True).check()
    expect(page.get_by_label("administer")).to_have_count(0)
    page.get_by_role("button", name="Make a token").click()
    token = said(page)
    screenshot(page, "account")
    me = f"{system.connection.api_url}/api/v1/users/me"
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.get(me, headers=headers, trust_env=False).json()["scopes"] == ["read"]
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("alert")).to_contain_text("revoked")
    assert httpx.get(me, headers=headers, trust_env=False).status_code == 401


def test_another_login_is_ended_from_the_account_page(system: RunningSystem, open_page: OpenPage) -> None:
    add_user(str(system.connection.database_url), "joan", "viewer", LONG)
    other = sign_in(open_page, "joan", LONG)
    expect(other.page.get_by_role("heading", name="Fleet")).to_be_visible()
    page = sign_in(open_page, "joan", LONG).page
    expect(page.get_by_role("heading", name="Fleet")).to_be_visible()
    page.goto("/account")
    expect(page.get_by_text("this one")).to_be_visible()
    page.get_by_role("button", name="End", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Logins ended: 1")
    expect(other.page.get_by_role("alert")).to_contain_text("Your session has ended")


def test_a_viewer_manages_nobody(system: RunningSystem, open_page: OpenPage) -> None:
    add_user(str(system.connection.database_url), "vera", "viewer", LONG)
    page = sign_in(open_page, "vera", LONG).page
    expect(page.get_by_role("heading", name="Fleet")).to_be_visible()
    expect(page.get_by_role("link", name="Users")).to_have_count(0)
    page.goto("/users")
    expect(page.get_by_text("This needs the role administrator; yours is viewer.")).to_be_visible()


def test_a_password_that_is_easily_guessed_is_refused_with_why(system: RunningSystem, open_page: OpenPage) -> None:
    add_user(str(system.connection.database_url), "anna", "viewer", LONG)
    page = sign_in(open_page, "anna", LONG).page
    expect(page.get_by_role("heading", name="Fleet")).to_be_visible()
    page.goto("/account")
    easy = "passwordpassword"
    for label, typed in (("Current password", LONG), ("New password", easy), ("New password again", easy)):
        page.get_by_label(label, exact=True).fill(typed)
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_role("alert")).to_contain_text("easily guessed")


def test_after_signing_out_the_login_is_over_at_the_api_too(system: RunningSystem, open_page: OpenPage) -> None:
    add_user(str(system.connection.database_url), "ruth", "viewer", LONG)
    page = sign_in(open_page, "ruth", LONG).page
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    with system.api() as api:
        done = [entry["action"] for entry in api.get("/api/v1/audit?actor=ruth").json()["items"]]
    assert done == ["logout", "login.succeeded"]
