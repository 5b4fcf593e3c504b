"""The audit finds every forgery of a log and refuses no honest one, whatever is secret in it."""

import json
from decimal import Decimal as D
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fakes.logs import Event, LogWriter, forged, rehashed, without
from tests.fakes.lots import a_person

from sothebais.auctions import audit, increments
from sothebais.auctions.model import FixedIncrement, Lot, Status
from sothebais.errors import Conflict, InvalidInput, NotFound, VerificationFailed

TIMES = {
    "ends_at": 10_000,
    "hard_close_at": 30_000,
    "extension_window": 100,
    "extension": 100,
    "closing_grace": 50,
    "max_post_delay": 50,
}


def a_log(**terms: Any) -> LogWriter:
    """An empty log of a lot that has just opened."""
    log = LogWriter(**TIMES | terms)
    log.clock(0)
    return log


def to_the_end(log: LogWriter) -> LogWriter:
    """The clock closes and ends the lot in its time."""
    end = log.lot.timing.ends_at
    for moment in (end, end + 1, end + 1 + log.lot.terms.closing_grace):
        log.clock(moment)
    assert log.lot.status is Status.ENDED
    return log


def english() -> LogWriter:
    """Bids, own raises, a refusal, a pause, a voided bid, a soft close, an operator's extension, an end."""
    log = a_log(reserve="15")
    log.bid("A", 10, 12, at=1_000)
    log.bid("B", 11, 20, at=1_100)
    log.bid("A", None, 18, at=1_200)
    log.bid("B", None, 25, at=1_300)
    log.bid("C", 1, at=1_400)
    log.bid("B", None, 40, at=1_450)
    log.step("PAUSE", at=2_000)
    log.bid("A", 99, at=2_100)
    log.step("RESUME", at=2_500)
    log.step("VOID_BID", at=2_600, bid=log.bids[2].id)
    end = log.lot.timing.ends_at
    log.bid("C", 30, 35, at=end - 10)
    log.step("EXTEND", at=end, ends_at=end + 500)
    return to_the_end(log)


def leader_voided() -> LogWriter:
    log = a_log()
    log.bid("A", 10, 50, at=100)
    log.bid("B", 20, 25, at=200)
    log.bid("C", None, 30, at=300)
    log.step("VOID_BID", at=400, bid=log.bids[0].id)
    return to_the_end(log)


def bought() -> LogWriter:
    """Buy-now ends the lot; it is re-opened and ends in its time."""
    log = a_log(buy_now="100")
    log.bid("A", 100, at=500)
    log.step("REOPEN", at=1_000, ends_at=5_000)
    log.bid("B", 150, at=1_100)
    return to_the_end(log)


def reopened_above_own_raises() -> LogWriter:
    """A superseded maximum is opened at the end; the lot goes on and the standing one is beaten."""
    log = a_log()
    log.bid("A", 10, 20, at=100)
    log.bid("A", None, 40, at=200)
    log.bid("B", 30, at=300)
    log.step("END", at=400)
    log.step("REOPEN", at=500, ends_at=5_000)
    log.bid("B", 60, at=600)
    return to_the_end(log)


def passed() -> LogWriter:
    """The reserve is not met."""
    log = a_log(reserve="500")
    log.bid("A", None, 499, at=100)
    log.bid("B", 50, at=200)
    return to_the_end(log)


def unsold() -> LogWriter:
    """Nobody bids."""
    return to_the_end(a_log(reserve="500"))


def outage() -> LogWriter:
    """Bidding is out until after the end; the time is given back a moment after it was over."""
    log = a_log()
    log.bid("A", 10, 30, at=9_900)
    log.outage(9_990, 12_000, at=12_070)
    log.bid("B", 20, at=12_005, made=12_001)
    return to_the_end(log)


def dutch() -> LogWriter:
    log = a_log(format="DUTCH", starting_price="60", step="5", interval=100, floor="10")
    log.bid("A", 10, at=300)
    log.step("PAUSE", at=350)
    log.step("RESUME", at=600)
    log.outage(700, 800, at=845)
    log.bid("B", 70, at=920)
    return log


def sealed(kind: str, **terms: Any) -> LogWriter:
    log = a_log(format=kind, **terms)
    log.bid("A", 20, at=100)
    log.bid("B", 30, at=200)
    log.bid("A", 50, at=300)
    log.bid("C", 90, at=350)
    log.bid("B", 5, at=400)
    log.step("VOID_BID", at=450, bid=log.bids[3].id)
    return to_the_end(log)


def cancelled() -> LogWriter:
    log = a_log(reserve="50")
    log.bid("A", 10, 30, at=100)
    log.step("CANCEL", at=200)
    log.bid("B", 40, at=300)
    return log


def late_and_settled() -> LogWriter:
    """Opened late, extended by a rival, closed, re-opened by a bid made in time, settled."""
    log = LogWriter(**TIMES)
    log.clock(3_000)
    end = log.lot.timing.ends_at
    log.bid("A", 10, 30, at=end - 500)
    log.clock(end)
    log.bid("B", 12, at=end + 20, made=end - 1)
    to_the_end(log)
    log.step("SETTLE", at=99_000)
    return log


def refused() -> LogWriter:
    """Every refusal that only the house can judge."""
    log = a_log(seller=a_person("S").id, confirm_multiple="10", wallet_required=True, deposit_required=True)
    full = {"has_wallet": True, "has_deposit": True}
    for person in (
        a_person("S", blocked=True),
        a_person("S", **full),
        a_person("B", blocked=True),
        a_person("C"),
        a_person("C", has_wallet=True),
    ):
        assert not log.bid(person, 20, at=100).accepted
    buyer = a_person("D", **full)
    assert log.bid(buyer, 20, currency="USD", at=100).reason == "CURRENCY_MISMATCH"
    assert log.bid(buyer, 2000, at=100).reason == "CONFIRMATION_REQUIRED"
    assert log.bid(buyer, 20, 40, at=100).accepted
    assert log.bid(buyer, 30, at=100).reason == "ALREADY_LEADING"
    return to_the_end(log)


HONEST = {
    "english": english,
    "leader voided": leader_voided,
    "bought and re-opened": bought,
    "re-opened above own raises": reopened_above_own_raises,
    "reserve not met": passed,
    "nobody bids": unsold,
    "outage": outage,
    "dutch": dutch,
    "first price": lambda: sealed("SEALED_FIRST_PRICE"),
    "first price with reserve": lambda: sealed("SEALED_FIRST_PRICE", reserve="40"),
    "second price": lambda: sealed("SEALED_SECOND_PRICE"),
    "second price with reserve": lambda: sealed("SEALED_SECOND_PRICE", reserve="40"),
    "second price below the reserve": lambda: sealed("SEALED_SECOND_PRICE", reserve="400"),
    "cancelled": cancelled,
    "late, extended, settled": late_and_settled,
    "refusals": refused,
}


def fault(events: list[Event], **given: Any) -> VerificationFailed:
    """What the audit finds; it must find something."""
    with pytest.raises(VerificationFailed) as found:
        audit.verify(events, **given)
    return found.value


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_log_verifies_with_and_without_openings_and_as_it_grows(name: str) -> None:
    log = HONEST[name]()
    blind, seeing = audit.verify(log.events), audit.verify(log.events, openings=log.openings())
    assert (blind.winner, blind.price, blind.outcome) == (seeing.winner, seeing.price, seeing.outcome)
    assert seeing.exact
    assert (blind.status, blind.bids, blind.events) == (log.lot.status, log.count, len(log.events))
    assert blind.price == (None if log.lot.standing.price is None else str(log.lot.standing.price))


def test_a_sealed_lot_that_still_runs_does_not_claim_to_be_exact() -> None:
    log = a_log(format="SEALED_FIRST_PRICE")
    log.bid("A", 20, at=100)
    report = audit.verify(log.events)
    assert (report.unknown_maxima, report.exact) == (1, False)


def test_a_receipt_for_a_superseded_own_maximum_spoils_nothing() -> None:
    log = a_log()
    log.bid("A", 10, 40, at=100)
    log.bid("A", None, 60, at=200)
    for one in log.bids:
        audit.verify(log.events, openings=log.openings([one.id]))


def test_the_house_may_pause_a_lot_by_itself_but_not_end_it() -> None:
    log = a_log()
    log.step("PAUSE", at=100, actor=None)
    log.step("RESUME", at=200, actor=None)
    audit.verify(log.events)
    log.step("END", at=300, actor=None)
    assert fault(log.events).fields["n"] == len(log.events)


# Forgeries


def double(name: str) -> Any:
    def change(data: dict[str, Any]) -> None:
        data[name] = str(D(data[name]) * 2)

    return change


def put(name: str, value: Any) -> Any:
    return lambda data: data.update({name: value})


def put_in(name: str, field: str, value: Any) -> Any:
    return lambda data: data[name][0].update({field: value})


SOMEBODY = str(a_person("H").id)
#: log, kind, change, what the message names
FORGERIES: list[tuple[str, str, Any, str]] = [
    ("english", "auction:bid:accepted", double("amount"), ""),
    ("english", "auction:bid:accepted", double("price"), "price"),
    ("english", "auction:bid:accepted", put("leader", SOMEBODY), "leader"),
    ("english", "auction:bid:accepted", put("user", SOMEBODY), ""),
    ("english", "auction:bid:accepted", put("raises", []), "raises"),
    ("english", "auction:bid:accepted", put_in("raises", "amount", "999"), "raises"),
    ("english", "auction:bid:accepted", put("ends_at", 1), "ends_at"),
    ("english", "auction:bid:accepted", put("next_valid_amount", "1"), "next_valid_amount"),
    ("english", "auction:bid:accepted", put("openings", []), ""),
    ("english", "auction:bid:accepted", put_in("openings", "max_amount", "36"), "commitment"),
    ("english", "auction:bid:accepted", put_in("openings", "salt", "00" * 32), "commitment"),
    ("english", "auction:bid:accepted", put("effective_at", 10**9), ""),
    ("english", "auction:bid:rejected", put("reason", "BELOW_MINIMUM"), "PAUSED"),
    ("english", "auction:bid:rejected", put("number", 99), "number"),
    ("english", "auction:bid:rejected", put("next_valid_amount", "1000"), "next_valid_amount"),
    ("english", "auction:bid:voided", put("bid", SOMEBODY), "void"),
    ("english", "auction:bid:voided", put("price", "1"), "price"),
    ("leader voided", "auction:bid:voided", put("openings", []), "opened"),
    ("leader voided", "auction:bid:voided", put("raises", []), "raises"),
    ("leader voided", "auction:bid:voided", put("leader", SOMEBODY), "leader"),
    ("reserve not met", "auction:end", put("reserve", "x"), "reserve"),
    ("english", "auction:reserve:met", put("reserve", "14"), "reserve"),
    ("english", "auction:reserve:met", put("salt", "00" * 32), "reserve"),
    ("english", "auction:resumed", put("ends_at", 1), "ends_at"),
    ("english", "auction:timer:updated", put("ends_at", 10**6), ""),
    ("english", "auction:end", put("winner", SOMEBODY), "winner"),
    ("english", "auction:end", put("outcome", "PASSED"), "outcome"),
    ("english", "auction:end", double("price"), "price"),
    ("english", "auction:winner", put("winner", SOMEBODY), "winner"),
    ("english", "auction:winner", double("price"), "price"),
    ("english", "auction:winner", double("total_payable"), "total_payable"),
    ("english", "auction:scheduled", lambda data: data["terms"].update(starting_price="12"), ""),
    ("bought and re-opened", "auction:bid:accepted", double("price"), "price"),
    ("reserve not met", "auction:end", put("outcome", "SOLD"), "outcome"),
    ("reserve not met", "auction:end", put("reserve", None), ""),
    ("reserve not met", "auction:end", lambda data: data["reserve"].update(reserve="40"), "reserve"),
    ("outage", "auction:timer:updated", put("ends_at", 10**6), ""),
    ("dutch", "auction:bid:accepted", double("price"), "price"),
    ("dutch", "auction:winner", put("price", "1"), "price"),
    ("dutch", "auction:bid:rejected", put("reason", "ENDED"), "BELOW_MINIMUM|rules say"),
    ("first price", "auction:end", double("price"), "price"),
    ("first price", "auction:end", put("winner", SOMEBODY), "winner"),
    ("first price", "auction:end", lambda data: data["openings"].pop(), ""),
    ("second price", "auction:end", double("price"), "price"),
    ("second price", "auction:winner", put("price", "30.5"), "price"),
    ("second price with reserve", "auction:end", put("reserve", None), ""),
    ("late, extended, settled", "auction:start", put("ends_at", 1), "ends_at"),
    ("late, extended, settled", "auction:closing", put("cause", None), ""),
    ("refusals", "auction:bid:rejected", put("reason", "BELOW_MINIMUM"), ""),
]


@pytest.mark.parametrize(("name", "kind", "change", "says"), FORGERIES)
def test_a_changed_figure_is_found_whether_the_chain_was_mended_or_not(
    name: str, kind: str, change: Any, says: str
) -> None:
    honest = HONEST[name]().events
    if (kind, says) == ("auction:closing", ""):
        change = put("status", "ACTIVE")
    raw, n = forged(honest, kind, change, rehash=False)
    assert fault(raw).fields["n"] == n, "the event itself no longer fits its hash"
    # only this event's hash made anew: the next one does not follow, or the head tells
    one, n = forged(honest, kind, change)
    broken = [*one[:n], *honest[n:]]
    if n < len(honest):
        assert fault(broken).fields["n"] <= n + 1
    else:
        assert fault(broken, head=(n, honest[-1]["hash"])).fields["n"] == n
    # the whole tail made anew, as only the house could: the rules find it
    found = fault(one)
    assert any(word in found.message for word in says.split("|")), found.message


@pytest.mark.parametrize("name", HONEST)
def test_no_event_can_be_dropped(name: str) -> None:
    honest = HONEST[name]().events
    head = (len(honest), honest[-1]["hash"])
    for place in range(len(honest)):
        gap = [*honest[:place], *honest[place + 1 :]]
        assert fault(gap, head=head).fields["n"] in (place + 1, len(honest)), f"a gap at {place + 1}"
        if place:
            # mended: the house may leave refusals and quiet steps out, but then its head gives it away
            fault(without(honest, place), head=head)


@pytest.mark.parametrize("kind", ["auction:bid:accepted", "auction:reserve:met", "auction:winner", "auction:resumed"])
def test_what_a_commit_wrote_together_cannot_be_torn_apart_even_with_a_new_chain(kind: str) -> None:
    honest = english().events
    place = next(i for i, event in enumerate(honest) if event["type"] == kind)
    fault(without(honest, place))


@pytest.mark.parametrize("name", HONEST)
def test_two_events_cannot_change_places(name: str) -> None:
    honest = HONEST[name]().events
    for place in range(len(honest) - 1):
        swapped = [*honest[:place], honest[place + 1], honest[place], *honest[place + 2 :]]
        assert fault(swapped).fields["n"] == place + 1


def test_two_accepted_bids_cannot_change_places_in_a_mended_chain() -> None:
    honest = english().events
    swapped = [*honest[:2], honest[3] | {"n": 3}, honest[2] | {"n": 4}, *honest[4:]]
    assert fault(rehashed(swapped)).fields["n"] == 3


@pytest.mark.parametrize("keeps", [3, 10, 18])
def test_a_log_that_is_cut_off_is_found_with_a_head_or_a_receipt(keeps: int) -> None:
    log = english()
    cut = log.events[:keeps]
    assert "cut off" in fault(cut, head=(len(log.events), log.events[-1]["hash"])).message
    last = [event for event in log.events if event["type"] == "auction:bid:accepted"][-1]
    receipt = a_receipt(log, last)
    if keeps < last["n"]:
        assert "cut off" in fault(cut, receipts=[receipt]).message
    audit.verify(log.events, receipts=[receipt])


def a_receipt(log: LogWriter, event: Event) -> dict[str, Any]:
    bid = next(one for one in log.secrets if str(one) == event["data"]["bid"])
    return {"n": event["n"], "hash": event["hash"], "opening": log.openings([bid])[0]}


def test_a_log_cut_in_the_middle_of_a_commit_is_found_without_any_help() -> None:
    log = english()
    reserve_met = next(event for event in log.events if event["type"] == "auction:reserve:met")
    fault(log.events[: reserve_met["n"] - 1])
    assert "cut off" in fault(log.events[:-1]).message


def test_a_receipt_refutes_a_log_that_was_rewritten_without_its_bid() -> None:
    log = a_log()
    log.bid("A", 10, at=100)
    receipt = a_receipt(log, log.events[-1])
    other = a_log()
    other.bid("B", 10, at=100)
    audit.verify(other.events)
    assert fault(other.events, receipts=[receipt]).fields["n"] == receipt["n"]
    for broken in ({}, {"n": 3}, receipt | {"n": "3"}, receipt | {"opening": None}, receipt | {"n": 0}):
        fault(log.events, receipts=[broken])


@pytest.mark.parametrize(
    "change",
    [
        {"max_amount": "39"},
        {"salt": "00" * 32},
        {"bid": SOMEBODY},
        {"salt": "no hex"},
        {"max_amount": "-1"},
        {"max_amount": None},
        {"bid": None},
    ],
)
def test_a_wrong_opening_given_beside_the_log_is_found(change: dict[str, Any]) -> None:
    log = english()
    opening = next(one for one in log.openings() if one["max_amount"] == "40") | change
    fault(log.events, openings=[opening])
    fault(log.events, openings=[{name: opening[name] for name in opening if name not in change}])


def test_a_second_reserve_cannot_be_opened_later() -> None:
    log = a_log(reserve="15")
    log.bid("A", 10, 20, at=100)
    log.step("VOID_BID", at=200, bid=log.bids[0].id)
    log.bid("A", 10, 20, at=300)
    audit.verify(log.events)
    again, n = forged(log.events, "auction:reserve:met", put("reserve", "16"))
    assert fault(again).fields["n"] == n


def test_nobody_is_refused_for_a_wallet_that_the_terms_do_not_ask_for() -> None:
    log = a_log()
    log.bid("A", 5, at=100)
    for reason in ("WALLET_REQUIRED", "DEPOSIT_REQUIRED"):
        wrong, n = forged(log.events, "auction:bid:rejected", put("reason", reason))
        assert fault(wrong).fields["n"] == n


# What is no log at all


def test_an_empty_log_proves_nothing() -> None:
    assert "empty" in fault([]).message


GARBAGE: list[Any] = [None, [], "text", 5, {}, {"terms": None}, {"terms": {}}, {"bid": []}, {"openings": [5]}]


@pytest.mark.parametrize("data", GARBAGE, ids=json.dumps)
@pytest.mark.parametrize("kind", ["auction:scheduled", "auction:bid:accepted", "auction:end", "auction:bid:voided"])
def test_content_that_is_no_event_is_a_finding_and_not_a_crash(kind: str, data: Any) -> None:
    honest = english().events
    place = next(i for i, event in enumerate(honest) if event["type"] == kind)
    fault(rehashed([*honest[:place], honest[place] | {"data": data}, *honest[place + 1 :]], place))


#: What only the house can know; nothing is decided by it.
CLAIMS = {"source", "cause", "actor", "confirm", "offered_by_house"}
#: What this end has none of; anything but an opening is nothing.
NOTHING_THERE = {"openings", "reserve"}


@pytest.mark.parametrize("value", [None, "x", -1, [], {}, "1e99", "NaN", 10**30], ids=str)
@pytest.mark.parametrize("kind", ["auction:bid:accepted", "auction:end", "auction:timer:updated"])
def test_a_figure_that_is_no_figure_is_a_finding_and_not_a_crash(kind: str, value: Any) -> None:
    honest = english().events
    last = next(event["data"] for event in reversed(honest) if event["type"] == kind)
    for field in last.keys() - CLAIMS - (NOTHING_THERE if kind == "auction:end" else set()):
        if last[field] != value:
            try:
                changed, _ = forged(honest, kind, put(field, value))
            except OverflowError:
                continue  # canonical JSON has no such number
            assert fault(changed).message, field


@pytest.mark.parametrize(
    "change", [{"n": "1"}, {"n": None}, {"subject": 5}, {"timestamp": None}, {"hash": None}, {"data": float("nan")}]
)
def test_an_envelope_that_is_none_is_a_finding(change: dict[str, Any]) -> None:
    honest = english().events
    fault([honest[0] | change, *honest[1:]])
    fault([{**event, **change} for event in honest])
    fault([{name: value for name, value in event.items() if name not in change} for event in honest])


# Any log that the rules allow

cents = st.integers(1_000, 8_000).map(lambda n: D(n) / 100)
steps = st.one_of(
    st.tuples(st.just("bid"), st.sampled_from("ABC"), st.integers(0, 3), cents, cents),
    st.tuples(st.just("bid"), st.sampled_from("AAB"), st.integers(1, 3), cents, cents),
    st.tuples(st.just("own"), cents),
    st.tuples(st.sampled_from(["PAUSE", "RESUME", "END", "EXTEND", "REOPEN", "clock", "close", "outage"])),
    st.tuples(st.just("VOID_BID"), st.integers(0, 30)),
)
policies = st.sampled_from([FixedIncrement(D(1)), FixedIncrement(D("0.01")), increments.EBAY])


def play(log: LogWriter, moves: list[tuple[Any, ...]]) -> None:
    """Do all of it that the rules allow."""
    now = 100
    for move in moves:
        now += 37
        try:
            match move:
                case ("bid", who, kind, one, two):
                    low, high = sorted((one, two))
                    amounts = [(high, None), (None, high), (low, high), (high, high)][kind]
                    log.bid(who, *amounts, at=now, confirm=True)
                case ("own", more):
                    leader = log.lot.standing.leader
                    who = next((name for name in "ABC" if a_person(name).id == leader), "A")
                    least = log.lot.standing.maximum or D(10)
                    log.bid(who, None, least + more / 10, at=now, confirm=True)
                case ("clock",):
                    log.clock(now)
                case ("close",):
                    now = max(now, log.lot.timing.ends_at)
                    log.clock(now)
                case ("outage",):
                    log.outage(now - 30, now, at=now + 5)
                    now += 5
                case ("VOID_BID", which):
                    if log.bids:
                        log.step("VOID_BID", at=now, bid=log.bids[which % len(log.bids)].id)
                case (kind,):
                    end = max(now, log.lot.timing.ends_at) + 500
                    log.step(kind, at=now, ends_at=end if kind in ("EXTEND", "REOPEN") else None)
        except (Conflict, InvalidInput, NotFound):
            continue


@given(
    moves=st.lists(steps, max_size=30),
    reserve=st.sampled_from([None, "12", "30", "70"]),
    buy_now=st.sampled_from([None, None, "75"]),
    increment=policies,
    which=st.randoms(use_true_random=False),
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_honest_log_verifies_with_no_openings_with_all_and_with_some(
    moves: list[Any], reserve: str | None, buy_now: str | None, increment: Any, which: Any
) -> None:
    log = a_log(reserve=reserve, buy_now=buy_now, increment=increment, ends_at=1_500)
    play(log, moves)
    reports = [
        audit.verify(log.events),
        audit.verify(log.events, openings=log.openings()),
        audit.verify(log.events, openings=log.openings([bid for bid in log.secrets if which.random() < 0.5])),
    ]
    shown = {(one.winner, one.price, one.outcome, one.status, one.bids) for one in reports}
    assert shown == {proven(log.lot, log.count)}
    assert reports[1].exact


def proven(lot: Lot, bids: int) -> tuple[Any, ...]:
    """What a log proves of this lot."""
    price = None if lot.standing.price is None else f"{lot.standing.price.normalize():f}"
    winner = str(lot.standing.leader) if lot.outcome == "SOLD" else None
    return winner, price, None if lot.outcome is None else str(lot.outcome), str(lot.status), bids


@given(
    kind=st.sampled_from(["SEALED_FIRST_PRICE", "SEALED_SECOND_PRICE"]),
    reserve=st.sampled_from([None, "30"]),
    bids=st.lists(st.tuples(st.sampled_from("ABC"), cents), max_size=6),
    voided=st.integers(0, 10),
    ends=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_any_honest_sealed_log_verifies(
    kind: str, reserve: str | None, bids: list[tuple[str, D]], voided: int, ends: bool
) -> None:
    log = a_log(format=kind, reserve=reserve)
    for who, amount in bids:
        log.bid(who, amount, at=100)
    if voided < len(log.bids):
        log.step("VOID_BID", at=200, bid=log.bids[voided].id)
    if ends:
        to_the_end(log)
    blind, seeing = audit.verify(log.events), audit.verify(log.events, openings=log.openings())
    assert (blind.winner, blind.price, blind.outcome) == (seeing.winner, seeing.price, seeing.outcome)
    assert proven(log.lot, log.count)[:3] == (blind.winner, blind.price, blind.outcome)
