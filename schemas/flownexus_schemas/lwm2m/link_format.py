"""CoRE links: what a device lists at registration and answers to Discover. RFC 6690."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from flownexus_schemas.lwm2m.errors import InvalidLink

# Between "<" and ">"; a URI reference holds no space and no control character (RFC 3986).
_TARGET = re.compile(r"<([^<>\s\x00-\x1f\x7f]*)>")
# RFC 6690 parmname; "*" ends the names of extended values, as in title*=UTF-8'de'...
_NAME = re.compile(r"[A-Za-z0-9!#$&+.^_`|~-]+\*?")
# Wider than RFC 6690 ptoken: whatever cannot be mistaken for a separator.
_TOKEN = re.compile(r"[^\s\",;\\\x00-\x1f\x7f]+")
_QUOTED = re.compile(r'"((?:[^"\\\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\\[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f])*)"')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_PTOKEN = re.compile(r"[A-Za-z0-9!#$%&'()*+./:<=>?@\[\]^_`{|}~-]+")
_SPACE = re.compile(r"[ \t\r\n]*")
_NEXT_LINK = re.compile(r",[ \t\r\n]*(?=<)")
# RFC 6690 gives these a quoted string, whatever is in them.
_ALWAYS_QUOTED = frozenset({"rt", "if", "rel", "rev", "title", "anchor"})


@dataclass(frozen=True, slots=True)
class Link:
    """One link: its target and its attributes in order, a None value for an attribute without one."""

    target: str
    attributes: tuple[tuple[str, str | None], ...] = ()

    def get(self, name: str) -> str | None:
        """The value of the first attribute of this name; None where there is none or it has no value."""
        return next((value for key, value in self.attributes if key == name), None)

    def has(self, name: str) -> bool:
        return any(key == name for key, _ in self.attributes)


def parse_links(text: str) -> list[Link]:
    """Read `</3/0>;ver="1.1";pmin=10,</5>`; the empty text has no links. Raises InvalidLink with the position.

    White space around separators and surplus commas are taken. Quoted and bare values are the same. RFC 6690, 2.
    """
    links = []
    position = _skip_separators(text, 0)
    while position < len(text):
        link, position = _read_link(text, position)
        links.append(link)
        position = _skip_separators(text, position)
    return links


def salvage_links(text: str) -> tuple[list[Link], list[str]]:
    """As `parse_links`, but a link that cannot be read is left out and described. Raises nothing."""
    links: list[Link] = []
    faults: list[str] = []
    position = _skip_separators(text, 0)
    while position < len(text):
        try:
            link, position = _read_link(text, position)
            links.append(link)
        except InvalidLink as fault:
            faults.append(str(fault))
            following = _NEXT_LINK.search(text, position)
            position = following.end() if following else len(text)
        position = _skip_separators(text, position)
    return links, faults


def format_links(links: Iterable[Link]) -> str:
    """The inverse of `parse_links`. Raises InvalidLink for what no link can carry, such as a control character."""
    return ",".join(_format_link(link) for link in links)


def _format_link(link: Link) -> str:
    if not _TARGET.fullmatch(f"<{link.target}>"):
        raise InvalidLink(f"{link.target[:40]!r} cannot be the target of a link")
    parts = [f"<{link.target}>"]
    for name, value in link.attributes:
        if not _NAME.fullmatch(name):
            raise InvalidLink(f"{name[:40]!r} cannot be the name of an attribute")
        if value is None:
            parts.append(name)
        elif name not in _ALWAYS_QUOTED and _PTOKEN.fullmatch(value):
            parts.append(f"{name}={value}")
        else:
            quoted = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
            if not _QUOTED.fullmatch(quoted):
                raise InvalidLink(f"{value[:40]!r} cannot be the value of an attribute")
            parts.append(f"{name}={quoted}")
    return ";".join(parts)


def _read_link(text: str, position: int) -> tuple[Link, int]:
    """The link at `position`, which is neither space nor comma, and where the text goes on: at "," or the end."""
    match = _TARGET.match(text, position)
    if match is None:
        raise _invalid("a link begins with <target>", text, position)
    target = match[1]
    attributes: list[tuple[str, str | None]] = []
    position = _skip_space(text, match.end())
    while position < len(text) and text[position] != ",":
        if text[position] != ";":
            raise _invalid("',' or ';' belongs here", text, position)
        position = _skip_space(text, position + 1)
        if position == len(text) or text[position] in ";,":
            continue  # a surplus semicolon
        match = _NAME.match(text, position)
        if match is None:
            raise _invalid("the name of an attribute belongs here", text, position)
        name = match[0]
        position = _skip_space(text, match.end())
        value: str | None = None
        if position < len(text) and text[position] == "=":
            value, position = _read_value(text, _skip_space(text, position + 1))
            position = _skip_space(text, position)
        attributes.append((name, value))
    return Link(target, tuple(attributes)), position


def _read_value(text: str, position: int) -> tuple[str, int]:
    if text.startswith('"', position):
        match = _QUOTED.match(text, position)
        if match is None:
            raise _invalid("a quoted value has no end, or has control characters", text, position)
        return _ESCAPED.sub(r"\1", match[1]), match.end()
    match = _TOKEN.match(text, position)
    if match is None:
        raise _invalid("the value of an attribute belongs here", text, position)
    return match[0], match.end()


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    assert match is not None  # matches the empty text
    return match.end()


def _skip_separators(text: str, position: int) -> int:
    position = _skip_space(text, position)
    while text.startswith(",", position):
        position = _skip_space(text, position + 1)
    return position


def _invalid(reason: str, text: str, position: int) -> InvalidLink:
    return InvalidLink(f"{reason}: character {position}, {text[position : position + 20]!r}")
