"""Passwords of the staff: Argon2id, one at a time in a thread, never more than a few waiting."""

import asyncio
import secrets
from collections.abc import Callable

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from sothebais.errors import InvalidInput, Overloaded

LENGTH_MIN = 12
LENGTH_MAX = 200
#: Each hash in hand takes the memory Argon2 is told to take (64 MiB).
HASHES_AT_ONCE_MAX = 2
HASHES_WAITING_MAX = 32
GENERATED_BYTES = 15
#: Long enough to be allowed, and the first to be tried.
_WORN = frozenset(
    (
        "passwordpassword",
        "password1234",
        "123456789012",
        "1234567890123",
        "qwertyuiop123",
        "qwertyuiop12",
        "adminadmin12",
    )
)


class Passwords:
    """Hashes and checks; the work is done off the loop and bounded, because each hash is meant to be dear."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._slots = asyncio.Semaphore(HASHES_AT_ONCE_MAX)
        self._waiting = 0
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        """The hash to keep."""
        return await self._run(self._hasher.hash, password)

    async def verify(self, kept: str | None, password: str) -> bool:
        """Whether it is the password of that hash. Without a hash it takes as long, and is not."""
        if kept is None:
            if self._nobodys is None:
                self._nobodys = await self.hash(secrets.token_urlsafe(GENERATED_BYTES))
            await self._run(self._is, self._nobodys, password)
            return False
        return await self._run(self._is, kept, password)

    def is_outdated(self, kept: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(kept)

    def _is(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run[T](self, work: Callable[..., T], *given: str) -> T:
        if self._waiting >= HASHES_WAITING_MAX:
            raise Overloaded("Too many people sign in at the moment. Try again in a moment.", retry_after=2)
        self._waiting += 1
        try:
            async with self._slots:
                return await asyncio.to_thread(work, *given)
        finally:
            self._waiting -= 1


def check_strength(password: str, *, login: str) -> None:
    """Raises InvalidInput for a password that is short, overlong, worn, or made of the sign-in name."""
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        raise InvalidInput(f"A password has {LENGTH_MIN} to {LENGTH_MAX} characters.", field="password")
    plain = password.lower()
    if plain in _WORN or len(set(plain)) < 5 or plain in (login.lower(), login.lower().partition("@")[0]):
        raise InvalidInput("This password is among the first anybody would try. Take another.", field="password")


def generated() -> str:
    """A password nobody chose."""
    return secrets.token_urlsafe(GENERATED_BYTES)
