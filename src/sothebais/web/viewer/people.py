"""What a person sees of themselves: bids, wallets, sign-ins, wishes, and what they were told."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais import money
from sothebais.auctions import repository
from sothebais.auctions.model import BidStatus, Outcome, Source, Status
from sothebais.auctions.tables import Auction, Bid, Settlement, SettlementStatus
from sothebais.campaigns.model import CampaignStatus
from sothebais.campaigns.tables import Campaign, CampaignDay
from sothebais.notify.tables import DeliveryStatus, Follow, Notification, NotificationChannel
from sothebais.users.tables import Session, SocialAccount, User, UserPreference, Wallet

LOTS_MAX = 50
NOTIFICATIONS_MAX = 30
SESSIONS_MAX = 20
ENDED = (Status.ENDED, Status.SETTLED)


class MyLot(msgspec.Struct, frozen=True):
    """A lot this person has bid on, and how it stands for them."""

    id: UUID
    number: int
    title: str
    status: Status
    outcome: Outcome | None
    currency: str
    price: str | None
    mine: str | None
    leads: bool
    last_bid_at: datetime
    ends_at: datetime
    settlement: SettlementStatus | None
    total: str | None

    @property
    def won(self) -> bool:
        """Whether it is theirs."""
        return self.leads and self.outcome is Outcome.SOLD

    @property
    def over(self) -> bool:
        """Whether bidding has ended."""
        return self.status in (*ENDED, Status.CANCELLED)


class Told(msgspec.Struct, frozen=True):
    """One thing this person was told in the app."""

    id: UUID
    title: str
    body: str
    kind: str
    auction: UUID | None
    at: datetime
    read: bool


class SignIn(msgspec.Struct, frozen=True):
    """One sign-in that is still good."""

    id: UUID
    method: str
    created_at: datetime
    last_seen_at: datetime


class LinkedWallet(msgspec.Struct, frozen=True):
    """A wallet whose ownership was proven."""

    id: UUID
    chain: str
    address: str
    verified_at: datetime


class Account(msgspec.Struct, frozen=True):
    """An account at a platform, by which the person signs in."""

    id: UUID
    platform: str
    handle: str


class Followed(msgspec.Struct, frozen=True):
    """A lot or a campaign this person wants to hear of."""

    href: str
    title: str


class Profile(msgspec.Struct, frozen=True):
    """Everything of ``/me``."""

    name: str
    email: str | None
    lots: tuple[MyLot, ...]
    wallets: tuple[LinkedWallet, ...]
    accounts: tuple[Account, ...]
    preferences: dict[str, Any]
    notifications: tuple[Told, ...]
    sessions: tuple[SignIn, ...]
    follows: tuple[Followed, ...]


#: What holds for somebody who never said otherwise; the table's own defaults.
PREFERENCES = {
    "notifications": True,
    "bid_confirmations": True,
    "outbid_alerts": True,
    "auction_reminders": True,
    "by_email": True,
    "quiet_hours": None,
    "theme": "system",
    "time_zone": "UTC",
    "locale": "en",
}


async def profile(engine: AsyncEngine, user: UUID) -> Profile:
    """The person's page."""
    async with engine.connect() as connection:
        person = (await connection.execute(sa.select(User.name, User.email).where(User.id == user))).one()
        lots = (await connection.execute(_lots(user))).all()
        wallets = await connection.execute(
            sa.select(Wallet.id, Wallet.chain, Wallet.address, Wallet.verified_at)
            .where(Wallet.user_id == user)
            .order_by(Wallet.verified_at)
        )
        accounts = await connection.execute(
            sa.select(SocialAccount.id, SocialAccount.platform, SocialAccount.handle)
            .where(SocialAccount.user_id == user)
            .order_by(SocialAccount.platform)
        )
        wishes = (
            await connection.execute(
                sa.select(*(getattr(UserPreference, name) for name in PREFERENCES)).where(
                    UserPreference.user_id == user
                )
            )
        ).one_or_none()
        told = await connection.execute(
            sa.select(Notification)
            .where(
                Notification.user_id == user,
                Notification.channel == NotificationChannel.IN_APP,
                Notification.status != DeliveryStatus.SUPPRESSED,
            )
            .with_only_columns(
                Notification.id,
                Notification.title,
                Notification.body,
                Notification.kind,
                Notification.auction_id,
                Notification.created_at,
                Notification.read_at,
            )
            .order_by(Notification.created_at.desc())
            .limit(NOTIFICATIONS_MAX)
        )
        sessions = await connection.execute(
            sa.select(Session.id, Session.method, Session.created_at, Session.last_seen_at)
            .where(Session.user_id == user, Session.revoked_at.is_(None), Session.expires_at > sa.func.now())
            .order_by(Session.last_seen_at.desc())
            .limit(SESSIONS_MAX)
        )
        follows = await connection.execute(_follows(user))
        return Profile(
            name=person.name,
            email=person.email,
            lots=tuple(_my_lot(row, user) for row in lots),
            wallets=tuple(LinkedWallet(*row) for row in wallets),
            accounts=tuple(Account(*row) for row in accounts),
            preferences=PREFERENCES if wishes is None else dict(wishes._mapping),
            notifications=tuple(
                Told(row.id, row.title, row.body, row.kind, row.auction_id, row.created_at, row.read_at is not None)
                for row in told
            ),
            sessions=tuple(SignIn(*row) for row in sessions),
            follows=tuple(
                Followed(f"/auctions/{row.auction_id}", row.title)
                if row.auction_id
                else Followed(f"/campaigns/{row.campaign}", row.campaign_name)
                for row in follows
            ),
        )


async def wishes_of(engine: AsyncEngine, user: UUID) -> dict[str, Any]:
    """The theme and zone this person asked for."""
    statement = sa.select(UserPreference.theme, UserPreference.time_zone).where(UserPreference.user_id == user)
    async with engine.connect() as connection:
        row = (await connection.execute(statement)).one_or_none()
    return {} if row is None else {"theme": str(row.theme), "time_zone": row.time_zone}


async def follows(
    engine: AsyncEngine, user: UUID, *, auction: UUID | None = None, campaign: UUID | None = None
) -> bool:
    """Whether this person follows the lot or the campaign."""
    what = Follow.auction_id == auction if auction is not None else Follow.campaign_id == campaign
    async with engine.connect() as connection:
        return (await connection.execute(sa.select(Follow.id).where(Follow.user_id == user, what))).first() is not None


def _lots(user: UUID) -> sa.Select[Any]:
    mine = (
        sa.select(
            Bid.auction_id,
            sa.func.max(Bid.amount).label("mine"),
            sa.func.max(Bid.decided_at).label("last_bid_at"),
        )
        .where(Bid.user_id == user, Bid.status == BidStatus.ACCEPTED)
        .group_by(Bid.auction_id)
        # a proxy's raise is no bid the person made
        .having(sa.func.bool_or(Bid.source != Source.PROXY))
        .subquery()
    )
    return (
        sa.select(
            Auction.id,
            Auction.lot_number,
            Auction.status,
            Auction.outcome,
            Auction.currency,
            Auction.price,
            Auction.leader_id,
            Auction.ends_at,
            repository.TITLE,
            mine.c.mine,
            mine.c.last_bid_at,
            Settlement.status.label("settlement"),
            Settlement.total,
        )
        .join(mine, mine.c.auction_id == Auction.id)
        .join(*repository.FIRST_EVENT)
        # the winner's invoice, or what a runner-up was offered: one person has one of them
        .outerjoin(Settlement, sa.and_(Settlement.auction_id == Auction.id, Settlement.user_id == user))
        .order_by(Auction.status.in_((*ENDED, Status.CANCELLED)), mine.c.last_bid_at.desc())
        .limit(LOTS_MAX)
    )


def _follows(user: UUID) -> sa.Select[Any]:
    return (
        sa.select(
            Follow.auction_id,
            Campaign.id.label("campaign"),
            Campaign.name.label("campaign_name"),
            repository.TITLE,
        )
        .select_from(Follow)
        .outerjoin(Auction, Auction.id == Follow.auction_id)
        .outerjoin(*repository.FIRST_EVENT)
        .outerjoin(CampaignDay, CampaignDay.id == Follow.campaign_day_id)
        .outerjoin(Campaign, Campaign.id == sa.func.coalesce(Follow.campaign_id, CampaignDay.campaign_id))
        .where(
            Follow.user_id == user,
            sa.or_(Auction.id.is_not(None), Campaign.status != CampaignStatus.DRAFT),
        )
        .order_by(Follow.created_at.desc())
        .limit(LOTS_MAX)
    )


def _my_lot(row: Any, user: UUID) -> MyLot:
    return MyLot(
        id=row.id,
        number=row.lot_number,
        title=row.title,
        status=row.status,
        outcome=row.outcome,
        currency=row.currency,
        price=None if row.price is None else money.text(row.price),
        mine=None if row.mine is None else money.text(row.mine),
        leads=row.leader_id == user,
        last_bid_at=row.last_bid_at,
        ends_at=row.ends_at,
        settlement=row.settlement,
        total=None if row.total is None else money.text(row.total),
    )
