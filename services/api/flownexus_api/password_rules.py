"""Which passwords may be chosen. ASVS 5.0, V6.2: long ones, no rules of composition, none that is easily guessed."""

from __future__ import annotations

from threading import Lock

from zxcvbn import zxcvbn

from flownexus_schemas.errors import InvalidRequest

MIN_LENGTH = 15
"""What ASVS 6.2.1 recommends, as no second factor stands beside it."""

MAX_LENGTH = 1024
LEAST_GUESSES = 1e8
EXAMINED = 72
"""Characters that zxcvbn looks at; more only make a password better."""

OUR_WORDS = ("flownexus", "flow", "nexus", "lwm2m", "administrator", "operator", "viewer")

_one_at_a_time = Lock()
"""zxcvbn keeps the words of a call in a module."""


def check(password: str, name: str) -> None:
    """Raises InvalidRequest for a password that this user may not choose. Blocks for some milliseconds.

    zxcvbn knows 30,000 common passwords, names and words, and sees repeats, sequences and rows of keys.
    """
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise InvalidRequest(
            f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters; four or five words make a good one."
        )
    with _one_at_a_time:
        guesses = zxcvbn(password[:EXAMINED], [name, *OUR_WORDS])["guesses"]
    if guesses < LEAST_GUESSES:
        raise InvalidRequest(
            "This password is easily guessed: it is common, or made of repeats, rows of keys or the user's name. "
            "Take words that have nothing to do with each other."
        )
