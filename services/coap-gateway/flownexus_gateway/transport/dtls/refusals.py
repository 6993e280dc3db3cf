"""Why a device does not get in: one word each, for the log and the metrics."""

from __future__ import annotations

from enum import StrEnum


class Refusal(StrEnum):
    """What a handshake, or a session after it, ended by."""

    UNKNOWN_IDENTITY = "unknown-identity"
    WRONG_KEY = "wrong-key"
    EXPIRED = "expired"
    REVOKED = "revoked"
    NOT_YET_VALID = "not-yet-valid"
    KEY_NOT_OPENED = "key-not-opened"
    UNTRUSTED = "untrusted-certificate"
    UNKNOWN_CERTIFICATE = "unknown-certificate"
    CERTIFICATE_EXPIRED = "certificate-expired"
    WEAK_CERTIFICATE = "weak-certificate"
    NO_CERTIFICATE = "no-certificate"
    NO_COMMON_SUITE = "no-common-suite"
    UNSUPPORTED_VERSION = "unsupported-version"
    SESSION_UNKNOWN = "session-unknown"
    BY_DEVICE = "refused-by-device"
    TIMED_OUT = "timed-out"
    BROKEN = "broken-handshake"
    TOO_MANY = "too-many-handshakes"


class Refused(Exception):
    """Nobody gets in by this. `who`: what the device showed."""

    def __init__(self, reason: Refusal, who: str) -> None:
        super().__init__(f"{reason}: {who}")
        self.reason, self.who = reason, who
