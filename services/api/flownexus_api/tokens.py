"""Access tokens: short-lived JWTs, HS256. RFC 7519; RFC 6750."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import jwt

from flownexus_api.errors import NotAuthenticated

ALGORITHM = "HS256"
ISSUER = "flownexus"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says: whose it is, and until when it is good."""

    user_id: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Tokens:
    """Makes and reads tokens. `secret`: 32 characters or more; `lifetime_s`: seconds, > 0."""

    secret: str
    lifetime_s: int

    def issue(self, user_id: int, now: float) -> str:
        """A token for a user, good from `now` (Unix seconds) for `lifetime_s`."""
        issued_at = int(now)
        claims = {"iss": ISSUER, "sub": str(user_id), "iat": issued_at, "exp": issued_at + self.lifetime_s}
        return jwt.encode(claims, self.secret, algorithm=ALGORITHM)

    def read(self, token: str) -> Claims:
        """What a token says. Raises NotAuthenticated: expired, altered, or not ours."""
        try:
            claims = jwt.decode(
                token,
                self.secret,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                options={"require": ["exp", "iat", "iss", "sub"]},
            )
            return Claims(int(claims["sub"]), datetime.fromtimestamp(claims["exp"], UTC))
        except jwt.ExpiredSignatureError as error:
            raise NotAuthenticated("The access token has expired; get a new one.") from error
        except (jwt.InvalidTokenError, ValueError, OverflowError) as error:
            raise NotAuthenticated("The access token is not valid; get a new one.") from error
