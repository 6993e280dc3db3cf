"""What can go wrong between the console and the API."""

from __future__ import annotations


class ApiAway(Exception):
    """The API does not answer, or says that it cannot serve for now: try again later."""


class SignedOut(Exception):
    """The API does not take the token (any more): the user has to sign in again."""


class ApiRefused(Exception):
    """The API understood and refused. `status` is the HTTP status; the text is for the user."""

    def __init__(self, status: int, detail: str, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.retry_after_s = retry_after_s
