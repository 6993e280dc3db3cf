"""Signatures of firmware images: detached, over the image as it is, as openssl makes them. RFC 8032; FIPS 186-5."""

from __future__ import annotations

import mmap
from pathlib import Path
from tempfile import SpooledTemporaryFile

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from flownexus_schemas.errors import InvalidRequest
from flownexus_schemas.lwm2m.errors import CodecError
from flownexus_schemas.lwm2m.typed_values import from_base64

PublicKey = Ed25519PublicKey | EllipticCurvePublicKey


def load_public_key(file: Path) -> PublicKey:
    """Of a PEM file. Raises ValueError: not there, or neither Ed25519 nor ECDSA over P-256."""
    try:
        key = load_pem_public_key(file.read_bytes())
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError(f"{file} is no public key in PEM form") from error
    if isinstance(key, Ed25519PublicKey):
        return key
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return key
    raise ValueError(f"{file} is the key of another algorithm: Ed25519 and ECDSA over P-256 are taken")


class ImageSignatures:
    """By one key, or none; `required`: what has no signature is refused."""

    def __init__(self, key: PublicKey | None = None, *, required: bool = False) -> None:
        self._key, self._required = key, required

    def check_given(self, signature: str | None) -> None:
        """Before the image is read. Raises InvalidRequest."""
        if signature is None and self._required:
            raise InvalidRequest("query.signature: images must be signed here (FLOWNEXUS_FIRMWARE_SIGNED_ONLY).")
        if signature is not None and self._key is None:
            raise InvalidRequest(
                "query.signature: there is no key here to check it with; leave it out, or set "
                "FLOWNEXUS_FIRMWARE_PUBLIC_KEY."
            )

    def check(self, signature: str | None, digest: bytes, content: SpooledTemporaryFile[bytes]) -> None:
        """The image is signed by our key; `digest` is its SHA-256. Raises InvalidRequest."""
        self.check_given(signature)
        if signature is None or self._key is None:
            return
        try:
            self._verify(self._key, from_base64(signature), digest, content)
        except CodecError as error:
            raise InvalidRequest("query.signature: it is not base64; nothing was kept.") from error
        except InvalidSignature as error:
            raise InvalidRequest(
                "query.signature: it is not that of this image by the key that is set here; nothing was kept."
            ) from error

    @staticmethod
    def _verify(key: PublicKey, signature: bytes, digest: bytes, content: SpooledTemporaryFile[bytes]) -> None:
        if isinstance(key, EllipticCurvePublicKey):
            key.verify(signature, digest, ECDSA(Prehashed(hashes.SHA256())))
            return
        # Ed25519 reads the image twice: from the file, so that it need not be in memory.
        content.rollover()
        content.flush()
        with mmap.mmap(content.fileno(), 0, access=mmap.ACCESS_READ) as image, memoryview(image) as whole:
            key.verify(signature, whole)
