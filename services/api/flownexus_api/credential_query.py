"""Which credentials are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, Query

from flownexus_runtime.live_credentials import AnyCredential, LiveCredentials
from flownexus_schemas.credentials import CredentialState, PskCredential, Subject

DAY_S = 86_400
_STANDING = frozenset({CredentialState.ACTIVE, CredentialState.PENDING})


@dataclass(frozen=True, slots=True)
class CredentialQuery:
    """What a credential must have; None for whatever it has."""

    endpoint: str | None = None
    type: str | None = None
    states: Sequence[CredentialState] = ()
    identity: str | None = None
    subject: str | None = None
    expiring_within_days: float | None = None

    def met(self, live: LiveCredentials, now: float) -> Iterator[AnyCredential]:
        """Those that meet it at `now`, Unix seconds; in no order."""
        for one in live if self.subject is None else live.of_subjects([self.subject]):
            if (
                self.endpoint in {None, one.endpoint}
                and self.type in {None, one.type}
                and (not self.states or one.state(now) in self.states)
                and (self.identity is None or (isinstance(one, PskCredential) and one.identity == self.identity))
                and (self.expiring_within_days is None or ends_within(one, self.expiring_within_days, now))
            ):
                yield one


def ends_within(one: AnyCredential, days: float, now: float) -> bool:
    """Whether it counts, or will, and ends by itself within so many days."""
    return one.expires_at is not None and one.expires_at <= now + days * DAY_S and one.state(now) in _STANDING


def place(one: AnyCredential) -> tuple[str, str]:
    """Where it is in a list: by endpoint."""
    return one.endpoint, one.id


def _asked(
    *,
    endpoint: Annotated[str | None, Query(max_length=255, description="Only of this endpoint name.")] = None,
    type_: Annotated[Literal["psk", "x509"] | None, Query(alias="type", description="Only of this type.")] = None,
    state: Annotated[list[CredentialState] | None, Query(description="Only these; repeat it for several.")] = None,
    identity: Annotated[str | None, Query(max_length=128, description="Only with this PSK identity.")] = None,
    subject: Annotated[
        Subject | None, Query(description="Only of this subject; without a kind it is a common name.")
    ] = None,
    expiring_within_days: Annotated[
        float | None, Query(ge=0, le=36_500, description="Only those that count, or will, and end within so many days.")
    ] = None,
) -> CredentialQuery:
    return CredentialQuery(endpoint, type_, state or (), identity, subject, expiring_within_days)


Asked = Annotated[CredentialQuery, Depends(_asked)]
