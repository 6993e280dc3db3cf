"""Every error as a problem document, mapped to its status once. RFC 9457."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response

from flownexus_api.database import is_unavailable
from flownexus_schemas.errors import (
    CallerError,
    Conflict,
    FlowNexusError,
    InvalidName,
    InvalidRequest,
    NotFound,
    Unavailable,
)

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2
SHOWN_LINES, MAX_LINES = 5, 100
"""Of those that cannot be taken: in words, and in the list of errors."""

TOOK_TOO_LONG = "57014"
"""SQLSTATE of a statement that was cancelled at its time limit."""


class NotAuthenticated(CallerError):
    """Nobody known: no token, a token that is not good, or a wrong password."""


class Forbidden(CallerError):
    """Somebody known who may not do this."""


class InvalidLines(InvalidRequest):
    """A file whose lines cannot be taken: each with its number and why."""

    def __init__(self, lines: Sequence[tuple[int, str]]) -> None:
        shown = "; ".join(f"line {number}: {why}" for number, why in lines[:SHOWN_LINES])
        more = f"; and {len(lines) - SHOWN_LINES} more" if len(lines) > SHOWN_LINES else ""
        super().__init__(f"{shown}{more}. Nothing of it was taken.")
        self.lines = lines


class NotAnswered(FlowNexusError):
    """The device is silent: it lost the request or its answer, or sleeps."""


class TooLarge(CallerError):
    """More bytes than are taken."""


class TooManyAttempts(CallerError):
    """Come back after `retry_after_s` seconds."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


STATUS: Mapping[type[FlowNexusError], HTTPStatus] = {
    NotAuthenticated: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    TooManyAttempts: HTTPStatus.TOO_MANY_REQUESTS,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    NotFound: HTTPStatus.NOT_FOUND,
    InvalidName: HTTPStatus.UNPROCESSABLE_ENTITY,
    Conflict: HTTPStatus.CONFLICT,
    CallerError: HTTPStatus.UNPROCESSABLE_ENTITY,
    NotAnswered: HTTPStatus.GATEWAY_TIMEOUT,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}


class InvalidField(BaseModel):
    """One part of the request that cannot be taken."""

    where: str = Field(examples=["query.limit"])
    message: str = Field(examples=["Input should be less than or equal to 500"])


class Problem(BaseModel):
    """RFC 9457, 3. `type` is about:blank: the status says it all, `detail` says what to do."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[InvalidField] | None = None


def problem(
    status: int, detail: str, *, errors: Sequence[InvalidField] | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """A problem document as a response."""
    body = Problem(
        title=HTTPStatus(status).phrase, status=status, detail=detail, errors=list(errors) if errors else None
    )
    return Response(body.model_dump_json(exclude_none=True), status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Have the application answer every error this way."""
    app.add_exception_handler(FlowNexusError, _taxonomy)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(DBAPIError, _database)
    app.add_exception_handler(PoolTimeout, _database)
    app.add_exception_handler(Exception, _bug)


async def _taxonomy(_: Request, error: Exception) -> Response:
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), None)
    if status is None:
        raise error
    headers = {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    elif isinstance(error, TooManyAttempts):
        headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    elif status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    errors = None
    if isinstance(error, InvalidLines):
        errors = [InvalidField(where=f"line {number}", message=why) for number, why in error.lines[:MAX_LINES]]
    return problem(status, str(error) or status.phrase, errors=errors, headers=headers)


async def _invalid_request(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fields = [InvalidField(where=".".join(map(str, found["loc"])), message=advice(found)) for found in error.errors()]
    detail = "; ".join(f"{field.where}: {field.message}" for field in fields[:5])
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=fields)


def advice(found: Mapping[str, Any]) -> str:
    """What to do about one error of pydantic."""
    return str(found["msg"]).removeprefix("Value error, ")


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, error.detail, headers=error.headers)


async def _database(request: Request, error: Exception) -> Response:
    if not is_unavailable(error):
        raise error
    cause = getattr(error, "orig", error)
    log.error("database.unavailable", error=str(cause).strip())
    if getattr(cause, "sqlstate", None) == TOOK_TOO_LONG:
        return await _taxonomy(request, Unavailable("That took the database too long; ask for less, or try later."))
    return await _taxonomy(request, Unavailable("The database is away or not migrated yet; try again shortly."))


async def _bug(_: Request, __: Exception) -> Response:
    # Starlette raises it again after this answer, and the server logs it.
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong on our side; it is in the log.")
