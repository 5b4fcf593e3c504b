"""``Idempotency-Key`` on every write that is no bid: the same key and body repeats the first answer.

A key belongs to one person. It is claimed in PostgreSQL before the request is let in, so the same key never runs
twice: a second request that comes while the first is in hand is told to wait, one with another body is refused, and
one whose first request died half-way is told to look. Answers that hold a secret (a key, a token) are not kept.
Bids have keys of their own, in the transaction of the bid.
"""

import contextlib
import hashlib
from collections.abc import MutableMapping
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from sothebais import ids
from sothebais.api.auth import maybe_identity
from sothebais.api.door import PREFIX, App, Receive, Scope, Send, is_upload, replayed, too_large
from sothebais.api.errors import problem
from sothebais.api.parts import ApiParts
from sothebais.api.tables import IdempotencyKey
from sothebais.errors import IdempotencyConflict, InvalidInput, SothebaisError, Unavailable

log = structlog.get_logger(__name__)

KEY_LENGTH_MAX = 200
#: A request that comes with a key has no longer body (but for uploads), and no longer answer is kept.
KEPT_BYTES_MAX = 1_048_576
EXPIRES_S = 86_400
#: A request that was not answered after so long has died.
IN_HAND_S = 60
RETRY_AFTER_S = 1
#: Expired keys are removed so many at a time.
PRUNED_MAX = 1_000
REPLAYED = (b"idempotency-replayed", b"true")
#: Answers that say that nothing happened, and may be another the next time: the key is free again.
_NOTHING_HAPPENED = frozenset({401, 408, 413, 429, 503})
#: Answers that do not say what happened: the key stays claimed, so that nothing happens twice.
_UNKNOWN = frozenset({500, 502, 504})
_UNKNOWN_CODE = b'"OUTCOME_UNKNOWN"'
_SECRET_FIELDS = frozenset({"token", "secret", "password", "recovery_codes"})


class _First(NamedTuple):
    """What is known of the first request with a key."""

    request_hash: bytes
    status: int | None
    media_type: str | None
    location: str | None
    body: bytes | None
    age_s: float


#: What changes something.
METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Idempotency:
    """Between the door and the routes."""

    def __init__(self, app: App, parts: ApiParts) -> None:
        self._app = app
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _is_write(scope):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        key = request.headers.get("idempotency-key")
        if key is None:
            await self._app(scope, receive, send)
            return
        try:
            _check_key(key)
            person = await maybe_identity(request)
            if person is None:
                await self._app(scope, receive, send)
                return
            # how long an upload may be the door has said
            body = await request.body() if is_upload(scope) else await _body(request)
            claim = ids.new_id()
            first = await self._claim(person.user, key, _request_hash(request, body), claim)
        except SothebaisError as error:
            await problem(error)(scope, receive, send)
            return
        except (DBAPIError, PoolTimeout, OSError):
            away = Unavailable("The house cannot read its books at the moment. Try again.", retry_after=RETRY_AFTER_S)
            await problem(away)(scope, receive, send)
            return
        if first is None:
            await self._run(scope, replayed(body, receive), send, person.user, key, claim)
            return
        await _again(first, _request_hash(request, body))(scope, receive, send)

    async def _run(self, scope: Scope, receive: Receive, send: Send, user: UUID, key: str, claim: UUID) -> None:
        """Let the request in, and keep its answer before anybody hears it."""
        start: MutableMapping[str, Any] | None = None
        chunks: list[bytes] = []
        size = 0
        streaming = False

        async def catch(message: MutableMapping[str, Any]) -> None:
            nonlocal start, size, streaming
            if streaming:
                await send(message)
                return
            if message["type"] == "http.response.start":
                start = message
                return
            if message["type"] != "http.response.body" or start is None:
                await send(message)
                return
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            complete = not message.get("more_body", False)
            if complete or size > KEPT_BYTES_MAX:
                await self._noted(user, key, claim, start, b"".join(chunks) if complete else None)
                streaming = True
                await send(start)
                await send({**message, "body": b"".join(chunks)})

        # where this raises, the claim stays: nobody knows how far the request came
        await self._app(scope, receive, catch)

    async def _claim(self, user: UUID, key: str, request_hash: bytes, claim: UUID) -> _First | None:
        """None when the key is this request's now; else what the first request with it was."""
        now = sa.func.clock_timestamp()
        values = {
            "request_hash": request_hash,
            "claim": claim,
            "status": None,
            "media_type": None,
            "location": None,
            "body": None,
            "created_at": now,
            "expires_at": now + sa.literal(timedelta(seconds=EXPIRES_S)),
        }
        table = IdempotencyKey.__table__
        statement = (
            insert(IdempotencyKey)
            .values(user_id=user, key=key, **values)
            # a key whose day is over is as good as new
            .on_conflict_do_update(
                index_elements=["user_id", "key"], set_=values, where=IdempotencyKey.expires_at <= now
            )
            .returning(IdempotencyKey.claim)
        )
        async with self._parts.database.begin() as connection:
            if (await connection.execute(statement)).first() is not None:
                return None
            age = sa.extract("epoch", now - table.c.created_at)
            row = (
                await connection.execute(
                    sa.select(
                        table.c.request_hash,
                        table.c.status,
                        table.c.media_type,
                        table.c.location,
                        table.c.body,
                        age,
                    ).where(table.c.user_id == user, table.c.key == key)
                )
            ).one_or_none()
        if row is None:  # the first one was let go in between
            raise _in_hand()
        return _First(row[0], row[1], row[2], row[3], row[4], float(row[5]))

    async def _noted(
        self, user: UUID, key: str, claim: UUID, start: MutableMapping[str, Any], body: bytes | None
    ) -> None:
        """Keep the answer; who asked gets it in any case, as what it tells of has happened."""
        try:
            await self._keep(user, key, claim, start, body)
        except (DBAPIError, PoolTimeout, OSError) as error:
            log.warning("api.answer_not_kept", error=repr(error))

    async def _keep(
        self, user: UUID, key: str, claim: UUID, start: MutableMapping[str, Any], body: bytes | None
    ) -> None:
        status: int = start["status"]
        if status in _UNKNOWN or (status == 503 and _UNKNOWN_CODE in (body or b"")):
            return
        if status in _NOTHING_HAPPENED:
            await self._forget(user, key, claim)
            return
        headers = dict(start["headers"])
        media_type = headers.get(b"content-type", b"").decode("latin-1") or None
        location = headers.get(b"location", b"").decode("latin-1") or None
        kept = None if body is None or len(body) > KEPT_BYTES_MAX or _is_secret(body) else body
        async with self._parts.database.begin() as connection:
            await connection.execute(
                sa.update(IdempotencyKey)
                .where(_mine(user, key, claim))
                .values(status=status, media_type=media_type, location=location, body=kept)
            )

    async def _forget(self, user: UUID, key: str, claim: UUID) -> None:
        async with self._parts.database.begin() as connection:
            await connection.execute(sa.delete(IdempotencyKey).where(_mine(user, key, claim)))


async def prune(connection: AsyncConnection) -> int:
    """Remove keys whose day is over, a bounded number; how many. The caller's transaction commits."""
    over = (
        sa.select(IdempotencyKey.user_id, IdempotencyKey.key)
        .where(IdempotencyKey.expires_at <= sa.func.now())
        .limit(PRUNED_MAX)
        .with_for_update(skip_locked=True)
    )
    done = await connection.execute(
        sa.delete(IdempotencyKey).where(sa.tuple_(IdempotencyKey.user_id, IdempotencyKey.key).in_(over))
    )
    return done.rowcount


def _mine(user: UUID, key: str, claim: UUID) -> sa.ColumnElement[bool]:
    return sa.and_(IdempotencyKey.user_id == user, IdempotencyKey.key == key, IdempotencyKey.claim == claim)


def _is_write(scope: Scope) -> bool:
    path: str = scope["path"]
    # who signs in is nobody yet, and the answer is a secret
    return scope["method"] in METHODS and path.startswith(PREFIX) and not path.startswith(f"{PREFIX}auth/")


def _check_key(key: str) -> None:
    if not (0 < len(key) <= KEY_LENGTH_MAX and key.isprintable()):
        raise InvalidInput(
            f"Idempotency-Key must be 1 to {KEY_LENGTH_MAX} printable characters.", field="Idempotency-Key"
        )


async def _body(request: Request) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > KEPT_BYTES_MAX:
            raise too_large(KEPT_BYTES_MAX)
        chunks.append(chunk)
    return b"".join(chunks)


def _request_hash(request: Request, body: bytes) -> bytes:
    """Of what was asked: the method, the address and the body, where JSON that means the same is the same."""
    # what is not JSON counts byte for byte
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        body = msgspec.json.encode(msgspec.json.decode(body), order="sorted")
    digest = hashlib.sha256(f"{request.method} {request.url.path}".encode())
    digest.update(b"\x00" + request.url.query.encode() + b"\x00" + body)
    return digest.digest()


def _is_secret(body: bytes) -> bool:
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return isinstance(answer, dict) and not _SECRET_FIELDS.isdisjoint(answer)


def _in_hand() -> IdempotencyConflict:
    return IdempotencyConflict(
        "The first request with this Idempotency-Key is still in hand. Ask again in a moment.",
        retry_after=RETRY_AFTER_S,
        in_hand=True,
    )


def _again(first: _First, request_hash: bytes) -> Response:
    """The answer to a key that was used before."""
    if first.request_hash != request_hash:
        return problem(
            IdempotencyConflict("This Idempotency-Key was used for another request. Take a new key for a new request.")
        )
    if first.status is None:
        if first.age_s < IN_HAND_S:
            return problem(_in_hand())
        return problem(
            IdempotencyConflict(
                "The first request with this Idempotency-Key was not finished, and the house does not know how far it came."
                " Look whether it took effect; if not, send it with a new key."
            )
        )
    if first.body is None:
        return problem(
            IdempotencyConflict(
                f"The first request with this Idempotency-Key was answered with status {first.status}. Its answer is not"
                " kept, as it was too long or held a secret that is told once.",
                first_status=first.status,
            )
        )
    response = Response(first.body, status_code=first.status, media_type=first.media_type)
    if first.location is not None:
        response.headers["location"] = first.location
    response.raw_headers.append(REPLAYED)
    return response
