"""The command line: every command says what it does, and is loaded only when it is run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from flownexus_local.cli import app

ROOT: Any = typer.main.get_command(app)

HEAVY = ("fastapi", "sqlalchemy", "alembic", "nats", "flownexus_api")
"""Packages of the services, which a command that asks the API does without."""


def every_command(group: Any, *names: str) -> Iterator[tuple[str, ...]]:
    """The names of each command, one after the other."""
    context = typer.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*names, name)
        if hasattr(command, "list_commands"):
            yield from every_command(command, *names, name)


COMMANDS = [names for names in every_command(ROOT) if names != ("simulate",)]
"""The simulator has a help of its own, which a process of its own prints."""


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_each_command_says_what_it_does(names: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*names, "--help"])
    assert shown.exit_code == 0, shown.exception
    assert f"Usage: flownexus {' '.join(names)}" in " ".join(shown.output.split())


def test_all_commands_are_there() -> None:
    assert {("up",), ("read",), ("user", "add"), ("rollout", "show"), ("audit",)} <= set(COMMANDS)
    assert len(COMMANDS) == len(set(COMMANDS))
    assert "No such command" in CliRunner().invoke(app, ["reed"]).output


@pytest.mark.parametrize("names", [["read"], ["operations", "list"], ["firmware", "updates"], ["rollout", "show"]])
def test_a_command_that_asks_the_api_loads_no_service(names: list[str]) -> None:
    program = (
        "import sys; from typer.testing import CliRunner; from flownexus_local.cli import app\n"
        f"assert CliRunner().invoke(app, {[*names, '--help']!r}).exit_code == 0\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
