"""Counts and times of answers, headers that every answer has, and the log line of each."""

from __future__ import annotations

import time

import structlog
from prometheus_client import Histogram
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger(__name__)

SECONDS = Histogram(
    "flownexus_api_answer_seconds", "Seconds until the headers of an answer.", ("method", "route", "status")
)

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""OWASP Secure Headers; ASVS 5.0, V3.4."""

ONLY_TLS = "max-age=31536000"
"""Strict-Transport-Security of an answer that went over TLS: a year, RFC 6797."""


class Measured:
    """Wraps an application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope.get("scheme") == "https":
                    headers["Strict-Transport-Security"] = ONLY_TLS
                elapsed = time.perf_counter() - began
                route = getattr(scope.get("route"), "path", "unknown")
                SECONDS.labels(_method(scope), route, message["status"]).observe(elapsed)
                log.debug("http.answered", method=scope["method"], route=route, status=message["status"], s=elapsed)
            await send(message)

        await self._app(scope, receive, sending)


def _method(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} else "other"
