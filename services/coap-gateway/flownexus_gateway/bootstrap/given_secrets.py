"""The secrets that a device is written: as its configuration has them, or issued to it."""

from __future__ import annotations

from flownexus_gateway.bootstrap.issued_keys import IssuedKeys
from flownexus_gateway.bootstrap.session import Session
from flownexus_gateway.bootstrap.writing import Secret
from flownexus_runtime.sealing import NotOpened, Sealer
from flownexus_schemas.bootstrap.configuration import ServerAccount, account_binding


class GivenSecrets:
    """Without a sealer no key can be read. One for the purpose BOOTSTRAP."""

    def __init__(self, sealer: Sealer | None, issued: IssuedKeys) -> None:
        self._sealer, self._issued = sealer, issued

    async def of(self, session: Session, now: float) -> dict[int, Secret]:
        """By short server id; what was issued is noted in the session. Raises NotOpened, Unavailable."""
        found: dict[int, Secret] = {}
        for account in session.chosen.configuration.servers:
            if account.is_issued:
                issued = await self._issued.issue(session.endpoint, account.short_server_id, session.peer.identity, now)
                session.credentials = (*session.credentials, issued.credential.id)
                found[account.short_server_id] = Secret(issued.credential.identity.encode(), issued.key)
            elif account.has_key:
                found[account.short_server_id] = self._given(account, session.endpoint)
        return found

    def _given(self, account: ServerAccount, endpoint: str) -> Secret:
        if self._sealer is None:
            raise NotOpened("FLOWNEXUS_CREDENTIALS_KEY is not set")
        assert account.sealed_key is not None
        key = self._sealer.open(account.sealed_key, account_binding(endpoint, account.short_server_id, account.uri))
        shown = account.certificate if account.identity is None else account.identity.encode()
        return Secret(shown or b"", key)
