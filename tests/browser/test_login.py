"""Signing in and out, in a browser."""

from __future__ import annotations

import re

import psycopg
import pytest
from playwright.sync_api import expect

from flownexus_api.accounts import add_user
from harness.system import RunningSystem
from harness.watched_page import OpenPage, TakeScreenshot, WatchedPage


def sign_in(watched: WatchedPage, system: RunningSystem) -> None:
    watched.sign_in(str(system.connection.admin_user), str(system.connection.admin_password))


@pytest.mark.parametrize("path", ["/", "/endpoints/sim-00003?from=mail"])
def test_a_stranger_signs_in_and_comes_to_where_they_wanted(
    system: RunningSystem, open_page: OpenPage, path: str
) -> None:
    watched = open_page(path, signed_in=False)
    expect(watched.page).to_have_url(re.compile(r"/login\?next="))
    sign_in(watched, system)
    expect(watched.page).to_have_url(re.compile(re.escape(path) + "$"))
    expect(watched.page.get_by_text("admin · administrator")).to_be_visible()


def test_a_wrong_password_is_said_and_the_name_kept(open_page: OpenPage, screenshot: TakeScreenshot) -> None:
    watched = open_page("/", signed_in=False)
    watched.sign_in("admin", "wrong")
    expect(watched.page.get_by_role("alert")).to_have_text("Wrong name or password.")
    expect(watched.page.get_by_label("Name")).to_have_value("admin")
    expect(watched.page.get_by_label("Password")).to_be_focused()
    screenshot(watched.page, "login")
    watched.forgive("401 (Unauthorized)")


def test_a_login_does_not_lead_to_another_site(system: RunningSystem, open_page: OpenPage) -> None:
    watched = open_page("/login?next=https://evil.example/", signed_in=False)
    sign_in(watched, system)
    expect(watched.page.get_by_role("heading", name="Fleet")).to_be_visible()


def test_after_signing_out_the_way_back_leads_to_the_login(system: RunningSystem, open_page: OpenPage) -> None:
    watched = open_page("/", signed_in=False)
    sign_in(watched, system)
    page = watched.page
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.goto("/")
    expect(page).to_have_url(re.compile("/login"))


def test_signing_out_ends_the_other_tabs_too(system: RunningSystem, open_page: OpenPage) -> None:
    watched = open_page("/", signed_in=False)
    sign_in(watched, system)
    expect(watched.page.get_by_role("heading", name="Fleet")).to_be_visible()
    other = watched.page.context.new_page()
    other.goto("/endpoints/sim-00007")
    expect(other.get_by_role("heading", name="sim-00007")).to_be_visible()
    watched.page.get_by_role("button", name="Sign out").click()
    expect(other.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_user_who_is_locked_out_is_led_to_the_login_and_told(system: RunningSystem, open_page: OpenPage) -> None:
    database_url = str(system.connection.database_url)
    password = add_user(database_url, "grace", "viewer", None)
    watched = open_page("/endpoints/sim-00004", signed_in=False)
    watched.sign_in("grace", password)
    expect(watched.page.get_by_text("grace · viewer")).to_be_visible()
    with psycopg.connect(database_url) as connection:
        connection.execute("update app_user set disabled = true where name = 'grace'")
    expect(watched.page.get_by_role("alert")).to_contain_text("Your session has ended")
    expect(watched.page).to_have_url(re.compile("next=%2Fendpoints%2Fsim-00004"))
