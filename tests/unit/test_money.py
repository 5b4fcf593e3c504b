"""Amounts are exact, and only plain positive decimal strings become amounts."""

from decimal import Decimal

import pytest

from sothebais import money
from sothebais.errors import InvalidAmount


@pytest.mark.parametrize(
    ("text", "decimals"),
    [
        ("1", 0),
        ("1.25", 2),
        ("0.01", 2),
        ("10", 2),
        ("1.2500", 2),  # zeros are no further decimals
        ("0.000000000000000001", 18),
        ("1000000000000", 18),
        ("999999999999.999999999999999999", 18),
    ],
)
def test_a_plain_decimal_string_is_an_amount(text: str, decimals: int) -> None:
    assert money.parse_amount(text, decimals) == Decimal(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "0", "0.00", "-1", "+1", "1e3", "1E3", "NaN", "sNaN", "Infinity", "-0"),
        *("01", "00.5", ".5", "5.", "1,5", "1_000", "1 ", " 1", "1\n", "0x10", "1.2.3", "١", "１", "1.٥"),
        *("1.255", "1000000000000.01", "1" * 39, "0." + "0" * 40 + "1", "9" * 5000),
    ],
)
def test_anything_else_is_malformed(text: str) -> None:
    with pytest.raises(InvalidAmount) as caught:
        money.parse_amount(text, 2, name="max_amount")
    assert caught.value.fields["field"] == "max_amount"
    assert len(caught.value.message) < 200  # a hostile text is not sent back whole


@pytest.mark.parametrize("value", [1, 1.5, None, True, Decimal(1), b"1", ["1"], {"amount": "1"}])
def test_only_a_string_is_read_as_an_amount(value: object) -> None:
    with pytest.raises(InvalidAmount, match="decimal string"):
        money.parse_amount(value, 2)


@pytest.mark.parametrize(
    "value", ["NaN", "sNaN", "Infinity", "-Infinity", "0", "-1", "1E-999999", "1E+999999", "0.001"]
)
def test_an_impossible_amount_does_not_pass_the_check(value: str) -> None:
    with pytest.raises(InvalidAmount):
        money.checked(Decimal(value), 2)


def test_the_greatest_amount_is_allowed_and_nothing_above_it() -> None:
    most = Decimal(100)
    assert money.parse_amount("100", 2, amount_max=most) == most
    with pytest.raises(InvalidAmount, match="at most 100"):
        money.parse_amount("100.01", 2, amount_max=most)


def test_sums_and_products_keep_digits_that_the_default_context_would_round() -> None:
    large, small = Decimal("99999999999999999999.999999999999999999"), Decimal("0.000000000000000001")
    assert money.text(money.add(large, small)) == "100000000000000000000"
    assert money.text(money.subtract(large, small)) == "99999999999999999999.999999999999999998"
    assert money.text(money.multiply(large, Decimal("1.5"))) == "149999999999999999999.9999999999999999985"


@pytest.mark.parametrize(
    ("value", "decimals", "up", "half_up"),
    [
        ("1.005", 2, "1.01", "1.01"),
        ("1.004", 2, "1.01", "1"),
        ("1.000000000000000000001", 18, "1.000000000000000001", "1"),
        ("2.5", 0, "3", "3"),
        ("999999999999.999999999999999999", 2, "1000000000000", "1000000000000"),
    ],
)
def test_prices_round_up_and_fees_round_half_up(value: str, decimals: int, up: str, half_up: str) -> None:
    assert money.text(money.quantized(Decimal(value), decimals)) == up
    assert money.text(money.commercial(Decimal(value), decimals)) == half_up


def test_a_percentage_is_exact() -> None:
    assert money.percent_of(Decimal("999999999999.999999999999999999"), Decimal("7.5")) == Decimal(
        "74999999999.999999999999999999925"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1.50", "1.5"),
        ("100", "100"),
        ("1E+3", "1000"),
        ("1E-18", "0.000000000000000001"),
        ("0.00", "0"),
        ("0E-18", "0"),
    ],
)
def test_an_amount_has_one_text(value: str, text: str) -> None:
    assert money.text(Decimal(value)) == text


def test_minus_zero_is_zero() -> None:
    assert money.text(Decimal("-0")) == "0"


def test_currencies_know_their_decimals() -> None:
    assert [money.currency_decimals(c) for c in ("ETH", "USDC", "EUR", "USD", "JPY")] == [18, 6, 2, 2, 0]
    with pytest.raises(InvalidAmount, match="not known"):
        money.currency_decimals("XXX" * 1000)
