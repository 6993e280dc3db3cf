"""How the image can be brought to a device: by what it says of itself (5/0/8, 5/0/9), and by what was asked for."""

from __future__ import annotations

from flownexus_schemas.firmware.update import FirmwareUpdate, Method, Scheme, Way

_PROTOCOLS = {0: "coap", 1: "coaps", 2: "http", 3: "https"}
"""5/0/8. 4 and 5, CoAP over TCP and TLS, are not served."""

PULL_ONLY, PUSH_ONLY = 0, 1
"""5/0/9; 2 is both, and so is a device that does not say."""

_SECURE = (Scheme.COAPS, Scheme.COAP, Scheme.HTTPS, Scheme.HTTP)
_PLAIN = (Scheme.COAP, Scheme.HTTPS, Scheme.HTTP)


def ways(update: FirmwareUpdate, *, secure: bool) -> list[Way]:
    """Those that are left, the best first. Without `secure`, a device that came by DTLS, there is no coaps."""
    found: list[Way] = []
    if update.method is not Method.PUSH and update.device.delivery != PUSH_ONLY:
        known = _schemes_of(update)
        wanted = [
            one for one in (_SECURE if secure else _PLAIN) if one in known and update.scheme in {Scheme.AUTO, one}
        ]
        found.extend(Way.model_validate({"method": "pull", "scheme": scheme}) for scheme in wanted)
    if update.method is not Method.PULL and update.scheme is Scheme.AUTO and update.device.delivery != PULL_ONLY:
        found.append(Way(method="push"))
    return [way for way in found if way not in update.ways_refused]


def no_way(update: FirmwareUpdate, *, secure: bool) -> str:
    """Why there is none, as a sentence."""
    delivery = update.device.delivery
    if update.ways_refused:
        return f"No way is left to bring it to the device; tried: {', '.join(map(str, update.ways_refused))}."
    if delivery == PUSH_ONLY and (update.method is Method.PULL or update.scheme is not Scheme.AUTO):
        return "The device takes images by push only (5/0/9 is 1), and it was to fetch this one."
    if delivery == PULL_ONLY and update.method is Method.PUSH:
        return "The device takes images by pull only (5/0/9 is 0), and this one was to be pushed."
    if update.scheme is Scheme.COAPS and not secure and Scheme.COAPS in _schemes_of(update):
        return "The device did not come by DTLS: it cannot fetch the image by coaps."
    wanted = "a protocol that is served here" if update.scheme is Scheme.AUTO else update.scheme
    spoken = ", ".join(sorted(_schemes_of(update))) or "none of coap, coaps, http and https"
    return f"The device does not fetch images by {wanted}: it speaks {spoken} (5/0/8)."


def _schemes_of(update: FirmwareUpdate) -> frozenset[str]:
    """CoAP where the device does not say. LwM2M Core 1.1.1, E.6."""
    stated = update.device.protocols
    if not stated:
        return frozenset({"coap", "coaps"})
    return frozenset(name for number, name in _PROTOCOLS.items() if number in stated)
