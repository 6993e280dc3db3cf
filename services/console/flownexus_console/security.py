"""What the browser is told that a page may do, and which requests are taken as those of our own pages."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    [
        "default-src 'self'",
        # Vue compiles templates in the browser, and NiceGUI starts it from a script in the page.
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


ONLY_TLS = "max-age=31536000"
"""Strict-Transport-Security of an answer that went over TLS: a year, RFC 6797."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class OwnPagesOnly:
    """ASGI middleware that refuses what pages of other sites send: all but reading, and WebSockets.

    The browser says where a request comes from: Fetch Metadata, and Origin where it sends none. SameSite cookies alone
    do not tell apart two ports of one host. OWASP Cross-Site Request Forgery Prevention Cheat Sheet.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _changes(scope) and not _is_ours(Headers(scope=scope)):
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                await PlainTextResponse("This was sent from another site.", 403)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _changes(scope: Scope) -> bool:
    return scope["type"] == "websocket" or (scope["type"] == "http" and scope["method"] not in SAFE_METHODS)


def _is_ours(headers: Headers) -> bool:
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site in {"same-origin", "none"}
    return origin is None or urlsplit(origin).netloc == headers.get("host")


class SecurityHeaders:
    """ASGI middleware that adds HEADERS to each answer, and takes `X-Forwarded-Prefix` from each request:
    NiceGUI would prepend it to redirects, and the console is not served below a prefix.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        kept = [(name, value) for name, value in scope["headers"] if name != b"x-forwarded-prefix"]

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                if scope["scheme"] == "https":
                    headers["Strict-Transport-Security"] = ONLY_TLS
            await send(message)

        await self._app({**scope, "headers": kept}, receive, with_headers)
