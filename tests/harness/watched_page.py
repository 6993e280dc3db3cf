"""A browser page that remembers what must not happen: requests to other hosts, errors."""

from __future__ import annotations

from typing import Literal, Protocol
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Page, Request, ViewportSize, WebSocket

LAPTOP = ViewportSize(width=1440, height=900)
ColorScheme = Literal["light", "dark"]


class WatchedPage:
    """A page of the console at `host` (`127.0.0.1:8080`)."""

    def __init__(self, page: Page, host: str) -> None:
        self.page = page
        self.hosts: set[str] = set()
        self.requests = 0
        self.errors: list[str] = []
        self._host = host
        page.on("request", self._requested)
        page.on("websocket", self._connected)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def sign_in(self, name: str, password: str) -> None:
        """Fill in the login form and send it."""
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()

    def forgive(self, text: str) -> None:
        """Drop errors with this text in them: the test brought them about."""
        self.errors = [error for error in self.errors if text not in error]

    def assert_quiet(self) -> None:
        """AssertionError if a request went to another host, or there was an error."""
        assert self.requests > 0
        assert self.hosts == {self._host}
        assert self.errors == []

    def _requested(self, request: Request) -> None:
        self.requests += 1
        url = urlsplit(request.url)
        if url.scheme not in {"data", "blob"}:
            self.hosts.add(url.netloc)

    def _connected(self, socket: WebSocket) -> None:
        self.hosts.add(urlsplit(socket.url).netloc)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)


class OpenPage(Protocol):
    """`open_page(path, ...)`: a page in a browser of its own; the first administrator is signed in there, or nobody."""

    def __call__(
        self, path: str, viewport: ViewportSize = LAPTOP, color_scheme: ColorScheme = "light", signed_in: bool = True
    ) -> WatchedPage: ...


class TakeScreenshot(Protocol):
    """`screenshot(page, name)`: a PNG into the folder that FLOWNEXUS_SCREENSHOTS names."""

    def __call__(self, page: Page, name: str) -> None: ...
