"""English auction with proxy bids: the default format (rules 1 to 5 of ``docs/auction-rules.md``). Pure."""

from decimal import Decimal

from msgspec.structs import replace

from sothebais import money
from sothebais.auctions import increments
from sothebais.auctions.formats.verdict import Accepted, Refused
from sothebais.auctions.model import Bid, Raise, Reason, Standing, Terms, Timing
from sothebais.errors import InvalidInput
from sothebais.instants import Millis


def validate(terms: Terms) -> None:
    """Refuse terms an English auction cannot keep."""
    if terms.step is not None or terms.interval is not None or terms.floor is not None:
        raise InvalidInput("step, interval and floor belong to the DUTCH format only.", field="format")
    if terms.buy_now is None:
        return
    if terms.buy_now <= max(terms.starting_price, terms.reserve or money.ZERO):
        raise InvalidInput("buy_now must be above the starting price and above the reserve.", field="buy_now")
    if terms.buy_now_until == "RESERVE_MET" and terms.reserve is None:
        raise InvalidInput("buy_now_until RESERVE_MET needs a reserve.", field="buy_now_until")


def next_valid(terms: Terms, standing: Standing, _timing: Timing, _at: Millis) -> Decimal | None:
    """The least amount a new bidder could offer now."""
    if standing.price is None:
        return terms.starting_price
    return increments.min_next(terms.increment, standing.price, terms.decimals)


def buy_now_on_offer(terms: Terms, standing: Standing) -> bool:
    """Whether an explicit bid at the buy-now price would end the lot."""
    if terms.buy_now is None:
        return False
    return standing.leader is None if terms.buy_now_until == "FIRST_BID" else not standing.reserve_met


def offer(terms: Terms, standing: Standing, timing: Timing, bid: Bid) -> tuple[Standing, Accepted] | Refused:
    """Apply one bid. The arguments stay as they are; a refusal has no standing because nothing changed."""
    amount, maximum = bid.amount, bid.max_amount if bid.max_amount is not None else bid.amount
    if maximum is None:
        raise InvalidInput("A bid needs an amount or a maximum.", field="amount")
    if (
        amount is not None
        and terms.buy_now is not None
        and buy_now_on_offer(terms, standing)
        and amount >= terms.buy_now
    ):
        return _buy_now(standing, bid, terms.buy_now)
    if standing.leader == bid.bidder.id:
        return _raise_own(terms, standing, bid, amount, maximum)
    least = next_valid(terms, standing, timing, bid.effective_at)
    if least is None or maximum < least or (amount is not None and amount < least):
        return Refused(
            Reason.BELOW_MINIMUM, f"The next valid bid is {money.text(least or money.ZERO)} {terms.currency}."
        )
    offered = amount if amount is not None else least
    if standing.leader is None or standing.maximum is None or standing.price is None:
        return _lead(terms, standing, bid, offered, maximum, price=offered, raises=(), by_house=amount is None)
    if maximum > standing.maximum:
        return _overtake(terms, standing, bid, offered, maximum)
    return _hold(terms, standing, bid, offered, maximum)


def conclude(_terms: Terms, standing: Standing) -> Standing:
    """The leader at the price; nobody when the reserve was not met (the caller sees ``reserve_met``)."""
    return standing


def _buy_now(standing: Standing, bid: Bid, price: Decimal) -> tuple[Standing, Accepted]:
    sold = replace(
        standing,
        leader=bid.bidder.id,
        leading_bid=bid.id,
        price=price,
        maximum=price,
        rival_maximum=standing.maximum,
        reserve_met=True,
        unopened=(),
    )
    # the buyer's maximum is the public price itself, so everything is opened at once
    opened = (*standing.unopened, bid.id)
    return sold, Accepted(amount=price, committed=price, opened=opened, decisive=True, bought_now=True)


def _raise_own(
    terms: Terms, standing: Standing, bid: Bid, amount: Decimal | None, maximum: Decimal
) -> tuple[Standing, Accepted] | Refused:
    """Rule 3: the leader raises the own maximum."""
    if standing.maximum is None or standing.price is None or maximum <= standing.maximum:
        return Refused(Reason.ALREADY_LEADING, "You already lead; only a higher maximum would change anything.")
    if amount is not None and amount <= standing.price:
        amount = None  # it changes nothing, and standing in the books as a bid it could not be folded again
    price = amount if amount is not None else standing.price
    if standing.rival_maximum is not None:
        price = max(price, min(maximum, _above(terms, standing.rival_maximum)))
    return _lead(
        terms,
        standing,
        bid,
        amount if amount is not None else price,
        maximum,
        price=price,
        raises=(),
        own=True,
        by_house=amount is None,
    )


def _overtake(
    terms: Terms, standing: Standing, bid: Bid, offered: Decimal, maximum: Decimal
) -> tuple[Standing, Accepted]:
    """Rule 2, first half: the new maximum beats the leader's, whose proxy goes as far as it can first."""
    beaten = standing.maximum or offered
    if bid.amount is not None and offered >= maximum:
        price = offered  # the visible amount is all there is, whatever would have been enough
    else:
        price = max(offered if bid.amount is not None else money.ZERO, min(maximum, _above(terms, beaten)))
    raises: tuple[Raise, ...] = ()
    # a visible amount above the beaten maximum leaves its proxy nothing to answer
    if standing.leader is not None and standing.price is not None and standing.price < beaten >= offered:
        raises = (Raise(standing.leader, beaten),)
    return _lead(
        terms,
        replace(standing, rival_maximum=beaten),
        bid,
        offered,
        maximum,
        price=price,
        raises=raises,
        by_house=bid.amount is None,
        beaten=True,
    )


def _hold(terms: Terms, standing: Standing, bid: Bid, offered: Decimal, maximum: Decimal) -> tuple[Standing, Accepted]:
    """Rule 2, second half: the leader's maximum holds; the new bid is accepted and at once outbid."""
    if standing.leader is None or standing.maximum is None or standing.price is None:
        raise InvalidInput("Nobody leads this lot.")
    price = max(standing.price, min(standing.maximum, _above(terms, maximum)))
    rival = maximum if standing.rival_maximum is None else max(standing.rival_maximum, maximum)
    raises = [Raise(bid.bidder.id, maximum)] if maximum > offered else []
    raises.append(Raise(standing.leader, price))
    held = replace(standing, price=price, rival_maximum=rival)
    return held, Accepted(
        amount=offered,
        committed=maximum,
        offered_by_house=bid.amount is None,
        raises=tuple(raises),
        opened=(bid.id,),
        moved=True,
    )


def _lead(
    terms: Terms,
    standing: Standing,
    bid: Bid,
    offered: Decimal,
    maximum: Decimal,
    *,
    price: Decimal,
    raises: tuple[Raise, ...],
    by_house: bool,
    own: bool = False,
    beaten: bool = False,
) -> tuple[Standing, Accepted]:
    met = standing.reserve_met or terms.reserve is None or maximum >= terms.reserve
    if terms.reserve is not None and met:
        price = max(price, terms.reserve)  # rule 4
    if price > offered:
        raises = (*raises, Raise(bid.bidder.id, price))
    opened = standing.unopened if beaten else ()
    leading = replace(
        standing,
        leader=bid.bidder.id,
        leading_bid=bid.id,
        price=price,
        maximum=maximum,
        reserve_met=met,
        unopened=(*standing.unopened, bid.id) if own else (bid.id,),
    )
    return leading, Accepted(
        amount=offered,
        committed=maximum,
        offered_by_house=by_house,
        raises=raises,
        opened=opened,
        moved=not own,
    )


def _above(terms: Terms, price: Decimal) -> Decimal:
    return increments.min_next(terms.increment, price, terms.decimals)
