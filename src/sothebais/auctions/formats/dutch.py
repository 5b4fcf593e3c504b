"""Dutch auction: the price falls until somebody takes it. Pure."""

from decimal import Decimal

from msgspec.structs import replace

from sothebais import money
from sothebais.auctions.formats.verdict import Accepted, Refused
from sothebais.auctions.model import Bid, Reason, Standing, Terms, Timing
from sothebais.errors import InvalidInput
from sothebais.instants import Millis


def validate(terms: Terms) -> None:
    """Refuse terms a Dutch auction cannot keep."""
    if terms.step is None or terms.interval is None or terms.floor is None:
        raise InvalidInput("A DUTCH lot needs step, interval and floor.", field="format")
    if terms.interval <= 0:
        raise InvalidInput("interval must be longer than zero.", field="interval")
    if terms.floor > terms.starting_price:
        raise InvalidInput("floor must not be above the starting price.", field="floor")
    if terms.reserve is not None or terms.buy_now is not None:
        raise InvalidInput("A DUTCH lot has a floor; reserve and buy_now are for ENGLISH lots.", field="reserve")


def price_at(terms: Terms, timing: Timing, at: Millis) -> Decimal:
    """The asking price at an instant. Time in which no bid counted does not lower it."""
    if terms.step is None or terms.interval is None or terms.floor is None:
        raise InvalidInput("A DUTCH lot needs step, interval and floor.", field="format")
    until = at if timing.paused_at is None else min(at, timing.paused_at)
    open_for = until - timing.starts_at
    for gap in timing.closed:
        open_for -= max(0, min(gap.until, until) - max(gap.since, timing.starts_at))
    steps = max(0, open_for) // terms.interval
    return max(terms.floor, money.subtract(terms.starting_price, money.multiply(terms.step, Decimal(steps))))


def next_valid(terms: Terms, standing: Standing, timing: Timing, at: Millis) -> Decimal | None:
    """The asking price now."""
    return price_at(terms, timing, at) if standing.leader is None else None


def buy_now_on_offer(_terms: Terms, _standing: Standing) -> bool:
    """Never: every Dutch bid buys."""
    return False


def offer(terms: Terms, standing: Standing, timing: Timing, bid: Bid) -> tuple[Standing, Accepted] | Refused:
    """The first bid at or above the price at its effective time wins at that price."""
    offered = bid.amount if bid.amount is not None else bid.max_amount
    asked = price_at(terms, timing, bid.effective_at)
    if offered is None or offered < asked:
        return Refused(Reason.BELOW_MINIMUM, f"The price was {money.text(asked)} {terms.currency} at that moment.")
    sold = replace(
        standing, leader=bid.bidder.id, leading_bid=bid.id, price=asked, maximum=asked, reserve_met=True, unopened=()
    )
    return sold, Accepted(amount=asked, committed=asked, opened=(bid.id,), decisive=True)


def conclude(_terms: Terms, standing: Standing) -> Standing:
    """The buyer, if there was one."""
    return standing
