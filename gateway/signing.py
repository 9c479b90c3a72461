"""A gateway's signing key: an Ed25519 private key in a file of its own, and the row that makes it known.

The file is PEM (RFC 7468) with an unencrypted PKCS #8 key (RFC 8410). The public half goes out as a
`gateway_key` row of the topic `policies`; what is signed, and where signatures stand, is in `schemas.chain`.
"""

import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from schemas.chain import key_id_of, signature_header
from schemas.policy import GatewayKey


class SigningKeyError(Exception):
    """A signing key that cannot be used or made; the text says what to do and never holds the key."""


class Signer:
    """Signs links of one gateway's chain."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        """Use `read_signing_key`, or `Signer.from_seed` with 32 bytes of a test."""
        self._private = private
        #: Ed25519 (RFC 8032), 32 bytes.
        self.public_key = private.public_key().public_bytes_raw()

    @classmethod
    def from_seed(cls, seed: bytes) -> "Signer":
        """The key of 32 secret bytes."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def key_id(self) -> bytes:
        """What signatures name this key by, 8 bytes."""
        return key_id_of(self.public_key)

    def header(self, link: bytes) -> bytes:
        """The `signature` header over a link."""
        return signature_header(self.public_key, self._private.sign(link))


def is_signature(public_key: bytes, signature: bytes, link: bytes) -> bool:
    """Whether the 64 bytes `signature` are this key's over the link."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, link)
    except (InvalidSignature, ValueError):
        return False
    return True


def read_signing_key(path: Path) -> Signer:
    """The key of a file. Raises `SigningKeyError`, also when others could read the file."""
    try:
        pem = path.read_bytes()
        mode = path.stat().st_mode
    except FileNotFoundError:
        text = f"{path}: the signing key is not there: make it with `gatebook gateway keygen`"
        raise SigningKeyError(text) from None
    except OSError as error:
        raise SigningKeyError(f"{path}: cannot be read: {error.strerror}") from error
    if mode & 0o077:
        raise SigningKeyError(f"{path}: others can read the signing key: chmod 600 {path}")
    try:
        private = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SigningKeyError(f"{path}: not an unencrypted PKCS #8 key in PEM") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise SigningKeyError(f"{path}: not an Ed25519 key")
    return Signer(private)


def make_signing_key(path: Path) -> Signer:
    """Write a new key with mode 0600. Raises `SigningKeyError`; a file that is there stays as it is."""
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, made with its mode
            file.write(pem)
            file.flush()
            os.fsync(descriptor)
    except FileExistsError:
        text = f"{path}: is there already: move it away to make another key"
        raise SigningKeyError(text) from None
    except OSError as error:
        raise SigningKeyError(f"{path}: cannot be written: {error.strerror}") from error
    return Signer(private)


def key_row(gateway: str, signer: Signer, now_us: int) -> GatewayKey:
    """The public half, as others need it to verify; it holds from now on."""
    key_id = signer.key_id.hex()
    return GatewayKey(
        policy_id=f"gateway_key:{gateway}:{key_id}",
        effective_from_us=now_us,
        accepted_at_us=now_us,
        source="gatebook gateway keygen",
        gateway=gateway,
        key_id=key_id,
        public_key=signer.public_key,
    )
