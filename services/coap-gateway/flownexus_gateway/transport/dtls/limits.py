"""How much may be under way before a device is authenticated. Sans-IO."""

from __future__ import annotations

import ipaddress
from collections import Counter

MAX_HANDSHAKES = 1000
"""Each has some 80 KiB of OpenSSL's until its device has shown its key, or HANDSHAKE_S is over."""

MAX_HANDSHAKES_OF_A_HOST = 200
"""Many devices can stand behind one address."""

HANDSHAKE_S = 60.0
"""From the ClientHello with its cookie to the first record of data; retransmissions on a slow radio take their time."""

MAX_ASSOCIATIONS_OF_A_DEVICE = 4
"""A firmware download has a socket, and so a session, of its own; a device that lost its session makes another."""

_IPV6_NETWORK_BITS = 64


class Places:
    """Places for handshakes, in all and by host."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()
        self._all = 0

    def take(self, host: str) -> bool:
        """Whether there is a place; if so it is taken."""
        network = _network(host)
        if self._all >= MAX_HANDSHAKES or self._taken[network] >= MAX_HANDSHAKES_OF_A_HOST:
            return False
        self._taken[network] += 1
        self._all += 1
        return True

    def give_back(self, host: str) -> None:
        network = _network(host)
        self._all -= 1
        self._taken[network] -= 1
        if not self._taken[network]:
            del self._taken[network]


def _network(host: str) -> str:
    """The address, or the network of 64 bits of an IPv6 address, as one subscriber has all of that."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if address.version == 4:
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _IPV6_NETWORK_BITS), strict=False))
