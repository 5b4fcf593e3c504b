"""The signed links in mails, which work without signing in: no more mail (RFC 8058), and yes to mail."""

import base64
import binascii
import re
from uuid import UUID

from sothebais.auctions.receipts import HouseKey, check_signature
from sothebais.errors import InvalidInput, VerificationFailed

#: A UUID and an Ed25519 signature in base64url.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{107}", re.ASCII)
PATH = "/api/v1/unsubscribe"
CONFIRM_PATH = "/api/v1/confirm-email"


def token(key: HouseKey, user: UUID, *, confirms: str | None = None) -> str:
    """The token of a person; it never ends, as an old mail's link must still work.

    ``confirms``: the address it says yes for, and that it works for only.
    """
    signature = bytes.fromhex(key.sign(_statement(user, confirms)))
    return base64.urlsafe_b64encode(user.bytes + signature).decode().rstrip("=")


def claimed_person(text: str) -> UUID | None:
    """Whose token this says it is, unchecked."""
    return UUID(bytes=base64.urlsafe_b64decode(text + "=")[:16]) if _TOKEN.fullmatch(text) else None


def person_of(key: HouseKey, text: str, *, confirms: str | None = None) -> UUID:
    """Whose token this is. Raises InvalidInput for one the house never made."""
    try:
        raw = base64.urlsafe_b64decode(text + "=") if _TOKEN.fullmatch(text) else b""
        user = UUID(bytes=raw[:16])
        check_signature(_statement(user, confirms) | {"signature": raw[16:].hex()}, key.public, what="unsubscribe link")
    except (binascii.Error, ValueError, VerificationFailed):
        raise InvalidInput(
            "This link is not complete, or not for this address. Open it from the mail again, or sign in and change "
            "your preferences.",
            field="token",
        ) from None
    return user


def _statement(user: UUID, confirms: str | None) -> dict[str, str]:
    if confirms is None:
        return {"purpose": "unsubscribe", "user": str(user)}
    return {"purpose": "confirm-email", "user": str(user), "email": confirms}
