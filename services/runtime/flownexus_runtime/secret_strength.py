"""Secrets that a service is started with: none is missing, weak, or left as it was in an example."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, SecretStr, ValidationInfo

ALLOWED = "allow_weak_secrets"
"""The setting that lets weak secrets pass, for a trial. Its field comes before those of secrets."""

LEAST_SECRET = 32
LEAST_PASSWORD = 16
LEAST_DISTINCT = 8
PLACEHOLDERS = ("password", "changeme", "change-me", "change_me", "placeholder", "example", "default", "insecure")
ADVICE = "make one with `openssl rand -hex 32`"


def check_secret(secret: str, least: int = LEAST_SECRET) -> None:
    """Raises ValueError for a weak one; the message does not have it."""
    if len(secret) < least:
        raise ValueError(f"too short: {least} characters or more are needed; {ADVICE}")
    if len(set(secret)) < LEAST_DISTINCT:
        raise ValueError(f"weak: it repeats few characters; {ADVICE}")
    if any(word in secret.lower() for word in PLACEHOLDERS):
        raise ValueError(f"weak: it looks like the placeholder of an example; {ADVICE}")


def check_url(urls: str) -> None:
    """Each of the URLs, joined by commas, has a password that is not weak. Raises ValueError."""
    for url in urls.split(","):
        password = urlsplit(url.strip()).password
        if not password:
            raise ValueError(f"has no password; {ADVICE} and write it into the URL: user:password@host")
        try:
            check_secret(unquote(password), LEAST_PASSWORD)
        except ValueError as error:
            raise ValueError(f"its password is {error}") from None


def _strong(secret: SecretStr, info: ValidationInfo) -> SecretStr:
    if not info.data.get(ALLOWED):
        check_secret(secret.get_secret_value())
    return secret


def _strong_each(secrets: SecretStr, info: ValidationInfo) -> SecretStr:
    if not info.data.get(ALLOWED):
        for secret in secrets.get_secret_value().split(","):
            check_secret(secret)
    return secrets


def _strong_url(urls: SecretStr, info: ValidationInfo) -> SecretStr:
    if not info.data.get(ALLOWED):
        check_url(urls.get_secret_value())
    return urls


StrongSecret = Annotated[SecretStr, AfterValidator(_strong)]
"""A secret that we make ourselves."""

StrongSecrets = Annotated[SecretStr, AfterValidator(_strong_each)]
"""Several of them, joined by commas."""

UrlWithPassword = Annotated[SecretStr, AfterValidator(_strong_url)]
"""A URL, or several joined by commas, each with a password."""
