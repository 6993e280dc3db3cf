"""Logging in at an identity provider, where one is set."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Request
from pydantic import BaseModel, ConfigDict, Field

from flownexus_api import user_changes
from flownexus_api.access import address_of
from flownexus_api.audit_entry import audit_entry
from flownexus_api.documented import answers
from flownexus_api.oidc import Provider
from flownexus_api.parts import Parts, PartsDep
from flownexus_api.routers.auth import Candidate, Token, logged_in
from flownexus_schemas.errors import CallerError, NotFound

router = APIRouter(prefix="/auth", tags=["auth"])

Text = Annotated[str, Field(min_length=1, max_length=4096)]


class LoginMethods(BaseModel):
    """How one can log in. `oidc`: what the identity provider is called; null where none is set."""

    password: bool
    oidc: str | None


class LoginStart(BaseModel):
    """Where the browser comes back to, as it is registered at the provider."""

    model_config = ConfigDict(extra="forbid")

    redirect_uri: Text


class LoginBegun(BaseModel):
    """Where to send the browser. Keep the rest with this one browser, and take a `code` only with the same `state`."""

    url: str
    state: str
    nonce: str
    code_verifier: str


class LoginFinish(BaseModel):
    """The `code` that the browser came back with, and what was kept."""

    model_config = ConfigDict(extra="forbid")

    code: Text
    redirect_uri: Text
    nonce: Text
    code_verifier: Text


@router.get("/methods")
async def get_methods(parts: PartsDep) -> LoginMethods:
    """How one can log in. For anybody."""
    return LoginMethods(password=True, oidc=parts.provider.settings.label if parts.provider else None)


@router.post("/oidc/start", responses=answers(404, 422, 503))
async def start_login(parts: PartsDep, asked: Annotated[LoginStart, Body()]) -> LoginBegun:
    """Begin a login at the identity provider. For anybody."""
    return LoginBegun(**(await _provider(parts).begin(asked.redirect_uri))._asdict())


@router.post("/oidc/finish", responses=answers(401, 403, 404, 409, 422, 503))
async def finish_login(parts: PartsDep, asked: Annotated[LoginFinish, Body()], http: Request) -> Token:
    """End a login that the browser came back from: an access token. For anybody with a good code.

    Who comes for the first time becomes a user. The role is that of the provider's claim, at each login.
    """
    try:
        given = await _provider(parts).finish(asked.code, asked.redirect_uri, asked.nonce, asked.code_verifier)
        async with parts.engine.begin() as database:
            user, is_new = await database.run_sync(
                user_changes.of_provider, given.issuer, given.subject, given.name, given.role
            )
            details: dict[str, object] = {"issuer": given.issuer, "role": given.role}
            if is_new:
                created = audit_entry(given.name, "user.created", given.name, address=address_of(http), details=details)
                await database.execute(created)
            return await logged_in(parts, database, Candidate(user.id, user.name, None), http, details)
    except CallerError as refusal:
        if not isinstance(refusal, NotFound):
            await _note_failure(parts, http, str(refusal))
        raise


def _provider(parts: Parts) -> Provider:
    if parts.provider is None:
        raise NotFound("There is no identity provider here; log in with a password.")
    return parts.provider


async def _note_failure(parts: Parts, http: Request, reason: str) -> None:
    async with parts.engine.begin() as database:
        entry = audit_entry("unknown", "login.failed", address=address_of(http), details={"reason": reason})
        await database.execute(entry)
