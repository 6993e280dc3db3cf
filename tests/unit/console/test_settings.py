"""The console's settings."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from flownexus_console.settings import ConsoleSettings

STRONG = "0f3c8b1d7a9e5246c0f3c8b1d7a9e524"


def test_a_short_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWNEXUS_API_URL", "http://127.0.0.1:8000")
    monkeypatch.setenv("FLOWNEXUS_CONSOLE_SECRET", "s" * 31)
    with pytest.raises(ValidationError, match="32 characters or more"):
        ConsoleSettings()


def test_a_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWNEXUS_API_URL", "http://127.0.0.1:8000")
    monkeypatch.setenv("FLOWNEXUS_CONSOLE_SECRET", STRONG)
    assert STRONG not in repr(ConsoleSettings())
