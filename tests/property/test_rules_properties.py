"""Properties of the rules that must hold whatever people bid: plain ones, an oracle, and a whole lot's life.

A failure prints the blob that repeats it (``@reproduce_failure``). All lots here are in euros; amounts are drawn as
whole cents, so that the oracle can count in integers and share no arithmetic with the code.
"""

from decimal import Decimal as D
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.fakes.lots import EARLY, a_bid, a_lot, a_person, after_step, decided

from sothebais import money
from sothebais.auctions import increments, rules
from sothebais.auctions.increments import EBAY
from sothebais.auctions.model import Bid, FixedIncrement, Increment, PercentIncrement
from sothebais.errors import InvalidAmount

FEW = settings(max_examples=150, deadline=None, print_blob=True)
MANY = settings(max_examples=400, deadline=None, print_blob=True)

#: Who bids what: a visible amount, a hidden maximum, or both, in cents.
type Offer = tuple[str, int | None, int | None]

cents = st.integers(1, 6_000)


def offers(*, explicit: bool = True) -> st.SearchStrategy[list[Offer]]:
    def pair(who: str, one: int, two: int, kind: int) -> Offer:
        low, high = sorted((one, two))
        return [(who, None, high), (who, low, None), (who, low, high)][kind]

    kinds = st.integers(0, 2) if explicit else st.just(0)
    return st.lists(st.builds(pair, st.sampled_from("ABCD"), cents, cents, kinds), max_size=14)


policies: st.SearchStrategy[Increment] = st.sampled_from(
    [FixedIncrement(D("0.01")), FixedIncrement(D(1)), FixedIncrement(D("7.5")), EBAY, PercentIncrement(D(5), D("0.01"))]
)


def bids_of(drawn: list[Offer]) -> list[Bid]:
    return [
        a_bid(who, None if a is None else D(a) / 100, None if m is None else D(m) / 100, confirm=True)
        for who, a, m in drawn
    ]


# The oracle: the English rule written down again from the design text, in whole cents, from the list of all accepted
# bids each time.


def oracle_increment(policy: Increment, price: int) -> int:
    if isinstance(policy, FixedIncrement):
        return int(policy.amount * 100)
    if isinstance(policy, PercentIncrement):
        return max(int(policy.floor * 100), -(-price * int(policy.percent) // 100))
    best = 0
    for row in policy.steps:
        if price >= row.from_price * 100:
            best = int(row.increment * 100)
    return best


def oracle_standing(accepted: list[Offer]) -> tuple[str | None, int, int | None]:
    """Leader, the leader's maximum, the best maximum of anybody else; the earlier of two equal ones leads."""
    leader, most = None, 0
    for who, amount, maximum in accepted:
        ceiling = maximum if maximum is not None else amount or 0
        if ceiling > most:
            leader, most = who, ceiling
    others = [m if m is not None else a or 0 for who, a, m in accepted if who != leader]
    return leader, most, max(others, default=None)


def oracle(
    drawn: list[Offer], policy: Increment, start: int, reserve: int | None
) -> list[tuple[str, int | None, str | None]]:
    """What becomes of each offer: answer, price and leader after it."""
    accepted: list[Offer] = []
    price: int | None = None
    story: list[tuple[str, int | None, str | None]] = []
    for offer in drawn:
        who, amount, maximum = offer
        ceiling = maximum if maximum is not None else amount or 0
        leader, most, rival = oracle_standing(accepted)
        answer = "ok"
        if price is None or leader is None:
            if ceiling < start or (amount is not None and amount < start):
                answer = "BELOW_MINIMUM"
            else:
                price = amount if amount is not None else start
        elif who == leader:
            if ceiling <= most:
                answer = "ALREADY_LEADING"
            else:
                wanted = [price]
                if amount is not None:
                    wanted.append(amount)
                if rival is not None:
                    wanted.append(min(ceiling, rival + oracle_increment(policy, rival)))
                price = max(wanted)
        else:
            least = price + oracle_increment(policy, price)
            if ceiling < least or (amount is not None and amount < least):
                answer = "BELOW_MINIMUM"
            elif ceiling > most:
                price = max(amount or 0, min(ceiling, most + oracle_increment(policy, most)))
            else:
                price = max(price, min(most, ceiling + oracle_increment(policy, ceiling)))
        if answer == "ok":
            accepted.append(offer)
        leader, most, _ = oracle_standing(accepted)
        if price is not None and reserve is not None and most >= reserve:
            price = max(price, reserve)
        story.append((answer, price, leader))
    return story


@MANY
@given(offers(), policies, st.integers(1, 1_000), st.none() | cents)
def test_the_rules_agree_with_an_oracle_written_from_the_design(
    drawn: list[Offer], policy: Increment, start: int, reserve: int | None
) -> None:
    lot = a_lot(starting_price=D(start) / 100, increment=policy, reserve=None if reserve is None else D(reserve) / 100)
    names = {a_person(name).id: name for name in "ABCD"}
    for bid, expected in zip(bids_of(drawn), oracle(drawn, policy, start, reserve), strict=True):
        lot, decision = rules.decide(lot, bid, EARLY)
        price = lot.standing.price
        assert (
            "ok" if decision.accepted else str(decision.reason),
            None if price is None else int(price * 100),
            names.get(lot.standing.leader) if lot.standing.leader else None,
        ) == expected


@FEW
@given(offers(), policies, st.none() | cents)
def test_prices_rise_stay_within_the_maximum_and_are_explained(
    drawn: list[Offer], policy: Increment, reserve: int | None
) -> None:
    lot = a_lot(increment=policy, reserve=None if reserve is None else D(reserve) / 100)
    for bid in bids_of(drawn):
        before = lot
        lot, decision = rules.decide(lot, bid, EARLY)
        if not decision.accepted:
            assert lot == before
            continue
        standing = lot.standing
        assert standing.price is not None
        assert standing.maximum is not None
        assert before.standing.price is None or standing.price >= before.standing.price
        assert standing.price <= standing.maximum
        assert standing.rival_maximum is None or standing.rival_maximum <= standing.maximum
        # the rows of the public history rise to the price (an own raise may name less than the price that stands)
        shown = [decision.amount, *(made.amount for made in decision.raises)]
        if bid.bidder.id != before.standing.leader:
            assert shown == sorted(shown)
            assert shown[-1] == standing.price
        assert max(shown) <= standing.price
        assert decision.next_valid_amount == rules.next_valid_amount(lot, EARLY) > standing.price
        # no secret is opened while it stands
        assert standing.leading_bid not in decision.opened
        assert standing.leading_bid == standing.unopened[-1]


@FEW
@given(offers(explicit=False), policies)
def test_a_proxy_pays_at_most_one_increment_over_the_best_rival(drawn: list[Offer], policy: Increment) -> None:
    lot = a_lot(increment=policy)
    for bid in bids_of(drawn):
        lot, _ = rules.decide(lot, bid, EARLY)
        standing = lot.standing
        if standing.price is None:
            continue
        if standing.rival_maximum is None:
            assert standing.price == lot.terms.starting_price
        else:
            assert standing.price <= increments.min_next(policy, standing.rival_maximum, 2)
            assert standing.price >= standing.rival_maximum


@FEW
@given(offers(), policies)
def test_the_next_valid_amount_is_valid_and_a_cent_less_is_not(drawn: list[Offer], policy: Increment) -> None:
    lot, _ = decided(a_lot(increment=policy), *bids_of(drawn))
    least = rules.next_valid_amount(lot, EARLY)
    assert least is not None
    assert rules.decide(lot, a_bid("N", least), EARLY)[1].accepted
    refused, decision = rules.decide(lot, a_bid("N", money.subtract(least, D("0.01"))), EARLY)
    assert (refused, decision.reason) == (lot, "BELOW_MINIMUM")


@FEW
@given(offers(), offers(), st.lists(st.booleans(), max_size=28))
def test_independent_lots_do_not_touch(one: list[Offer], two: list[Offer], order: list[bool]) -> None:
    lots = [a_lot(lot_id=UUID(int=1)), a_lot(lot_id=UUID(int=2))]
    queues = [bids_of(one), bids_of(two)]
    alone = [decided(lot, *queue) for lot, queue in zip(lots, queues, strict=True)]
    answers: list[list[Any]] = [[], []]
    waiting = [list(queue) for queue in queues]
    for first in [*order, *([True] * len(one)), *([False] * len(two))]:
        which = int(first)
        if waiting[which]:
            lots[which], decision = rules.decide(lots[which], waiting[which].pop(0), EARLY)
            answers[which].append(decision)
    while waiting[0] or waiting[1]:
        which = 0 if waiting[0] else 1
        lots[which], decision = rules.decide(lots[which], waiting[which].pop(0), EARLY)
        answers[which].append(decision)
    assert [(lots[n], answers[n]) for n in (0, 1)] == alone


@FEW
@given(offers(), policies, st.none() | cents, st.data())
def test_voiding_gives_what_the_other_accepted_bids_give_alone(
    drawn: list[Offer], policy: Increment, reserve: int | None, data: st.DataObject
) -> None:
    start = a_lot(increment=policy, reserve=None if reserve is None else D(reserve) / 100)
    lot, accepted, own = start, [], set()
    for bid in bids_of(drawn):
        leader = lot.standing.leader
        lot, decision = rules.decide(lot, bid, EARLY)
        if decision.accepted:
            accepted.append(bid)
            own |= {bid.id} if leader == bid.bidder.id else set()
    assume(accepted)
    gone = data.draw(st.sampled_from(accepted))
    kept = [bid for bid in accepted if bid is not gone]
    changed = after_step(lot, "VOID_BID", EARLY, bids=accepted, bid=gone.id)
    fresh, decisions = decided(start, *kept)
    assert changed.standing == fresh.standing
    # An accepted bid counts again, but for one case: a raise of one's own lead may name an amount, or be a step, that
    # is too small once the lead it raised is gone.
    lost = {bid.id for bid, decision in zip(kept, decisions, strict=True) if not decision.accepted}
    assert lost <= own
    before, after = lot.standing.price, changed.standing.price
    assert before is not None
    assert after is None or after <= before


@FEW
@given(
    st.sampled_from(["SEALED_FIRST_PRICE", "SEALED_SECOND_PRICE"]),
    st.lists(st.tuples(st.sampled_from("ABCD"), cents), max_size=12),
    st.none() | cents,
)
def test_a_sealed_lot_agrees_with_sorting_the_last_bids(
    kind: str, drawn: list[tuple[str, int]], reserve: int | None
) -> None:
    lot, _ = decided(
        a_lot(format=kind, starting_price="5", reserve=None if reserve is None else D(reserve) / 100),
        *(a_bid(who, D(amount) / 100, confirm=True) for who, amount in drawn),
    )
    lot = after_step(lot, "END", EARLY)
    last: dict[str, tuple[int, int]] = {}
    for number, (who, amount) in enumerate(drawn):
        if amount >= 500:
            last[who] = (-amount, number)
    ranked = sorted((*place, who) for who, place in last.items())
    if not ranked or (reserve is not None and -ranked[0][0] < reserve):
        assert lot.outcome == "PASSED"
        return
    assert (lot.outcome, lot.standing.leader) == ("SOLD", a_person(ranked[0][2]).id)
    second = -ranked[1][0] if len(ranked) > 1 else 0
    pays = -ranked[0][0] if kind == "SEALED_FIRST_PRICE" else max(reserve or 0, 500, second)
    assert lot.standing.price == D(pays) / 100


@FEW
@given(st.integers(0, 5_000), st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=4))
def test_a_dutch_price_falls_by_open_time_only(at: int, gaps: list[tuple[int, int]]) -> None:
    lot = a_lot(format="DUTCH", starting_price="100", step="1", interval=50, floor="30", ends_at=10**6)
    now, paused = 0, []
    for wait, length in gaps:
        lot = after_step(lot, "PAUSE", now + wait)
        lot = after_step(lot, "RESUME", now + wait + length)
        paused += range(now + wait, now + wait + length)
        now += wait + length
    open_for = at - sum(moment < at for moment in paused)
    assert rules.next_valid_amount(lot, at) == max(30, 100 - open_for // 50)


# Money, at the precision of numeric(38,18)

amounts = st.integers(1, 10**38 - 1).map(lambda n: D(n).scaleb(-18, context=rules.money._EXACT))


@FEW
@given(amounts, amounts, st.integers(0, 18))
def test_money_is_exact_at_the_precision_of_the_database(a: D, b: D, decimals: int) -> None:
    exact_a, exact_b = Fraction(a), Fraction(b)
    assert Fraction(money.add(a, b)) == exact_a + exact_b
    assert Fraction(money.subtract(a, b)) == exact_a - exact_b
    assert Fraction(money.multiply(a, b)) == exact_a * exact_b
    assert Fraction(money.percent_of(a, b)) == exact_a * exact_b / 100
    unit = Fraction(1, 10**decimals)
    up = Fraction(money.quantized(a, decimals))
    assert up % unit == 0
    assert 0 <= up - exact_a < unit
    near = Fraction(money.commercial(a, decimals))
    assert near % unit == 0
    assert -unit / 2 < near - exact_a <= unit / 2
    assert D(money.text(a)) == a
    assert "E" not in money.text(a)


@FEW
@given(st.integers(1, 10**30), st.integers(0, 18))
def test_every_amount_comes_back_from_its_text(units: int, decimals: int) -> None:
    value = D(units).scaleb(-decimals, context=rules.money._EXACT)
    if value > money.AMOUNT_MAX:
        with pytest.raises(InvalidAmount):
            money.parse_amount(money.text(value), decimals)
    else:
        assert money.parse_amount(money.text(value), decimals) == value


@FEW
@given(st.text(max_size=60) | st.from_regex(r"[-+ ]?[0-9_]{0,3}[.,]?[0-9]{0,3}([eE][0-9])?"))
def test_the_parser_takes_plain_amounts_or_says_invalid(text: str) -> None:
    try:
        value = money.parse_amount(text, 2)
    except InvalidAmount:
        return
    assert 0 < value <= money.AMOUNT_MAX
    assert set(text) <= set("0123456789.")
    assert D(money.text(value)) == value


@FEW
@given(policies, st.integers(1, 10**9), st.integers(1, 10**9))
def test_the_next_amount_rises_with_the_price(policy: Increment, one: int, two: int) -> None:
    low, high = sorted((D(one) / 100, D(two) / 100))
    assert low < increments.min_next(policy, low, 2) <= increments.min_next(policy, high, 2)
