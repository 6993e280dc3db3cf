"""Access tokens: short-lived JWTs, HS256. RFC 7519; RFC 6750."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import jwt

from flownexus_api.errors import NotAuthenticated

ALGORITHM = "HS256"
ISSUER = "flownexus"
SESSION_LIFETIME_S = 12 * 3600
"""Seconds after a login for which its token can be renewed, unless the settings say otherwise."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says: whose it is, until when it is good, and when its owner logged in (Unix seconds)."""

    user_id: int
    expires_at: datetime
    logged_in_at: int


@dataclass(frozen=True, slots=True)
class Tokens:
    """Makes and reads tokens. `secret`: 32 characters or more; `lifetime_s` and `session_lifetime_s`: seconds, > 0."""

    secret: str
    lifetime_s: int
    session_lifetime_s: int = SESSION_LIFETIME_S

    def issue(self, user_id: int, now: float, logged_in_at: int | None = None) -> tuple[str, int]:
        """A token for a user, good from `now` (Unix seconds), and the seconds for which it is good.

        That is `lifetime_s`, but no longer than until `session_lifetime_s` after the login; `logged_in_at` is `now` by
        default. Raises NotAuthenticated where the session is over. OpenID Connect Core 1.0, 2 (`auth_time`).
        """
        issued_at = int(now)
        began_at = issued_at if logged_in_at is None else logged_in_at
        good_s = min(self.lifetime_s, began_at + self.session_lifetime_s - issued_at)
        if good_s <= 0:
            raise NotAuthenticated("This session has lasted as long as it may; log in again.")
        claims = {
            "iss": ISSUER,
            "sub": str(user_id),
            "iat": issued_at,
            "exp": issued_at + good_s,
            "auth_time": began_at,
        }
        return jwt.encode(claims, self.secret, algorithm=ALGORITHM), good_s

    def read(self, token: str) -> Claims:
        """What a token says. Raises NotAuthenticated: expired, altered, or not ours."""
        try:
            claims = jwt.decode(
                token,
                self.secret,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                options={"require": ["auth_time", "exp", "iat", "iss", "sub"]},
            )
            return Claims(int(claims["sub"]), datetime.fromtimestamp(claims["exp"], UTC), int(claims["auth_time"]))
        except jwt.ExpiredSignatureError as error:
            raise NotAuthenticated("The access token has expired; get a new one.") from error
        except (jwt.InvalidTokenError, TypeError, ValueError, OverflowError) as error:
            raise NotAuthenticated("The access token is not valid; get a new one.") from error
