"""Putting a lot into the house: its row, its secret reserve and the first event of its log, in one transaction."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from sothebais import ids
from sothebais.auctions import commitments, hotpath, rules
from sothebais.auctions import terms as terms_codec
from sothebais.auctions.model import Terms
from sothebais.auctions.tables import Auction, AuctionSecret
from sothebais.clock import Millis, to_datetime
from sothebais.errors import InvalidInput
from sothebais.events import log
from sothebais.events.types.base import Source

#: No lot runs longer than this, extensions included.
LOT_DURATION_MS_MAX = 31 * 86_400_000

# one row after the other, in the order of the array
_LOCK = sa.text("select pg_advisory_xact_lock(key) from unnest(cast(:keys as bigint[])) as key")


class NewLot(msgspec.Struct, frozen=True, kw_only=True):
    """A lot to be; ``opens_after`` is the lot of the same day that must be over first."""

    id: UUID = msgspec.field(default_factory=ids.new_id)
    art_item: UUID
    title: str
    lot_number: int
    terms: Terms
    starts_at: Millis
    ends_at: Millis
    hard_close_at: Millis
    campaign_day: UUID | None = None
    opens_after: UUID | None = None


def validate(lot: NewLot) -> None:
    """Raise InvalidInput, naming the field, for a lot that could not be held."""
    rules.validate_terms(lot.terms)
    if not lot.starts_at < lot.ends_at <= lot.hard_close_at:
        raise InvalidInput("A lot must start before it ends, and end by its hard close.", field="ends_at")
    if lot.hard_close_at - lot.starts_at > LOT_DURATION_MS_MAX:
        raise InvalidInput("A lot may run for 31 days at most.", field="ends_at")
    if lot.lot_number < 1:
        raise InvalidInput("Lot numbers start at 1.", field="lot_number")


async def schedule(
    connection: AsyncConnection, lot: NewLot, *, at: Millis, source: Source = Source.AUCTION_ENGINE
) -> UUID:
    """Write one lot; its id. The caller's transaction commits."""
    await schedule_many(connection, [lot], at=at, source=source)
    return lot.id


async def schedule_many(
    connection: AsyncConnection, lots: Sequence[NewLot], *, at: Millis, source: Source = Source.AUCTION_ENGINE
) -> None:
    """Write lots in a few statements however many they are: a long write transaction holds up every reader of the log."""
    for lot in lots:
        validate(lot)
    # the lots' locks before the first write, in id order, as for everybody who writes to a lot
    keys = [hotpath.lock_key(lot.id) for lot in sorted(lots, key=lambda lot: lot.id)]
    await connection.execute(_LOCK, {"keys": keys})
    auctions, kept_secret, events = [], [], []
    for lot in lots:
        commitment = None
        if lot.terms.reserve is not None:
            salt = ids.new_salt()
            commitment = commitments.reserve_commitment(lot.id, lot.terms.reserve, salt)
            kept_secret.append({"auction_id": lot.id, "reserve": lot.terms.reserve, "salt": salt})
        public = terms_codec.to_public(lot.terms, commitment)
        first = _first_event(lot, public, at, source)
        auctions.append(_row(lot, public, first))
        events.append(first)
    if auctions:
        await connection.execute(sa.insert(Auction), auctions)
    if kept_secret:
        await connection.execute(sa.insert(AuctionSecret), kept_secret)
    await log.append(connection, events)


def _row(lot: NewLot, public: dict[str, Any], first: log.Record) -> dict[str, Any]:
    return {
        "id": lot.id,
        "campaign_day_id": lot.campaign_day,
        "art_item_id": lot.art_item,
        "lot_number": lot.lot_number,
        "opens_after_id": lot.opens_after,
        "format": lot.terms.format,
        "currency": lot.terms.currency,
        "starting_price": lot.terms.starting_price,
        "terms": public,
        "seller_id": lot.terms.seller,
        "starts_at": to_datetime(lot.starts_at),
        "ends_at": to_datetime(lot.ends_at),
        "hard_close_at": to_datetime(lot.hard_close_at),
        "log_n": first.n,
        "log_hash": first.hash,
    }


def _first_event(lot: NewLot, public: dict[str, Any], at: Millis, source: Source) -> log.Record:
    data = {
        "art_item": str(lot.art_item),
        "title": lot.title,
        "campaign_day": None if lot.campaign_day is None else str(lot.campaign_day),
        "lot_number": lot.lot_number,
        "starts_at": lot.starts_at,
        "ends_at": lot.ends_at,
        "hard_close_at": lot.hard_close_at,
        "terms": public,
    }
    encoded = log.canonical(data)
    return log.Record(
        id=ids.new_id(),
        type="auction:scheduled",
        source=str(source),
        subject=f"auction:{lot.id}",
        timestamp=at,
        data=encoded,
        n=1,
        prev_hash=log.GENESIS,
        hash=log.chain_hash(encoded, 1, log.GENESIS, at, "auction:scheduled"),
    )
