"""Login at an OpenID Connect provider: authorization code with PKCE. OpenID Connect Core 1.0, 3.1; RFC 7636; RFC 9700.

The caller keeps `state`, `nonce` and `code_verifier` with the browser that began a login: this side keeps nothing.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import structlog
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import SecretStr

from flownexus_api.errors import Forbidden, NotAuthenticated
from flownexus_schemas.errors import Unavailable
from flownexus_schemas.tables.accounts import ROLES

log = structlog.get_logger(__name__)

TIMEOUT_S = 10.0
LEEWAY_S = 60
"""Seconds by which clocks may differ."""

ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"]
"""Signatures that are taken: public keys alone, never `none`."""


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """Who the provider is, and what its claims mean. `roles`: by a value of the claim `role_claim`."""

    issuer: str
    client_id: str
    client_secret: SecretStr | None
    label: str
    scope: str
    name_claim: str
    role_claim: str
    roles: Mapping[str, str]
    default_role: str | None


class Begun(NamedTuple):
    """Where to send the browser, and what to keep of it."""

    url: str
    state: str
    nonce: str
    code_verifier: str


class Identity(NamedTuple):
    """Somebody whom the provider knows."""

    issuer: str
    subject: str
    name: str
    role: str


class Provider:
    """One provider. Raises Unavailable where it does not answer, NotAuthenticated where it or we refuse."""

    def __init__(self, settings: ProviderSettings) -> None:
        self.settings = settings
        self._metadata: dict[str, Any] | None = None
        self._keys: KeySet | None = None
        self._reading = asyncio.Lock()

    async def begin(self, redirect_uri: str) -> Begun:
        """Begin a login that comes back to `redirect_uri`."""
        metadata = await self._discovered()
        nonce, code_verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        state = secrets.token_urlsafe(32)
        url = prepare_grant_uri(
            metadata["authorization_endpoint"],
            self.settings.client_id,
            "code",
            redirect_uri=redirect_uri,
            scope=self.settings.scope,
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(code_verifier),
            code_challenge_method="S256",
        )
        return Begun(url, state, nonce, code_verifier)

    async def finish(self, code: str, redirect_uri: str, nonce: str, code_verifier: str) -> Identity:
        """Exchange the code. Raises Forbidden for somebody without a role here."""
        metadata = await self._discovered()
        try:
            token = await self._exchanged(metadata, code, redirect_uri, code_verifier)
            claims = await self._claims(token, nonce)
            if "userinfo_endpoint" in metadata:
                claims = await _with_user_info(metadata["userinfo_endpoint"], str(token["access_token"]), claims)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            log.warning("oidc.refused", reason=repr(error))
            raise NotAuthenticated("The identity provider's answer is not good; begin the login again.") from error
        except httpx.HTTPError as error:
            raise _away(error) from error
        return self._identity(claims)

    async def _claims(self, token: Mapping[str, Any], nonce: str) -> dict[str, Any]:
        """Of the ID token. Core 3.1.3.7."""
        id_token = str(token["id_token"])
        try:
            decoded = jwt.decode(id_token, await self._key_set(), algorithms=ALGORITHMS)
        except ValueError:
            # Signed with a key that came after ours were read.
            decoded = jwt.decode(id_token, await self._key_set(anew=True), algorithms=ALGORITHMS)
        expected: dict[str, Any] = {
            "iss": {"essential": True, "value": self.settings.issuer},
            "aud": {"essential": True, "value": self.settings.client_id},
        }
        params = {"nonce": nonce, "client_id": self.settings.client_id, "access_token": token.get("access_token")}
        CodeIDToken(decoded.claims, decoded.header, expected, params).validate(leeway=LEEWAY_S)
        return dict(decoded.claims)

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        name = claims.get(self.settings.name_claim)
        if not isinstance(name, str) or not name:
            raise Forbidden(f"The identity provider says no name: the claim {self.settings.name_claim!r} is missing.")
        role = role_of(claims, self.settings)
        if role is None:
            raise Forbidden(f"{name!r} has no role here: the claim {self.settings.role_claim!r} gives none.")
        return Identity(self.settings.issuer, str(claims["sub"]), name, role)

    async def _exchanged(
        self, metadata: Mapping[str, Any], code: str, redirect_uri: str, code_verifier: str
    ) -> dict[str, Any]:
        """The tokens for a code. RFC 6749, 4.1.3 and 2.3.1."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": code_verifier,
        }
        client_id, secret = self.settings.client_id, self.settings.client_secret
        methods = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        login: httpx.BasicAuth | None = None
        if secret is None or "client_secret_basic" not in methods:
            form["client_id"] = client_id
            if secret is not None:
                form["client_secret"] = secret.get_secret_value()
        else:
            login = httpx.BasicAuth(quote(client_id, safe=""), quote(secret.get_secret_value(), safe=""))
        async with httpx.AsyncClient(timeout=TIMEOUT_S, auth=login) as client:
            answer = await client.post(metadata["token_endpoint"], data=form)
        if answer.is_server_error:
            answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        if answer.is_error:
            raise ValueError(f"{found.get('error')}: {found.get('error_description')}")
        return found

    async def _discovered(self) -> dict[str, Any]:
        """What the provider says of itself. OpenID Connect Discovery 1.0, 4."""
        async with self._reading:
            if self._metadata is None:
                found = await _read(f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration")
                if found.get("issuer") != self.settings.issuer:
                    raise Unavailable(f"FLOWNEXUS_OIDC_ISSUER: the provider calls itself {found.get('issuer')!r}.")
                self._metadata = found
            return self._metadata

    async def _key_set(self, *, anew: bool = False) -> KeySet:
        if self._keys is None or anew:
            self._keys = KeySet.import_key_set(await _read((await self._discovered())["jwks_uri"]))  # type: ignore[arg-type]
        return self._keys


def role_of(claims: Mapping[str, Any], settings: ProviderSettings) -> str | None:
    """The highest role that the claim gives; the default one where it gives none."""
    value: Any = claims
    for part in settings.role_claim.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    values = value if isinstance(value, list) else [value]
    given = [settings.roles[one] for one in values if isinstance(one, str) and one in settings.roles]
    return max(given, key=ROLES.index) if given else settings.default_role


async def _with_user_info(endpoint: str, access_token: str, claims: dict[str, Any]) -> dict[str, Any]:
    """Providers say some claims there alone. Core 5.3.2: it must be of the same person."""
    async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
        answer = await client.get(endpoint, headers={"Authorization": f"Bearer {access_token}"})
    answer.raise_for_status()
    said = answer.json()
    if said["sub"] != claims["sub"]:
        raise ValueError("the user info is of somebody else")
    return {**said, **claims}


async def _read(url: str) -> dict[str, Any]:
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
            answer = await client.get(url)
            answer.raise_for_status()
            found: dict[str, Any] = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise _away(error) from error
    return found


def _away(error: Exception) -> Unavailable:
    log.error("oidc.unavailable", error=repr(error))
    return Unavailable("The identity provider does not answer; try again shortly.")
