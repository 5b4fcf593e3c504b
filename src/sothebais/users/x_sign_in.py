"""Signing in by X: OAuth 2.0 with PKCE. A person is known by X's own id, never by the handle, which can change hands."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from urllib.parse import urlencode
from uuid import UUID

import httpx
import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sothebais import ids
from sothebais.errors import Conflict, NotFound, ProofRefused, Unavailable
from sothebais.events import log
from sothebais.users import accounts, events
from sothebais.users.nonces import Nonces, Purpose
from sothebais.users.origin import Origin
from sothebais.users.secret_box import SecretBox
from sothebais.users.service import Identity, SessionService
from sothebais.users.tables import SocialAccount, User

PLATFORM = "x"
CALLBACK_PATH = "/api/v1/auth/x/callback"
SCOPES = "users.read tweet.read"
TIMEOUT_S = 5.0
#: A token is asked for once, as its code is good once; who it belongs to may be asked again.
READ_TRIES = 2
SECRET_BYTES = 32
_SEALED = "x-verifier"


@dataclass(frozen=True)
class XClient:
    """The house as X knows it, and where X is."""

    client_id: str
    client_secret: str | None = field(repr=False)
    authorize_url: str
    token_url: str
    users_url: str


class XPerson(msgspec.Struct):
    """What X says of somebody."""

    id: str
    username: str
    name: str = ""


class _Users(msgspec.Struct):
    data: XPerson


class _Token(msgspec.Struct):
    access_token: str
    token_type: str


@dataclass(frozen=True)
class Started:
    """Where to send the browser, and what it must bring back in a cookie."""

    url: str
    browser: str = field(repr=False)


class XSignIn:
    """The two halves of the ceremony. The state is single-use, kept by the house, and bound to one browser."""

    def __init__(
        self, engine: AsyncEngine, nonces: Nonces, sessions: SessionService, box: SecretBox, client: XClient | None
    ) -> None:
        self._engine = engine
        self._nonces = nonces
        self._sessions = sessions
        self._box = box
        self._client = client

    async def start(self, origin: Origin, *, user: UUID | None) -> Started:
        """The first half; ``user`` links the account to somebody who is signed in. Raises NotFound without a client."""
        client = self._known()
        verifier, browser, state = (secrets.token_urlsafe(SECRET_BYTES) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        await self._nonces.issue(
            Purpose.X,
            user=user,
            value=state,
            data={"verifier": self._box.seal(verifier.encode(), _SEALED).hex(), "browser": _hash(browser)},
        )
        query = {
            "response_type": "code",
            "client_id": client.client_id,
            "redirect_uri": f"{origin}{CALLBACK_PATH}",
            "scope": SCOPES,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return Started(f"{client.authorize_url}?{urlencode(query)}", browser)

    async def finish(
        self,
        origin: Origin,
        *,
        state: str,
        browser: str | None,
        code: str | None,
        error: str | None,
        user_agent: str | None = None,
    ) -> tuple[Identity, str]:
        """The second half. Raises ProofRefused for a refusal, a wrong or used state, another browser, a bad code."""
        client = self._known()
        taken = await self._nonces.take(Purpose.X, state)
        if taken is None:
            raise ProofRefused("This sign-in was not begun here, was finished already, or took too long. Begin again.")
        if browser is None or not hmac.compare_digest(_hash(browser), taken.data["browser"]):
            raise ProofRefused("This sign-in was begun in another browser. Begin again in this one.")
        if error is not None or not code:
            raise ProofRefused("X did not give its consent, so you are not signed in.")
        verifier = self._box.open(bytes.fromhex(taken.data["verifier"]), _SEALED).decode()
        person = await self._ask(client, code, verifier, f"{origin}{CALLBACK_PATH}")
        async with self._engine.begin() as connection:
            name = f"{PLATFORM}:{person.id}"
            await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, 0))))
            user = await self._user(connection, person, taken.user)
            return await self._sessions.open(connection, user, PLATFORM, user_agent=user_agent)

    async def unlink(self, user: UUID, account: UUID) -> None:
        """Give an account up. Raises NotFound, and Conflict where nothing else is left to sign in by."""
        async with self._engine.begin() as connection:
            now, role = await accounts.lock(connection, user)
            gone = (
                await connection.execute(
                    sa.delete(SocialAccount)
                    .where(SocialAccount.id == account, SocialAccount.user_id == user)
                    .returning(SocialAccount.platform)
                )
            ).scalar_one_or_none()
            if gone is None:
                raise NotFound("You have no account with this id.")
            await accounts.keep_a_way_in(connection, user)
            await log.append(connection, [events.action(user, "account.unlink", at=now, role=role, reason=gone)])

    def _known(self) -> XClient:
        if self._client is None:
            raise NotFound("Signing in by X is off in this house (SOTHEBAIS_X_CLIENT_ID is not set).")
        return self._client

    async def _user(self, connection: AsyncConnection, person: XPerson, linking: UUID | None) -> UUID:
        statement = sa.select(SocialAccount.user_id).where(
            SocialAccount.platform == PLATFORM, SocialAccount.platform_user_id == person.id
        )
        owner: UUID | None = (await connection.execute(statement)).scalar_one_or_none()
        if owner is not None:
            if linking is not None and owner != linking:
                raise Conflict(
                    "This X account belongs to another user of this house. Sign in by it, or unlink it there."
                )
            await connection.execute(
                sa.update(SocialAccount)
                .where(SocialAccount.platform == PLATFORM, SocialAccount.platform_user_id == person.id)
                .values(handle=person.username)
            )
            return owner
        user = linking or await accounts.new_user(connection, person.username)
        await connection.execute(
            insert(SocialAccount).values(
                id=ids.new_id(),
                user_id=user,
                platform=PLATFORM,
                platform_user_id=person.id,
                handle=person.username,
            )
        )
        row = (await connection.execute(sa.select(User.role, sa.func.now().label("now")).where(User.id == user))).one()
        linked = events.action(user, "account.link", at=row.now, role=row.role, reason=PLATFORM)
        await log.append(connection, [linked])
        return user

    async def _ask(self, client: XClient, code: str, verifier: str, redirect: str) -> XPerson:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "code_verifier": verifier,
            "client_id": client.client_id,
        }
        auth = None if client.client_secret is None else httpx.BasicAuth(client.client_id, client.client_secret)
        async with httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False) as http:
            try:
                answer = await http.post(client.token_url, data=form, auth=auth or httpx.USE_CLIENT_DEFAULT)
            except httpx.HTTPError:
                raise _silent() from None
            token = _read(answer, _Token)
            if token.token_type.lower() != "bearer":
                raise _silent()
            headers = {"authorization": f"Bearer {token.access_token}"}
            for left in reversed(range(READ_TRIES)):
                try:
                    answer = await http.get(client.users_url, headers=headers)
                except httpx.HTTPError:
                    if not left:
                        raise _silent() from None
                    continue
                if answer.status_code < 500 or not left:
                    break
            return _checked(_read(answer, _Users).data)


def _read[T](answer: httpx.Response, wanted: type[T]) -> T:
    if answer.status_code in (400, 401, 403):
        raise ProofRefused("X refused this sign-in. Begin again.")
    if answer.status_code != 200:
        raise _silent()
    try:
        return msgspec.json.decode(answer.content, type=wanted)
    except msgspec.DecodeError:
        raise _silent() from None


def _checked(person: XPerson) -> XPerson:
    if not person.id.isdigit() or not 1 <= len(person.username) <= 30 or not person.username.isprintable():
        raise _silent()
    return person


def _silent() -> Unavailable:
    return Unavailable(
        "X does not answer as it should, so you are not signed in. Try again in a moment.", retry_after=5
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
