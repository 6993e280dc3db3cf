"""OpenSSL set up as a DTLS 1.2 server: which suites, groups, certificates; nothing is left to its defaults."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from OpenSSL import SSL

from flownexus_gateway.transport.dtls.openssl_private import Callbacks
from flownexus_gateway.transport.dtls.suites import SUITES
from flownexus_schemas.errors import InvalidRequest

DTLS_1_2 = 0xFEFD
GROUPS = "P-256:X25519:P-384"
SIGNATURES = "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512"
RESUMABLE_S = 24 * 3600
"""Seconds for which a session can be resumed."""

_MAX_CHAIN = 4
_OPTIONS = (
    SSL.OP_NO_QUERY_MTU
    | SSL.OP_CIPHER_SERVER_PREFERENCE
    | SSL.OP_NO_RENEGOTIATION
    | SSL.OP_NO_COMPRESSION
    | SSL.OP_SINGLE_ECDH_USE
)


class ServerCertificate(NamedTuple):
    """PEM files: our certificate with its chain, its key, and the CAs whose devices may come in."""

    chain: Path
    key: Path
    client_ca: Path | None


class ServerContext:
    """Makes connections. `with_connection_ids`: answer that extension; such sessions are not resumed, as OpenSSL leaves
    the extension out then, and need not be.
    """

    def __init__(self, certificate: ServerCertificate | None, *, with_connection_ids: bool) -> None:
        """Raises InvalidRequest where a file of the certificate will not do."""
        self._context = context = SSL.Context(SSL.DTLS_SERVER_METHOD)
        self.callbacks = callbacks = Callbacks(context)
        context.set_min_proto_version(DTLS_1_2)
        context.set_max_proto_version(DTLS_1_2)
        context.set_options(_OPTIONS)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        # CCM_8 counts as weak, for its short tag, at every level but this; so all else is named one by one.
        names = [suite.name for suite in SUITES.values() if certificate is not None or suite.name.startswith("PSK")]
        context.set_cipher_list(":".join((*names, "@SECLEVEL=0")).encode())
        callbacks.name_groups(GROUPS, SIGNATURES)
        callbacks.ask_for_keys()
        context.set_session_id(b"flownexus")
        context.set_timeout(RESUMABLE_S)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF if with_connection_ids else SSL.SESS_CACHE_SERVER)
        if with_connection_ids:
            context.set_options(SSL.OP_NO_TICKET)
            callbacks.exchange_connection_ids()
        if certificate is not None:
            _use(context, certificate)
            callbacks.ask_about_certificates()
        # The cookie of a ClientHello was looked at before OpenSSL sees it.
        context.set_cookie_verify_callback(lambda _connection, _cookie: True)
        context.set_cookie_generate_callback(_no_cookie)

    def connection(self, mtu: int) -> SSL.Connection:
        """A connection over memory, its flights cut to datagrams of `mtu` bytes."""
        connection = SSL.Connection(self._context, None)
        connection.set_accept_state()
        connection.set_ciphertext_mtu(mtu)
        return connection


def _use(context: SSL.Context, certificate: ServerCertificate) -> None:
    for path in (certificate.chain, certificate.key, certificate.client_ca):
        if path is not None and not path.is_file():
            raise InvalidRequest(f"{path} is not a file: name a PEM file, or none for devices with keys alone")
    try:
        context.use_certificate_chain_file(str(certificate.chain))
        context.use_privatekey_file(str(certificate.key))
        context.check_privatekey()
        if certificate.client_ca is not None:
            context.load_verify_locations(str(certificate.client_ca))
    except SSL.Error as error:
        raise InvalidRequest(
            f"{certificate.chain}, {certificate.key} and {certificate.client_ca} are not a certificate with its key "
            f"and CAs in PEM: {error}"
        ) from error


def _no_cookie(_: SSL.Connection) -> bytes:
    raise RuntimeError("OpenSSL wants a cookie for a ClientHello that had a good one")
