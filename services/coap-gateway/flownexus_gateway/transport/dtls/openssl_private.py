"""Every use of what pyOpenSSL does not promise to keep: OpenSSL's callbacks for keys, certificates and extensions,
reached through its `SSL._lib` and `SSL._ffi`, which are those of the `cryptography` package.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from typing import Any, Protocol

from cryptography import x509
from OpenSSL import SSL
from OpenSSL.crypto import X509

VERSIONS = {"pyopenssl": "26.4.0", "cryptography": "50.0.2"}

_lib: Any = SSL._lib  # type: ignore[attr-defined]
_ffi: Any = SSL._ffi  # type: ignore[attr-defined]

_SYMBOLS = (
    "SSL_CTX_add_server_custom_ext",
    "SSL_CTX_set1_curves_list",
    "SSL_CTX_set1_sigalgs_list",
    "SSL_CTX_set_psk_server_callback",
    "SSL_CTX_set_verify",
    "SSL_session_reused",
    "X509_STORE_CTX_get0_cert",
    "X509_STORE_CTX_get_current_cert",
    "X509_STORE_CTX_get_error",
    "X509_STORE_CTX_get_error_depth",
    "X509_STORE_CTX_set_error",
    "X509_up_ref",
    "X509_verify_cert_error_string",
)

_CONNECTION_ID = 54
_DECODE_ERROR = 50
_VERIFY_OK = 0


class UnexpectedOpenSsl(RuntimeError):
    """Another pyOpenSSL or cryptography than this module was written against."""


class Asked(Protocol):
    """Whom OpenSSL asks while it makes a handshake."""

    def psk(self, identity: bytes) -> bytes | None:
        """The key of a PSK identity; None where nobody gets in by it."""

    def certificate(self, leaf: x509.Certificate, current: x509.Certificate, error: int) -> int:
        """What to say of a device's certificate, an X509_V_ code: `error` is what OpenSSL says of `current`, of its
        chain.
        """

    @property
    def connection_id(self) -> bytes:
        """What we want in records to us."""


def check() -> None:
    """Raises UnexpectedOpenSsl if a version or a symbol is another."""
    for package, version in VERSIONS.items():
        installed = importlib.metadata.version(package)
        if installed != version:
            raise UnexpectedOpenSsl(f"{package} {version} is needed, {installed} is installed")
    missing = [name for name in _SYMBOLS if not hasattr(_lib, name)]
    if missing:
        raise UnexpectedOpenSsl(f"pyOpenSSL {VERSIONS['pyopenssl']}: OpenSSL's {', '.join(missing)} is not there")


class Callbacks:
    """What is set up in a context once; it asks whoever `asked` is at that time: OpenSSL has one thread here.

    An exception in a callback is raised again by `raise_again`, as it cannot go through OpenSSL.
    """

    def __init__(self, context: SSL.Context) -> None:
        self._context: Any = context._context
        self._kept: list[Any] = []
        self._raised: list[BaseException] = []
        self.asked: Asked | None = None

    def raise_again(self) -> None:
        if self._raised:
            raise self._raised.pop()

    def name_groups(self, groups: str, signatures: str) -> None:
        """The groups for key exchange, and what may sign. Raises UnexpectedOpenSsl where one is not known."""
        if not _lib.SSL_CTX_set1_curves_list(self._context, groups.encode()):
            raise UnexpectedOpenSsl(f"OpenSSL does not know one of the groups {groups}")
        if not _lib.SSL_CTX_set1_sigalgs_list(self._context, signatures.encode()):
            raise UnexpectedOpenSsl(f"OpenSSL does not know one of the signature algorithms {signatures}")

    def ask_for_keys(self) -> None:
        """Pre-shared keys come from `asked.psk`."""

        def psk(_: Any, identity: Any, key: Any, room: int) -> int:
            found = self._asked().psk(_ffi.string(identity)) if identity != _ffi.NULL else None
            if found is None or len(found) > room:
                return 0
            _ffi.memmove(key, found, len(found))
            return len(found)

        callback = self._keep("unsigned int(SSL *, char *, unsigned char *, unsigned int)", psk, 0)
        _lib.SSL_CTX_set_psk_server_callback(self._context, callback)

    def ask_about_certificates(self) -> None:
        """A device needs a certificate, and `asked.certificate` says of each of its chain whether it will do."""

        def verify(_: int, store: Any) -> int:
            error = self._asked().certificate(
                _certificate(_lib.X509_STORE_CTX_get0_cert(store)),
                _certificate(_lib.X509_STORE_CTX_get_current_cert(store)),
                _lib.X509_STORE_CTX_get_error(store),
            )
            _lib.X509_STORE_CTX_set_error(store, error)
            return int(error == _VERIFY_OK)

        mode = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
        _lib.SSL_CTX_set_verify(self._context, mode, self._keep("int(int, X509_STORE_CTX *)", verify, 0))

    def exchange_connection_ids(self) -> None:
        """Answer the extension connection_id with `asked.connection_id`. RFC 9146, 3. The ClientHello was read before,
        so there is nothing to read here.
        """
        buffers: dict[int, Any] = {}

        def add(_ssl: Any, _type: int, out: Any, length: Any, _alert: Any, _arg: Any) -> int:
            cid = self._asked().connection_id
            buffer = _ffi.new("unsigned char[]", bytes((len(cid),)) + cid)
            out[0], length[0] = buffer, len(cid) + 1
            buffers[int(_ffi.cast("uintptr_t", buffer))] = buffer
            return 1

        def free(_ssl: Any, _type: int, out: Any, _arg: Any) -> None:
            buffers.pop(int(_ffi.cast("uintptr_t", out)), None)

        def parse(_ssl: Any, _type: int, data: Any, length: int, alert: Any, _arg: Any) -> int:
            if length < 1 or data[0] != length - 1:
                alert[0] = _DECODE_ERROR
                return 0
            return 1

        add_signature = "int(SSL *, unsigned int, unsigned char **, size_t *, int *, void *)"
        parse_signature = "int(SSL *, unsigned int, unsigned char *, size_t, int *, void *)"
        done = _lib.SSL_CTX_add_server_custom_ext(
            self._context,
            _CONNECTION_ID,
            self._keep(add_signature, add, -1),
            self._keep("void(SSL *, unsigned int, unsigned char *, void *)", free, None),
            _ffi.NULL,
            self._keep(parse_signature, parse, -1),
            _ffi.NULL,
        )
        if done != 1:
            raise UnexpectedOpenSsl("OpenSSL does not take an extension of ours for connection ids")

    def _asked(self) -> Asked:
        if self.asked is None:
            raise RuntimeError("OpenSSL asks outside of a handshake")
        return self.asked

    def _keep(self, signature: str, function: Callable[..., Any], error: int | None) -> Any:
        """A C function that lives as long as we do; it returns `error` where it raises."""

        def failed(_: Any, exception: BaseException, __: Any) -> None:
            self._raised.append(exception)

        callback = _ffi.callback(signature, function, error=error, onerror=failed)
        self._kept.append(callback)
        return callback


def is_resumed(connection: SSL.Connection) -> bool:
    """Whether the handshake went by an earlier session."""
    return bool(_lib.SSL_session_reused(connection._ssl))


def verify_error_text(code: int) -> str:
    """An X509_V_ code in OpenSSL's words."""
    text: bytes = _ffi.string(_lib.X509_verify_cert_error_string(code))
    return text.decode()


def _certificate(raw: Any) -> x509.Certificate:
    _lib.X509_up_ref(raw)
    certificate: X509 = X509._from_raw_x509_ptr(raw)
    return certificate.to_cryptography()
