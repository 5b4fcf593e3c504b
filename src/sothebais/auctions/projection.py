"""The lots' Redis states: folded event by event, or loaded fresh from the tables, with the same result."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

import msgspec
from msgspec.structs import replace

from sothebais import money
from sothebais.auctions.formats import FORMATS
from sothebais.auctions.hotpath import over_statuses
from sothebais.auctions.machine import OVER
from sothebais.auctions.model import SEALED, Closed, Format, Outcome, Reason, Source, Standing, Status, Timing
from sothebais.auctions.tables import Auction, Bid
from sothebais.auctions.terms import from_public
from sothebais.events.cursors import LoggedEvent
from sothebais.events.tables import EventLog
from sothebais.events.types import CHANNELS
from sothebais.instants import Millis, from_datetime
from sothebais.state import keys, models
from sothebais.state.store import Publication, Write
from sothebais.users.tables import User

#: Lots whose state is kept between batches.
LOTS_KEPT_MAX = 5_000
#: States of lots that were over longer ago than this are not rebuilt; their keys have expired.
LIFE_S = keys.LIFE[keys.Kind.AUCTION]

_A, _B, _E, _U = (table.__tablename__ for table in (Auction, Bid, EventLog, User))
_LOAD = f"""
select a.*, f.data ->> 'title' as title, e.timestamp as at, extract(epoch from now() - a.ended_at) as over_s, b.effective_at as led_at,
  (select count(distinct s.user_id) from {_B} s
   where s.auction_id = a.id and s.status = 'ACCEPTED' and s.source <> '{Source.PROXY}') as bidders
from {_A} a
-- the title as the log has it: a piece may have been renamed since
join {_E} f on f.subject = 'auction:' || a.id and f.n = 1
join {_E} e on e.subject = 'auction:' || a.id and e.n = a.log_n
left join {_B} b on b.id = a.leading_bid_id
where """  # noqa: S608
_LOAD_SOME = _LOAD + "a.id = any($1::uuid[])"
_LOAD_LIVE = _LOAD + f"(a.status not in ({over_statuses()}) or a.ended_at > now() - interval '{LIFE_S} seconds')"
_LOAD_LED = _LOAD_LIVE + " and a.leader_id = any($1::uuid[])"
#: Steps after which a person is called something else.
_RENAMING = frozenset({"user.change", "user.erase"})
_NAMES = f"select id, name from {_U} where id = any($1::uuid[])"  # noqa: S608


class LotState(msgspec.Struct, frozen=True, kw_only=True):
    """What the four keys of a lot are made of, after event ``n`` at ``at``."""

    id: UUID
    n: int
    at: Millis
    terms: dict[str, Any]
    lot_number: int
    title: str
    art_item: UUID
    campaign_day: UUID | None
    status: str
    outcome: str | None
    starts_at: Millis
    ends_at: Millis
    hard_close_at: Millis
    extension_count: int
    paused_at: Millis | None
    price: str | None
    previous_price: str | None
    next_valid_amount: str | None
    leader: UUID | None
    leading_bid: UUID | None
    led_at: Millis | None
    reserve_met: bool
    bid_count: int
    bidder_count: int | None


def first(event: LoggedEvent, data: dict[str, Any]) -> LotState:
    """The state that ``auction:scheduled`` begins."""
    terms = data["terms"]
    return LotState(
        id=UUID(event.subject.removeprefix("auction:")),
        n=event.n or 1,
        at=event.timestamp,
        terms=terms,
        lot_number=data["lot_number"],
        title=data["title"],
        art_item=UUID(data["art_item"]),
        campaign_day=_uuid(data["campaign_day"]),
        status=str(Status.SCHEDULED),
        outcome=None,
        starts_at=data["starts_at"],
        ends_at=data["ends_at"],
        hard_close_at=data["hard_close_at"],
        extension_count=0,
        paused_at=None,
        price=None,
        previous_price=None,
        next_valid_amount=terms["starting_price"],
        leader=None,
        leading_bid=None,
        led_at=None,
        reserve_met=False,
        bid_count=0,
        bidder_count=0 if Format(terms["format"]) in SEALED else None,
    )


def apply(state: LotState, event: LoggedEvent, data: dict[str, Any]) -> LotState:
    """The state after one more event of the same lot."""
    state = replace(state, n=event.n or state.n, at=event.timestamp)
    match event.type:
        case "auction:bid:accepted":
            led = state.led_at if data["leading_bid"] == _text(state.leading_bid) else data["effective_at"]
            state = replace(
                state,
                status=data["status"],
                ends_at=data["ends_at"],
                extension_count=data["extension_count"],
                led_at=led,
                **_standing(data),
            )
            # buy-now has no price left to bid; its auction:end follows in the same breath
            return replace(state, outcome="SOLD") if data["status"] == Status.ENDED else state
        case "auction:bid:voided":
            return replace(state, led_at=data["led_at"], **(_times(data) | _standing(data)))
        case "auction:end":
            return replace(
                state,
                outcome=data["outcome"],
                paused_at=None,
                price=data["price"],
                leader=_uuid(data["leader"]),
                leading_bid=_uuid(data["leading_bid"]),
                reserve_met=state.reserve_met or _met_at_the_end(state, data),
                **_times(data),
            )
        case "auction:bid:rejected":
            return replace(state, next_valid_amount=data["next_valid_amount"])
        case "auction:reserve:met":
            return replace(state, reserve_met=True)
        case "auction:paused":
            return replace(state, paused_at=event.timestamp, **_times(data))
        case "auction:reopened":
            return replace(state, outcome=None, **_times(data))
        case "auction:timer:updated":
            return replace(state, **_times(data))
        case "auction:start" | "auction:resumed" | "auction:closing" | "auction:settled" | "auction:cancelled":
            return replace(state, paused_at=None, **_times(data))
        case _:
            return state


def _met_at_the_end(state: LotState, data: dict[str, Any]) -> bool:
    """Whether the opening of sealed bids met the reserve; without one the first bid does."""
    return Format(state.terms["format"]) in SEALED and data["outcome"] == Outcome.SOLD


def _times(data: dict[str, Any]) -> dict[str, Any]:
    names = ("status", "starts_at", "ends_at", "hard_close_at", "extension_count", "next_valid_amount")
    return {name: data[name] for name in names}


def _standing(data: dict[str, Any]) -> dict[str, Any]:
    names = ("price", "previous_price", "next_valid_amount", "reserve_met", "bid_count", "bidder_count")
    return {name: data[name] for name in names} | {
        "leader": _uuid(data["leader"]),
        "leading_bid": _uuid(data["leading_bid"]),
    }


def from_row(row: Any) -> LotState:
    """The state as the tables have it now."""
    terms = msgspec.json.decode(row["terms"])
    sealed = Format(terms["format"]) in SEALED
    return LotState(
        id=row["id"],
        n=row["log_n"],
        at=from_datetime(row["at"]),
        terms=terms,
        lot_number=row["lot_number"],
        title=row["title"],
        art_item=row["art_item_id"],
        campaign_day=row["campaign_day_id"],
        status=row["status"],
        outcome=row["outcome"],
        starts_at=from_datetime(row["starts_at"]),
        ends_at=from_datetime(row["ends_at"]),
        hard_close_at=from_datetime(row["hard_close_at"]),
        extension_count=row["extension_count"],
        paused_at=_millis(row["paused_at"]),
        price=_amount(row["price"]),
        previous_price=_amount(row["previous_price"]),
        next_valid_amount=_next_valid(row, terms),
        leader=row["leader_id"],
        leading_bid=row["leading_bid_id"],
        led_at=None if sealed else _millis(row["led_at"]),
        reserve_met=row["reserve_met"],
        bid_count=row["bid_count"],
        bidder_count=row["bidders"] if sealed else None,
    )


def writes(state: LotState, names: dict[UUID, str], *, seconds: int = 0) -> list[Write]:
    """The four keys of a lot."""
    terms = state.terms
    main = models.AuctionState(
        id=state.id,
        n=state.n,
        status=cast(Any, state.status),  # the model checks it
        lot_number=state.lot_number,
        title=state.title,
        art_item=state.art_item,
        campaign_day=state.campaign_day,
        format=terms["format"],
        currency=terms["currency"],
        decimals=terms["decimals"],
        starting_price=terms["starting_price"],
        buy_now=terms["buy_now"],
        buy_now_until=terms["buy_now_until"],
        reserve_met=state.reserve_met,
        has_reserve=terms["reserve_commitment"] is not None,
        increment=_increment(terms["increment"]),
        seller=_uuid(terms["seller"]),
        extension_window=terms["extension_window"],
        extension=terms["extension"],
        closing_grace=terms["closing_grace"],
        confirm_multiple=terms["confirm_multiple"],
        premium_percent=terms["premium_percent"],
        fee=terms["fee"],
        starts_at=state.starts_at,
        ends_at=state.ends_at,
        hard_close_at=state.hard_close_at,
        bid_count=state.bid_count,
        bidder_count=state.bidder_count,
        outcome=cast(Any, state.outcome),
    )
    price = models.AuctionPriceState(
        id=state.id,
        n=state.n,
        price=state.price,
        previous_price=state.previous_price,
        next_valid_amount=state.next_valid_amount,
        at=state.at,
    )
    leading = models.AuctionBidState(
        id=state.id,
        n=state.n,
        bid=state.leading_bid,
        bidder=state.leader,
        handle=None if state.leader is None else names.get(state.leader, ""),
        amount=state.price if state.leader is not None else None,
        at=state.led_at,
    )
    timer = models.AuctionTimerState(
        id=state.id,
        n=state.n,
        starts_at=state.starts_at,
        ends_at=state.ends_at,
        extended=state.extension_count > 0,
        extension_count=state.extension_count,
        paused_at=state.paused_at,
        server_time=state.at,
    )
    pairs = [
        (keys.auction(state.id), main),
        (keys.auction_price(state.id), price),
        (keys.auction_bid(state.id), leading),
        (keys.auction_timer(state.id), timer),
    ]
    return [Write(key, state.n, model.model_dump_json().encode(), seconds) for key, model in pairs]


class AuctionProjector:
    """The relay's port for lots."""

    def __init__(self) -> None:
        self._lots: OrderedDict[UUID, LotState] = OrderedDict()
        self._names: OrderedDict[UUID, str] = OrderedDict()

    def wants(self, event: LoggedEvent) -> bool:
        """Events of lots, and of people who are called something else now.

        One of a lot without a number (a line in the room) changes nothing of it.
        """
        return (event.n is not None and event.subject.startswith("auction:")) or _renames(event)

    async def project(self, connection: Any, events: Sequence[LoggedEvent]) -> tuple[list[Write], list[Publication]]:
        """States after these events. A lot seen for the first time is loaded, and may then be ahead of the events."""
        changed: dict[UUID, LotState] = {}
        publications: list[Publication] = []
        decoded = [
            (event, UUID(event.subject.removeprefix("auction:")), event.decoded())
            for event in events
            if event.n is not None
        ]
        made = await self._rename(
            connection, [UUID(event.subject.removeprefix("user:")) for event in events if event.n is None]
        )
        await self._load(connection, [lot for event, lot, _ in decoded if event.n != 1])
        for event, lot, data in decoded:
            state = self._lots.get(lot)
            if state is None:
                state = first(event, data)
            elif event.n == state.n + 1:
                price = state.price
                state = apply(state, event, data)
                if state.price != price and state.price is not None and event.type == "auction:bid:accepted":
                    publications.append(_price_updated(event, state))
            elif event.n is not None and event.n > state.n + 1:
                state = await self._load_one(connection, lot)
            self._keep(state)
            changed[lot] = state
        await self._load_names(connection, [state.leader for state in changed.values() if state.leader is not None])
        for state in changed.values():
            made += writes(state, self._names, seconds=LIFE_S if Status(state.status) in OVER else 0)
        return made, publications

    async def rebuild(self, connection: Any) -> list[Write]:
        """All lots that are not over for a day."""
        rows = await connection.fetch(_LOAD_LIVE)
        await self._load_names(connection, [row["leader_id"] for row in rows if row["leader_id"] is not None])
        return [write for row in rows for write in writes(from_row(row), self._names, seconds=_left_s(row))]

    def patterns(self) -> Sequence[str]:
        """The keys of lots."""
        return ("auction:*",)

    def forget(self) -> None:
        """Begin with nothing kept."""
        self._lots.clear()
        self._names.clear()

    async def _rename(self, connection: Any, users: list[UUID]) -> list[Write]:
        """The states of lots that these people lead or won, under their new names."""
        if not users:
            return []
        for user in users:
            self._names.pop(user, None)
        rows = await connection.fetch(_LOAD_LED, users)
        await self._load_names(connection, [row["leader_id"] for row in rows])
        made = []
        for row in rows:
            state = from_row(row)
            self._keep(state)
            made += writes(state, self._names, seconds=_left_s(row))
        return made

    async def _load(self, connection: Any, lots: Sequence[UUID]) -> None:
        missing = [lot for lot in dict.fromkeys(lots) if lot not in self._lots]
        if missing:
            for row in await connection.fetch(_LOAD_SOME, missing):
                self._keep(from_row(row))

    async def _load_one(self, connection: Any, lot: UUID) -> LotState:
        return from_row(await connection.fetchrow(_LOAD_SOME, [lot]))

    async def _load_names(self, connection: Any, users: Sequence[UUID]) -> None:
        missing = list({user for user in users if user not in self._names})
        if missing:
            for row in await connection.fetch(_NAMES, missing):
                self._names[row["id"]] = row["name"]
            while len(self._names) > LOTS_KEPT_MAX + len(missing):
                self._names.popitem(last=False)

    def _keep(self, state: LotState) -> None:
        self._lots[state.id] = state
        self._lots.move_to_end(state.id)
        while len(self._lots) > LOTS_KEPT_MAX:
            self._lots.popitem(last=False)


def _renames(event: LoggedEvent) -> bool:
    return event.type == "user:action" and event.decoded()["action"] in _RENAMING


def _left_s(row: Any) -> int:
    """How long a lot's keys live on; 0 while it is not over."""
    return max(1, LIFE_S - int(row["over_s"] or 0)) if Status(row["status"]) in OVER else 0


def _price_updated(event: LoggedEvent, state: LotState) -> Publication:
    message = {
        "id": str(event.id),
        "position": str(event.position),
        "n": event.n,
        "timestamp": event.timestamp,
        "type": "auction:price:updated",
        "source": event.source,
        "version": event.version,
        "subject": event.subject,
        "correlation_id": event.correlation_id,
        "causation_id": str(event.id),
        "data": {
            "price": state.price,
            "previous_price": state.previous_price,
            "next_valid_amount": state.next_valid_amount,
            "leader": _text(state.leader),
        },
    }
    return Publication(CHANNELS["auction:price:updated"], msgspec.json.encode(message))


def _next_valid(row: Any, terms: dict[str, Any]) -> str | None:
    if Status(row["status"]) in OVER:
        return None
    timing = Timing(
        starts_at=from_datetime(row["starts_at"]),
        ends_at=from_datetime(row["ends_at"]),
        hard_close_at=from_datetime(row["hard_close_at"]),
        paused_at=_millis(row["paused_at"]),
        closed=tuple(Closed(since, until, Reason(why)) for since, until, why in msgspec.json.decode(row["closed"])),
    )
    standing = Standing(leader=row["leader_id"], price=row["price"], reserve_met=row["reserve_met"])
    at = from_datetime(row["at"])
    return _amount(FORMATS[Format(terms["format"])].next_valid(from_public(terms, None), standing, timing, at))


def _increment(terms: dict[str, Any]) -> models.IncrementState:
    steps = terms["steps"]
    rows = None if steps is None else tuple(models.IncrementStepState(**step) for step in steps)
    return models.IncrementState(
        kind=terms["kind"], amount=terms["amount"], percent=terms["percent"], floor=terms["floor"], steps=rows
    )


def _amount(value: Any) -> str | None:
    return None if value is None else money.text(value)


def _millis(value: Any) -> Millis | None:
    return None if value is None else from_datetime(value)


def _uuid(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
