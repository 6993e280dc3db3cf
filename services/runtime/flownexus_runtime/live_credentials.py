"""Credentials of devices as the KV bucket has them, found by what a device shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import structlog
from pydantic import ValidationError

from flownexus_runtime.sealing import NotOpened, Sealer
from flownexus_schemas.credentials import PskCredential, X509Credential, stored_credential

log = structlog.get_logger(__name__)

AnyCredential = PskCredential | X509Credential
OnChange = Callable[[str], None]
"""Told the id of a credential that is another one now, or gone."""


class LiveCredentials:
    """Changes as the bucket does. An entry that cannot be read counts as none: nobody gets in by it.

    `revision`: the last one that was applied.
    """

    def __init__(self, sealer: Sealer | None) -> None:
        """Without a sealer no key can be read."""
        self._sealer = sealer
        self._by_id: dict[str, AnyCredential] = {}
        self._by_shown: dict[str, dict[str, AnyCredential]] = {}
        self._by_endpoint: dict[str, dict[str, AnyCredential]] = {}
        self._until_used: dict[str, set[str]] = {}
        self._revisions: dict[str, int] = {}
        self.revision = 0
        self.on_changes: list[OnChange] = []

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[AnyCredential]:
        return iter(self._by_id.values())

    def get(self, credential_id: str) -> AnyCredential | None:
        return self._by_id.get(credential_id)

    def revision_of(self, credential_id: str) -> int:
        """Of the entry of a credential as it is known here; 0 where it never was there."""
        return self._revisions.get(credential_id, 0)

    def until_used(self, credential_id: str) -> list[AnyCredential]:
        """Those that the use of this one puts an end to: the one before it, the one before that."""
        found: dict[str, AnyCredential] = {}
        following = [credential_id]
        while following:
            for one in self._until_used.get(following.pop(), ()):
                if one not in found:
                    found[one] = self._by_id[one]
                    following.append(one)
        return list(found.values())

    def has_any(self, endpoint: str) -> bool:
        """Whether an endpoint name has a credential, in whatever state."""
        return endpoint in self._by_endpoint

    def of_endpoint(self, endpoint: str) -> list[AnyCredential]:
        """All of an endpoint name, whatever their state, the newest first."""
        return sorted(self._by_endpoint.get(endpoint, {}).values(), key=_newest_first)

    def of_identity(self, identity: str) -> list[PskCredential]:
        """All with this PSK identity, whatever their state, the newest first."""
        found = [one for one in self._shown(f"psk:{identity}") if isinstance(one, PskCredential)]
        return sorted(found, key=_newest_first)

    def of_subjects(self, subjects: Iterable[str]) -> list[X509Credential]:
        """All that one of these subjects of a certificate matches, whatever their state, the newest first."""
        found = [one for name in subjects for one in self._shown(name) if isinstance(one, X509Credential)]
        return sorted(found, key=_newest_first)

    def key(self, credential: PskCredential) -> bytes:
        """The pre-shared key itself. Raises NotOpened."""
        if self._sealer is None:
            raise NotOpened("FLOWNEXUS_CREDENTIALS_KEY is not set")
        return self._sealer.open(credential.sealed_key, credential.binding)

    def apply(self, key: str, value: bytes | None, revision: int) -> None:
        """Take over an entry of the bucket, unless a newer one of it was."""
        self.revision = max(self.revision, revision)
        if revision < self._revisions.get(key, 0):
            return
        self._revisions[key] = revision
        former, current = self._by_id.get(key), self._read(key, value, revision)
        if former is not None:
            self._remove(former)
        if current is not None:
            self._put(current)
        if former != current:
            for on_change in self.on_changes:
                on_change(key)

    def _put(self, credential: AnyCredential) -> None:
        self._by_id[credential.id] = credential
        self._by_endpoint.setdefault(credential.endpoint, {})[credential.id] = credential
        self._by_shown.setdefault(_shown_by(credential), {})[credential.id] = credential
        if credential.until_used is not None:
            self._until_used.setdefault(credential.until_used, set()).add(credential.id)

    def _remove(self, credential: AnyCredential) -> None:
        del self._by_id[credential.id]
        del self._by_endpoint[credential.endpoint][credential.id]
        if not self._by_endpoint[credential.endpoint]:
            del self._by_endpoint[credential.endpoint]
        names = self._by_shown[_shown_by(credential)]
        del names[credential.id]
        if not names:
            del self._by_shown[_shown_by(credential)]
        if credential.until_used is not None:
            waiting = self._until_used[credential.until_used]
            waiting.remove(credential.id)
            if not waiting:
                del self._until_used[credential.until_used]

    def _shown(self, name: str) -> Iterable[AnyCredential]:
        return self._by_shown.get(name, {}).values()

    @staticmethod
    def _read(key: str, value: bytes | None, revision: int) -> AnyCredential | None:
        if value is None:
            return None
        try:
            credential = stored_credential.validate_json(value)
        except ValidationError as error:
            # Without the input: it may hold a key.
            reason = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            log.error("credential.unreadable", key=key, revision=revision, error=reason)
            return None
        if credential.id != key:
            log.error("credential.unreadable", key=key, revision=revision, error="the entry is that of another id")
            return None
        return credential


def _shown_by(credential: AnyCredential) -> str:
    """What a device shows that has it; kinds of subjects and `psk` are different words."""
    return f"psk:{credential.identity}" if isinstance(credential, PskCredential) else credential.subject


def _newest_first(credential: AnyCredential) -> tuple[float, str]:
    return -credential.created_at, credential.id
