"""Notifications as plain values: what there is to tell, to whom, on which channels."""

from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from sothebais.instants import Millis


class NotificationKind(StrEnum):
    """What a person is told."""

    BID_ACCEPTED = "BID_ACCEPTED"
    BID_REJECTED = "BID_REJECTED"
    BID_VOIDED = "BID_VOIDED"
    OUTBID = "OUTBID"
    WON = "WON"
    LOST = "LOST"
    SETTLEMENT = "SETTLEMENT"
    AUCTION_REMINDER = "AUCTION_REMINDER"
    SESSION_REMINDER = "SESSION_REMINDER"
    CAMPAIGN_NEWS = "CAMPAIGN_NEWS"


class NotificationChannel(StrEnum):
    """The way it is told."""

    IN_APP = "IN_APP"
    PLATFORM = "PLATFORM"
    EMAIL = "EMAIL"
    WEB_PUSH = "WEB_PUSH"
    WEBHOOK = "WEBHOOK"


class DeliveryStatus(StrEnum):
    """PENDING → SENT, FAILED after all tries, or SUPPRESSED by preference, quiet hours or a newer one of its kind."""

    PENDING = "PENDING"
    SENT = "SENT"
    FAILED = "FAILED"
    SUPPRESSED = "SUPPRESSED"


class WebhookFormat(StrEnum):
    """The body a webhook gets: the event as it is, or a message a Discord channel can show."""

    STANDARD = "STANDARD"
    DISCORD = "DISCORD"


class Preferences(msgspec.Struct, frozen=True, kw_only=True):
    """How a person wants to be told; the defaults are those of somebody who never said."""

    notifications: bool = True
    bid_confirmations: bool = True
    outbid_alerts: bool = True
    auction_reminders: bool = True
    by_email: bool = True
    time_zone: str = "UTC"
    #: ``("22:00", "07:00")`` in the person's time zone.
    quiet_hours: tuple[str, str] | None = None


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who could be told; ``email`` and ``push`` say whether there is a way."""

    user: UUID
    preferences: Preferences = Preferences()
    email: bool = False
    push: bool = False


class Lot(msgspec.Struct, frozen=True, kw_only=True):
    """A lot as a notification names it."""

    id: UUID
    number: int
    title: str
    currency: str


class LotFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What an event of a lot does not say itself."""

    lot: Lot
    #: Who led before the event.
    leader_before: UUID | None = None
    #: Whose bid was taken out.
    voided_bidder: UUID | None = None


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell one person, whatever the channel. ``path`` is the page it leads to."""

    user: UUID
    kind: NotificationKind
    title: str
    body: str
    path: str = "/"
    auction: UUID | None = None
    details: dict[str, Any] = msgspec.field(default_factory=dict)
    #: Told later it is of no use.
    expires_at: Millis | None = None


class Delivery(msgspec.Struct, frozen=True):
    """A channel and the instant from which it may be used."""

    channel: NotificationChannel
    at: Millis
