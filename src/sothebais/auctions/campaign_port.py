"""The lots of campaigns: the adapter of ``campaigns.ports.LotScheduler``."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from sothebais import ids, money
from sothebais.auctions import hotpath, increments, records, rules, scheduling
from sothebais.auctions import terms as terms_codec
from sothebais.auctions.answers import ENGINE
from sothebais.auctions.engine import COMMIT_TIMEOUT_S
from sothebais.auctions.machine import OVER
from sothebais.auctions.model import Format, Lot, Outcome, Override, Status, Terms, Timing
from sothebais.auctions.repository import FIRST_EVENT, TITLE
from sothebais.auctions.settlement_model import SettlementStatus
from sothebais.auctions.tables import Auction, Settlement
from sothebais.campaigns.model import LotRules
from sothebais.campaigns.ports import LotSummary, PlannedLot
from sothebais.catalog.tables import ArtItem
from sothebais.errors import InvalidInput
from sothebais.events import log
from sothebais.instants import Millis, from_datetime, to_datetime


class CampaignLots:
    """Makes, shows and cancels the lots of campaign days.

    ``commit_timeout_s`` is the setting: a lot's ``closing_grace`` must be longer, or a bid made in time could be
    answered after the end.
    """

    def __init__(self, commit_timeout_s: float = COMMIT_TIMEOUT_S) -> None:
        self._commit_timeout_ms = commit_timeout_s * 1_000

    def validate_rules(self, rules: LotRules, *, premium_percent: Decimal, fee: Decimal) -> None:
        """Raise InvalidInput, its ``field`` naming the rule, for rules no lot could be held under."""
        self._terms(rules, premium_percent=premium_percent, fee=fee, seller=None)

    async def taken(self, connection: AsyncConnection, collection: UUID) -> set[UUID]:
        """The collection's art items that are sold (and not unpaid for good) or in a lot that is not over."""
        settled = sa.exists().where(Settlement.auction_id == Auction.id)
        # an expired one may be followed by the runner-up's
        unpaid = sa.and_(settled, ~settled.where(Settlement.status != SettlementStatus.EXPIRED))
        sold = sa.and_(Auction.outcome == Outcome.SOLD, ~unpaid)
        found = await connection.execute(
            sa.select(Auction.art_item_id)
            .join(ArtItem, ArtItem.id == Auction.art_item_id)
            .where(ArtItem.collection_id == collection, sa.or_(Auction.status.not_in(OVER), sold))
        )
        return set(found.scalars())

    async def schedule(self, connection: AsyncConnection, lots: Sequence[PlannedLot], now: Millis) -> None:
        """Write lots."""
        await scheduling.schedule_many(connection, [self._new(lot) for lot in lots], at=now)

    def _new(self, lot: PlannedLot) -> scheduling.NewLot:
        terms = self._terms(lot.rules, premium_percent=lot.premium_percent, fee=lot.fee, seller=lot.seller)
        return scheduling.NewLot(
            id=lot.id,
            art_item=lot.art_item,
            title=lot.title,
            lot_number=lot.lot_number,
            terms=terms,
            starts_at=lot.starts_at,
            ends_at=lot.ends_at,
            hard_close_at=lot.ends_at + lot.rules.hard_close_after,
            campaign_day=lot.day,
            opens_after=lot.opens_after,
        )

    async def lots(self, connection: AsyncConnection, days: Sequence[UUID]) -> list[LotSummary]:
        """The lots of these days in the order of their numbers."""
        found = await connection.execute(
            sa.select(
                Auction.id,
                Auction.campaign_day_id,
                Auction.lot_number,
                Auction.art_item_id,
                TITLE,
                Auction.starts_at,
                Auction.ends_at,
                Auction.status,
                Auction.ended_at,
            )
            .join(*FIRST_EVENT)
            .where(Auction.campaign_day_id.in_(days))
            .order_by(Auction.lot_number, Auction.id)
        )
        return [
            LotSummary(
                id=row.id,
                day=row.campaign_day_id,
                lot_number=row.lot_number,
                art_item=row.art_item_id,
                title=row.title,
                starts_at=from_datetime(row.starts_at),
                ends_at=from_datetime(row.ends_at),
                status=str(row.status),
                over=row.status in OVER,
                ended_at=None if row.ended_at is None else from_datetime(row.ended_at),
            )
            for row in found
        ]

    async def lock(self, connection: AsyncConnection, days: Sequence[UUID]) -> None:
        """Take the locks of these days' lots in id order, as everybody does who writes to lots."""
        found = await connection.execute(
            sa.select(Auction.id).where(Auction.campaign_day_id.in_(days)).order_by(Auction.id)
        )
        keys = [hotpath.lock_key(auction) for auction in found.scalars()]
        # one row after the other, in the order of the array
        await connection.execute(
            sa.text("select pg_advisory_xact_lock(key) from unnest(cast(:keys as bigint[])) as key"), {"keys": keys}
        )

    async def cancel(
        self, connection: AsyncConnection, days: Sequence[UUID], reason: str, actor: UUID | None, now: Millis
    ) -> int:
        """Cancel every lot of these days that is not over, running ones too; how many. After ``lock``."""
        found = await connection.execute(
            sa.select(Auction.__table__)
            .where(Auction.campaign_day_id.in_(days), Auction.status.not_in(OVER))
            .order_by(Auction.id)
            .with_for_update(key_share=True)
        )
        step = Override(kind="CANCEL", reason=reason)
        events, changes = [], []
        for row in found.mappings():
            lot, transitions, _ = rules.override(_lot(row), step, now)
            event = _event(row, records.step(lot, transitions[0], actor), str(transitions[0].kind), now)
            events.append(event)
            changes.append({"lot": lot.id, "status": lot.status, "n": event.n, "hash": event.hash})
        if changes:
            await connection.execute(
                sa.update(Auction)
                .where(Auction.id == sa.bindparam("lot"))
                .values(
                    status=sa.bindparam("status"),
                    ended_at=to_datetime(now),
                    paused_at=None,
                    log_n=sa.bindparam("n"),
                    log_hash=sa.bindparam("hash"),
                ),
                changes,
            )
        await log.append(connection, events)
        return len(events)

    def terms(self, given: LotRules, *, premium_percent: Decimal, fee: Decimal, seller: UUID | None) -> Terms:
        """The terms that these rules are. Raises InvalidInput, its ``field`` naming the rule."""
        return self._terms(given, premium_percent=premium_percent, fee=fee, seller=seller)

    def _terms(self, given: LotRules, *, premium_percent: Decimal, fee: Decimal, seller: UUID | None) -> Terms:
        decimals = money.currency_decimals(given.currency)
        if given.format not in set(Format):
            raise InvalidInput(f"use one of {', '.join(Format)}.", field="format")
        if given.buy_now_until not in ("FIRST_BID", "RESERVE_MET"):
            raise InvalidInput("use FIRST_BID or RESERVE_MET.", field="buy_now_until")
        if given.closing_grace <= self._commit_timeout_ms:
            raise InvalidInput(
                f"must be longer than the setting commit_timeout_s ({self._commit_timeout_ms / 1_000:g} s).",
                field="closing_grace",
            )
        if given.hard_close_after < 0:
            raise InvalidInput("must not be negative.", field="hard_close_after")
        terms = Terms(
            format=Format(given.format),
            currency=given.currency,
            decimals=decimals,
            starting_price=given.starting_price,
            increment=increments.parse(given.increment, decimals),
            amount_max=money.AMOUNT_MAX,
            reserve=given.reserve,
            buy_now=given.buy_now,
            buy_now_until=cast(Literal["FIRST_BID", "RESERVE_MET"], given.buy_now_until),
            seller=seller,
            extension_window=given.extension_window,
            extension=given.extension,
            max_extensions=given.max_extensions,
            closing_grace=given.closing_grace,
            max_post_delay=given.closing_grace if given.max_post_delay is None else given.max_post_delay,
            confirm_multiple=given.confirm_multiple,
            wallet_required=given.wallet_required,
            deposit_required=given.deposit_required,
            premium_percent=premium_percent,
            fee=fee,
            step=given.step,
            interval=given.interval,
            floor=given.floor,
        )
        rules.validate_terms(terms)
        return terms


def _event(row: Any, step: dict[str, Any], kind: str, at: Millis) -> log.Record:
    """The next event of a lot's chain."""
    data, n, before = log.canonical(step), row["log_n"] + 1, row["log_hash"]
    return log.Record(
        id=ids.new_id(),
        type=kind,
        source=ENGINE,
        subject=f"auction:{row['id']}",
        timestamp=at,
        data=data,
        n=n,
        prev_hash=before,
        hash=log.chain_hash(data, n, before, at, kind),
    )


def _lot(row: Any) -> Lot:
    """As much of a lot as a cancellation reads; neither bids nor the reserve."""
    return Lot(
        id=row["id"],
        terms=terms_codec.from_public(row["terms"], None),
        timing=Timing(
            starts_at=from_datetime(row["starts_at"]),
            ends_at=from_datetime(row["ends_at"]),
            hard_close_at=from_datetime(row["hard_close_at"]),
            extension_count=row["extension_count"],
            paused_at=None if row["paused_at"] is None else from_datetime(row["paused_at"]),
        ),
        status=Status(row["status"]),
    )
