"""A session as it is kept: its keys and counters, whose it is, and where the device was last. Sans-IO."""

from __future__ import annotations

from flownexus_gateway.transport.dtls.association import Association
from flownexus_gateway.transport.dtls.authentication import Identity
from flownexus_gateway.transport.dtls.replay_window import ReplayWindow
from flownexus_gateway.transport.dtls.session import Session, SessionKeys
from flownexus_gateway.transport.dtls.suites import TrafficKeys
from flownexus_schemas.cloudevent import Frozen


class SessionSecrets(Frozen):
    """What is sealed. Bytes in hexadecimal; `write_limit` is the first number that its holder may not use."""

    suite: int
    read: tuple[str, str]
    write: tuple[str, str]
    read_cid: str
    write_cid: str
    max_plain_bytes: int
    write_limit: int
    newest: int
    seen: int
    name: str
    endpoint: str
    credential_id: str
    subjects: tuple[str, ...] = ()
    host: str
    port: int
    heard_at: float


class StoredSession(Frozen):
    """An entry of the bucket: which gateway holds it, and the rest, sealed."""

    gateway: str
    sealed: str


def secrets_of(association: Association, write_limit: int) -> SessionSecrets:
    """What is to be kept of an association whose holder may use numbers below `write_limit`."""
    session, identity = association.session, association.authenticated
    keys, window = session.keys, session.window
    return SessionSecrets(
        suite=keys.suite,
        read=(keys.read.key.hex(), keys.read.salt.hex()),
        write=(keys.write.key.hex(), keys.write.salt.hex()),
        read_cid=keys.read_cid.hex(),
        write_cid=keys.write_cid.hex(),
        max_plain_bytes=keys.max_plain_bytes,
        write_limit=write_limit,
        newest=window.newest,
        seen=window.seen,
        name=identity.name,
        endpoint=identity.endpoint,
        credential_id=identity.credential_id,
        subjects=identity.subjects,
        host=association.host,
        port=association.port,
        heard_at=association.heard_at,
    )


def session_of(secrets: SessionSecrets) -> tuple[Session, Identity]:
    """The session, which may write nothing before it has numbers of its own: those below the limit may be used."""
    keys = SessionKeys(
        secrets.suite,
        TrafficKeys(*(bytes.fromhex(part) for part in secrets.read)),
        TrafficKeys(*(bytes.fromhex(part) for part in secrets.write)),
        bytes.fromhex(secrets.read_cid),
        bytes.fromhex(secrets.write_cid),
        secrets.max_plain_bytes,
    )
    window = ReplayWindow(secrets.newest, secrets.seen)
    session = Session(keys, secrets.write_limit, window, secrets.write_limit)
    return session, Identity(secrets.name, secrets.endpoint, secrets.credential_id, secrets.subjects)
