"""One handshake, from the ClientHello with its cookie to the first record of data. Sans-IO: time is an argument.

OpenSSL makes it; records with a connection id, which OpenSSL does not know, are translated for it in both directions.
Once it is done, data is opened with the keys alone, and after the first record of it OpenSSL is not needed any more:
the device has seen our last flight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from cryptography import x509
from OpenSSL import SSL

from flownexus_gateway.transport.dtls import certificate_check, openssl_private
from flownexus_gateway.transport.dtls.authentication import Authentication, Identity
from flownexus_gateway.transport.dtls.client_hello import ClientHello
from flownexus_gateway.transport.dtls.connection_id import Translation
from flownexus_gateway.transport.dtls.openssl_context import ServerContext
from flownexus_gateway.transport.dtls.openssl_errors import refusal_of
from flownexus_gateway.transport.dtls.record_protection import Content
from flownexus_gateway.transport.dtls.records import ContentType, Record, pack, split
from flownexus_gateway.transport.dtls.refusals import Refusal, Refused
from flownexus_gateway.transport.dtls.replay_window import ReplayWindow
from flownexus_gateway.transport.dtls.session import ACCESS_DENIED, FATAL, Opened, Session, SessionKeys
from flownexus_gateway.transport.dtls.suites import SUITES, TrafficKeys, traffic_keys

UNREADABLE_FINISHED = 3
"""So many Finished that do not open, once their turn has come, mean that the device has another key. One could be from
somebody else.
"""

DECRYPT_ERROR = 51
_SERVER_HELLO = b"\x02"
_SESSION_ID_AT = 12 + 2 + 32
_READ_BYTES = 1 << 16


class Handshake:
    """Give it records with `receive`, send what `take` has, call `retransmit` after `timeout_s` seconds, until
    `failure` says why it ended, or `receive` gives the first record of data.

    `read_cid`: the connection id that we want, empty for none; then `context` must be one that answers it.
    """

    def __init__(
        self, context: ServerContext, authentication: Authentication, hello: ClientHello, read_cid: bytes, mtu: int
    ) -> None:
        self._context, self._connection = context, context.connection(mtu)
        self._authentication, self._mtu, self._now = authentication, mtu, 0.0
        self.hello, self.read_cid = hello, read_cid
        self._write_cid = (hello.connection_id or b"") if read_cid else b""
        self._suite, self._sent = 0, [-1, -1]
        self._finished_is_next, self._unreadable = False, 0
        self._translation: Translation | None = None
        self._out: list[bytes] = []
        self.identity: Identity | None = None
        self.session: Session | None = None
        self.failure: Refused | None = None
        self.is_resumed = False

    @property
    def connection_id(self) -> bytes:
        """What OpenSSL answers for us."""
        return self.read_cid

    @property
    def timeout_s(self) -> float | None:
        """Seconds until `retransmit` is due; None while nothing is to be sent again."""
        return self._connection.DTLSv1_get_timeout() if self.failure is None else None

    def begin(self, record: Record, now: float) -> None:
        """Answer the ClientHello, whose cookie is good."""
        self._connection.bio_write(record.write())
        if self._call(now, self._connection.DTLSv1_listen):
            self._go_on(now)
        elif self.failure is None:
            self.failure = Refused(Refusal.BROKEN, "a ClientHello that OpenSSL does not take")

    def receive(self, records: Iterable[Record], now: float) -> list[Opened]:
        """Go on with what the device sent; what is no part of the handshake comes back opened."""
        opened: list[Opened] = []
        for record in records:
            if self.failure is not None:
                break
            if record.epoch == 0:
                self._feed(record, now)
                self._finished_is_next |= record.type == ContentType.CHANGE_CIPHER_SPEC and self._tries_key
            elif self.session is None:
                self._finished(record, now)
            elif record.type == ContentType.HANDSHAKE:
                self._feed(record, now)
            elif (content := self.session.open(record)) is not None:
                if content.type != ContentType.HANDSHAKE:
                    opened.append(content)
                elif (translation := self._translated()) is not None:
                    self._feed(translation.for_openssl(record, Content(content.type, content.content)), now)
        return opened

    def retransmit(self, now: float) -> None:
        """Send the last flight again, if it is time."""
        self._call(now, self._connection.DTLSv1_handle_timeout)

    def take(self) -> list[bytes]:
        """Datagrams to be sent."""
        out, self._out = self._out, []
        return out

    def psk(self, identity: bytes) -> bytes | None:
        """OpenSSL asks for a key."""
        try:
            key, self.identity = self._authentication.psk(identity, self._now)
        except Refused as refused:
            self.failure = refused
            return None
        return key

    def certificate(self, leaf: x509.Certificate, current: x509.Certificate, error: int) -> int:
        """OpenSSL asks about a certificate."""
        verdict = certificate_check.verdict(self._authentication, leaf, current, error, self._now)
        self.identity = verdict.identity or self.identity
        self.failure = verdict.refused or self.failure
        return verdict.code

    def _finished(self, record: Record, now: float) -> None:
        """A protected record before the handshake is done: the device's Finished."""
        if not self.read_cid:
            self._feed(record, now)
        elif (translation := self._translated()) is not None and (content := translation.open(record)) is not None:
            self._feed(translation.for_openssl(record, content), now)
        is_finished = record.type in {ContentType.HANDSHAKE, ContentType.TLS12_CID}
        if self.session is None and self.failure is None and is_finished and self._finished_is_next:
            self._unreadable += 1
            if self._unreadable >= UNREADABLE_FINISHED:
                self._wrong_key()

    @property
    def _tries_key(self) -> bool:
        """Whether the device said its identity, and a key of it is tried."""
        return self.identity is not None and not self.identity.subjects

    def _wrong_key(self) -> None:
        assert self.identity is not None
        self._authentication.psk_failed(self.identity)
        self.failure = Refused(Refusal.WRONG_KEY, self.identity.name)
        alert = Record(ContentType.ALERT, 0, self._sent[0] + 1, b"", bytes((FATAL, DECRYPT_ERROR)))
        self._out.append(alert.write())

    def _feed(self, record: Record, now: float) -> None:
        self._connection.bio_write(record.write())
        self._go_on(now)

    def _go_on(self, now: float) -> None:
        if self.session is not None:
            # The device sends its Finished again: OpenSSL sends ours again.
            self._call(now, self._connection.recv, _READ_BYTES)
        elif self._call(now, self._connection.do_handshake):
            self._done(now)

    def _done(self, now: float) -> None:
        master_secret = self._connection.master_key() or b""
        read, write = self._keys()
        keys = SessionKeys(self._suite, read, write, self.read_cid, self._write_cid, self.hello.max_plain_bytes)
        self.session = Session(keys, self._sent[1] + 1, ReplayWindow())
        self.is_resumed = openssl_private.is_resumed(self._connection)
        if not self.is_resumed:
            assert self.identity is not None
            if not self.read_cid:
                self._authentication.remember(master_secret, self.identity)
            return
        try:
            self.identity = self._authentication.resumed(master_secret, now)
        except Refused as refused:
            # A fatal alert: the device begins anew, without the session.
            self.failure = refused
            self._out += filter(None, (self.session.alert(FATAL, ACCESS_DENIED),))

    def _call(self, now: float, function: Callable[..., Any], *arguments: Any) -> bool:
        """Whether OpenSSL did it; if not, it waits for more, or `failure` says why."""
        callbacks = self._context.callbacks
        callbacks.asked, self._now = self, now
        is_done = False
        try:
            function(*arguments)
            is_done = True
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            self.failure = self.failure or Refused(*refusal_of(error))
        finally:
            callbacks.asked = None
        callbacks.raise_again()
        self._drain()
        return is_done

    def _drain(self) -> None:
        try:
            written = self._connection.bio_read(_READ_BYTES)
        except SSL.WantReadError:
            return
        records: list[bytes] = []
        # The boundaries of datagrams are lost in memory: they are those of records.
        for record in split(written, 0):
            self._note(record)
            translation = self._translated() if record.epoch and self._write_cid else None
            records.append((record if translation is None else translation.for_device(record)).write())
        self._out += pack(records, self._mtu)

    def _note(self, record: Record) -> None:
        """What is to be known of our own records later: the suite, and which numbers are used."""
        self._sent[record.epoch] = max(self._sent[record.epoch], record.sequence)
        if self.session is not None:
            self.session.next_write = max(self.session.next_write, self._sent[1] + 1)
        if record.epoch == 0 and record.type == ContentType.HANDSHAKE and record.fragment[:1] == _SERVER_HELLO:
            at = _SESSION_ID_AT + 1 + record.fragment[_SESSION_ID_AT]
            self._suite = int.from_bytes(record.fragment[at : at + 2], "big")

    def _translated(self) -> Translation | None:
        """None before there are keys."""
        if self._translation is None:
            try:
                read, write = self._keys()
            except SSL.Error:
                return None
            self._translation = Translation(SUITES[self._suite], read, write, self.read_cid, self._write_cid)
        return self._translation

    def _keys(self) -> tuple[TrafficKeys, TrafficKeys]:
        """What protects the device's records, and ours. Raises SSL.Error before there is a master secret."""
        connection = self._connection
        master_secret = connection.master_key() or b""
        return traffic_keys(master_secret, connection.client_random() or b"", connection.server_random() or b"")
