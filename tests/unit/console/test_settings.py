"""The console's settings."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from flownexus_console.settings import ConsoleSettings


def test_a_short_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWNEXUS_API_URL", "http://127.0.0.1:8000")
    monkeypatch.setenv("FLOWNEXUS_CONSOLE_SECRET", "s" * 31)
    with pytest.raises(ValidationError, match="32 characters or more"):
        ConsoleSettings()


def test_a_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWNEXUS_API_URL", "http://127.0.0.1:8000")
    monkeypatch.setenv("FLOWNEXUS_CONSOLE_SECRET", "s" * 32)
    assert "s" * 32 not in repr(ConsoleSettings())
