"""Clients of the application in this process, each of somebody else."""

from __future__ import annotations

import secrets

import httpx
from fastapi import FastAPI

from flownexus_api import accounts, api_tokens, user_changes
from flownexus_api.app import create_app
from flownexus_api.parts import Parts
from flownexus_api.scopes import Scope

PASSWORD = "correct horse battery"


class Callers:
    """Makes users and tokens, and clients that are logged in as them or send their tokens."""

    def __init__(self, parts: Parts, database_url: str) -> None:
        self.app: FastAPI = create_app(parts)
        self.database_url = database_url

    def nobody(self, address: str = "127.0.0.1") -> httpx.AsyncClient:
        """Without a token, from this address."""
        transport = httpx.ASGITransport(self.app, client=(address, 50_000), raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://api/api/v1")

    def add(self, role: str, name: str | None = None) -> str:
        """The name of a new user."""
        name = name or f"{role}-{secrets.token_hex(4)}"
        accounts.add_user(self.database_url, name, role, PASSWORD)
        return name

    async def log_in(self, name: str, password: str = PASSWORD, address: str = "127.0.0.1") -> httpx.AsyncClient:
        """Logged in as a user that is there."""
        client = self.nobody(address)
        answer = await client.post("/auth/token", data={"username": name, "password": password})
        assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return client

    async def of_role(self, role: str) -> httpx.AsyncClient:
        """Logged in as a new user."""
        return await self.log_in(self.add(role))

    def token(self, owner: str, *scopes: Scope, days: float = 1) -> str:
        """A new API token of a user."""
        with accounts.transaction(self.database_url) as connection:
            user = user_changes.find(connection, owner)
            return api_tokens.create(connection, user, secrets.token_hex(4), scopes, days).token

    def with_token(self, token: str) -> httpx.AsyncClient:
        """Sends this API token."""
        client = self.nobody()
        client.headers["Authorization"] = f"Bearer {token}"
        return client
