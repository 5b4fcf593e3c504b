"""What the host said, as a page shows it: each line with its lot and what caused it. Answers to single people are not here."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sothebais.agent import characters, transcript
from sothebais.auctions import repository
from sothebais.auctions.tables import Auction
from sothebais.events.tables import EventLog
from sothebais.web.viewer import words

LINES_MAX: Final = 60
_WHERE: Final = {"STREAM": "On air", "CHAT": "In the room", "POST": "In a post"}
#: What had happened, in a few words; a bid and a result are told with their amount.
_CAUSES: Final = {
    "session:pre_auction": "The session began",
    "session:auction": "The session began",
    "session:post_auction": "The last lot was over",
    "stream:start": "The show went on air",
    "stream:output:up": "The picture was well again",
    "stream:output:down": "There was trouble with the picture",
    "stream:error": "There was trouble with the picture",
    "auction:start": "Bidding opened",
    "auction:closing": "The time was up",
    "auction:paused": "The lot was paused",
    "auction:resumed": "The lot went on",
    "auction:cancelled": "The lot was withdrawn",
    "auction:reopened": "The lot was opened again",
    "auction:bid:voided": "A bid was taken out",
    "auction:reserve:met": "The reserve was met",
    "chat:message": "A question in the room",
}
_BY_INTENT: Final = {
    "FAIR_WARNING": "The clock",
    "NOTICE": "The clock",
    "SCHEDULE": "The schedule",
    "STORY": "A quiet moment",
    "CHATTER": "A quiet moment",
}


class SpokenLot(msgspec.Struct, frozen=True):
    """The lot that a line is about."""

    id: UUID
    number: int
    title: str
    currency: str


class SpokenLine(msgspec.Struct, frozen=True):
    """A line, where it was said, and why."""

    id: str
    at: datetime
    text: str
    where: str
    cause: str
    lot: SpokenLot | None
    by: str


class SpokenPage(msgspec.Struct, frozen=True):
    """Lines, newest first; ``older`` goes on with the ones before."""

    host: str
    lines: tuple[SpokenLine, ...]
    older: UUID | None


async def host_name(engine: AsyncEngine) -> str:
    """What the host is called."""
    return (await characters.present(engine)).character.name


async def page(engine: AsyncEngine, *, auction: UUID | None = None, after: UUID | None = None) -> SpokenPage:
    """The newest lines, or those before ``after``; of one lot where it is given."""
    stored = await characters.present(engine)
    found, older = await transcript.page(engine, stored.id, auction=auction, after=after, limit=LINES_MAX)
    async with engine.connect() as connection:
        lots = await _lots(connection, {UUID(one["auction_id"]) for one in found if one["auction_id"]})
        causes = await _causes(connection, {UUID(one["cause"]) for one in found if one["cause"]})
    lines = tuple(
        SpokenLine(
            id=one["id"],
            at=datetime.fromisoformat(one["at"]),
            text=one["text"],
            where=_WHERE.get(one["place"], ""),
            cause=_cause(one, causes, lots),
            lot=lots.get(UUID(one["auction_id"])) if one["auction_id"] else None,
            by=_by(one),
        )
        for one in found
    )
    return SpokenPage(stored.character.name, lines, older)


def _by(line: dict[str, Any]) -> str:
    if line["by_operator"]:
        return "the house’s staff"
    return "the house’s script" if line["model"] is None else f"the model {line['model']}, checked by the house"


def _cause(line: dict[str, Any], causes: dict[UUID, tuple[str, dict[str, Any]]], lots: dict[UUID, SpokenLot]) -> str:
    if line["by_operator"]:
        return "The house’s staff had it said"
    known = causes.get(UUID(line["cause"])) if line["cause"] else None
    if known is None:
        return _BY_INTENT.get(line["intent"], "The clock")
    kind, data = known
    about = lots.get(UUID(line["auction_id"])) if line["auction_id"] else None
    price = f"{words.amount(data['price'])} {about.currency}" if about is not None and data.get("price") else None
    match kind:
        case "auction:bid:accepted":
            return "A bid" if price is None else f"A bid of {price}"
        case "auction:end":
            return f"Sold at {price}" if data.get("outcome") == "SOLD" and price else "The lot was passed"
    return _CAUSES.get(kind, "The sale")


async def _lots(connection: AsyncConnection, keys: set[UUID]) -> dict[UUID, SpokenLot]:
    statement = sa.select(Auction.id, Auction.lot_number, Auction.currency, repository.TITLE).join(
        *repository.FIRST_EVENT
    )
    rows = await connection.execute(statement.where(Auction.id.in_(keys)))
    return {row.id: SpokenLot(row.id, row.lot_number, row.title, row.currency) for row in rows}


async def _causes(connection: AsyncConnection, keys: set[UUID]) -> dict[UUID, tuple[str, dict[str, Any]]]:
    statement = sa.select(EventLog.id, EventLog.type, EventLog.data).where(EventLog.id.in_(keys))
    return {row.id: (row.type, row.data) for row in await connection.execute(statement)}
