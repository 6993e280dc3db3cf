"""What a link to firmware begins with, by the device's way to us."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from flownexus_gateway.firmware_addresses import FirmwareAddresses
from flownexus_gateway.settings import GatewaySettings
from flownexus_schemas.errors import InvalidRequest

PORTS = {"coap": 5683}


def test_a_device_is_given_the_address_that_it_uses() -> None:
    addresses = FirmwareAddresses(PORTS)
    assert addresses.base("coap", "192.0.2.7") == "coap://192.0.2.7:5683"
    assert addresses.base("coap", "2001:db8::7") == "coap://[2001:db8::7]:5683"


def test_a_setting_for_one_scheme_is_for_that_one_alone() -> None:
    both = {"coap": 5683, "coaps": 5684}
    assert FirmwareAddresses(both, "coap://a").base("coaps", "192.0.2.7") == "coaps://192.0.2.7:5684"
    assert FirmwareAddresses(both, coaps_url="coaps://a").base("coap", "192.0.2.7") == "coap://192.0.2.7:5683"


def test_a_setting_is_used_in_place_of_it() -> None:
    addresses = FirmwareAddresses(
        PORTS, "coap://devices.example.org", "https://devices.example.org/firmware", "coaps://devices.example.org:5690"
    )
    assert addresses.base("coap", "172.17.0.2") == "coap://devices.example.org"
    assert addresses.base("coaps", "172.17.0.2") == "coaps://devices.example.org:5690"
    assert addresses.base("https", "172.17.0.2") == "https://devices.example.org/firmware"


@pytest.mark.parametrize(
    ("http_url", "local_host", "base"),
    [
        ("http://0.0.0.0:8000", "192.0.2.7", "http://192.0.2.7:8000"),
        ("http://[::]:8000", "2001:db8::7", "http://[2001:db8::7]:8000"),
        ("http://127.0.0.1:8000", "127.0.0.1", "http://127.0.0.1:8000"),
        ("http://192.0.2.9:8000", "192.0.2.7", "http://192.0.2.9:8000"),
    ],
)
def test_an_api_that_listens_everywhere_is_at_the_address_that_the_device_uses(
    http_url: str, local_host: str, base: str
) -> None:
    assert FirmwareAddresses(PORTS, http_url=http_url).base("http", local_host) == base


@pytest.mark.parametrize(
    ("scheme", "http_url", "says"),
    [
        ("coaps", None, "serves no coaps"),
        ("http", None, "FLOWNEXUS_FIRMWARE_HTTP_URL"),
        ("https", "http://192.0.2.9", "offer http"),
        ("http", "http://127.0.0.1:8000", "this machine alone"),
        ("http", "http://localhost:8000", "this machine alone"),
    ],
)
def test_a_way_that_the_device_does_not_have_is_refused(scheme: str, http_url: str | None, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        FirmwareAddresses(PORTS, http_url=http_url).base(scheme, "192.0.2.7")


@pytest.mark.parametrize("url", ["ftp://a", "coap://", "devices.example.org", "coap://a?b=c", "coaps://a"])
def test_a_setting_that_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="such as coap://host:port"):
        GatewaySettings(nats_url="nats://a:a-word-of-the-tests@b", firmware_coap_url=url)
    with pytest.raises(ValidationError, match="such as coaps://host:port"):
        GatewaySettings(nats_url="nats://a:a-word-of-the-tests@b", firmware_coaps_url=url.replace("coaps", "coap"))


def test_an_empty_setting_is_none() -> None:
    settings = GatewaySettings(
        nats_url="nats://a:a-word-of-the-tests@b", firmware_coap_url="", firmware_http_url="http://a/"
    )
    assert (settings.firmware_coap_url, settings.firmware_http_url) == (None, "http://a")
