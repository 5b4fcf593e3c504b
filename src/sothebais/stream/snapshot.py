"""Facts of a campaign day, read from PostgreSQL in one snapshot with the log's position, or as of the day's beginning."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec

from sothebais.auctions.model import SEALED, BidStatus, Format, Source
from sothebais.auctions.tables import Auction
from sothebais.auctions.tables import Bid as BidRow
from sothebais.campaigns.tables import Campaign, CampaignDay
from sothebais.catalog import traits as pieces
from sothebais.catalog.tables import ArtItem
from sothebais.config import Settings
from sothebais.errors import NotFound
from sothebais.events.cursors import SAFE, LoggedEvent, event_of
from sothebais.events.tables import EventLog
from sothebais.instants import Millis, from_datetime, to_datetime
from sothebais.money import text as amount
from sothebais.stream.facts import (
    DAY_MS,
    START,
    DayFacts,
    KeptBid,
    LotFacts,
    NextSession,
    Place,
    Standing,
    Told,
    faces,
)
from sothebais.stream.lot_course import BIDS_KEPT_MAX, NOBODY
from sothebais.stream.show import Artwork, Bid, HostLook
from sothebais.users.tables import User

#: Of what the host said before a snapshot, so much may still be on screen.
SAID_MS: Final = 120_000
SAID_EVENTS_MAX: Final = 100
SCENES_MAX: Final = 1_000
#: As many of its moods and looks say how it looks now and where its face comes from.
LOOKS_MAX: Final = 50
#: The host's and the stream's events of a day begin so long before it; ids are made a little before their events.
EVE_MS: Final = DAY_MS
ID_SLACK_MS: Final = 60_000
#: A piece whose picture is not there hangs as a square.
NO_SIDE: Final = 1_000
TRAITS_MAX: Final = 4
FETCH_ROWS: Final = 1_000

_A, _B, _C, _D, _E, _I, _U = (
    table.__tablename__ for table in (Auction, BidRow, Campaign, CampaignDay, EventLog, ArtItem, User)
)
_EVENT = """id, epoch, xid::text::bigint as xid, seq, n, timestamp, type, source, version, subject,
  correlation_id, causation_id, data::text as data, prev_hash, hash"""
_PLACE = f"select epoch, xid::text::bigint as xid, seq from {_E} where {SAFE} order by epoch desc, xid desc, seq desc limit 1"  # noqa: S608
_ON_OR_NEXT = f"""
select d.id from {_D} d join {_C} c on c.id = d.campaign_id
where c.status in ('SCHEDULED', 'ACTIVE') and d.status not in ('COMPLETED', 'CANCELLED')
order by d.status = 'SCHEDULED', d.pre_auction_at, d.id limit 1
"""  # noqa: S608
_DAY = f"""
select d.*, c.name, c.time_zone, c.version,
  (select count(*) from {_D} o where o.campaign_id = c.id) as days
from {_D} d join {_C} c on c.id = d.campaign_id where d.id = $1
"""  # noqa: S608
_FOLLOWING = f"""
select d.date, d.auction_at, (select count(*) from {_A} a where a.campaign_day_id = d.id) as lots
from {_D} d where d.campaign_id = $1 and d.number > $2 and d.status = 'SCHEDULED' order by d.number limit 1
"""  # noqa: S608
_LOTS = f"""
select a.id, a.lot_number, a.log_n, a.price, a.reserve_met, a.bid_count, a.format, u.name as leader, a.leader_id,
  f.data::text as first, i.metadata::text as metadata, i.asset_path, i.asset_width, i.asset_height,
  p.timestamp as price_at, p.previous_price, v.next_valid
from {_A} a
join {_E} f on f.subject = 'auction:' || a.id and f.n = 1
join {_I} i on i.id = a.art_item_id
left join {_U} u on u.id = a.leader_id
left join lateral (
  select e.timestamp, e.data ->> 'previous_price' as previous_price from {_E} e
  where $2 and e.subject = 'auction:' || a.id and e.n <= a.log_n and (
    e.type in ('auction:bid:accepted', 'auction:bid:voided')
      and e.data ->> 'price' is distinct from e.data ->> 'previous_price'
    or e.type = 'auction:end' and a.format like 'SEALED%' and e.data ->> 'price' is not null)
  order by e.n desc limit 1) p on true
left join lateral (
  select e.data ->> 'next_valid_amount' as next_valid from {_E} e
  where $2 and e.subject = 'auction:' || a.id and e.n <= a.log_n and e.data ? 'next_valid_amount'
  order by e.n desc limit 1) v on true
where a.id = any($1::uuid[]) order by a.lot_number, a.id
"""  # noqa: S608
_LOTS_OF_DAY = f"select id from {_A} where campaign_day_id = $1"  # noqa: S608
_BIDS = f"""
select b.id, b.number, b.amount, b.source, b.decided_at, u.name from {_B} b join {_U} u on u.id = b.user_id
where b.auction_id = $1 and b.status = '{BidStatus.ACCEPTED}' and b.amount is not null
order by b.number desc limit {BIDS_KEPT_MAX}
"""  # noqa: S608
_COURSE = f"""
select {_EVENT} from {_E} where subject = any($1::text[]) and n > 1
  and type not in ('auction:bid:accepted', 'auction:bid:rejected', 'auction:bid:placed', 'auction:reserve:met')
  and type not like 'settlement:%'
union all
select {_EVENT} from {_E} where subject = $2 and type like 'session:%' and data ->> 'day' = $3
"""  # noqa: S608
#: The host's and the stream's events have no lot; they are found by their ids, which rise with time.
_RECENT = f"""
select {_EVENT} from {_E} where id >= $1 and type = any($2::text[]) and timestamp >= $3 and {SAFE}
order by epoch desc, xid desc, seq desc limit $4
"""  # noqa: S608
_WHOLE = f"""
select {_EVENT} from {_E} where subject = any($1::text[]) and n > 1
union all
select {_EVENT} from {_E} where subject = $2 and type like 'session:%' and data ->> 'day' = $3
union all
select {_EVENT} from {_E} where id >= $4 and type = any($5::text[]) and timestamp >= $6
order by epoch, xid, seq
"""  # noqa: S608
_NAMES = f"select id, name from {_U} where id = any($1::uuid[])"  # noqa: S608
_BIDDERS = (
    f"select distinct u.id, u.name from {_B} b join {_U} u on u.id = b.user_id where b.auction_id = any($1::uuid[])"  # noqa: S608
)
_DAY_OF = f"select campaign_day_id from {_A} where id = $1"  # noqa: S608

_HERE = ("127.0.0.1", "localhost", "[::1]")
_SAYING = ("agent:message", "agent:speech")
_HOST = (*_SAYING, "agent:mood", "agent:asset:request")
_SCENE = ("stream:scene:update", "stream:start", "stream:end")


class House(msgspec.Struct, frozen=True):
    """What the picture says of the house itself. In ``bid_url``, ``{auction}`` stands for the lot's id."""

    bid_url: str = ""
    bid_hint: str = ""
    host: HostLook = HostLook()
    #: Pictures of a character that is not drawn, by the names of its expressions; empty for those that are.
    expressions: dict[str, str] = msgspec.field(default_factory=dict)


def house_of(settings: Settings) -> House:
    """What the settings say of it: where a lot's page is, and in one line how to bid."""
    pages = settings.public_url or f"http://{settings.host}:{settings.port}"
    name = pages.partition("://")[2]
    # an address people can remember, or the code beside it
    hint = "Scan to bid" if name.partition(":")[0] in _HERE else f"Bid at {name}"
    return House(bid_url=f"{pages}/auctions/{{auction}}", bid_hint=hint)


def told(event: LoggedEvent) -> Told:
    """A row of the log as the chronicle takes it."""
    position = event.position
    return Told(
        id=event.id,
        place=(position.epoch, position.xid, position.seq),
        n=event.n,
        at=event.timestamp,
        type=event.type,
        subject=event.subject,
        data=event.decoded(),
    )


async def day_on(connection: Any) -> UUID | None:
    """The campaign day that is on, else the one that comes next."""
    found: UUID | None = await connection.fetchval(_ON_OR_NEXT)
    return found


async def present(connection: Any, day: UUID | None, house: House, *, choose: bool = False) -> DayFacts:
    """The facts of a day as it stands; with ``choose`` and no day, of the one that is on or comes next.

    Raises NotFound for a day that there is not.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        row = await connection.fetchrow(_PLACE)
        place: Place = START if row is None else (row["epoch"], row["xid"], row["seq"])
        if day is None and choose:
            day = await day_on(connection)
        now = from_datetime(await connection.fetchval("select clock_timestamp()"))
        if day is None:
            return _nothing(place, house)
        lots = [row["id"] for row in await connection.fetch(_LOTS_OF_DAY, day)]
        facts = await _day(connection, day, lots, house, standing=True)
        course = await _course(connection, facts, now)
        return msgspec.structs.replace(facts, place=place, course=course)


async def beginning(connection: Any, auction: UUID, house: House) -> DayFacts:
    """The facts of an auction's day (or of the auction alone, if it has none) before anything happened.

    Names are those of everybody who has bid. Raises NotFound.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        row = await connection.fetchrow(_DAY_OF, auction)
        if row is None:
            raise NotFound("There is no auction with this id.")
        day = row["campaign_day_id"]
        if day is None:
            lots = [auction]
            facts = msgspec.structs.replace(_nothing(START, house), stage="AUCTION")
            facts = msgspec.structs.replace(facts, lots=await _lots(connection, lots, standing=False))
            facts = msgspec.structs.replace(facts, begins_at=facts.lots[0].starts_at)
        else:
            lots = [row["id"] for row in await connection.fetch(_LOTS_OF_DAY, day)]
            facts = await _day(connection, day, lots, house, standing=False)
            facts = msgspec.structs.replace(facts, version=None)
        names = {str(row["id"]): row["name"] for row in await connection.fetch(_BIDDERS, lots)}
        return msgspec.structs.replace(facts, names=names)


@contextlib.asynccontextmanager
async def _rows(connection: Any, query: str, *given: Any) -> AsyncIterator[AsyncIterator[LoggedEvent]]:
    async def events() -> AsyncIterator[LoggedEvent]:
        async for row in connection.cursor(query, *given, prefetch=FETCH_ROWS):
            yield event_of(row)

    async with connection.transaction(isolation="repeatable_read", readonly=True):
        yield events()


async def whole(connection: Any, facts: DayFacts) -> AsyncGenerator[Told]:
    """Every event of a day from its beginning, in the log's order."""
    subjects = [f"auction:{lot.id}" for lot in facts.lots]
    eve = facts.begins_at - EVE_MS
    async with _rows(
        connection, _WHOLE, subjects, _campaign(facts), str(facts.day), _id_at(eve), [*_HOST, *_SCENE], to_datetime(eve)
    ) as events:
        async for event in events:
            yield told(event)


async def names(connection: Any, users: Sequence[str]) -> dict[str, str]:
    """The names of users, by id."""
    rows = await connection.fetch(_NAMES, [UUID(user) for user in users])
    return {str(row["id"]): row["name"] for row in rows}


def _nothing(place: Place, house: House) -> DayFacts:
    return DayFacts(
        place=place,
        stage="CANCELLED",
        host=house.host,
        expressions=house.expressions,
        bid_url=house.bid_url,
        bid_hint=house.bid_hint,
    )


async def _day(connection: Any, day: UUID, lots: list[UUID], house: House, *, standing: bool) -> DayFacts:
    row = await connection.fetchrow(_DAY, day)
    if row is None:
        raise NotFound("There is no campaign day with this id.")
    following = await connection.fetchrow(_FOLLOWING, row["campaign_id"], row["number"])
    begins_at, ends_at = from_datetime(row["pre_auction_at"]), from_datetime(row["ends_at"])
    return DayFacts(
        campaign=row["campaign_id"],
        campaign_name=row["name"],
        day=day,
        number=row["number"],
        days=row["days"],
        date=row["date"],
        zone=row["time_zone"],
        begins_at=begins_at,
        auction_at=from_datetime(row["auction_at"]),
        stage=row["status"],
        version=row["version"],
        lots=await _lots(connection, lots, standing=standing),
        next_session=None
        if following is None
        else NextSession(following["date"], from_datetime(following["auction_at"]), following["lots"]),
        faces=faces(row["time_zone"], begins_at - DAY_MS, ends_at + DAY_MS),
        host=house.host,
        expressions=house.expressions,
        bid_url=house.bid_url,
        bid_hint=house.bid_hint,
    )


async def _lots(connection: Any, lots: list[UUID], *, standing: bool) -> tuple[LotFacts, ...]:
    found = []
    for row in await connection.fetch(_LOTS, lots, standing):
        first = msgspec.json.decode(row["first"])
        artist, traits = pieces.read(msgspec.json.decode(row["metadata"]))
        artwork = Artwork(row["asset_path"] or "", row["asset_width"] or NO_SIDE, row["asset_height"] or NO_SIDE)
        found.append(
            LotFacts(
                id=row["id"],
                number=row["lot_number"],
                title=first["title"],
                artist=artist,
                artwork=artwork,
                traits=tuple(value for _, value in traits[:TRAITS_MAX]),
                terms=first["terms"],
                starts_at=first["starts_at"],
                ends_at=first["ends_at"],
                n=row["log_n"] if standing else 1,
                standing=await _standing(connection, row) if standing else None,
            )
        )
    return tuple(found)


async def _standing(connection: Any, row: Any) -> Standing:
    kept: tuple[KeptBid, ...] = ()
    if row["bid_count"] and Format(row["format"]) not in SEALED:  # amounts of sealed bids are nobody's business here
        kept = tuple(
            KeptBid(
                str(bid["id"]),
                Bid(
                    bid["number"],
                    bid["name"],
                    amount(bid["amount"]),
                    from_datetime(bid["decided_at"]),
                    proxy=bid["source"] == Source.PROXY,
                ),
            )
            for bid in await connection.fetch(_BIDS, row["id"])
        )
    leads = row["leader_id"] is not None
    return Standing(
        price=None if row["price"] is None else amount(row["price"]),
        previous_price=row["previous_price"],
        price_at=0 if row["price_at"] is None else from_datetime(row["price_at"]),
        leader=(row["leader"] or NOBODY) if leads else None,
        next_valid=row["next_valid"],
        reserve_met=row["reserve_met"],
        bid_count=row["bid_count"],
        bids=kept,
    )


async def _course(connection: Any, facts: DayFacts, now: Millis) -> tuple[Told, ...]:
    subjects = [f"auction:{lot.id}" for lot in facts.lots]
    rows = list(await connection.fetch(_COURSE, subjects, _campaign(facts), str(facts.day)))
    eve = facts.begins_at - EVE_MS
    for types, since, most in (
        (("agent:mood", "agent:asset:request"), eve, LOOKS_MAX),
        (_SCENE, eve, SCENES_MAX),
        (_SAYING, max(eve, now - SAID_MS), SAID_EVENTS_MAX),
    ):
        rows += await connection.fetch(_RECENT, _id_at(since), list(types), to_datetime(since), most)
    events = sorted((event_of(row) for row in rows), key=lambda event: event.position)
    return tuple(told(event) for event in events)


def _campaign(facts: DayFacts) -> str:
    return f"campaign:{facts.campaign}"


def _id_at(at: Millis) -> UUID:
    """The least id that can have been made at an instant (UUIDv7 begins with its milliseconds)."""
    return UUID(int=max(0, at - ID_SLACK_MS) << 80)
