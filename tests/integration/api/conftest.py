"""The real application over a real database, and people who can log in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import httpx
import pytest
from nats.js import JetStreamContext

from flownexus_api import accounts
from flownexus_api.app import create_app
from flownexus_api.bus import Bus
from flownexus_api.database import create_engine
from flownexus_api.parts import Parts
from flownexus_runtime.live_models import LiveObjectModels
from flownexus_schemas import objects
from integration.api.callers import Callers
from integration.api.rows import Rows

if TYPE_CHECKING:
    from conftest import ServiceFactory

PASSWORD = "correct horse battery"
CREDENTIALS_KEY = "a key of the tests and of nobody else"


@pytest.fixture
async def parts(database_url: str) -> AsyncIterator[Parts]:
    engine = create_engine(database_url)
    yield Parts(engine=engine, bus=Bus(), models=LiveObjectModels(objects.load()))
    await engine.dispose()


@pytest.fixture
async def anonymous(parts: Parts) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application without a token."""
    transport = httpx.ASGITransport(create_app(parts))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


@pytest.fixture
async def client(anonymous: httpx.AsyncClient, database_url: str) -> httpx.AsyncClient:
    """A client that is logged in as a viewer."""
    accounts.add_user(database_url, "vera", "viewer", PASSWORD)
    answer = await anonymous.post("/api/v1/auth/token", data={"username": "vera", "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    anonymous.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return anonymous


@pytest.fixture
def callers(parts: Parts, database_url: str) -> Callers:
    return Callers(parts, database_url)


@pytest.fixture
def rows(database_url: str) -> Rows:
    return Rows(database_url)


async def log_in(client: httpx.AsyncClient, database_url: str, role: str) -> None:
    accounts.add_user(database_url, role, role, PASSWORD)
    answer = await client.post("/api/v1/auth/token", data={"username": role, "password": PASSWORD})
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


@pytest.fixture
async def operator(
    js: JetStreamContext, service: ServiceFactory, database_url: str
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the running API, logged in as an operator."""
    async with httpx.AsyncClient(base_url=service("flownexus_api").health_url, timeout=20, trust_env=False) as client:
        await log_in(client, database_url, "operator")
        yield client


@pytest.fixture
async def administrator(
    js: JetStreamContext, service: ServiceFactory, database_url: str
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a running API that keeps keys of devices, logged in as an administrator."""
    api = service("flownexus_api", FLOWNEXUS_CREDENTIALS_KEY=CREDENTIALS_KEY)
    async with httpx.AsyncClient(base_url=api.health_url, timeout=20, trust_env=False) as client:
        await log_in(client, database_url, "administrator")
        yield client
