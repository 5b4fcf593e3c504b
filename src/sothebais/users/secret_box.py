"""Secrets at rest: AES-256-GCM with a key that is not in the database."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sothebais.errors import ConfigurationError

KEY_BYTES = 32
_NONCE_BYTES = 12
_VERSION = b"\x01"


class SecretBox:
    """Seals and opens short secrets. ``context`` says whose and what: a sealed text moved elsewhere does not open."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def __repr__(self) -> str:
        return "SecretBox(…)"

    def seal(self, secret: bytes, context: str) -> bytes:
        """The sealed form of a secret."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, secret, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """The secret again. Raises ConfigurationError where this house's key does not open it."""
        nonce, text = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            if sealed[:1] != _VERSION:
                raise InvalidTag
            return self._cipher.decrypt(nonce, text, context.encode())
        except (InvalidTag, ValueError):
            raise ConfigurationError(
                "SOTHEBAIS_SECRETS_KEY (or data/keys/secrets.key) is not the key this secret was sealed with. Put the "
                "right one back, or give the person new second factors: `sothebais staff reset EMAIL`."
            ) from None
