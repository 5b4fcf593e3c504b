"""People of the sandbox, and being recognised. Sessions live in PostgreSQL; only the SHA-256 of a token is kept."""

import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from prometheus_client import Counter
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sothebais import ids
from sothebais.clock import Clock, Millis, SystemClock, from_datetime
from sothebais.errors import InvalidInput, NotFound, Unauthenticated
from sothebais.events import log
from sothebais.state.store import StateStore
from sothebais.users import events
from sothebais.users.session_cache import Cached, SessionCache
from sothebais.users.tables import Role, Session, SocialAccount, User

TOKEN_BYTES = 32
TOKEN_LENGTH_MAX = 100
USER_AGENT_LENGTH_MAX = 200
SANDBOX = "sandbox"
#: These act for the house: their rights need a password and a second factor, however else the person may sign in.
STAFF = frozenset({Role.OPERATOR, Role.ADMIN})
SIGN_INS = Counter("sothebais_sign_ins_total", "Sessions that were opened", ["method"])
STAFF_METHOD = "password+"
_HANDLE = re.compile(r"[A-Za-z0-9_]{1,30}", re.ASCII)


class Identity(msgspec.Struct, frozen=True):
    """Who a request comes from."""

    user: UUID
    name: str
    role: Role
    #: The sign-in; of a program, its API key.
    session: UUID
    #: What a program's key allows; None for a person, who may do whatever the role allows.
    scopes: frozenset[str] | None = None
    method: str = ""
    signed_in_at: Millis = 0


def role_by(role: Role, method: str) -> Role:
    """The role a sign-in gives: the staff's only by password and second factor (and in the sandbox, where proof is off)."""
    return role if role not in STAFF or method == SANDBOX or method.startswith(STAFF_METHOD) else Role.BIDDER


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
    """Opens, checks and ends sessions.

    A session ends after ``idle_s`` without use or ``absolute_s`` in any case; ``last_seen_at`` is written at most once
    in ``TOUCH_S``. With a ``store`` sessions are also kept in Redis, for seconds, and read from there first; PostgreSQL
    decides, and is enough.
    """

    TOUCH_S = 60

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        idle_s: int,
        absolute_s: int,
        store: StateStore | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._engine = engine
        self._idle = timedelta(seconds=idle_s)
        self._absolute = timedelta(seconds=absolute_s)
        self._clock = clock or SystemClock()
        self._cache = None if store is None else SessionCache(store, self._clock)

    @property
    def absolute_s(self) -> int:
        """How long a session can last."""
        return int(self._absolute.total_seconds())

    async def sign_in_sandbox(self, handle: str, *, user_agent: str | None = None) -> tuple[Identity, str]:
        """A session for a sandbox handle, without proof; its token is told once and never stored."""
        async with self._engine.begin() as connection:
            user = await ensure_sandbox_user(connection, handle)
            return await self.open(connection, user, SANDBOX, user_agent=user_agent)

    async def open(
        self, connection: AsyncConnection, user: UUID, method: str, *, user_agent: str | None = None
    ) -> tuple[Identity, str]:
        """A new session in the caller's transaction, with a token nobody has seen: told once and never stored."""
        session, secret = ids.new_id(), secrets.token_urlsafe(TOKEN_BYTES)
        token = f"{session.hex}.{secret}"
        now: datetime = (await connection.execute(sa.select(sa.func.now()))).scalar_one()
        await connection.execute(
            sa.insert(Session).values(
                id=session,
                token_hash=token_hash(token),
                user_id=user,
                method=method,
                user_agent=None if user_agent is None else user_agent[:USER_AGENT_LENGTH_MAX],
                created_at=now,
                last_seen_at=now,
                expires_at=now + self._absolute,
            )
        )
        row = (await connection.execute(sa.select(User.name, User.role).where(User.id == user))).one()
        if method != SANDBOX:
            signed_in = events.action(
                user, "session.sign_in", at=now, role=row.role, reason=method, target=f"user:{user}"
            )
            await log.append(connection, [signed_in])
        role = role_by(row.role, method)
        SIGN_INS.labels(method).inc()
        return Identity(user, row.name, role, session, None, method, from_datetime(now)), token

    async def authenticate(self, token: str) -> Identity:
        """Who this token belongs to. Raises Unauthenticated for an unknown, ended or revoked session."""
        session = _session_of(token)
        if session is None:
            raise Unauthenticated("The session token is not valid. Sign in again.")
        hashed = token_hash(token)
        cached = None if self._cache is None else await self._cache.get(session)
        if cached is None:
            cached = await self._read(session)
            if self._cache is not None and cached is not None:
                await self._cache.put(cached)
        if (
            cached is None
            or cached.revoked
            or cached.expires_at <= self._clock.now()
            or not hmac.compare_digest(cached.token_hash, hashed.hex())
        ):
            raise Unauthenticated("The session has ended or was never valid. Sign in again.")
        role = role_by(Role(cached.role), cached.method)
        return Identity(cached.user, cached.name, role, cached.id, None, cached.method, cached.signed_in_at)

    async def sessions_of(self, user: UUID) -> list[Any]:
        """The person's sessions that are still good, the last used first."""
        now = sa.func.now()
        statement = (
            sa.select(
                Session.id,
                Session.method,
                Session.user_agent,
                Session.created_at,
                Session.last_seen_at,
                Session.expires_at,
            )
            .where(Session.user_id == user, self._good(now))
            .order_by(Session.last_seen_at.desc(), Session.id)
        )
        async with self._engine.connect() as connection:
            return list((await connection.execute(statement)).all())

    async def revoke(self, user: UUID, session: UUID) -> None:
        """End one of the person's sessions. Raises NotFound for somebody else's, and for one that has ended."""
        async with self._engine.begin() as connection:
            ended = await self._end(connection, Session.user_id == user, Session.id == session)
        if not ended:
            raise NotFound("You have no session with this id.")
        await self.forget(ended)

    async def revoke_all(
        self, user: UUID, *, but: UUID | None = None, connection: AsyncConnection | None = None
    ) -> list[UUID]:
        """End all of the person's sessions, ``but`` one. In a caller's transaction, who calls ``forget`` after it."""
        conditions = [Session.user_id == user, *([] if but is None else [Session.id != but])]
        if connection is not None:
            return await self._end(connection, *conditions)
        async with self._engine.begin() as own:
            ended = await self._end(own, *conditions)
        await self.forget(ended)
        return ended

    async def forget(self, sessions: list[UUID]) -> None:
        """Tell every process, through Redis, that those sessions have ended."""
        if self._cache is not None:
            await self._cache.end(sessions)

    async def _end(self, connection: AsyncConnection, *conditions: sa.ColumnElement[bool]) -> list[UUID]:
        statement = (
            sa.update(Session)
            .where(Session.revoked_at.is_(None), *conditions)
            .values(revoked_at=sa.func.now())
            .returning(Session.id)
        )
        return list((await connection.execute(statement)).scalars())

    def _good(self, now: sa.ColumnElement[datetime]) -> sa.ColumnElement[bool]:
        return sa.and_(
            Session.revoked_at.is_(None),
            Session.expires_at > now,
            Session.last_seen_at > now - sa.literal(self._idle),
        )

    async def _read(self, session: UUID) -> Cached | None:
        now = sa.func.now()
        statement = (
            sa.select(
                Session,
                User.name,
                User.role,
                (now - Session.last_seen_at > sa.literal(timedelta(seconds=self.TOUCH_S))).label("stale"),
            )
            .join(User, User.id == Session.user_id)
            .where(Session.id == session, self._good(now))
        )
        async with self._engine.begin() as connection:
            row = (await connection.execute(statement)).one_or_none()
            if row is None:
                return None
            if row.stale:
                await connection.execute(sa.update(Session).where(Session.id == session).values(last_seen_at=now))
        return Cached(
            id=row.id,
            user=row.user_id,
            name=row.name,
            role=row.role.value,
            method=row.method,
            token_hash=row.token_hash.hex(),
            signed_in_at=from_datetime(row.created_at),
            expires_at=from_datetime(row.expires_at),
        )


def _session_of(token: str) -> UUID | None:
    """The id in front of a token; it says where to look, the rest proves the right to it."""
    if len(token) > TOKEN_LENGTH_MAX or not token.isascii():
        return None
    name, dot, secret = token.partition(".")
    if not dot or not secret or len(name) != 32:
        return None
    try:
        return UUID(hex=name)
    except ValueError:
        return None


def token_hash(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).digest()
