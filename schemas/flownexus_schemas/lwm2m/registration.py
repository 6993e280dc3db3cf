"""What a device says in Register and Update. Parsed leniently: an error ends the attempts of many a client for good."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from flownexus_schemas.lwm2m.content_format import ContentFormat
from flownexus_schemas.lwm2m.errors import InvalidRegistration, UnsupportedVersion
from flownexus_schemas.lwm2m.link_format import salvage_links
from flownexus_schemas.lwm2m.object_links import ObjectLinks, object_links
from flownexus_schemas.lwm2m.object_model import version_key
from flownexus_schemas.lwm2m.queue_mode import Binding, parse_binding, queue_parameter

DEFAULT_LIFETIME_S = 86400
"""One day: the lifetime where none is stated. LwM2M 1.0.2, 5.3.1."""

MAX_LIFETIME_S = 2**32 - 1
"""136 years: the largest number of the Lifetime resource, and what an infinite lifetime is kept as."""

MAX_ENDPOINT_BYTES = 255
"""A Uri-Query option has at most 255 bytes (RFC 7252, 5.10), an identity that stands in for one is held to the same."""

NEWEST_VERSION = (1, 2)
DEFAULT_VERSION = "1.0"
DEFAULT_BINDING = "U"

_KNOWN = frozenset({"ep", "lt", "lwm2m", "b", "Q", "sms", "pid"})
_MAX_WARNINGS = 20
_INFINITE_SINCE = (1, 2)


@dataclass(frozen=True, slots=True)
class RegisterRequest:
    """A Register. LwM2M Core 1.1.1, 6.2.1.

    `lifetime_s` is 1 to MAX_LIFETIME_S. `binding` has the transports without Q; `queued_by_binding` is whether the Q of
    `queue_mode` was there, as 1.0 has it, and no parameter of its own. `links_text` is the payload as text.
    `attributes` are the queries that LwM2M does not define, by name. `warnings` say what was wrong but taken.
    """

    endpoint: str
    lifetime_s: int
    lwm2m_version: str
    binding: str
    queue_mode: bool
    queued_by_binding: bool
    sms_number: str | None
    links: ObjectLinks
    links_text: str
    attributes: Mapping[str, str | None] = field(hash=False)
    warnings: tuple[str, ...]

    @classmethod
    def parse(
        cls, queries: Sequence[str], payload: bytes, content_format: int | None, *, identity: str | None = None
    ) -> RegisterRequest:
        """Read a Register; `identity` is what DTLS authenticated, the endpoint's name where `ep` is left out.

        Raises InvalidRegistration where it cannot be taken: no name or a bad one, two names, a lifetime that is no
        number or negative, a payload in which nothing is a link, a Profile ID (LwM2M 1.2) in place of one, and its
        subclass UnsupportedVersion for another major version. All else is taken, with warnings: no payload, links
        that cannot be read, repeated parameters (the first counts), minor versions above ours (taken as the nearest),
        binding letters nobody defined.

        A lifetime of 0 is infinite in LwM2M 1.2 (/1/x/1). Before, it has no meaning but comes from clients to which 0
        was written: they keep updating, so it is taken as the default, which keeps them and still ends.
        """
        parameters = _Parameters(queries)
        endpoint = _endpoint(parameters, identity)
        version = _version(parameters)
        stated = parameters.text("b")
        binding = _binding(stated, parameters) if stated is not None else Binding(DEFAULT_BINDING, queue_mode=False)
        lifetime_s = _lifetime(parameters, version)
        if lifetime_s is None:
            parameters.warnings.append(f"no lifetime (lt), {DEFAULT_LIFETIME_S} s assumed")
            lifetime_s = DEFAULT_LIFETIME_S
        by_parameter = queue_parameter(parameters.values.get("Q", ()))
        text = _links_text(payload, content_format, parameters)
        if not text and "pid" in parameters.values:
            raise InvalidRegistration("Profile IDs (pid) are not known here: send the list of objects")
        links = _links(text, parameters)
        if not links.instances:
            parameters.warnings.append("no link is an object" if text else "no list of objects")
        return cls(
            endpoint=endpoint,
            lifetime_s=lifetime_s,
            lwm2m_version=version,
            binding=binding.transports or DEFAULT_BINDING,
            queue_mode=binding.queue_mode or by_parameter,
            queued_by_binding=binding.queue_mode and not by_parameter,
            sms_number=_sms_number(parameters),
            links=links,
            links_text=text,
            attributes=parameters.unknown(),
            warnings=tuple(parameters.warnings[:_MAX_WARNINGS]),
        )


@dataclass(frozen=True, slots=True)
class UpdateRequest:
    """An Update: None wherever the device leaves things as they are. LwM2M Core 1.1.1, 6.2.2.

    `links` replaces the whole list of objects, with `links_text` beside it. `queue_mode` is None unless a Q is there;
    `queued_by_binding` is whether it is in the binding alone.
    """

    lifetime_s: int | None
    binding: str | None
    queue_mode: bool | None
    queued_by_binding: bool
    sms_number: str | None
    links: ObjectLinks | None
    links_text: str | None
    attributes: Mapping[str, str | None] = field(hash=False)
    warnings: tuple[str, ...]

    @classmethod
    def parse(
        cls,
        queries: Sequence[str],
        payload: bytes,
        content_format: int | None,
        *,
        lwm2m_version: str = DEFAULT_VERSION,
    ) -> UpdateRequest:
        """Read an Update of a registration of `lwm2m_version`. Raises InvalidRegistration; rules of RegisterRequest."""
        parameters = _Parameters(queries)
        lifetime_s = _lifetime(parameters, lwm2m_version)
        stated = parameters.text("b")
        binding = _binding(stated, parameters) if stated is not None else None
        by_binding = binding is not None and binding.queue_mode
        by_parameter = queue_parameter(parameters.values["Q"]) if "Q" in parameters.values else None
        text = _links_text(payload, content_format, parameters)
        return cls(
            lifetime_s=lifetime_s,
            binding=binding.transports or DEFAULT_BINDING if binding is not None else None,
            queue_mode=True if by_binding else by_parameter,
            queued_by_binding=by_binding and not by_parameter,
            sms_number=_sms_number(parameters),
            links=_links(text, parameters) if text else None,
            links_text=text or None,
            attributes=parameters.unknown(),
            warnings=tuple(parameters.warnings[:_MAX_WARNINGS]),
        )

    def queue_mode_after(self, current: bool, *, by_binding: bool) -> bool:
        """Whether the device is in queue mode after this Update, given the mode before and where it was stated.

        In 1.0 the binding carries the Q, so one without it ends queue mode; there are clients that go on so in 1.1.
        There queue mode is a parameter of its own, which an Update does not repeat.
        """
        if self.queue_mode is not None:
            return self.queue_mode
        return current and not (by_binding and self.binding is not None)


class _Parameters:
    """The queries of a request, `name=value` or a bare `name`, and the warnings that gather while they are read."""

    def __init__(self, queries: Sequence[str]) -> None:
        self.values: dict[str, list[str | None]] = {}
        self.warnings: list[str] = []
        for query in queries:
            name, equals, value = query.partition("=")
            if not name:
                continue
            if not _is_printable(query):
                if name == "ep":
                    raise InvalidRegistration("the endpoint name (ep) has control characters")
                self.warnings.append(f"{_shown(name)} has control characters, left out")
                continue
            self.values.setdefault(name, []).append(value if equals else None)
        for name, values in self.values.items():
            if len(values) > 1:
                self.warnings.append(f"{_shown(name)} is there {len(values)} times, the first counts")

    def text(self, name: str) -> str | None:
        """The first value; "" for a bare name, None where it is not there."""
        return self.values[name][0] or "" if name in self.values else None

    def unknown(self) -> Mapping[str, str | None]:
        return MappingProxyType({name: values[0] for name, values in self.values.items() if name not in _KNOWN})


def _endpoint(parameters: _Parameters, identity: str | None) -> str:
    names = set(parameters.values.get("ep", ()))
    if len(names) > 1:
        raise InvalidRegistration("there are two endpoint names (ep)")
    endpoint = parameters.text("ep") or identity
    if not endpoint:
        raise InvalidRegistration("the endpoint name (ep) is missing")
    if not _is_printable(endpoint):
        raise InvalidRegistration("the endpoint name has control characters")
    size = len(endpoint.encode())
    if size > MAX_ENDPOINT_BYTES:
        raise InvalidRegistration(f"the endpoint name has {size} bytes, at most {MAX_ENDPOINT_BYTES} are taken")
    return endpoint


def _lifetime(parameters: _Parameters, lwm2m_version: str) -> int | None:
    text = parameters.text("lt")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal()):
        raise InvalidRegistration(f"the lifetime (lt) is {_shown(text)}, not a number of seconds")
    digits = text.lstrip("0")
    if not digits:
        if (version_key(lwm2m_version) or (1, 0)) >= _INFINITE_SINCE:
            return MAX_LIFETIME_S
        parameters.warnings.append(f"a lifetime (lt) of 0, {DEFAULT_LIFETIME_S} s assumed")
        return DEFAULT_LIFETIME_S
    if len(digits) > 10 or int(digits) > MAX_LIFETIME_S:
        parameters.warnings.append(f"a lifetime (lt) above {MAX_LIFETIME_S} s, taken as that")
        return MAX_LIFETIME_S
    return int(digits)


def _version(parameters: _Parameters) -> str:
    text = parameters.text("lwm2m")
    if text is None:
        parameters.warnings.append(f"no LwM2M version (lwm2m), {DEFAULT_VERSION} assumed")
        return DEFAULT_VERSION
    key = version_key(text) or version_key(f"{text}.0")
    if key is None or key[0] != NEWEST_VERSION[0]:
        raise UnsupportedVersion(f"the LwM2M version (lwm2m) is {_shown(text)}; this server speaks 1.0 to 1.2")
    nearest = "{}.{}".format(*min(key, NEWEST_VERSION))
    if nearest != text:
        parameters.warnings.append(f"LwM2M version {_shown(text)} taken as {nearest}")
    return nearest


def _binding(text: str, parameters: _Parameters) -> Binding:
    binding = parse_binding(text)
    if binding.unknown or not binding.transports:
        parameters.warnings.append(f"the binding (b) is {_shown(text)}, taken as {binding.transports or 'U'}")
    return binding


def _sms_number(parameters: _Parameters) -> str | None:
    return parameters.text("sms") or None


def _links_text(payload: bytes, content_format: int | None, parameters: _Parameters) -> str:
    """The payload as text; "" where it is empty or blank."""
    # A NUL is a valid character that PostgreSQL cannot store.
    text = payload.decode(errors="replace").replace("\x00", "\ufffd").strip()
    if text and content_format not in (None, ContentFormat.LINK_FORMAT):
        parameters.warnings.append(f"the list of objects has Content-Format {content_format}, read as 40")
    return text


def _links(text: str, parameters: _Parameters) -> ObjectLinks:
    links, faults = salvage_links(text)
    if faults and not links:
        raise InvalidRegistration(f"the payload is not a list of links: {faults[0]}")
    parameters.warnings.extend(f"a link left out: {fault}" for fault in faults)
    return object_links(links)


def _is_printable(text: str) -> bool:
    """Without control characters, lone surrogates and line separators, none of which belongs in a name."""
    return not any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in text)


def _shown(text: str) -> str:
    return repr(text[:40])
