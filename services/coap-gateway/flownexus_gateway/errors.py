"""Errors to CoAP codes, once. LwM2M Core 1.1.1, table 6.2.7-1 and 6.4.6-1; RFC 7252, 12.1.2."""

from __future__ import annotations

from flownexus_gateway.transport.datagram import Option, uint
from flownexus_runtime.firmware_links import LinkExpired, LinkRefused
from flownexus_schemas.errors import FlowNexusError, InvalidName, NotFound, PeerError, Unavailable
from flownexus_schemas.lwm2m.errors import InvalidRegistration, Lwm2mError, UnsupportedContentFormat, UnsupportedVersion

CREATED = 0x41
DELETED = 0x42
CHANGED = 0x44
CONTENT = 0x45
CONTINUE = 0x5F
BAD_REQUEST = 0x80
BAD_OPTION = 0x82
FORBIDDEN = 0x83
NOT_FOUND = 0x84
METHOD_NOT_ALLOWED = 0x85
REQUEST_ENTITY_INCOMPLETE = 0x88
NOT_ACCEPTABLE = 0x86
PRECONDITION_FAILED = 0x8C
REQUEST_ENTITY_TOO_LARGE = 0x8D
UNSUPPORTED_CONTENT_FORMAT = 0x8F
NOT_IMPLEMENTED = 0xA1
SERVICE_UNAVAILABLE = 0xA3


class MethodNotAllowed(PeerError):
    """The path is ours, the method is not its."""


class BadOption(PeerError):
    """A critical option that is not known here. RFC 7252, 5.4.1."""


class Forbidden(PeerError):
    """The name or the registration is that of another device. LwM2M Core 1.1.1, table 6.2.1.-2."""


class NoSuchBlock(PeerError):
    """A block after the end, or of a size that there is not. RFC 7959, 2.2."""


class BlockMissing(PeerError):
    """A block without those before it. RFC 7959, 2.9.2."""


class TooLarge(PeerError):
    """More than is taken in one request. RFC 7959, 2.9.3."""


class InvalidBootstrapRequest(PeerError):
    """It names no endpoint, or one that nobody said anything of. LwM2M Core 1.1.1, table 6.1.7.1."""


class NotAcceptable(PeerError):
    """It asks for an answer in a Content-Format that we do not write it in. RFC 7252, 5.8.1."""


class NotPossible(FlowNexusError):
    """What it asks for cannot be had in this way; there is another. LwM2M Core 1.2, table 6.1.7.7."""


class Overloaded(Unavailable):
    """More is under way than is taken, and the client is known to come back. RFC 7252, 5.9.3.4."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


_CODES: tuple[tuple[type[Exception], int | None], ...] = (
    (Overloaded, SERVICE_UNAVAILABLE),
    # The device sends it again, and some give up for good on an error.
    (Unavailable, None),
    (UnsupportedVersion, PRECONDITION_FAILED),
    (InvalidRegistration, BAD_REQUEST),
    (UnsupportedContentFormat, UNSUPPORTED_CONTENT_FORMAT),
    (Lwm2mError, BAD_REQUEST),
    (Forbidden, FORBIDDEN),
    (LinkRefused, FORBIDDEN),
    (LinkExpired, FORBIDDEN),
    (NotFound, NOT_FOUND),
    (MethodNotAllowed, METHOD_NOT_ALLOWED),
    (BadOption, BAD_OPTION),
    (NoSuchBlock, BAD_REQUEST),
    (BlockMissing, REQUEST_ENTITY_INCOMPLETE),
    (TooLarge, REQUEST_ENTITY_TOO_LARGE),
    (InvalidName, BAD_REQUEST),
    (InvalidBootstrapRequest, BAD_REQUEST),
    (NotAcceptable, NOT_ACCEPTABLE),
    (NotPossible, NOT_IMPLEMENTED),
)

ANSWERED = (FlowNexusError, Lwm2mError)
"""What a handler raises to be answered. Anything else is a bug."""


def options_of(error: Exception) -> tuple[tuple[int, bytes], ...]:
    """The options of the answer: Max-Age says when to come back."""
    return ((Option.MAX_AGE, uint(error.retry_after_s)),) if isinstance(error, Overloaded) else ()


def code_of(error: Exception) -> int | None:
    """The code to answer with; None is silence."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    raise error
