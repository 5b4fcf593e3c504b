"""Who signed: Ethereum accounts by their signature (EIP-191, EIP-55), Solana accounts by ed25519. Pure arithmetic."""

import base58
import coincurve
from Crypto.Hash import keccak
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ADDRESS_BYTES = 20
SIGNATURE_BYTES = 65
#: Contract wallets sign with what they like; no longer than this.
SIGNATURE_BYTES_MAX = 4_096
SOLANA_KEY_BYTES = 32
SOLANA_SIGNATURE_BYTES = 64
#: Half of secp256k1's order: a signature above it is somebody's copy of the one below.
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


def keccak256(data: bytes) -> bytes:
    """Ethereum's hash."""
    return keccak.new(digest_bits=256, data=data).digest()


def checksummed(address: str) -> str:
    """An address ``0x…`` with the capitals of EIP-55."""
    digits = address[2:].lower()
    marks = keccak256(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if int(mark, 16) >= 8 else digit for digit, mark in zip(digits, marks, strict=False)
    )


def message_hash(text: str) -> bytes:
    """What an Ethereum account signs for a text: EIP-191, version ``E``."""
    data = text.encode()
    return keccak256(b"\x19Ethereum Signed Message:\n" + str(len(data)).encode() + data)


def signature_bytes(text: str) -> bytes | None:
    """The bytes of a signature written ``0x…``; None for anything else, or for too much."""
    if not text.startswith("0x") or len(text) > 2 + 2 * SIGNATURE_BYTES_MAX or not text.isascii():
        return None
    digits = text[2:]
    if not digits or len(digits) % 2 or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
        return None
    return bytes.fromhex(digits)


def signer(text: str, signature: bytes) -> str | None:
    """The address of the account that signed a text; None where the signature is not one."""
    if len(signature) != SIGNATURE_BYTES:
        return None
    recovery = signature[64] - 27 if signature[64] >= 27 else signature[64]
    if recovery not in (0, 1) or not 0 < int.from_bytes(signature[32:64]) <= _HALF_ORDER:
        return None
    try:
        key = coincurve.PublicKey.from_signature_and_message(
            signature[:64] + bytes([recovery]), message_hash(text), hasher=None
        )
    except Exception:  # noqa: BLE001 - the binding raises a bare Exception for a point that is none
        return None
    return checksummed("0x" + keccak256(key.format(compressed=False)[1:])[-ADDRESS_BYTES:].hex())


def solana_signed(text: str, address: str, signature: str) -> bool:
    """Whether the account at a base58 address signed a text; the signature is base58 too."""
    try:
        key, given = base58.b58decode(address), base58.b58decode(signature)
    except ValueError:
        return False
    if len(key) != SOLANA_KEY_BYTES or len(given) != SOLANA_SIGNATURE_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(given, text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True
