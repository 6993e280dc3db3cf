"""`/docs`: every route on one page, made from the OpenAPI document; no script, no other host."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

STYLE_PATH = "/docs/style.css"

STYLE = """:root { color-scheme: light dark; }
body { font: 16px system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; line-height: 1.5; }
code, pre { font-family: ui-monospace, monospace; font-size: 0.9em; }
pre { white-space: pre-wrap; }
section { border-top: 1px solid #8886; margin-top: 1.5rem; }
h2 { font-size: 1.1rem; overflow-wrap: anywhere; }
h2 span { border: 1px solid currentcolor; border-radius: 4px; padding: 0 0.4em; margin-right: 0.5em; }
dt { font-weight: 600; }
dd { margin: 0 0 0.4rem 1.2rem; }
"""


def docs_routes(app: FastAPI) -> list[Route]:
    """The page and its style sheet."""

    async def page(_: Request) -> Response:
        return HTMLResponse(_page(app.openapi()))

    async def style(_: Request) -> Response:
        return Response(STYLE, media_type="text/css")

    return [Route("/docs", page), Route(STYLE_PATH, style)]


def _page(document: dict[str, Any]) -> str:
    info = document["info"]
    sections = (
        _section(path, method, route)
        for path, methods in document["paths"].items()
        for method, route in methods.items()
    )
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{escape(info["title"])} API</title>
<link rel="stylesheet" href="{STYLE_PATH}">
<h1>{escape(info["title"])} API {escape(info["version"])}</h1>
{_paragraphs(info["description"])}
<p>The same for programs: <a href="/openapi.json">/openapi.json</a> (OpenAPI {escape(document["openapi"])}).</p>
{"".join(sections)}
</html>
"""


def _section(path: str, method: str, route: dict[str, Any]) -> str:
    statuses = ", ".join(f"{status} {response['description']}" for status, response in route["responses"].items())
    return f"""<section id="{escape(route["operationId"])}">
<h2><span>{method.upper()}</span><code>{escape(path)}</code></h2>
{_paragraphs(route["description"])}
<dl>{"".join(_parameters(route))}</dl>
<p>Answers: {escape(statuses)}</p>
</section>
"""


def _parameters(route: dict[str, Any]) -> Iterator[str]:
    for parameter in route.get("parameters", ()):
        needed = "required" if parameter.get("required") else "optional"
        words = f"{parameter['in']}, {needed}. {parameter.get('description', '')}"
        yield f"<dt><code>{escape(parameter['name'])}</code></dt><dd>{escape(words)}</dd>"


def _paragraphs(text: str) -> str:
    """Markdown as far as our own words use it: paragraphs, and code in backticks."""
    parts = []
    for paragraph in text.split("\n\n"):
        pieces = escape(paragraph).split("`")
        coded = "".join(f"<code>{piece}</code>" if index % 2 else piece for index, piece in enumerate(pieces))
        parts.append(f"<p>{coded}</p>")
    return "\n".join(parts)
