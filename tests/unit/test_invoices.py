"""Invoice arithmetic is exact, the page says what the invoice says, and who comes next is read from public figures."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.house import some_terms

from sothebais import money
from sothebais.auctions import invoices, rules
from sothebais.auctions.invoices import Invoice, Party
from sothebais.auctions.settlement_model import TRANSITIONS, SettlementStatus, SettlementStep, after, runner_up
from sothebais.errors import IllegalTransition
from sothebais.reports import invoice_page, sales

ANA, BO, CY = UUID(int=1), UUID(int=2), UUID(int=3)
CURRENCIES = sorted(money.CURRENCY_DECIMALS)


def amount(decimals: int, most: int = 10**12) -> st.SearchStrategy[Decimal]:
    return st.integers(1, most * 10**decimals).map(lambda units: Decimal(units).scaleb(-decimals))


@st.composite
def sold(draw: st.DrawFn) -> tuple[Any, Decimal]:
    currency = draw(st.sampled_from(CURRENCIES))
    decimals = money.CURRENCY_DECIMALS[currency]
    percent = Decimal(draw(st.integers(0, 100 * 10**6))).scaleb(-6)
    fee = draw(st.just(Decimal(0)) | amount(decimals, 1_000))
    terms = some_terms(currency=currency, decimals=decimals, premium_percent=percent, fee=fee)
    return terms, draw(amount(decimals))


@given(sold())
@settings(max_examples=200, deadline=None)
def test_the_parts_of_an_invoice_are_its_total_to_the_last_decimal(case: tuple[Any, Decimal]) -> None:
    terms, price = case
    parts = invoices.amounts(terms, price)
    assert money.add(money.add(parts.hammer_price, parts.premium), parts.fee) == parts.total
    assert parts.total == rules.total_payable(terms, price)
    for value in (parts.hammer_price, parts.premium, parts.fee, parts.total):
        assert type(value) is Decimal
        assert value == money.commercial(value, terms.decimals)  # no more decimals than the currency has
    # commercially rounded: never further than half a unit from what it is exactly
    exact = money.percent_of(price, terms.premium_percent)
    assert abs(money.subtract(parts.premium, exact)) * 2 <= money.unit(terms.decimals)


@given(sold(), st.text(max_size=40))
@settings(max_examples=100, deadline=None)
def test_an_invoice_is_kept_as_it_was_made(case: tuple[Any, Decimal], name: str) -> None:
    made = an_invoice(*case, name=name)
    kept = invoices.encode(made)
    assert invoices.decode(kept) == made
    assert all(isinstance(value, str) for value in kept["amounts"].values())


def an_invoice(terms: Any, price: Decimal, *, name: str = "ana", title: str = "A piece") -> Invoice:
    return Invoice(
        number=invoices.number(2026, 7),
        auction=UUID(int=9),
        lot_number=3,
        title=title,
        token_id="42",
        collection="Nouns",
        amounts=invoices.amounts(terms, price),
        buyer=Party(ANA, name),
        seller=None,
        issuer="SothebAIs\n1 Hammer Lane",
        issued_at=1_772_323_200_000,
        due_at=1_772_928_000_000,
        payment_instructions=None,
    )


def test_numbers_have_six_digits_and_grow_beyond_them() -> None:
    assert invoices.number(2026, 1) == "2026-000001"
    assert invoices.number(2026, 1_234_567) == "2026-1234567"


def test_the_page_shows_every_part_and_no_markup_of_others() -> None:
    terms = some_terms(currency="EUR", decimals=2, premium_percent="20", fee="5")
    made = an_invoice(terms, Decimal("1234567.5"), name="<b>ana</b>", title='"><img src=x>')
    page = invoice_page.render(made, "INVOICED")
    for text in ("2026-000007", "1 234 567.50", "246 913.50", "5.00", "1 481 486.00", "8 March 2026"):
        assert text.replace(" ", "\u202f") in page or text in page, text
    assert "1\u202f481\u202f486.00 EUR" in page
    assert "<b>ana" not in page
    assert "<img" not in page
    assert "How to pay" in page
    assert "How to pay" not in invoice_page.render(made, "PAID")
    assert "No longer payable" in invoice_page.render(made, "EXPIRED")
    assert "http" not in page  # it loads nothing
    assert "400 40px/1.1 Caladea, 'Source Serif 4', Georgia, serif" in page
    plain = some_terms(currency="JPY", decimals=0)
    assert "premium" not in invoice_page.render(an_invoice(plain, Decimal(5000)), "INVOICED")


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [("0.5", 2, "0.50"), ("1", 18, "1.00"), ("1000", 0, "1 000"), ("0.000000000000000001", 18, "0.000000000000000001")],
)
def test_amounts_are_shown_as_people_write_them(value: str, decimals: int, text: str) -> None:
    assert invoice_page.shown(Decimal(value), decimals).replace("\u202f", " ") == text


@given(st.text(max_size=20))
def test_no_cell_begins_a_formula(text: str) -> None:
    cell = sales.cell(text)
    assert cell.lstrip()[:1] not in set("=+-@＝＋－＠")
    assert text in cell


def test_only_the_steps_of_the_table_are_taken() -> None:
    for status in (None, *SettlementStatus):
        for step in SettlementStep:
            if (status, step) in TRANSITIONS:
                assert after(status, step) is TRANSITIONS[status, step]
            else:
                with pytest.raises(IllegalTransition):
                    after(status, step)


# who is next


def accepted(bid: int, user: UUID, amount: str | None, *, raises: Any = (), openings: Any = ()) -> dict[str, Any]:
    data = {
        "bid": str(UUID(int=bid)),
        "user": str(user),
        "amount": amount,
        "raises": [{"bid": str(UUID(int=b)), "user": str(u), "amount": a} for b, u, a in raises],
        "openings": [{"bid": str(UUID(int=b)), "max_amount": a, "salt": ""} for b, a in openings],
    }
    return {"type": "auction:bid:accepted", "data": data}


def end(price: str, *, reserve: str | None = None, openings: Any = ()) -> dict[str, Any]:
    opened = [{"bid": str(UUID(int=b)), "max_amount": a, "salt": ""} for b, a in openings]
    kept = None if reserve is None else {"reserve": reserve, "salt": ""}
    return {"type": "auction:end", "data": {"price": price, "reserve": kept, "openings": opened}}


def test_the_runner_up_is_asked_for_the_own_highest_public_amount() -> None:
    log = [
        accepted(10, CY, "2"),
        accepted(11, BO, "3", openings=[(10, "2")]),
        accepted(12, ANA, "4", openings=[(11, "3.5")]),
        end("4"),
    ]
    found = runner_up(log, winner=ANA)
    assert found is not None
    assert (found.user, found.bid, found.amount) == (BO, UUID(int=11), Decimal("3.5"))
    without = runner_up(log, winner=ANA, excluded=[BO])
    assert without is not None
    assert (without.user, without.amount) == (CY, Decimal(2))
    assert runner_up(log, winner=ANA, excluded=[BO, CY]) is None
    assert runner_up([], winner=ANA) is None


def test_of_equals_the_earlier_is_asked_and_proxies_raises_count() -> None:
    log = [
        accepted(10, CY, "1"),
        accepted(11, BO, "1.5"),
        accepted(12, ANA, "2", raises=[(13, CY, "1.5")]),
        end("2"),
    ]
    found = runner_up(log, winner=ANA)
    assert found is not None
    assert (found.user, found.amount) == (BO, Decimal("1.5"))


def test_voided_bids_and_superseded_raises_do_not_count() -> None:
    voided = {
        "type": "auction:bid:voided",
        "data": {"bid": str(UUID(int=11)), "superseded": [str(UUID(int=13))], "raises": [],
                 "openings": [{"bid": str(UUID(int=11)), "max_amount": "9", "salt": ""}]},
    }  # fmt: skip
    log = [
        accepted(10, CY, "1"),
        accepted(11, BO, "3", raises=[(13, CY, "2.9")]),
        voided,
        accepted(12, ANA, "2"),
        end("2"),
    ]
    found = runner_up(log, winner=ANA)
    assert found is not None
    assert (found.user, found.amount) == (CY, Decimal(1))


def test_nobody_is_asked_below_the_reserve_or_above_the_price() -> None:
    met = {"type": "auction:reserve:met", "data": {"reserve": "2", "salt": ""}}
    log = [accepted(10, BO, "1.9"), accepted(11, ANA, "3"), met, end("3")]
    assert runner_up(log, winner=ANA) is None
    sealed = [accepted(10, BO, None), accepted(11, ANA, None), end("5", reserve="4", openings=[(10, "4.5"), (11, "7")])]
    found = runner_up(sealed, winner=ANA)
    assert found is not None
    assert found.amount == Decimal("4.5")
    dear = [accepted(10, BO, "2", openings=[(10, "6")]), accepted(11, ANA, "3"), end("3")]
    capped = runner_up(dear, winner=ANA)
    assert capped is not None
    assert capped.amount == Decimal(3)
