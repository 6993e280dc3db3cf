"""Who a device is: by its pre-shared key, its certificate, or an earlier session; and whether that still counts."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from typing import NamedTuple, TypeVar

from cryptography import x509

from flownexus_gateway.transport.dtls.certificate_names import NamedBy, endpoint_of, subjects_of
from flownexus_gateway.transport.dtls.refusals import Refusal, Refused
from flownexus_runtime.live_credentials import AnyCredential, LiveCredentials
from flownexus_runtime.sealing import NotOpened
from flownexus_schemas import subjects
from flownexus_schemas.credentials import CredentialState
from flownexus_schemas.errors import InvalidName

MAX_RESUMABLE = 20_480
"""Sessions whose device is remembered; OpenSSL keeps as many."""

Found = TypeVar("Found", bound=AnyCredential)

_REFUSALS = {
    CredentialState.REVOKED: Refusal.REVOKED,
    CredentialState.EXPIRED: Refusal.EXPIRED,
    CredentialState.PENDING: Refusal.NOT_YET_VALID,
}


class Identity(NamedTuple):
    """An authenticated device. `name` as it is shown: `psk:...` or `x509:...`. `credential_id` is empty where the
    certificate itself gives the name. `subjects`: those of the certificate, by which it can be revoked.
    """

    name: str
    endpoint: str
    credential_id: str
    subjects: tuple[str, ...] = ()


class Authentication:
    """By the credentials as they are at the moment. Times in Unix seconds."""

    def __init__(self, credentials: LiveCredentials, named_by: NamedBy) -> None:
        self._credentials, self._named_by = credentials, named_by
        self._next_key: dict[str, int] = {}
        self._resumable: dict[bytes, Identity] = {}

    def psk(self, identity: bytes, now: float) -> tuple[bytes, Identity]:
        """The key to try for a PSK identity, and whose it is. Raises Refused."""
        try:
            text = identity.decode()
        except UnicodeDecodeError:
            raise Refused(Refusal.UNKNOWN_IDENTITY, repr(identity)) from None
        active = self._active(self._credentials.of_identity(text), Refusal.UNKNOWN_IDENTITY, f"psk:{text}", now)
        # Only one of several can be tried at a time: the other ones at the next handshakes.
        credential = active[self._next_key.get(text, 0) % len(active)]
        try:
            key = self._credentials.key(credential)
        except NotOpened as error:
            raise Refused(Refusal.KEY_NOT_OPENED, f"psk:{text} ({error})") from error
        return key, Identity(f"psk:{text}", credential.endpoint, credential.id)

    def psk_failed(self, identity: Identity) -> None:
        """The device has another key than the one that was tried."""
        text = identity.name.removeprefix("psk:")
        if len(self._credentials.of_identity(text)) > 1:
            self._next_key[text] = self._next_key.get(text, 0) + 1

    def is_pinned(self, certificate: x509.Certificate, now: float) -> bool:
        """Whether a credential names this very certificate, so that it needs no CA."""
        found = self._credentials.of_subjects(subjects_of(certificate)[:1])
        return any(credential.state(now) is CredentialState.ACTIVE for credential in found)

    def certificate(self, certificate: x509.Certificate, now: float) -> Identity:
        """Whose certificate it is, which OpenSSL found in order. Raises Refused."""
        names = subjects_of(certificate)
        shown = f"x509:{_shown(names)}"
        refusal = self._revoked(names, now)
        if refusal is not None:
            raise Refused(refusal, shown)
        found = self._credentials.of_subjects(names)
        own_name = endpoint_of(names, self._named_by)
        if not found and own_name is not None:
            try:
                subjects.endpoint_token(own_name)
            except InvalidName:
                raise Refused(Refusal.UNKNOWN_CERTIFICATE, shown) from None
            return Identity(shown, own_name, "", names)
        credential = self._active(found, Refusal.UNKNOWN_CERTIFICATE, shown, now)[0]
        return Identity(shown, credential.endpoint, credential.id, names)

    def remember(self, master_secret: bytes, identity: Identity) -> None:
        """A session that the device may resume."""
        key = hashlib.sha256(master_secret).digest()
        self._resumable.pop(key, None)
        self._resumable[key] = identity
        if len(self._resumable) > MAX_RESUMABLE:
            del self._resumable[next(iter(self._resumable))]

    def resumed(self, master_secret: bytes, now: float) -> Identity:
        """Whose session it was. Raises Refused, also where its credential does not count any more."""
        identity = self._resumable.get(hashlib.sha256(master_secret).digest())
        if identity is None:
            raise Refused(Refusal.SESSION_UNKNOWN, "a session of a device that is not known any more")
        refusal = self.standing(identity, now)
        if refusal is not None:
            raise Refused(refusal, identity.name)
        return identity

    def standing(self, identity: Identity, now: float) -> Refusal | None:
        """Why a device does not count as this any more; None where it does."""
        refusal = self._revoked(identity.subjects, now)
        if refusal is not None or not identity.credential_id:
            return refusal
        credential = self._credentials.get(identity.credential_id)
        if credential is None or credential.endpoint != identity.endpoint:
            return Refusal.REVOKED
        return _REFUSALS.get(credential.state(now))

    def ends_at(self, identity: Identity) -> float:
        """When the credential ends by itself, Unix seconds; infinite where it does not."""
        credential = self._credentials.get(identity.credential_id)
        return math.inf if credential is None or credential.expires_at is None else credential.expires_at

    def _revoked(self, names: Iterable[str], now: float) -> Refusal | None:
        """Whether one of the names has credentials that were revoked, and no other that counts."""
        for name in names:
            states = {credential.state(now) for credential in self._credentials.of_subjects([name])}
            if CredentialState.REVOKED in states and CredentialState.ACTIVE not in states:
                return Refusal.REVOKED
        return None

    @staticmethod
    def _active(found: list[Found], none: Refusal, shown: str, now: float) -> list[Found]:
        """Those that count now. Raises Refused: `none` where there are none at all, else what holds for the newest."""
        active = [credential for credential in found if credential.state(now) is CredentialState.ACTIVE]
        if not active:
            raise Refused(_REFUSALS[found[0].state(now)] if found else none, shown)
        return active


def _shown(names: tuple[str, ...]) -> str:
    """The common name where there is one, as people know it."""
    return names[-1].partition(":")[2] if names[-1].startswith("cn:") else names[0]
