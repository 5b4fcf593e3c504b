"""Worked examples of the English rules 1 to 5 and 7: bids in, price, leader and answers out.

A bid is ``"A 10"`` (A offers 10), ``"A 10/20"`` (A offers 10 and goes to 20) or ``"A /20"`` (the house offers for A,
up to 20). Lots start at 10 and rise by 1 unless a row says otherwise.
"""

from decimal import Decimal as D
from typing import Any

import pytest
from msgspec.structs import replace
from tests.fakes.lots import (
    EARLY,
    a_bid,
    a_lot,
    a_person,
    after_bids,
    decided,
    outcome_of,
    read_bid,
    some_terms,
)

from sothebais.auctions import rules
from sothebais.auctions.increments import EBAY
from sothebais.auctions.model import Bidder, FixedIncrement, Outcome, Override, PercentIncrement, Reason, Status
from sothebais.errors import InvalidInput

LOW, LEADS, CONFIRM = "BELOW_MINIMUM", "ALREADY_LEADING", "CONFIRMATION_REQUIRED"


@pytest.mark.parametrize(
    ("bids", "price", "leader", "answers"),
    [
        # 1. Opening: the amount, or else the starting price
        ("A 10", "10", "A", ["ok"]),
        ("A 25", "25", "A", ["ok"]),
        ("A /25", "10", "A", ["ok"]),
        ("A 15/25", "15", "A", ["ok"]),
        ("A /10", "10", "A", ["ok"]),
        ("A 9.99", None, None, [LOW]),
        ("A /9.99", None, None, [LOW]),
        ("A 9/25", None, None, [LOW]),  # the maximum would do, the amount does not
        ("A 9, B 10", "10", "B", [LOW, "ok"]),
        # 2. From another bidder, below the next valid amount
        ("A 10, B 10", "10", "A", ["ok", LOW]),
        ("A 10, B 10.99", "10", "A", ["ok", LOW]),
        ("A 10, B /10.99", "10", "A", ["ok", LOW]),
        ("A 10, B 10/30", "10", "A", ["ok", LOW]),
        # 2a. max > M: a new leader, one increment above the beaten maximum, but never above the own
        ("A 10, B 11", "11", "B", ["ok", "ok"]),
        ("A 10, B /30", "11", "B", ["ok", "ok"]),
        ("A 10, B 15", "15", "B", ["ok", "ok"]),
        ("A 10, B 15/30", "15", "B", ["ok", "ok"]),
        ("A /20, B /30", "21", "B", ["ok", "ok"]),
        ("A /20, B /20.50", "20.5", "B", ["ok", "ok"]),
        ("A /20, B 11/30", "21", "B", ["ok", "ok"]),
        ("A /20, B 25/30", "25", "B", ["ok", "ok"]),
        ("A /20, B 25", "25", "B", ["ok", "ok"]),
        ("A /20, B /30, C /40", "31", "C", ["ok", "ok", "ok"]),
        # 2b. max <= M: accepted and at once outbid
        ("A /20, B 11", "12", "A", ["ok", "ok"]),
        ("A /20, B /15", "16", "A", ["ok", "ok"]),
        ("A /20, B 12/15", "16", "A", ["ok", "ok"]),
        ("A /20, B 19.50", "20", "A", ["ok", "ok"]),
        ("A 18/20, B 19", "20", "A", ["ok", "ok"]),
        ("A /20, B 15, C 15", "16", "A", ["ok", "ok", LOW]),
        # a tie: the earlier bidder leads at that price
        ("A /20, B 20", "20", "A", ["ok", "ok"]),
        ("A /20, B /20", "20", "A", ["ok", "ok"]),
        ("A /20, B /20, C 20", "20", "A", ["ok", "ok", LOW]),
        ("A /20, B /20, C 21", "21", "C", ["ok", "ok", "ok"]),
        # 3. From the leader: only a higher maximum, and the price does not move without a reason
        ("A 10, A 10", "10", "A", ["ok", LEADS]),
        ("A /20, A /20", "10", "A", ["ok", LEADS]),
        ("A /20, A 15", "10", "A", ["ok", LEADS]),
        ("A /20, A /30", "10", "A", ["ok", "ok"]),
        ("A /20, A 15/30", "15", "A", ["ok", "ok"]),
        ("A /20, A 5/30", "10", "A", ["ok", "ok"]),
        ("A 10, A 11", "11", "A", ["ok", "ok"]),
        ("A /20, A /30, B /25", "26", "A", ["ok", "ok", "ok"]),
        ("A /20, B /15, A /30", "16", "A", ["ok", "ok", "ok"]),
        ("A /20, B /20, A /30", "21", "A", ["ok", "ok", "ok"]),  # S + increment is now affordable
        ("A /20, B 19.50, A /20.20", "20.2", "A", ["ok", "ok", "ok"]),
        ("A /20, B /20.50, B /30", "21", "B", ["ok", "ok", "ok"]),
        ("A /20, B /30, A /25, B /40", "26", "B", ["ok", "ok", "ok", "ok"]),
        # the own raise pays nothing while the price already covers the best rival
        ("A /30, B /18, C /25, A /40", "26", "A", ["ok", "ok", "ok", "ok"]),
    ],
)
def test_english_bidding(bids: str, price: str | None, leader: str | None, answers: list[str]) -> None:
    assert outcome_of(a_lot(), bids) == (price, leader, answers)


@pytest.mark.parametrize(
    ("increment", "bids", "price", "leader"),
    [
        (EBAY, "A /100, B /60", "61", "A"),
        (EBAY, "A /100, B /101", "101", "B"),
        (EBAY, "A /100, B /200", "102.5", "B"),
        (PercentIncrement(D(5), D("0.01")), "A 10, B 10.50", "10.5", "B"),
        (PercentIncrement(D(5), D("0.01")), "A 10, B 10.49", "10", "A"),
        (PercentIncrement(D(5), D("0.01")), "A /30, B 20.01", "21.02", "A"),  # 1.0005 rounded up
    ],
)
def test_english_bidding_under_other_increments(increment: Any, bids: str, price: str, leader: str) -> None:
    assert outcome_of(a_lot(increment=increment), bids)[:2] == (price, leader)


@pytest.mark.parametrize(
    ("bids", "price", "leader", "met"),
    [
        # 4. Reserve of 50, hidden: the price rises to it as soon as the leader's maximum reaches it
        ("A 10", "10", "A", False),
        ("A 49.99", "49.99", "A", False),
        ("A 50", "50", "A", True),
        ("A /50", "50", "A", True),
        ("A /80", "50", "A", True),
        ("A 20/80", "50", "A", True),
        ("A 60/80", "60", "A", True),
        ("A /20, B /40", "21", "B", False),
        ("A /20, B /80", "50", "B", True),
        ("A /49, B /80", "50", "B", True),
        ("A /60, B /80", "61", "B", True),
        ("A /20, A /80", "50", "A", True),  # by one's own raise too
        ("A /80, B 51", "52", "A", True),
        ("A /80, B 50", "50", "A", True),  # refused: below 51
        ("A /40, B /40, A 45/80", "50", "A", True),
    ],
)
def test_a_reserve(bids: str, price: str, leader: str, met: bool) -> None:
    lot = a_lot(reserve=50)
    got_price, got_leader, _ = outcome_of(lot, bids)
    assert (got_price, got_leader) == (price, leader)
    lot, decisions = decided(lot, *(read_bid(text) for text in bids.split(", ")))
    assert lot.standing.reserve_met is met
    # "reserve met" becomes public once, with the bid that met it
    assert sum(decision.reserve_met for decision in decisions) == int(met)
    ended = rules.override(lot, _end(), EARLY + 1)[0]
    assert ended.outcome is (Outcome.SOLD if met else Outcome.PASSED)


def _end() -> Override:
    return Override(kind="END", reason="over")


def test_without_a_reserve_no_bid_announces_one() -> None:
    assert not decided(a_lot(), a_bid("A", 10))[1][0].reserve_met


def test_a_lot_without_bids_has_passed() -> None:
    for lot in (a_lot(), a_lot(reserve=50)):
        assert rules.override(lot, _end(), EARLY)[0].outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("until", "before", "bid", "sold"),
    [
        # 5. Buy-now at 100, reserve 50: an explicit amount, as long as it is on offer
        ("FIRST_BID", "", "B 100", True),
        ("FIRST_BID", "", "B 150", True),
        ("FIRST_BID", "", "B 100/300", True),
        ("FIRST_BID", "", "B 99.99", False),
        ("FIRST_BID", "", "B /100", False),  # a hidden maximum is no offer to buy
        ("FIRST_BID", "", "B 20/300", False),
        ("FIRST_BID", "A 10", "B 100", False),
        ("FIRST_BID", "A 9", "B 100", True),  # a refused bid is none
        ("RESERVE_MET", "A 10", "B 100", True),
        ("RESERVE_MET", "A 10", "A 100", True),  # the leader may buy too
        ("RESERVE_MET", "A /49.99", "B 100", True),
        ("RESERVE_MET", "A /50", "B 100", False),
        ("RESERVE_MET", "A /200", "B 100", False),
    ],
)
def test_buy_now(until: str, before: str, bid: str, sold: bool) -> None:
    lot = a_lot(reserve=50, buy_now=100, buy_now_until=until)
    for text in filter(None, [before]):
        lot = decided(lot, read_bid(text))[0]
    offer = read_bid(bid)
    changed, decision = rules.decide(lot, offer, EARLY + 5)
    assert decision.accepted
    assert decision.bought_now is sold
    assert (changed.status is Status.ENDED) is sold
    if sold:
        assert (changed.outcome, changed.standing.leader) == (Outcome.SOLD, offer.bidder.id)
        assert changed.standing.price == decision.amount == D(100)
        assert changed.timing.ended_at == EARLY + 5
        assert decision.next_valid_amount is None
        assert not decision.extended
        # nothing moves any more
        again, refusal = rules.decide(changed, a_bid("C", 500), EARLY + 6)
        assert (again, refusal.reason, refusal.next_valid_amount) == (changed, Reason.ENDED, None)
        assert rules.advance(changed, EARLY + 10**9) == (changed, ())


def test_buy_now_may_come_below_the_next_valid_amount() -> None:
    lot = after_bids(
        a_lot(reserve=50, buy_now=51, buy_now_until="RESERVE_MET", increment=FixedIncrement(D(10))), a_bid("A", "49")
    )
    assert rules.next_valid_amount(lot, EARLY) == 59
    changed, decision = rules.decide(lot, a_bid("B", 51), EARLY)
    assert decision.bought_now
    assert changed.standing.price == 51


@pytest.mark.parametrize(
    ("multiple", "before", "bid", "answer"),
    [
        # 7. Ten times what is needed is asked about, in amount and in maximum
        ("10", "", "B 100", "ok"),
        ("10", "", "B 100.01", CONFIRM),
        ("10", "", "B /100.01", CONFIRM),
        ("10", "", "B 10/100.01", CONFIRM),
        ("10", "A 19", "B 200", "ok"),  # 10 x min_next(19)
        ("10", "A 19", "B 200.01", CONFIRM),
        ("10", "A 19", "A /200.01", CONFIRM),  # the leader's own raise as well
        ("2.5", "", "B 25", "ok"),
        ("2.5", "", "B 25.01", CONFIRM),
        ("1", "", "B 10", "ok"),
        ("1", "", "B 10.01", CONFIRM),
        ("10", "", "B 9", LOW),
    ],
)
def test_an_amount_far_above_what_is_needed_waits_for_confirmation(
    multiple: str, before: str, bid: str, answer: str
) -> None:
    lot = a_lot(confirm_multiple=multiple)
    if before:
        lot = after_bids(lot, read_bid(before))
    assert outcome_of(lot, bid)[2] == [answer]
    confirmed = replace(read_bid(bid), confirm=True)
    assert rules.decide(lot, confirmed, EARLY)[1].accepted is (answer != LOW)


@pytest.mark.parametrize(
    ("terms", "before", "bid", "reason"),
    [
        ({"buy_now": 500}, None, "B 500", None),
        ({"buy_now": 500}, None, "B 800/900", None),
        ({"buy_now": 500}, None, "B /500", "CONFIRMATION_REQUIRED"),  # that is a proxy bid, not a purchase
        ({"buy_now": 500}, None, "B 20/500", "CONFIRMATION_REQUIRED"),
        ({"buy_now": 500}, "A 10", "B 500", "CONFIRMATION_REQUIRED"),  # not on offer any more
        ({"buy_now": 500, "reserve": 400, "buy_now_until": "RESERVE_MET"}, "A 10", "B 500", None),
    ],
)
def test_buy_now_needs_no_confirmation_while_it_is_on_offer(
    terms: dict[str, Any], before: str | None, bid: str, reason: str | None
) -> None:
    lot = a_lot(confirm_multiple=10, **terms)
    if before:
        lot = after_bids(lot, read_bid(before))
    decision = rules.decide(lot, read_bid(bid), EARLY)[1]
    assert (decision.reason, decision.bought_now) == (reason, reason is None)


def test_the_checks_come_in_the_order_of_the_design() -> None:
    # each row removes the first fault; the next one becomes the reason
    person = {"blocked": True, "has_wallet": False, "has_deposit": False}
    seller = a_person("S")
    fields: dict[str, Any] = {"at": EARLY, "currency": "USD", "confirm": False}
    lot = a_lot(seller=seller.id, wallet_required=True, deposit_required=True, confirm_multiple=10)
    amount = "5000"

    def reason(who: str = "S") -> str | None:
        bidder = Bidder(a_person(who).id, **person)
        changed, decision = rules.decide(lot, a_bid(bidder, amount, **fields), EARLY)
        assert decision.accepted or changed == lot
        return decision.reason

    fields["at"] = -1
    assert reason() == "NOT_STARTED"
    fields["at"] = EARLY
    assert reason() == "BLOCKED"
    person["blocked"] = False
    assert reason() == "SELLER"
    assert reason("B") == "WALLET_REQUIRED"
    person["has_wallet"] = True
    assert reason("B") == "DEPOSIT_REQUIRED"
    person["has_deposit"] = True
    assert reason("B") == "CURRENCY_MISMATCH"
    fields["currency"] = "EUR"
    assert reason("B") == "CONFIRMATION_REQUIRED"
    fields["confirm"] = True
    amount = "9"
    assert reason("B") == "BELOW_MINIMUM"
    amount = "10"
    assert reason("B") is None


@pytest.mark.parametrize(
    ("bids", "history"),
    [
        # every bid row and every raise of a proxy, as the public history shows them
        ("A 10", "A10"),
        ("A /20", "A10"),
        ("A /20, B 15", "A10 B15 A16"),
        ("A /20, B /15", "A10 B11 B15 A16"),
        ("A /20, B /20", "A10 B11 B20 A20"),
        ("A /20, B /30", "A10 B11 A20 B21"),
        ("A /20, B 15/30", "A10 B15 A20 B21"),
        ("A /20, B 20/30", "A10 B20 A20 B21"),
        ("A /20, B 25/30", "A10 B25"),  # 25 left A's proxy nothing to answer
        ("A 10, B /30", "A10 B11"),
        ("A /20, A /30", "A10 A10"),
        ("A /20, A 5/30", "A10 A10"),
        ("A /20, B /20, A /30", "A10 B11 B20 A20 A21"),
    ],
)
def test_the_public_history_explains_the_price(bids: str, history: str) -> None:
    lot = a_lot()
    rows = []
    for bid in map(read_bid, bids.split(", ")):
        lot, decision = rules.decide(lot, bid, EARLY)
        rows.append((bid.bidder.id, decision.amount))
        rows += [(made.user, made.amount) for made in decision.raises]
    names = {a_person(name).id: name for name in "ABC"}
    assert " ".join(f"{names[user]}{amount}" for user, amount in rows) == history


def test_a_proxy_that_meets_the_reserve_shows_its_raise() -> None:
    _, (decision,) = decided(a_lot(reserve=50), a_bid("A", None, 80))
    assert decision.amount == 10
    assert [(r.user, r.amount) for r in decision.raises] == [(a_person("A").id, D(50))]


def test_a_beaten_maximum_is_opened_and_a_standing_one_is_not() -> None:
    a1, a2, b1, c1 = a_bid("A", None, 20), a_bid("A", None, 25), a_bid("B", None, 15), a_bid("C", None, 40)
    lot, decisions = decided(a_lot(), a1, a2, b1, c1)
    assert [decision.opened for decision in decisions] == [(), (), (b1.id,), (a1.id, a2.id)]
    assert lot.standing.unopened == (c1.id,)
    assert [decision.committed for decision in decisions] == [D(20), D(25), D(15), D(40)]


@pytest.mark.parametrize(
    ("amount", "maximum", "currency"),
    [
        (None, None, "EUR"),
        ("20", "19.99", "EUR"),
        ("10.001", None, "EUR"),
        ("1000000.01", None, "EUR"),
        (None, "1000000.01", "EUR"),
        ("NaN", None, "EUR"),
        ("NaN", "20", "EUR"),
        ("20", "sNaN", "EUR"),
        ("20", "Infinity", "EUR"),
        ("20", "NaN", "USD"),
        ("0", None, "EUR"),
        ("-10", None, "EUR"),
    ],
)
def test_what_no_bid_can_be_is_not_decided(amount: str | None, maximum: str | None, currency: str) -> None:
    with pytest.raises(InvalidInput):
        rules.decide(a_lot(), a_bid("A", amount, maximum, currency=currency), EARLY)


def test_a_currency_with_other_decimals_is_a_mismatch_and_not_malformed() -> None:
    decision = rules.decide(a_lot(), a_bid("A", "10.123456789", currency="ETH"), EARLY)[1]
    assert decision.reason is Reason.CURRENCY_MISMATCH
    assert decision.next_valid_amount == 10


@pytest.mark.parametrize(
    "wrong",
    [
        *({"starting_price": "0"}, {"starting_price": "10.001"}, {"starting_price": "1000001"}, {"reserve": "-1"}),
        *({"buy_now": "10"}, {"buy_now": "50", "reserve": "50"}, {"buy_now": "50", "buy_now_until": "RESERVE_MET"}),
        *({"decimals": 19}, {"decimals": -1}, {"extension": -1}, {"extension_window": -1}, {"max_extensions": -1}),
        *({"closing_grace": 0}, {"max_post_delay": 2001}, {"max_post_delay": -1}),
        *({"confirm_multiple": "0.9"}, {"confirm_multiple": "NaN"}, {"confirm_multiple": "Infinity"}),
        *({"premium_percent": "-1"}, {"premium_percent": "100.1"}, {"premium_percent": "NaN"}),
        *({"fee": "-1"}, {"fee": "NaN"}, {"fee": "Infinity"}, {"fee": "0.001"}),
        *({"step": "1"}, {"interval": 1}, {"floor": "1"}, {"amount_max": "1E+13"}, {"amount_max": "NaN"}),
    ],
)
def test_terms_that_could_not_be_kept_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        some_terms(**wrong)


@pytest.mark.parametrize(
    ("premium", "fee", "amount", "total"),
    [("0", "0", "10", "10"), ("20", "0", "10.01", "12.01"), ("2.5", "3", "100", "105.50"), ("5", "0", "0.10", "0.11")],
)
def test_the_total_payable_has_premium_and_fee(premium: str, fee: str, amount: str, total: str) -> None:
    assert rules.total_payable(some_terms(premium_percent=premium, fee=fee), D(amount)) == D(total)
