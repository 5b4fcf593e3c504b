"""Money: exact ``Decimal`` arithmetic, currencies and the one parser of amounts. Never a float.

Python's default decimal context rounds at 28 digits, which ``numeric(38,18)`` exceeds, so every sum and product
goes through ``add``, ``subtract`` and ``multiply``: they are exact or raise.
"""

import re
from decimal import ROUND_CEILING, ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation, Overflow
from functools import lru_cache

from sothebais.errors import InvalidAmount

_EXACT = Context(prec=120, traps=[Inexact, InvalidOperation, Overflow])
_ROUNDING_UP = Context(prec=120, rounding=ROUND_CEILING, traps=[InvalidOperation, Overflow])
_COMMERCIAL = Context(prec=120, rounding=ROUND_HALF_UP, traps=[InvalidOperation, Overflow])

add = _EXACT.add
subtract = _EXACT.subtract
multiply = _EXACT.multiply

ZERO = Decimal(0)
#: No amount above this enters the house unless a lot says less. ``numeric(38,18)`` could hold 20 integer digits.
AMOUNT_MAX = Decimal(1_000_000_000_000)
DECIMALS_MAX = 18
#: Longest text that is looked at as an amount: 20 integer digits, a point, 18 decimals.
AMOUNT_TEXT_LENGTH_MAX = 39

#: Decimals of the currencies the house knows. ISO 4217 for money, the token contracts for the others.
CURRENCY_DECIMALS = {
    "ETH": 18,
    "WETH": 18,
    "POL": 18,
    "DAI": 18,
    "SOL": 9,
    "BTC": 8,
    "USDC": 6,
    "USDT": 6,
    "EUR": 2,
    "USD": 2,
    "GBP": 2,
    "CHF": 2,
    "JPY": 0,
}

_PLAIN = re.compile(r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?", re.ASCII)


def currency_decimals(currency: str) -> int:
    """How many decimals a currency has. Raises InvalidAmount for one the house does not know."""
    try:
        return CURRENCY_DECIMALS[currency]
    except KeyError:
        known = ", ".join(sorted(CURRENCY_DECIMALS))
        raise InvalidAmount(f"Currency {currency!r:.20} is not known here. Use one of {known}.") from None


def parse_amount(text: object, decimals: int, *, amount_max: Decimal = AMOUNT_MAX, name: str = "amount") -> Decimal:
    """A positive amount from its decimal string, like ``"1.25"``.

    Refuses (InvalidAmount) anything but plain digits with an optional point: numbers that are not strings, signs,
    exponents, NaN, separators, leading zeros, zero, more than ``decimals`` decimals, and more than ``amount_max``.
    """
    if not isinstance(text, str):
        raise InvalidAmount(f'{name} must be a decimal string such as "1.25", not {type(text).__name__}.', field=name)
    if len(text) > AMOUNT_TEXT_LENGTH_MAX or not _PLAIN.fullmatch(text):
        raise InvalidAmount(
            f'{name} must be digits with an optional decimal point, such as "1.25"; got {text[:AMOUNT_TEXT_LENGTH_MAX]!r}.',
            field=name,
        )
    value = Decimal(text)
    return checked(value, decimals, amount_max=amount_max, name=name)


def checked(value: Decimal, decimals: int, *, amount_max: Decimal = AMOUNT_MAX, name: str = "amount") -> Decimal:
    """``value`` itself when it is a possible amount of a currency with that many decimals; else InvalidAmount."""
    if not value.is_finite() or value <= 0:
        raise InvalidAmount(f"{name} must be greater than zero.", field=name)
    if value > amount_max:
        raise InvalidAmount(f"{name} must be at most {text(amount_max)}.", field=name)
    if value != quantized(value, decimals):
        raise InvalidAmount(f"{name} has more than the {decimals} decimals of its currency.", field=name)
    return value


@lru_cache(maxsize=DECIMALS_MAX + 1)
def unit(decimals: int) -> Decimal:
    """The smallest amount of a currency: 0.01 for two decimals."""
    return Decimal(1).scaleb(-decimals)


def quantized(value: Decimal, decimals: int) -> Decimal:
    """``value`` rounded up to the currency's decimals (for prices: never less than the rule asks)."""
    return value.quantize(unit(decimals), context=_ROUNDING_UP)


def percent_of(value: Decimal, percent: Decimal) -> Decimal:
    """``percent`` % of ``value``, exact."""
    return multiply(multiply(value, percent), Decimal("0.01"))


def commercial(value: Decimal, decimals: int) -> Decimal:
    """``value`` rounded half up to the currency's decimals (for premiums, fees and taxes)."""
    return value.quantize(unit(decimals), context=_COMMERCIAL)


def text(value: Decimal) -> str:
    """The canonical decimal string: no exponent, no trailing zeros, ``"0"`` for zero. One text per value."""
    plain = format(value, "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return plain if plain not in ("", "-0") else "0"
