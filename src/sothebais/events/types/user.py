"""Events on the channel ``events:user``: people, their posts and their lines in the room.

The texts of posts and lines are in their rows, where they can be erased; the log, which never changes, has their ids.
"""

from typing import Literal

from sothebais.events.types.base import Amount, Data, EventId, Millis, ShortText
from sothebais.state.models import Role

type Preference = Literal[
    "notifications",
    "bid_confirmations",
    "outbid_alerts",
    "auction_reminders",
    "by_email",
    "theme",
    "time_zone",
    "locale",
    "quiet_hours",
]


class UserConnect(Data):
    """A live connection opened; ``user`` is null for a viewer who is not signed in."""

    user: EventId | None
    connection: EventId
    client: Literal["ROOM", "OVERLAY", "CONSOLE", "API"]
    gateway: ShortText


class UserDisconnect(Data):
    """A live connection ended, and why."""

    user: EventId | None
    connection: EventId
    cause: Literal["CLOSED", "SLOW", "SILENT", "SIGNED_OUT", "BLOCKED", "GATEWAY_STOPPED"]
    duration: Millis


class UserAction(Data):
    """Somebody did something worth a record. Staff's make up the ``audit`` view.

    ``action`` is ``noun.verb`` (``auction.pause``, ``user.block``, ``session.sign_in``), ``target`` a subject such as
    ``auction:{id}``; ``changed`` names fields without their values, which may be secrets.
    """

    actor: EventId
    role: Role
    action: ShortText
    target: ShortText | None
    reason: ShortText | None = None
    changed: tuple[ShortText, ...] = ()


class UserPreferenceChanged(Data):
    """Somebody changed how they want to be told and shown things."""

    user: EventId
    changed: tuple[Preference, ...]


class WalletLinked(Data):
    """A wallet was proven to be somebody's, or given up (``linked`` false)."""

    user: EventId
    wallet: EventId
    chain: ShortText
    method: Literal["SIWE", "ERC1271", "ED25519"]
    linked: bool = True


class UserNotified(Data):
    """A notification reached its channel, or was given up."""

    user: EventId
    notification: EventId
    kind: Literal[
        "BID_ACCEPTED",
        "BID_REJECTED",
        "BID_VOIDED",
        "OUTBID",
        "WON",
        "LOST",
        "SETTLEMENT",
        "AUCTION_REMINDER",
        "SESSION_REMINDER",
        "CAMPAIGN_NEWS",
    ]
    channel: Literal["IN_APP", "PLATFORM", "EMAIL", "WEB_PUSH", "WEBHOOK"]
    status: Literal["SENT", "FAILED", "SUPPRESSED"]
    reason: ShortText | None = None


class PostReceived(Data):
    """A post that addresses the host was stored and read. ``near_miss`` says why it is almost, but not, a bid."""

    post: EventId
    platform: ShortText
    user: EventId | None
    kind: Literal["BID", "QUESTION", "OPT_OUT", "LINK_WALLET", "OTHER"]
    auction: EventId | None
    created_at: Millis
    received_at: Millis
    near_miss: ShortText | None = None


class PostSent(Data):
    """A post of the house is out. ``cost`` is what the platform charges, in US dollars."""

    post: EventId
    platform: ShortText
    kind: Literal["RECEIPT", "REPLY", "ANNOUNCEMENT", "RESULT"]
    in_reply_to: EventId | None
    auction: EventId | None
    cost: Amount
    latency: Millis


class ChatMessage(Data):
    """A line was written in an auction's room, or hidden by staff (then ``actor`` and ``reason`` are there)."""

    message: EventId
    auction: EventId
    user: EventId
    hidden: bool = False
    actor: EventId | None = None
    reason: ShortText | None = None


USER_EVENTS: dict[str, type[Data]] = {
    "user:connect": UserConnect,
    "user:disconnect": UserDisconnect,
    "user:action": UserAction,
    "user:preference": UserPreferenceChanged,
    "user:wallet:linked": WalletLinked,
    "user:notified": UserNotified,
    "social:post:received": PostReceived,
    "social:post:sent": PostSent,
    "chat:message": ChatMessage,
}
