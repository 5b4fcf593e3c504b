"""Bodies of notifications, preferences and follows."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints, field_validator

from sothebais.api.models.base import Body, Id, Instant
from sothebais.notify.push import SUBSCRIPTIONS_MAX
from sothebais.notify.service import READ_MAX

type WallTime = Annotated[
    str, Field(pattern=r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]$", description="Hours and minutes.", examples=["22:00"])
]
type Kind = Literal[
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
type Base64Url = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+={0,2}$", max_length=120)]


class QuietHours(Body):
    """From when to when e-mail and push wait, in the person's time zone; over midnight if need be."""

    from_: WallTime = Field(alias="from")
    to: WallTime


class Preferences(Body):
    """How a person wants to be told and shown things."""

    notifications: bool = Field(description="Off: only what binds you (won, settlement, bid taken out), and only here.")
    bid_confirmations: bool
    outbid_alerts: bool
    auction_reminders: bool
    by_email: bool = Field(description="Off after an unsubscribe.")
    theme: Literal["system", "light", "dark"]
    time_zone: str = Field(examples=["Europe/Berlin"])
    locale: str = Field(examples=["en"])
    quiet_hours: QuietHours | None


class PreferencesChange(Body):
    """What to change; what is not named stays."""

    notifications: bool | None = None
    bid_confirmations: bool | None = None
    outbid_alerts: bool | None = None
    auction_reminders: bool | None = None
    by_email: bool | None = None
    theme: Literal["system", "light", "dark"] | None = None
    time_zone: Annotated[str, Field(min_length=1, max_length=64, examples=["Europe/Berlin"])] | None = None
    locale: (
        Annotated[str, Field(pattern=r"^[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}$", examples=["en", "pt-BR"])] | None
    ) = None
    quiet_hours: QuietHours | None = Field(default=None, description="null turns them off.")

    @field_validator("*", mode="before")
    @classmethod
    def _no_null(cls, value: Any, info: Any) -> Any:
        """Only quiet hours can be taken away; null for another is a mistake that should be seen."""
        if value is None and info.field_name != "quiet_hours":
            raise ValueError("null is not a value of this preference; leave it out to keep it")
        return value

    def wanted(self) -> dict[str, Any]:
        """What was named, as it is kept."""
        return self.model_dump(exclude_unset=True, by_alias=True)


class Notification(Body):
    """Something the person was told."""

    id: Id
    kind: Kind
    title: str
    body: str
    path: str = Field(description="The page it leads to.")
    auction: Id | None
    data: dict[str, Any] = Field(description="Figures of the case, such as `price` and `next_valid_amount`.")
    happened_at: Instant
    created_at: Instant
    read_at: Instant | None


class NotificationPage(Body):
    """A page of notifications, newest first."""

    items: list[Notification]
    next: Id | None
    unread: int = Field(description="How many are unread, 1000 at most.")


class ReadRequest(Body):
    """Which to mark as read: some by id, or all."""

    ids: Annotated[list[Id], Field(max_length=READ_MAX)] | None = None
    all: bool = False


class ReadAnswer(Body):
    """How many were unread until now."""

    marked: int


class FollowRequest(Body):
    """How long before the start to be reminded, in seconds."""

    remind_before_s: int = Field(default=900, ge=0, le=604_800)


class FollowAnswer(Body):
    """What is followed now."""

    following: Literal[True] = True
    remind_before_s: int


class FollowItem(Body):
    """One thing a person follows: an auction, a campaign, or a campaign's day."""

    id: Id
    auction: Id | None
    campaign: Id | None
    day: int | None
    lot_number: int | None
    title: str | None
    starts_at: Instant | None
    remind_before_s: int
    created_at: Instant


class FollowPage(Body):
    """A page of what a person follows, oldest first."""

    items: list[FollowItem]
    next: Id | None


class PushKey(Body):
    """The house's VAPID key, base64url: ``applicationServerKey`` of a browser's subscription."""

    public_key: str


class PushKeys(Body):
    """The browser's keys, base64url."""

    p256dh: Base64Url
    auth: Base64Url


class PushSubscriptionRequest(Body):
    """A browser's ``PushSubscription.toJSON()``."""

    endpoint: str = Field(max_length=2_000, examples=["https://push.example/v2/abc"])
    keys: PushKeys
    expirationTime: float | None = Field(default=None, description="Not used.")  # noqa: N815 - the browser's own name


class PushSubscriptionAnswer(Body):
    """The browser is pushed to from now on."""

    subscribed: Literal[True] = True
    browsers_max: int = SUBSCRIPTIONS_MAX


REQUESTS: dict[str, type[BaseModel]] = {
    "FollowRequest": FollowRequest,
    "PreferencesChange": PreferencesChange,
    "PushSubscriptionRequest": PushSubscriptionRequest,
    "ReadRequest": ReadRequest,
}
ANSWERS: dict[str, type[BaseModel]] = {
    "FollowAnswer": FollowAnswer,
    "FollowPage": FollowPage,
    "NotificationPage": NotificationPage,
    "Preferences": Preferences,
    "PushKey": PushKey,
    "PushSubscriptionAnswer": PushSubscriptionAnswer,
    "ReadAnswer": ReadAnswer,
}
