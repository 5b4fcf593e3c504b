"""Commitments: how a secret is bound today and proved later. Pure."""

import hashlib
from decimal import Decimal
from uuid import UUID

from sothebais import money

_MAXIMUM = b"sothebais:maximum:v1"
_RESERVE = b"sothebais:reserve:v1"


def maximum_commitment(auction: UUID, bid: UUID, maximum: Decimal, salt: bytes) -> bytes:
    """SHA-256(domain ‖ auction ‖ bid ‖ maximum ‖ salt). Every part but the maximum's text has a fixed length."""
    return hashlib.sha256(b"".join((_MAXIMUM, auction.bytes, bid.bytes, money.text(maximum).encode(), salt))).digest()


def reserve_commitment(auction: UUID, reserve: Decimal, salt: bytes) -> bytes:
    """SHA-256(domain ‖ auction ‖ reserve ‖ salt)."""
    return hashlib.sha256(b"".join((_RESERVE, auction.bytes, money.text(reserve).encode(), salt))).digest()
