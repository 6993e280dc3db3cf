"""What stops a command, said so that its user knows what to do. Each ends as one message and an exit code."""

from __future__ import annotations


class CannotRun(Exception):
    """The command cannot do its work here until the user changes something; the text says what."""
