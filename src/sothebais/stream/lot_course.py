"""One lot as the picture has it, folded event by event. Pure.

The steps of a lot (its times) and its standing (what bids made of it) are folded apart, so that a snapshot may read
the one from the log and the other from the tables.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from sothebais import money
from sothebais.auctions import terms as terms_codec
from sothebais.auctions.formats import dutch
from sothebais.auctions.model import Closed, Format, Reason, Terms, Timing
from sothebais.instants import Millis
from sothebais.stream.facts import KeptBid, LotFacts, Standing, Told
from sothebais.stream.layers import NEVER
from sothebais.stream.show import BIDS_MAX, Bid, Lot, LotStatus

#: Bids that are remembered, so that some can be voided and the list on screen is still full.
BIDS_KEPT_MAX: Final = 4 * BIDS_MAX
FAIR_WARNING_MS: Final = 15_000
#: Of a short lot the fair warning is at most this share.
FAIR_WARNING_SHARE: Final = 4
#: Somebody whose name is not known here.
NOBODY: Final = "a bidder"
_STEPS: Final = frozenset(
    {
        "auction:start",
        "auction:paused",
        "auction:resumed",
        "auction:closing",
        "auction:end",
        "auction:settled",
        "auction:cancelled",
        "auction:reopened",
        "auction:timer:updated",
        "auction:bid:voided",
        "auction:bid:accepted",
    }
)
RUNNING: Final = frozenset({LotStatus.ACTIVE, LotStatus.PAUSED, LotStatus.CLOSING})
OVER: Final = frozenset({LotStatus.SOLD, LotStatus.PASSED, LotStatus.CANCELLED})

type Names = Mapping[str, str]


class Times(Struct, frozen=True, kw_only=True):
    """Where a lot stands in its life."""

    status: LotStatus
    starts_at: Millis
    ends_at: Millis
    opened_at: Millis = 0
    extension_count: int = 0
    extended_at: Millis | None = None
    paused_at: Millis | None = None
    closed_at: Millis | None = None
    #: Times in which no bid counted.
    closed: tuple[Closed, ...] = ()
    cause: str = ""


class LotCourse:
    """A lot and its course so far. ``times`` and ``standing`` are the present ones."""

    __slots__ = ("facts", "n", "standing", "terms", "times", "warning_ms")

    def __init__(self, facts: LotFacts) -> None:
        self.facts = facts
        self.n = 1
        self.terms: Terms = terms_codec.from_public(facts.terms, None)
        self.times = Times(status=LotStatus.SCHEDULED, starts_at=facts.starts_at, ends_at=facts.ends_at)
        self.standing = Standing(next_valid=facts.terms["starting_price"])
        self.warning_ms = min(FAIR_WARNING_MS, (facts.ends_at - facts.starts_at) // FAIR_WARNING_SHARE)

    def step(self, told: Told) -> bool:
        """Take the times of an event; whether they changed."""
        if told.type not in _STEPS:
            return False
        before = self.times
        self.times = _times(before, told)
        return self.times != before

    def stand(self, told: Told, names: Names) -> bool:
        """Take what an event says of bids and price; whether that changed."""
        before = self.standing
        self.standing = _standing(before, told, names)
        return self.standing != before

    def shown(self, t: Millis) -> Lot:
        """The lot as scenes read it."""
        facts, times, standing = self.facts, self.times, self.standing
        starting_price = facts.terms["starting_price"]
        next_valid = standing.next_valid if times.status in RUNNING else None
        if self.terms.format is Format.DUTCH and standing.leader is None and times.status in RUNNING:
            starting_price = next_valid = money.text(dutch.price_at(self.terms, self._timing(), t))
        return Lot(
            number=facts.number,
            title=facts.title,
            artist=facts.artist,
            artwork=facts.artwork,
            traits=facts.traits,
            status=times.status,
            currency=facts.terms["currency"],
            starting_price=starting_price,
            price=standing.price,
            previous_price=standing.previous_price,
            price_at=standing.price_at,
            leader=standing.leader,
            next_valid=next_valid,
            has_reserve=facts.terms["reserve_commitment"] is not None,
            reserve_met=standing.reserve_met,
            bid_count=standing.bid_count,
            bids=tuple(kept.bid for kept in standing.bids[:BIDS_MAX]),
            opened_at=times.opened_at or times.starts_at,
            ends_at=times.ends_at,
            extended_at=times.extended_at,
            fair_warning_ms=self.warning_ms,
            paused_at=times.paused_at,
            closed_at=times.closed_at,
        )

    def until(self, t: Millis) -> Millis:
        """When the lot is shown otherwise without an event: a Dutch price falls."""
        if self.terms.format is not Format.DUTCH or self.times.status is not LotStatus.ACTIVE:
            return NEVER
        if self.standing.leader is not None or self.terms.interval is None:
            return NEVER
        asked = dutch.price_at(self.terms, self._timing(), t)
        if self.terms.floor is not None and asked <= self.terms.floor:
            return NEVER
        gone = sum(max(0, min(gap.until, t) - max(gap.since, self.times.starts_at)) for gap in self.times.closed)
        phase = (t - self.times.starts_at - gone) % self.terms.interval
        return t + self.terms.interval - phase

    def _timing(self) -> Timing:
        times = self.times
        return Timing(
            starts_at=times.starts_at,
            ends_at=times.ends_at,
            hard_close_at=times.ends_at,
            paused_at=times.paused_at,
            closed=times.closed,
        )


def people_of(told: Told) -> tuple[str, ...]:
    """The users (ids as text) whose names an event puts on screen."""
    data = told.data
    match told.type:
        case "auction:bid:accepted":
            found = (data["user"], data["leader"], *(made["user"] for made in data["raises"]))
        case "auction:bid:voided":
            found = (data["leader"], *(made["user"] for made in data["raises"]))
        case "auction:end":
            found = (data["leader"], data["winner"])
        case _:
            return ()
    return tuple(dict.fromkeys(user for user in found if user is not None))


def _times(times: Times, told: Told) -> Times:
    data, at = told.data, told.at
    if told.type == "auction:bid:accepted":
        # a purchase is followed by the lot's end in the same breath
        status = times.status if data["status"] == "ENDED" else LotStatus(data["status"])
        return replace(times, status=status, ends_at=data["ends_at"], extension_count=data["extension_count"])
    status = _status(told, times)
    was_running = times.status in RUNNING
    closed = times.closed
    if times.paused_at is not None and status is not LotStatus.PAUSED:
        closed = (*closed, Closed(times.paused_at, at, Reason.PAUSED))
    times = replace(
        times,
        status=status,
        starts_at=data["starts_at"],
        ends_at=data["ends_at"],
        extension_count=data["extension_count"],
        paused_at=times.paused_at if status is LotStatus.PAUSED else None,
        closed=closed,
    )
    match told.type:
        case "auction:start":
            return replace(times, opened_at=at, cause=data["cause"])
        case "auction:paused":
            return replace(times, paused_at=at, cause=data["cause"])
        case "auction:timer:updated":
            return replace(times, extended_at=at) if was_running else times
        case "auction:end" | "auction:cancelled":
            return replace(times, closed_at=at, cause=data["cause"])
        case "auction:reopened":
            return replace(times, closed_at=None, cause=data["cause"])
        case _:
            return times


def _status(told: Told, times: Times) -> LotStatus:
    status: str = told.data["status"]
    if status == "ENDED":
        return times.status if told.type != "auction:end" else LotStatus(told.data["outcome"])
    return LotStatus.SOLD if status == "SETTLED" else LotStatus(status)


def _standing(standing: Standing, told: Told, names: Names) -> Standing:
    data = told.data
    match told.type:
        case "auction:bid:accepted":
            made: list[KeptBid] = []
            if data["amount"] is not None:
                bid = Bid(data["number"], names.get(data["user"], NOBODY), data["amount"], told.at)
                made.append(KeptBid(data["bid"], bid))
            return _with_price(standing, told, names, [*made, *_raises(told, names)])
        case "auction:bid:voided":
            gone = {data["bid"], *data["superseded"]}
            return _with_price(standing, told, names, _raises(told, names), without=gone)
        case "auction:bid:rejected":
            return replace(standing, next_valid=data["next_valid_amount"])
        case "auction:reserve:met":
            return replace(standing, reserve_met=True)
        case "auction:end":
            changed = data["price"] != standing.price
            return replace(
                standing,
                price=data["price"],
                previous_price=standing.price if changed else standing.previous_price,
                price_at=told.at if changed else standing.price_at,
                leader=None if data["leader"] is None else names.get(data["leader"], NOBODY),
                next_valid=None,
            )
        case _:
            if told.type in _STEPS:
                return replace(standing, next_valid=data["next_valid_amount"])
            return standing


def _with_price(
    standing: Standing, told: Told, names: Names, made: list[KeptBid], *, without: Collection[str] = ()
) -> Standing:
    data: dict[str, Any] = told.data
    changed = data["price"] != standing.price
    bids = (*reversed(made), *(kept for kept in standing.bids if kept.id not in without))
    return replace(
        standing,
        price=data["price"],
        previous_price=standing.price if changed else standing.previous_price,
        price_at=told.at if changed else standing.price_at,
        leader=None if data["leader"] is None else names.get(data["leader"], NOBODY),
        next_valid=data["next_valid_amount"],
        reserve_met=data["reserve_met"],
        bid_count=data["bid_count"],
        bids=bids[:BIDS_KEPT_MAX],
    )


def _raises(told: Told, names: Names) -> list[KeptBid]:
    return [
        KeptBid(made["bid"], Bid(made["number"], names.get(made["user"], NOBODY), made["amount"], told.at, proxy=True))
        for made in told.data["raises"]
    ]
