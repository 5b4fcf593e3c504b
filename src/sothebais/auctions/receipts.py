"""Receipts and signed heads: what the house puts its name to (Ed25519).

A receipt proves to its bidder what was acknowledged; a head proves how long a log was. Neither can be made without
the house's private key, and both are checked with the public half alone.
"""

import hmac
from decimal import Decimal
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sothebais import money
from sothebais.auctions.answers import Answer
from sothebais.errors import InvalidInput, VerificationFailed
from sothebais.events.log import canonical
from sothebais.instants import Millis

KEY_BYTES = 32


class HouseKey:
    """The house's signing key."""

    def __init__(self, private: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(private)
        self.public = self._private.public_key().public_bytes_raw()
        self._seed = private

    def derived(self, purpose: str) -> bytes:
        """A secret of 32 bytes for one purpose, the same in every process of the house."""
        return hmac.digest(self._seed, f"sothebais:{purpose}:v1".encode(), "sha256")

    @classmethod
    def generate(cls) -> tuple["HouseKey", bytes]:
        """A new key and its private bytes."""
        private = Ed25519PrivateKey.generate().private_bytes_raw()
        return cls(private), private

    def sign(self, statement: dict[str, Any]) -> str:
        """The signature over a statement's canonical JSON, in hex."""
        return self._private.sign(canonical(statement)).hex()


def receipt(key: HouseKey, answer: Answer) -> dict[str, Any]:
    """The receipt of an accepted bid: its place and hash in the lot's log, its own opening, the signature over them."""
    if answer.opening is None or answer.event.hash is None or answer.bid is None:
        raise InvalidInput("Only an accepted bid has a receipt.")
    n = answer.event.n
    assert n is not None  # what has a hash has a number
    return signed(key, answer.auction, n, answer.event.hash, bid=answer.bid, opening=answer.opening)


def signed(
    key: HouseKey, auction: UUID, n: int, digest: bytes, *, bid: UUID, opening: tuple[Decimal, bytes]
) -> dict[str, Any]:
    """The same receipt whenever it is made; ``opening`` is the bid's maximum and the salt of its commitment."""
    maximum, salt = opening
    statement = {
        "auction": str(auction),
        "n": n,
        "hash": digest.hex(),
        "opening": {"bid": str(bid), "max_amount": money.text(maximum), "salt": salt.hex()},
    }
    return statement | {"signature": key.sign(statement)}


def head(key: HouseKey, auction: UUID, n: int, digest: bytes, at: Millis) -> dict[str, Any]:
    """The signed end of a log: this many events, ending in this hash, at this time."""
    statement = {"auction": str(auction), "n": n, "hash": digest.hex(), "at": at}
    return statement | {"public_key": key.public.hex(), "signature": key.sign(statement)}


def check_signature(signed: dict[str, Any], public_key: bytes, *, what: str) -> None:
    """Raise VerificationFailed unless ``signed`` carries the house's signature over everything else in it."""
    statement = {name: value for name, value in signed.items() if name not in ("signature", "public_key")}
    try:
        signature = bytes.fromhex(signed["signature"])
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, canonical(statement))
    except (KeyError, TypeError, ValueError, InvalidSignature):
        raise VerificationFailed(f"The signature of the {what} is not the house's.") from None
