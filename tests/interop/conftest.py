"""Devices in lock-step for the habits, over the gateway that the integration tests use."""

from __future__ import annotations

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from integration.gateway.conftest import device, events, gateway, profile

__all__ = ["bus", "device", "events", "gateway", "profile"]


@pytest.fixture
def bus(js: JetStreamContext) -> Client:
    return js._nc
