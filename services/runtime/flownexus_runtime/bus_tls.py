"""TLS with NATS: a `tls://` URL is never served without it, and what stands in its way is said in words that help.

nats-py makes TLS where the server asks for it, whatever the URL says: a server that does not ask, or somebody on the
way who takes the question out, would be sent the password as it is.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from nats.aio.client import Client
from nats.aio.transport import TcpTransport
from nats.errors import Error as NatsError

SCHEME = "tls"

# OpenSSL's verify(1), "Diagnostics"; the ssl module has numbers for them and no names.
EXPIRED, NOT_YET_VALID = 10, 9
UNKNOWN_CA = {18, 19, 20, 21}
OTHER_NAME = {62, 64}


class TlsFailed(Exception):
    """NATS answers, and TLS with it cannot be had: a person has to change something. The message says what."""


class TlsNotOffered(NatsError):
    """The URL says `tls://`, and the server speaks without."""


class TlsWanted(NatsError):
    """The URL says `nats://`, and the server takes TLS alone."""


class StrictClient(Client):
    """Speaks TLS with the servers of `tls://` URLs and with no other. Nothing was sent before the check.

    Rests on private parts of nats-py; tests/integration/bus tries each with a real server.
    """

    async def _process_connect_init(self) -> None:
        try:
            await super()._process_connect_init()
        except OSError:
            # After a failed handshake nats-py would wait for ever until its writer is closed: that of the TCP
            # connection, whose end TLS was told of instead.
            transport, self._transport = self._transport, None
            if isinstance(transport, TcpTransport) and transport._bare_io_writer is not None:
                transport._bare_io_writer.transport.abort()
            raise

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        if initial_connection and self._current_server is not None:
            wanted = self._current_server.uri.scheme == SCHEME
            offered = bool(info.get("tls_required") or info.get("tls_available"))
            if wanted and not offered:
                raise TlsNotOffered("nats: the server offers no TLS")
            if info.get("tls_required") and not wanted:
                raise TlsWanted("nats: the server takes TLS alone")
            if wanted:
                # Where the server leaves the choice to us: nats-py looks at this alone.
                info["tls_required"] = True
        await super()._process_info(info, initial_connection=initial_connection)


def context(ca: Path | None) -> ssl.SSLContext:
    """Verifies certificate and name; `ca` is a PEM file, without it the system's CAs count. TLS 1.2 or newer.

    Raises ValueError where the file has no certificate or cannot be read.
    """
    try:
        return ssl.create_default_context(cafile=ca)
    except ssl.SSLError:
        raise ValueError(f"{ca} has no certificate in PEM form") from None
    except OSError as error:
        raise ValueError(f"{ca} cannot be read: {error.strerror}") from None


def explanation(error: Exception) -> str | None:
    """What is to be done about an error of a connection; None where it is not about TLS."""
    match error:
        case TlsWanted():
            return (
                "NATS takes TLS alone: write tls:// in FLOWNEXUS_NATS_URL, and name the file of its CA in "
                "FLOWNEXUS_NATS_CA"
            )
        case TlsNotOffered():
            return (
                "NATS offers no TLS, and FLOWNEXUS_NATS_URL says tls://: give the server a certificate, or write "
                "nats:// where nobody else can listen"
            )
        case ssl.SSLCertVerificationError():
            return _of_certificate(error)
        case ssl.SSLError():
            return f"no TLS with NATS: {error.reason or error}"
    return None


def _of_certificate(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code == EXPIRED:
        return "the certificate of NATS has expired: give the server a new one, and start it again"
    if error.verify_code == NOT_YET_VALID:
        return "the certificate of NATS is not valid yet: is the clock of this machine right?"
    if error.verify_code in UNKNOWN_CA:
        return (
            "the certificate of NATS is of a CA that is not known here: FLOWNEXUS_NATS_CA names the file with the CA "
            "that the server's certificate was made with"
        )
    if error.verify_code in OTHER_NAME:
        return (
            f"the certificate of NATS is for another name ({error.verify_message.rstrip('.')}): make one for this "
            "name, or say in FLOWNEXUS_NATS_SERVER_NAME which one it has"
        )
    return f"the certificate of NATS is refused: {error.verify_message}"
