"""Where a device reaches this gateway and the api: what a link to a firmware image begins with. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from flownexus_schemas.errors import InvalidRequest


def base_url(text: str, schemes: Collection[str]) -> str:
    """The address of a server as a link begins with it. Raises ValueError: another scheme, no host, a query."""
    parts = urlsplit(text)
    if parts.scheme not in schemes or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"give an address such as {min(schemes)}://host:port")
    return text.rstrip("/")


@dataclass(frozen=True)
class FirmwareAddresses:
    """`ports` are those that this gateway listens on, by scheme; the URLs are the settings where they are given."""

    ports: Mapping[str, int]
    coap_url: str | None = None
    http_url: str | None = None
    coaps_url: str | None = None

    def base(self, scheme: str, local_host: str) -> str:
        """For a device that reaches this machine at `local_host`. Raises InvalidRequest where it has no such way."""
        if scheme in {"http", "https"}:
            return self._http(scheme, local_host)
        stated = self.coaps_url if scheme == "coaps" else self.coap_url
        if stated is not None:
            return stated
        if scheme not in self.ports:
            raise InvalidRequest(f"this gateway serves no {scheme}: offer another scheme")
        return f"{scheme}://{_in_url(local_host)}:{self.ports[scheme]}"

    def _http(self, scheme: str, local_host: str) -> str:
        if self.http_url is None:
            raise InvalidRequest("no link by HTTP can be made: set FLOWNEXUS_FIRMWARE_HTTP_URL of the gateway")
        parts = urlsplit(self.http_url)
        if parts.scheme != scheme:
            raise InvalidRequest(f"devices reach the api by {parts.scheme}, not by {scheme}: offer {parts.scheme}")
        host = parts.hostname or ""
        if _is(host, "is_loopback") and not _is(local_host, "is_loopback"):
            raise InvalidRequest(
                f"the api listens for this machine alone ({self.http_url}), and the device is on another: set "
                "FLOWNEXUS_FIRMWARE_HTTP_URL of the gateway, or start the api with an address for all"
            )
        if not _is(host, "is_unspecified"):
            return self.http_url
        port = "" if parts.port is None else f":{parts.port}"
        return f"{scheme}://{_in_url(local_host)}{port}{parts.path}"


def _is(host: str, what: str) -> bool:
    try:
        return bool(getattr(ip_address(host), what))
    except ValueError:
        return what == "is_loopback" and host == "localhost"


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
