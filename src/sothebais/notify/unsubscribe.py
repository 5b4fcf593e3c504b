"""The signed link that turns somebody's e-mail off without signing in (RFC 8058)."""

import base64
import binascii
import re
from uuid import UUID

from sothebais.auctions.receipts import HouseKey, check_signature
from sothebais.errors import InvalidInput, VerificationFailed

#: A UUID and an Ed25519 signature in base64url.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{107}", re.ASCII)
PATH = "/api/v1/unsubscribe"


def token(key: HouseKey, user: UUID) -> str:
    """The token of a person; it never ends, as an old mail's link must still work."""
    signature = bytes.fromhex(key.sign(_statement(user)))
    return base64.urlsafe_b64encode(user.bytes + signature).decode().rstrip("=")


def person_of(key: HouseKey, text: str) -> UUID:
    """Whose token this is. Raises InvalidInput for one the house never made."""
    try:
        raw = base64.urlsafe_b64decode(text + "=") if _TOKEN.fullmatch(text) else b""
        user = UUID(bytes=raw[:16])
        check_signature(_statement(user) | {"signature": raw[16:].hex()}, key.public, what="unsubscribe link")
    except (binascii.Error, ValueError, VerificationFailed):
        raise InvalidInput(
            "This unsubscribe link is not complete. Open it from the mail again, or sign in and change your preferences.",
            field="token",
        ) from None
    return user


def _statement(user: UUID) -> dict[str, str]:
    return {"purpose": "unsubscribe", "user": str(user)}
