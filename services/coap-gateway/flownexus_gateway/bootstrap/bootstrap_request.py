"""What a device says in Bootstrap-Request and Bootstrap-Pack-Request. Sans-IO. LwM2M Core 1.1.1, 6.1.7.1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from flownexus_gateway.bootstrap.writing import INSTANCE_FORMATS
from flownexus_gateway.errors import InvalidBootstrapRequest
from flownexus_schemas import subjects
from flownexus_schemas.lwm2m.errors import UnsupportedContentFormat


class BootstrapRequest(NamedTuple):
    """Who asks, and the Content-Format that it prefers to be written in; None where it states none, as in 1.0."""

    endpoint: str
    preferred_format: int | None

    @classmethod
    def parse(cls, queries: Sequence[str], identity: str | None) -> BootstrapRequest:
        """`identity`: the endpoint that DTLS authenticated, whose name may be left out since LwM2M 1.1.

        Raises InvalidBootstrapRequest, InvalidName; UnsupportedContentFormat for one that we cannot write in.
        """
        stated = dict(query.partition("=")[::2] for query in reversed(queries))
        endpoint = stated.get("ep") or identity
        if endpoint is None:
            raise InvalidBootstrapRequest("ep is missing: the name of the endpoint")
        subjects.endpoint_token(endpoint)
        preferred = stated.get("pct")
        if preferred is None:
            return cls(endpoint, None)
        if not (preferred.isascii() and preferred.isdecimal() and len(preferred) <= 5):
            raise InvalidBootstrapRequest(f"pct is the number of a Content-Format, not {preferred[:20]!r}")
        if int(preferred) not in INSTANCE_FORMATS:
            raise UnsupportedContentFormat(f"pct: Content-Format {preferred} cannot carry object instances here")
        return cls(endpoint, int(preferred))
