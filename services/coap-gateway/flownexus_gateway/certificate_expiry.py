"""When the gateway's own certificate and the CAs of devices end: as metrics always, in the log from 30 days before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import structlog
from cryptography import x509

from flownexus_gateway import metrics
from flownexus_gateway.transport.dtls.openssl_context import ServerCertificate
from flownexus_schemas.credentials import SOON_DAYS

log = structlog.get_logger(__name__)

DAY_S = 86_400


class CertificateExpiry:
    """Of the files that the gateway was started with, which OpenSSL could read."""

    def __init__(self, files: ServerCertificate | None) -> None:
        self._ends = {} if files is None else dict(_ends(files))
        for (kind, name), end in self._ends.items():
            metrics.CERTIFICATE_ENDS.labels(kind, name).set(end)

    def warn(self, now: float) -> None:
        """Of each that has ended, or soon will. `now` in Unix seconds."""
        for (kind, name), end in self._ends.items():
            if end <= now + SOON_DAYS * DAY_S:
                log.warning("certificate.expires_soon", certificate=kind, name=name, days=int((end - now) // DAY_S))

    async def run(self) -> None:
        """Warn each day, for ever."""
        while True:
            self.warn(time.time())
            await asyncio.sleep(DAY_S)


def _ends(files: ServerCertificate) -> Iterator[tuple[tuple[str, str], float]]:
    """By kind and subject, Unix seconds. Of our chain the first one to end, as the whole is of no use then."""
    chain = x509.load_pem_x509_certificates(files.chain.read_bytes())
    first = min(chain, key=lambda one: one.not_valid_after_utc)
    yield ("server", first.subject.rfc4514_string()), first.not_valid_after_utc.timestamp()
    if files.client_ca is not None:
        for ca in x509.load_pem_x509_certificates(files.client_ca.read_bytes()):
            yield ("client-ca", ca.subject.rfc4514_string()), ca.not_valid_after_utc.timestamp()
