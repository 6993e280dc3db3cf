"""What changes in the bucket of credentials by what is asked, on those that there are.

No I/O; times in Unix seconds.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from flownexus_api.credential_requests import NewPskCredential, NewX509Credential, Rotation
from flownexus_runtime.live_credentials import AnyCredential, LiveCredentials
from flownexus_runtime.sealing import NotOpened, Sealer
from flownexus_schemas.credentials import (
    CredentialState,
    PskCredential,
    X509Credential,
    key_binding,
    pre_shared_key,
)
from flownexus_schemas.errors import Conflict, InvalidRequest, NotFound, Unavailable

ID_BYTES = 8
MADE_KEY_BYTES = 16
"""Of a key that is made here: as many as the cipher has. RFC 7925, 4.2."""

_ENDED = frozenset({CredentialState.EXPIRED, CredentialState.REVOKED})


class Change(NamedTuple):
    """An entry of the bucket as it is to be; None to take it away."""

    id: str
    credential: AnyCredential | None


class Made(NamedTuple):
    """A new credential, and its key in hex where it was made here."""

    credential: AnyCredential
    key: str | None


def make(asked: NewPskCredential | NewX509Credential, sealer: Sealer | None, now: float) -> Made:
    """The credential that is asked for. Raises InvalidRequest, Unavailable where keys cannot be sealed."""
    expires_at = unix(asked.expires_at)
    if expires_at is not None and expires_at <= now:
        raise InvalidRequest("expires_at: it is past; a credential that counts ends later.")
    made_id, times = secrets.token_hex(ID_BYTES), {"not_before": unix(asked.not_before), "expires_at": expires_at}
    if isinstance(asked, NewX509Credential):
        revoked_at = now if asked.revoked else None
        return Made(
            X509Credential(
                id=made_id, endpoint=asked.endpoint, subject=asked.subject, created_at=now, revoked_at=revoked_at,
                **times,
            ),
            None,
        )  # fmt: skip
    key = secrets.token_hex(MADE_KEY_BYTES) if asked.key is None else asked.key.get_secret_value()
    identity = asked.shown_identity
    sealed = required(sealer).seal(pre_shared_key(key), key_binding(made_id, asked.endpoint, identity))
    made = PskCredential(
        id=made_id, endpoint=asked.endpoint, identity=identity, sealed_key=sealed, created_at=now, **times
    )
    return Made(made, key if asked.key is None else None)


def add(live: LiveCredentials, made: Iterable[AnyCredential], now: float) -> Sequence[Change]:
    """Beside those that there are. Raises Conflict where what a device shows would name two."""
    changes = []
    for credential in made:
        other = shown_by_another(live, credential, now)
        if other is not None:
            raise Conflict(taken(credential, other))
        changes.append(Change(credential.id, credential))
    return changes


def next_of(live: LiveCredentials, former_id: str, asked: Rotation, sealer: Sealer | None, now: float) -> Made:
    """The credential that is to follow. Raises NotFound, InvalidRequest, Unavailable."""
    former = find(live, former_id)
    if asked.until is not None and asked.until.timestamp() <= now:
        raise InvalidRequest("until: it is past; revoke the former one to end it at once.")
    if isinstance(former, PskCredential):
        if asked.subject is not None:
            raise InvalidRequest("subject: this one is a key, and is followed by a key.")
        identity = asked.identity or former.identity
        new = NewPskCredential(
            type="psk", endpoint=former.endpoint, identity=identity, key=asked.key, expires_at=asked.expires_at
        )
        return make(new, sealer, now)
    if asked.identity is not None or asked.key is not None:
        raise InvalidRequest("identity, key: this one is a certificate; give the subject of the next.")
    if asked.subject is None or asked.subject == former.subject:
        raise InvalidRequest(
            "subject: name the next certificate by another one, such as its fingerprint; one with the same name counts "
            "already."
        )
    following = NewX509Credential(
        type="x509", endpoint=former.endpoint, subject=asked.subject, expires_at=asked.expires_at
    )
    return make(following, sealer, now)


def rotate(live: LiveCredentials, former_id: str, made: AnyCredential, asked: Rotation, now: float) -> Sequence[Change]:
    """The next one beside the former, which gets an end. Raises NotFound, Conflict."""
    former = find(live, former_id)
    state = former.state(now)
    if state in _ENDED:
        raise Conflict(f"The credential {former_id!r} is {state}: make a new one.")
    following = None if former.until_used is None else live.get(former.until_used)
    if following is not None and following.state(now) not in _ENDED:
        raise Conflict(f"The credential {former_id!r} is being followed by {former.until_used!r}: rotate that one.")
    other = shown_by_another(live, made, now)
    if other is not None and other.id != former_id:
        raise Conflict(taken(made, other))
    ends = [end for end in (former.expires_at, unix(asked.until)) if end is not None]
    ended = former.model_copy(
        update={"expires_at": min(ends, default=None), "until_used": made.id if asked.until_used else None}
    )
    return [Change(made.id, made), Change(former.id, ended)]


def revoke(live: LiveCredentials, credential_id: str, now: float) -> Sequence[Change]:
    """In force from now on; one that is revoked already stays as it is. Raises NotFound."""
    known = find(live, credential_id)
    if known.state(now) is CredentialState.REVOKED:
        return []
    return [Change(known.id, known.model_copy(update={"revoked_at": now}))]


def forget(live: LiveCredentials, credential_id: str, now: float) -> Sequence[Change]:
    """Gone from the list. Raises NotFound, Conflict where it still counts, or will."""
    known = find(live, credential_id)
    state = known.state(now)
    if state not in _ENDED:
        raise Conflict(f"The credential {credential_id!r} is {state}: revoke it first.")
    return [Change(known.id, None)]


def reseal(live: LiveCredentials, sealer: Sealer, most: int) -> Sequence[Change]:
    """Keys that were sealed under a former FLOWNEXUS_CREDENTIALS_KEY, under the one of now; so many at most.

    Raises Conflict where the former one is not there any more.
    """
    changes: list[Change] = []
    for one in stale(live, sealer):
        if len(changes) == most:
            break
        try:
            key = sealer.open(one.sealed_key, one.binding)
        except NotOpened as error:
            raise Conflict(f"The key of credential {one.id!r} does not open: {error}.") from error
        changes.append(Change(one.id, one.model_copy(update={"sealed_key": sealer.seal(key, one.binding)})))
    return changes


def stale(live: LiveCredentials, sealer: Sealer) -> list[PskCredential]:
    """Those whose key was sealed under a former FLOWNEXUS_CREDENTIALS_KEY."""
    return [one for one in live if isinstance(one, PskCredential) and not sealer.is_current(one.sealed_key)]


def find(live: LiveCredentials, credential_id: str) -> AnyCredential:
    """One of those that there are. Raises NotFound."""
    known = live.get(credential_id)
    if known is None:
        raise NotFound(f"There is no credential {credential_id!r}.")
    return known


def shown_by_another(live: LiveCredentials, credential: AnyCredential, now: float) -> AnyCredential | None:
    """One that counts, or will, and that a device shows by the same identity or subject."""
    same: Sequence[AnyCredential] = (
        live.of_identity(credential.identity)
        if isinstance(credential, PskCredential)
        else live.of_subjects([credential.subject])
    )
    return next((one for one in same if one.state(now) not in _ENDED), None)


def taken(credential: AnyCredential, other: AnyCredential) -> str:
    """Why a credential cannot be added beside the other one."""
    if isinstance(credential, PskCredential):
        shown = f"identity {credential.identity!r}"
    else:
        shown = f"subject {credential.subject!r}"
    return f"The {shown} is that of credential {other.id!r} of {other.endpoint!r}: rotate that one, or revoke it first."


def unix(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def required(sealer: Sealer | None) -> Sealer:
    """What seals keys. Raises Unavailable."""
    if sealer is None:
        raise Unavailable("The api has no FLOWNEXUS_CREDENTIALS_KEY, under which keys are kept: set it.")
    return sealer
