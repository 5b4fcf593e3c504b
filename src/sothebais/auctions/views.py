"""What the house shows of auctions and bids: JSON-ready, without anything secret."""

from typing import Any
from uuid import UUID

import msgspec

from sothebais import money
from sothebais.auctions import rules
from sothebais.auctions import terms as terms_codec
from sothebais.auctions.model import Format, Source, Status, Terms
from sothebais.events.log import Position
from sothebais.instants import Millis, isoformat

#: Channels whose bids are stamped by the house itself on arrival: in time is in time.
_OWN_CHANNELS = (Source.WEB, Source.API)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What does not change while a lot runs, or hardly ever."""

    id: UUID
    lot_number: int
    title: str
    art_item: UUID
    campaign: UUID | None
    campaign_day: UUID | None
    public_terms: dict[str, Any]
    terms: Terms
    starts_at: Millis
    hard_close_at: Millis

    @property
    def has_reserve(self) -> bool:
        """Whether the seller set a secret reserve."""
        return self.public_terms["reserve_commitment"] is not None


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What changes: the lot as it stood after event ``n``."""

    n: int
    position: Position
    at: Millis
    status: Status
    outcome: str | None
    price: str | None
    previous_price: str | None
    leader: UUID | None
    leading_bid: UUID | None
    next_valid_amount: str | None
    reserve_met: bool
    ends_at: Millis
    extension_count: int
    bid_count: int
    bidder_count: int | None
    paused_at: Millis | None = None


def facts_of(row: Any, starts_at: Millis, hard_close_at: Millis) -> Facts:
    """The facts of an auction row joined with its first event and its day."""
    public = row.terms
    return Facts(
        id=row.id,
        lot_number=row.lot_number,
        title=row.title,
        art_item=row.art_item_id,
        campaign=row.campaign_id,
        campaign_day=row.campaign_day_id,
        public_terms=public,
        terms=terms_codec.from_public(public, None),
        starts_at=starts_at,
        hard_close_at=hard_close_at,
    )


def state_of_bid(data: dict[str, Any], n: int, position: Position, at: Millis) -> State:
    """The state an ``auction:bid:accepted`` event tells."""
    return State(
        n=n,
        position=position,
        at=at,
        status=Status(data["status"]),
        outcome="SOLD" if data["status"] == Status.ENDED else None,
        price=data["price"],
        previous_price=data["previous_price"],
        leader=_uuid(data["leader"]),
        leading_bid=_uuid(data["leading_bid"]),
        next_valid_amount=data["next_valid_amount"],
        reserve_met=data["reserve_met"],
        ends_at=data["ends_at"],
        extension_count=data["extension_count"],
        bid_count=data["bid_count"],
        bidder_count=data["bidder_count"],
    )


def snapshot(facts: Facts, state: State, names: dict[UUID, str]) -> dict[str, Any]:
    """A lot as the API shows it; ``server_time`` is the instant at which it was so."""
    terms, public = facts.terms, facts.public_terms
    payable = None
    if state.next_valid_amount is not None:
        payable = money.text(
            rules.total_payable(terms, money.parse_amount(state.next_valid_amount, money.DECIMALS_MAX))
        )
    return {
        "id": str(facts.id),
        "n": state.n,
        "position": str(state.position),
        "server_time": isoformat(state.at),
        "status": str(state.status),
        "outcome": state.outcome,
        "format": public["format"],
        "lot_number": facts.lot_number,
        "title": facts.title,
        "art_item_id": str(facts.art_item),
        "campaign_id": _text(facts.campaign),
        "campaign_day_id": _text(facts.campaign_day),
        "currency": public["currency"],
        "decimals": public["decimals"],
        "starting_price": public["starting_price"],
        "price": state.price,
        "previous_price": state.previous_price,
        "leader": None if state.leader is None else person(state.leader, names),
        "leading_bid_id": _text(state.leading_bid),
        "next_valid_amount": state.next_valid_amount,
        "next_total_payable": payable,
        "increment": public["increment"],
        "premium_percent": public["premium_percent"],
        "fee": public["fee"],
        "buy_now": public["buy_now"],
        "buy_now_on_offer": _buy_now_on_offer(terms, state),
        "has_reserve": facts.has_reserve,
        "reserve_met": state.reserve_met,
        "starts_at": isoformat(facts.starts_at),
        "ends_at": isoformat(state.ends_at),
        "hard_close_at": isoformat(facts.hard_close_at),
        "paused_at": None if state.paused_at is None else isoformat(state.paused_at),
        "extension_count": state.extension_count,
        "bid_count": state.bid_count,
        "bidder_count": state.bidder_count,
        "last_safe_bid": {str(channel): isoformat(state.ends_at) for channel in _OWN_CHANNELS},
    }


def person(user: UUID, names: dict[UUID, str]) -> dict[str, str]:
    """Somebody as the pages show them."""
    return {"id": str(user), "handle": names.get(user, "")}


def _buy_now_on_offer(terms: Terms, state: State) -> bool:
    if terms.buy_now is None or terms.format is not Format.ENGLISH or state.status is not Status.ACTIVE:
        return False
    return state.leader is None if terms.buy_now_until == "FIRST_BID" else not state.reserve_met


def _uuid(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
