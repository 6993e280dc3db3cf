"""Somebody at a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from typer.testing import CliRunner

from flownexus_local.cli import app


class Terminal:
    """Runs `flownexus` in this process, with these variables."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = {"NO_COLOR": "1", "COLUMNS": "200", **env}

    def run(self, *words: str, typed: str | None = None, expected: int = 0) -> str:
        """What the command says."""
        done = CliRunner().invoke(app, words, input=typed, env=self.env)
        assert done.exit_code == expected, f"{words}: {done.output} {done.exception!r}"
        return done.output
