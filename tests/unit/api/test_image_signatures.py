"""Signatures of firmware images: taken where our key made them, refused with a reason otherwise."""

from __future__ import annotations

import base64
import hashlib
import tempfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from flownexus_api.image_signatures import ImageSignatures, load_public_key
from flownexus_schemas.errors import InvalidRequest

IMAGE = bytes(range(256)) * 8000
ED25519, P256, P384 = (
    ed25519.Ed25519PrivateKey.generate(),
    ec.generate_private_key(ec.SECP256R1()),
    ec.generate_private_key(ec.SECP384R1()),
)
Private = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey


def pem(folder: Path, key: Private) -> Path:
    file = folder / "key.pem"
    file.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return file


def signed(key: Private, image: bytes = IMAGE) -> str:
    """As `openssl pkeyutl -sign -rawin` and `openssl dgst -sha256 -sign` do."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return base64.b64encode(key.sign(image, ec.ECDSA(hashes.SHA256()))).decode()
    return base64.b64encode(key.sign(image)).decode()


def check(signatures: ImageSignatures, signature: str | None, image: bytes = IMAGE) -> None:
    with tempfile.SpooledTemporaryFile(1000) as content:
        content.write(image)
        signatures.check(signature, hashlib.sha256(image).digest(), content)
        content.seek(0)
        assert content.read() == image


@pytest.mark.parametrize("key", [ED25519, P256])
@pytest.mark.parametrize("image", [IMAGE, b"x"])
def test_what_our_key_signed_is_taken_and_nothing_else(key: Private, image: bytes, tmp_path: Path) -> None:
    signatures = ImageSignatures(load_public_key(pem(tmp_path, key)))
    check(signatures, signed(key, image), image)
    check(signatures, signed(key, image).translate(str.maketrans("+/", "-_")), image)
    check(signatures, None, image)
    for wrong in (signed(key, b"another"), signed(P256, b""), base64.b64encode(b"short").decode()):
        with pytest.raises(InvalidRequest, match="not that of this image"):
            check(signatures, wrong, image)
    with pytest.raises(InvalidRequest, match="not base64"):
        check(signatures, "!!", image)


def test_where_images_must_be_signed_one_without_is_refused(tmp_path: Path) -> None:
    signatures = ImageSignatures(load_public_key(pem(tmp_path, P256)), required=True)
    check(signatures, signed(P256))
    with pytest.raises(InvalidRequest, match="must be signed here"):
        signatures.check_given(None)


def test_a_signature_that_nobody_can_check_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="no key here to check it with"):
        ImageSignatures().check_given(signed(P256))


def test_what_is_no_key_for_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="another algorithm"):
        load_public_key(pem(tmp_path, P384))
    (tmp_path / "no.pem").write_text("key")
    with pytest.raises(ValueError, match="no public key in PEM form"):
        load_public_key(tmp_path / "no.pem")
    with pytest.raises(ValueError, match="cannot be read"):
        load_public_key(tmp_path / "none.pem")
