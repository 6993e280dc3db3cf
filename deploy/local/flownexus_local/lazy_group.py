"""Commands whose modules are loaded when they are run: `flownexus read` needs neither the services nor the database."""

from __future__ import annotations

from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup


class LazyGroup(TyperGroup):
    """A group with further commands, each named with the Typer application that has it, as 'module:attribute'.

    `lazy_groups` are applications as a whole, `lazy_commands` the command of that name in one. A list of all of them
    with what they do (`--help`) loads all of them.
    """

    lazy_groups: ClassVar[dict[str, str]]
    lazy_commands: ClassVar[dict[str, str]]

    def list_commands(self, ctx: Any) -> list[str]:
        """All names, those that are loaded already first."""
        return [*super().list_commands(ctx), *self.lazy_commands, *self.lazy_groups]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, loaded now where it is one of the lazy ones; None where there is none."""
        if cmd_name in self.lazy_groups:
            group = _load(self.lazy_groups[cmd_name])
            group.name = cmd_name
            return group
        if cmd_name in self.lazy_commands:
            return _load(self.lazy_commands[cmd_name]).commands[cmd_name]
        return super().get_command(ctx, cmd_name)


def _load(place: str) -> Any:
    module, attribute = place.split(":")
    application: typer.Typer = getattr(import_module(module), attribute)
    return typer.main.get_group(application)
