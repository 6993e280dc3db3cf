"""A body beyond the limit as a problem document: Starlette's own answer is plain text."""

from __future__ import annotations

from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flownexus_api.errors import MEDIA_TYPE, problem

DETAIL = "The body has more bytes than are taken here; send less in one request."


class TooLargeAsProblem:
    """Outside of the middleware that bounds bodies."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_replaced = False

        async def send_problem(message: Message) -> None:
            nonlocal is_replaced
            if is_replaced:
                return
            if message["type"] == "http.response.start" and message["status"] == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                is_replaced = (b"content-type", MEDIA_TYPE.encode()) not in message["headers"]
            if is_replaced:
                await problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, DETAIL)(scope, receive, send)
            else:
                await send(message)

        await self._app(scope, receive, send_problem)
