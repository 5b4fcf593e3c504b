"""E-mail by SMTP: plain text and HTML in one message, with one-click unsubscribe (RFC 8058)."""

import html
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

import aiosmtplib
import msgspec

from sothebais.auctions.receipts import HouseKey
from sothebais.clock import Clock, to_datetime
from sothebais.errors import ConfigurationError
from sothebais.instants import Millis
from sothebais.notify import unsubscribe
from sothebais.notify.dispatcher import GiveUp, Outcome, Sent, Suppressed, TryAgain
from sothebais.notify.model import NotificationChannel
from sothebais.notify.outbox import BACKOFF_S, NotificationOutbox
from sothebais.notify.texts import clean
from sothebais.users.tables import User, UserPreference

TIMEOUT_S = 20.0
SUBJECT_LENGTH_MAX = 200
_PORTS = {"smtp": 587, "smtps": 465}
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


_ADDRESSES = f"""
select u.id, u.email, coalesce(u.password_hash is not null or p.confirmed_email = u.email, false) as confirmed,
  coalesce(p.asked_email = u.email, false) as asked
from {User.__tablename__} u left join {UserPreference.__tablename__} p on p.user_id = u.id
where u.id = any($1::uuid[])
"""  # noqa: S608
_ASKED = f"""
insert into {UserPreference.__tablename__} (user_id, asked_email) values ($1, $2)
on conflict (user_id) do update set asked_email = excluded.asked_email
"""  # noqa: S608
ASKED = "The address was asked first whether it wants mail."
UNCONFIRMED = "The address has not said yet that it wants mail."
QUESTION = (
    "Do you want e-mail from the house?",
    (
        "Somebody gave this address to be told about auctions. If that was you, open the link below and say yes. "
        "If not, do nothing: there will be no more mail."
    ),
)


class _Address(msgspec.Struct, frozen=True):
    """Where a person's mail goes, and whether it may."""

    email: str | None
    confirmed: bool
    asked: bool


class SmtpServer(msgspec.Struct, frozen=True, kw_only=True):
    """Where mail is handed over. ``tls``: from the first byte; ``start_tls``: None takes it when offered."""

    host: str
    port: int
    user: str | None
    password: str | None
    tls: bool
    start_tls: bool | None

    def __repr__(self) -> str:
        return f"SmtpServer({self.host}:{self.port})"


def parse_server(url: str) -> SmtpServer:
    """The server of ``smtp://user:password@host:587`` or ``smtps://…``. Raises ConfigurationError.

    A password is sent only through TLS: to another machine ``smtp`` then insists on STARTTLS.
    """
    problem = "SOTHEBAIS_SMTP_URL must look like smtp://user:password@host:587 or smtps://user:password@host."
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigurationError(problem) from None
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ConfigurationError(problem)
    tls = parts.scheme == "smtps"
    must = parts.username is not None and parts.hostname not in _LOCAL
    return SmtpServer(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
        tls=tls,
        start_tls=False if tls else (True if must else None),
    )


def compose(
    *, sender: str, to: str, title: str, body: str, link: str, opt_out: str, message_id: str, at: Millis
) -> EmailMessage:
    """The message. Its id is the notification's, so that one sent twice can be shown once."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = to
    message["Subject"] = clean(title, SUBJECT_LENGTH_MAX)
    message["Date"] = format_datetime(to_datetime(at))
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"
    message["List-Unsubscribe"] = f"<{opt_out}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(f"{body}\n\n{link}\n\n-- \nNo more mail like this: {opt_out}\n")
    message.add_alternative(
        _HTML.format(
            title=html.escape(title), body=html.escape(body), link=html.escape(link), out=html.escape(opt_out)
        ),
        subtype="html",
    )
    return message


_HTML = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body style="margin:0;padding:32px;background:#F7F4EE;color:#1B1E24;font:16px/1.5 Manrope,Helvetica,Arial,sans-serif">
<h1 style="margin:0 0 16px;font:28px/1.25 Caladea,Georgia,serif">{title}</h1>
<p style="margin:0 0 24px">{body}</p>
<p style="margin:0 0 32px"><a href="{link}" style="color:#8A6420">See it at the house</a></p>
<p style="margin:0;color:#5E636E;font-size:14px"><a href="{out}" style="color:#5E636E">No more mail like this</a></p>
</body></html>
"""


class EmailOutbox(NotificationOutbox):
    """Sends notifications as mail."""

    channel = NotificationChannel.EMAIL

    def __init__(
        self,
        clock: Clock,
        *,
        server: SmtpServer,
        sender: str,
        public_url: str,
        key: HouseKey,
        backoff_s: Sequence[float] = BACKOFF_S,
    ) -> None:
        super().__init__(clock, backoff_s=backoff_s)
        self._server = server
        self._sender = sender
        self._domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
        self._public_url = public_url.rstrip("/")
        self._key = key
        self._addresses: dict[UUID, _Address] = {}
        #: Who is being asked, by which row.
        self._asking: dict[UUID, UUID] = {}

    async def prepare(self, connection: Any, rows: Sequence[Any]) -> None:
        """The addresses of the people."""
        found = {one["id"]: one for one in await connection.fetch(_ADDRESSES, list({row["user_id"] for row in rows}))}
        for row in rows:
            if (one := found.get(row["user_id"])) is not None:
                self._addresses[row["id"]] = _Address(one["email"], one["confirmed"], one["asked"])

    async def concluded(self, connection: Any, row: Any, outcome: Outcome) -> None:
        """Remember that an address was asked."""
        address = self._addresses.pop(row["id"], None)
        if address is not None and not address.confirmed and not address.asked:
            if isinstance(outcome, Suppressed) and outcome.reason == ASKED:
                await connection.execute(_ASKED, row["user_id"], address.email)
            if not (isinstance(outcome, Suppressed) and outcome.reason == UNCONFIRMED):
                self._asking.pop(row["user_id"], None)

    async def send_one(self, row: Any) -> Outcome:
        """Hand the mail to the server; to an address that never said yes only the question, and only once."""
        address = self._addresses.get(row["id"])
        if address is None or address.email is None:
            return Suppressed("There is no e-mail address any more.")
        if address.confirmed:
            title, body = row["title"], row["body"]
            link = self._public_url + msgspec.json.decode(row["data"])["path"]
            return await self._hand_over(row, address.email, title, body, link) or Sent()
        if address.asked or self._asking.setdefault(row["user_id"], row["id"]) != row["id"]:
            return Suppressed(UNCONFIRMED)
        yes = unsubscribe.token(self._key, row["user_id"], confirms=address.email)
        link = f"{self._public_url}{unsubscribe.CONFIRM_PATH}?token={yes}"
        return await self._hand_over(row, address.email, *QUESTION, link) or Suppressed(ASKED)

    async def _hand_over(self, row: Any, to: str, title: str, body: str, link: str) -> TryAgain | GiveUp | None:
        """Give the server a mail; None when it took it."""
        message = compose(
            sender=self._sender,
            to=to,
            title=title,
            body=body,
            link=link,
            opt_out=f"{self._public_url}{unsubscribe.PATH}?token={unsubscribe.token(self._key, row['user_id'])}",
            message_id=f"<{row['id']}@{self._domain}>",
            at=self._clock.now(),
        )
        server = self._server
        try:
            await aiosmtplib.send(
                message,
                hostname=server.host,
                port=server.port,
                username=server.user,
                password=server.password,
                use_tls=server.tls,
                start_tls=server.start_tls,
                timeout=TIMEOUT_S,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = [one.code for one in error.recipients]
            if all(code >= 500 for code in codes):
                return GiveUp(f"The mail server refused the address ({codes[0]}).", status=codes[0])
            return TryAgain(f"The mail server put the address off ({codes[0]}).")
        except aiosmtplib.SMTPResponseException as error:
            # what a server says may repeat the address; the code says enough
            answer = f"The mail server answered {error.code}."
            permanent = error.code >= 500 and not isinstance(error, aiosmtplib.SMTPAuthenticationError)
            return GiveUp(answer, status=error.code) if permanent else TryAgain(answer, status=error.code)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            return TryAgain(f"The mail server does not answer ({type(error).__name__}).")
        return None
