"""Sealed-bid auctions, first price and second price (Vickrey). Pure.

Until the lot has ended no amount is public, only who has bid. A bidder's later bid replaces the earlier.
"""

from decimal import Decimal

from msgspec.structs import replace

from sothebais import money
from sothebais.auctions.formats.verdict import Accepted, Refused
from sothebais.auctions.model import Bid, Format, Reason, SealedBid, Standing, Terms, Timing
from sothebais.errors import InvalidInput
from sothebais.instants import Millis


def validate(terms: Terms) -> None:
    """Refuse terms a sealed auction cannot keep."""
    if terms.buy_now is not None:
        raise InvalidInput("A sealed lot cannot have buy_now.", field="buy_now")
    if terms.step is not None or terms.interval is not None or terms.floor is not None:
        raise InvalidInput("step, interval and floor belong to the DUTCH format only.", field="format")


def next_valid(terms: Terms, _standing: Standing, _timing: Timing, _at: Millis) -> Decimal | None:
    """The starting price: what others bid is secret."""
    return terms.starting_price


def buy_now_on_offer(_terms: Terms, _standing: Standing) -> bool:
    """Never."""
    return False


def offer(terms: Terms, standing: Standing, _timing: Timing, bid: Bid) -> tuple[Standing, Accepted] | Refused:
    """Keep the bid, in place of this bidder's earlier one."""
    offered = bid.amount if bid.amount is not None else bid.max_amount
    if offered is None or offered < terms.starting_price:
        return Refused(Reason.BELOW_MINIMUM, f"Bids start at {money.text(terms.starting_price)} {terms.currency}.")
    others = tuple(entry for entry in standing.sealed if entry.user != bid.bidder.id)
    kept = (*others, SealedBid(bid.id, bid.bidder.id, offered, bid.number))
    return replace(standing, sealed=kept), Accepted(amount=None, committed=offered)


def conclude(terms: Terms, standing: Standing) -> Standing:
    """Open the bids: the highest wins, ties to the earlier; what is paid depends on the format."""
    ranked = sorted(standing.sealed, key=_rank)
    if not ranked:
        return standing
    best = ranked[0]
    met = terms.reserve is None or best.amount >= terms.reserve
    price = best.amount
    if met and terms.format is Format.SEALED_SECOND_PRICE:
        second = ranked[1].amount if len(ranked) > 1 else money.ZERO
        price = max(terms.reserve or money.ZERO, terms.starting_price, second)
    return replace(
        standing,
        leader=best.user,
        leading_bid=best.bid,
        price=price,
        maximum=best.amount,
        rival_maximum=ranked[1].amount if len(ranked) > 1 else None,
        reserve_met=met,
    )


def _rank(entry: SealedBid) -> tuple[Decimal, int]:
    # the minus sign would round to the 28 digits of the default context
    return entry.amount.copy_negate(), entry.number
