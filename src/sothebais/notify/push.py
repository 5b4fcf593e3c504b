"""Web push: RFC 8030 delivery, RFC 8291 encryption, RFC 8292 (VAPID) sender identity."""

import asyncio
import base64
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sothebais.clock import Clock
from sothebais.errors import ConfigurationError
from sothebais.notify.dispatcher import GiveUp, Outcome, Sent, Suppressed, TryAgain
from sothebais.notify.model import NotificationChannel, NotificationKind
from sothebais.notify.outbox import BACKOFF_S, NotificationOutbox
from sothebais.notify.outgoing import Outgoing
from sothebais.notify.tables import PushSubscription
from sothebais.notify.texts import clean

KEY_BYTES = 32
#: Browsers of one person that are pushed to.
SUBSCRIPTIONS_MAX = 10
#: A push service keeps a message so long for a browser that is off.
TTL_S = {NotificationKind.OUTBID: 300, NotificationKind.AUCTION_REMINDER: 900, NotificationKind.SESSION_REMINDER: 900}
TTL_S_DEFAULT = 24 * 3_600
#: A VAPID token may live a day at most; this leaves room for clocks that differ.
TOKEN_S = 12 * 3_600
TITLE_LENGTH_MAX = 120
BODY_LENGTH_MAX = 500
GONE = frozenset({404, 410})

_S = PushSubscription.__tablename__
_OF_USERS = f"""
select id, user_id, endpoint, p256dh, auth from (
  select *, row_number() over (partition by user_id order by created_at desc) as place from {_S}
  where user_id = any($1::uuid[])) s where place <= {SUBSCRIPTIONS_MAX}
"""  # noqa: S608
_USED = f"update {_S} set last_sent_at = now() where id = any($1::uuid[])"  # noqa: S608
_REMOVE = f"delete from {_S} where id = any($1::uuid[])"  # noqa: S608


class VapidKey:
    """The key that says to push services who is sending."""

    def __init__(self, private: bytes) -> None:
        try:
            self._private = ec.derive_private_key(int.from_bytes(private), ec.SECP256R1())
        except ValueError:
            raise ConfigurationError("SOTHEBAIS_VAPID_KEY is not a private key of P-256.") from None
        point = self._private.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        #: As browsers take it: ``applicationServerKey``.
        self.public = base64url(point)

    def headers(self, endpoint: str, contact: str, expires_s: int) -> dict[str, str]:
        """The Authorization header for an endpoint."""
        parts = urlsplit(endpoint)
        claims = {"aud": f"{parts.scheme}://{parts.netloc}", "exp": expires_s, "sub": contact}
        from py_vapid import Vapid02

        signed: dict[str, str] = Vapid02(private_key=self._private).sign(claims)
        return signed


def new_key() -> bytes:
    """The private bytes of a new key."""
    return ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value.to_bytes(KEY_BYTES)


def base64url(data: bytes) -> str:
    """Without padding, as push has it everywhere."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def is_point(data: bytes) -> bool:
    """Whether this is a public key of P-256: anything else would make every encryption fail."""
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), data)
    except ValueError:
        return False
    return len(data) == 65


class PushOutbox(NotificationOutbox):
    """Sends notifications to all browsers of a person."""

    channel = NotificationChannel.WEB_PUSH

    def __init__(
        self,
        clock: Clock,
        *,
        key: VapidKey,
        outgoing: Outgoing,
        contact: str,
        backoff_s: Sequence[float] = BACKOFF_S,
    ) -> None:
        super().__init__(clock, backoff_s=backoff_s)
        self._key = key
        self._outgoing = outgoing
        self._contact = contact
        self._browsers: dict[UUID, list[Any]] = {}
        self._reached: dict[UUID, list[UUID]] = {}
        self._gone: dict[UUID, list[UUID]] = {}

    async def prepare(self, connection: Any, rows: Sequence[Any]) -> None:
        """The browsers of the people."""
        found: dict[UUID, list[Any]] = {}
        for browser in await connection.fetch(_OF_USERS, list({row["user_id"] for row in rows})):
            found.setdefault(browser["user_id"], []).append(browser)
        for row in rows:
            self._browsers[row["id"]] = found.get(row["user_id"], [])

    async def send_one(self, row: Any) -> Outcome:
        """To each browser; it arrived when one of them took it."""
        browsers = self._browsers.pop(row["id"], [])
        if not browsers:
            return Suppressed("No browser takes push any more.")
        kind = NotificationKind(row["kind"])
        data = msgspec.json.decode(row["data"])
        payload = msgspec.json.encode(
            {
                "id": row["id"],
                "kind": kind,
                "title": clean(row["title"], TITLE_LENGTH_MAX),
                "body": clean(row["body"], BODY_LENGTH_MAX),
                "path": data["path"],
            }
        )
        failures: list[TryAgain | GiveUp] = []
        outcomes = await asyncio.gather(*(self._push(row, kind, browser, payload) for browser in browsers))
        for browser, outcome in zip(browsers, outcomes, strict=True):
            if isinstance(outcome, Sent):
                self._reached.setdefault(row["id"], []).append(browser["id"])
            elif outcome is None:
                self._gone.setdefault(row["id"], []).append(browser["id"])
            else:
                failures.append(outcome)
        if row["id"] in self._reached:
            return Sent()
        for failure in failures:
            if isinstance(failure, TryAgain):
                return failure
        return failures[0] if failures else Suppressed("No browser takes push any more.")

    async def concluded(self, connection: Any, row: Any, outcome: Outcome) -> None:
        """Forget browsers that are gone."""
        self._browsers.pop(row["id"], None)
        if gone := self._gone.pop(row["id"], None):
            await connection.execute(_REMOVE, gone)
        if reached := self._reached.pop(row["id"], None):
            await connection.execute(_USED, reached)

    async def close(self) -> None:
        """Let connections go."""
        await self._outgoing.close()

    async def _push(
        self, row: Any, kind: NotificationKind, browser: Any, payload: bytes
    ) -> Sent | TryAgain | GiveUp | None:
        """To one browser; None when it is gone for good."""
        # it brings two HTTP clients of its own, which only this process should pay for
        from pywebpush import WebPusher

        keys = {"p256dh": base64url(browser["p256dh"]), "auth": base64url(browser["auth"])}
        encrypted = WebPusher({"endpoint": browser["endpoint"], "keys": keys}).encode(payload)["body"]
        headers = {
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "ttl": str(TTL_S.get(kind, TTL_S_DEFAULT)),
            "urgency": "high" if kind in TTL_S else "normal",
            **self._key.headers(browser["endpoint"], self._contact, self._clock.now() // 1_000 + TOKEN_S),
        }
        if row["auction_id"] is not None and kind is NotificationKind.OUTBID:
            # the push service keeps the newest of a topic only: 16 bytes make 22 of its 32 characters
            headers["topic"] = base64url(row["auction_id"].bytes)
        answer = await self._outgoing.post(browser["endpoint"], encrypted, headers)
        if answer.status is None:
            return TryAgain(answer.error or "no answer")
        if answer.status in GONE:
            return None
        if 200 <= answer.status < 300:
            return Sent(answer.status)
        said = f"The push service answered {answer.status}."
        if answer.status == 429 or answer.status >= 500:
            return TryAgain(said, answer.status, answer.retry_after_s)
        return GiveUp(said, answer.status)
