"""Signing in and being recognised. Sessions live in PostgreSQL; only the SHA-256 of a token is kept."""

import hashlib
import re
import secrets
from datetime import timedelta
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sothebais import ids
from sothebais.errors import InvalidInput, NotFound, Unauthenticated
from sothebais.users.tables import Role, Session, SocialAccount, User

TOKEN_BYTES = 32
TOKEN_LENGTH_MAX = 100
SANDBOX = "sandbox"
_HANDLE = re.compile(r"[A-Za-z0-9_]{1,30}", re.ASCII)


class Identity(msgspec.Struct, frozen=True):
    """Who a request comes from."""

    user: UUID
    name: str
    role: Role
    session: UUID


def parse_handle(text: str) -> str:
    """A handle without its ``@``. Raises InvalidInput unless it is 1 to 30 letters, digits or underscores."""
    handle = text.removeprefix("@")
    if not _HANDLE.fullmatch(handle):
        raise InvalidInput("A handle is 1 to 30 letters, digits or underscores.", field="handle")
    return handle


async def find_by_handle(connection: AsyncConnection, handle: str, *, platform: str = SANDBOX) -> UUID:
    """The user behind a handle. Raises NotFound."""
    statement = sa.select(SocialAccount.user_id).where(
        SocialAccount.platform == platform, SocialAccount.platform_user_id == handle.lower()
    )
    user = (await connection.execute(statement)).scalar_one_or_none()
    if user is None:
        raise NotFound(f"Nobody here is called @{handle}.")
    return user


async def ensure_sandbox_user(connection: AsyncConnection, handle: str, *, role: Role = Role.BIDDER) -> UUID:
    """The user of a sandbox handle, made on first sight; safe when two processes see it at once."""
    handle = parse_handle(handle)
    key = handle.lower()
    # two first sights of one handle must not make two users
    await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(f"{SANDBOX}:{key}", 0))))
    try:
        return await find_by_handle(connection, handle)
    except NotFound:
        pass  # the first sight
    user = ids.new_id()
    await connection.execute(sa.insert(User).values(id=user, name=handle, role=role))
    await connection.execute(
        insert(SocialAccount).values(
            id=ids.new_id(), user_id=user, platform=SANDBOX, platform_user_id=key, handle=handle
        )
    )
    return user


class SessionService:
    """Opens and checks sessions.

    A session ends after ``idle_s`` without use or ``absolute_s`` in any case; ``last_seen_at`` is written at most once
    in ``TOUCH_S``.
    """

    TOUCH_S = 60

    def __init__(self, engine: AsyncEngine, *, idle_s: int, absolute_s: int) -> None:
        self._engine = engine
        self._idle = timedelta(seconds=idle_s)
        self._absolute = timedelta(seconds=absolute_s)

    async def sign_in_sandbox(self, handle: str) -> tuple[Identity, str]:
        """A session for a sandbox handle, without proof; its token is told once and never stored."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        async with self._engine.begin() as connection:
            user = await ensure_sandbox_user(connection, handle)
            session = ids.new_id()
            now = (await connection.execute(sa.select(sa.func.now()))).scalar_one()
            await connection.execute(
                sa.insert(Session).values(
                    id=session,
                    token_hash=token_hash(token),
                    user_id=user,
                    method=SANDBOX,
                    created_at=now,
                    last_seen_at=now,
                    expires_at=now + self._absolute,
                )
            )
            row = (await connection.execute(sa.select(User.name, User.role).where(User.id == user))).one()
        return Identity(user, row.name, row.role, session), token

    async def authenticate(self, token: str) -> Identity:
        """Who this token belongs to. Raises Unauthenticated for an unknown, ended or revoked session."""
        if not token or len(token) > TOKEN_LENGTH_MAX:
            raise Unauthenticated("The session token is not valid. Sign in again.")
        now = sa.func.now()
        statement = (
            sa.select(
                Session.id,
                Session.user_id,
                User.name,
                User.role,
                (now - Session.last_seen_at > sa.literal(timedelta(seconds=self.TOUCH_S))).label("stale"),
            )
            .join(User, User.id == Session.user_id)
            .where(
                Session.token_hash == token_hash(token),
                Session.revoked_at.is_(None),
                Session.expires_at > now,
                Session.last_seen_at > now - sa.literal(self._idle),
            )
        )
        async with self._engine.begin() as connection:
            row = (await connection.execute(statement)).one_or_none()
            if row is None:
                raise Unauthenticated("The session has ended or was never valid. Sign in again.")
            if row.stale:
                await connection.execute(sa.update(Session).where(Session.id == row.id).values(last_seen_at=now))
        return Identity(row.user_id, row.name, row.role, row.id)


def token_hash(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).digest()
