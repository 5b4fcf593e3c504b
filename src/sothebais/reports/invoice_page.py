"""The invoice as a page that prints on one A4 sheet. It loads nothing from anywhere."""

import base64
import hashlib
from collections.abc import Sequence
from decimal import Decimal

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from sothebais import media, money
from sothebais.auctions.invoices import Invoice
from sothebais.clock import Millis, to_datetime

_pages = Environment(
    loader=PackageLoader("sothebais.reports", "templates"),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
#: What a stamp says of an invoice that is not simply open.
_STAMPS = {"PAID": "Paid", "DELIVERED": "Paid", "SETTLED": "Paid", "EXPIRED": "No longer payable"}


def _style() -> str:
    css = _pages.get_template("invoice.css").render(
        light=media.LIGHT, serif=_families(media.SERIF), sans=_families(media.SANS), grid=media.GRID_PX
    )
    return css.strip()


def _families(names: Sequence[str]) -> Markup:
    """Families as CSS wants them: names with blanks in quotes."""
    return Markup(", ".join(f"'{name}'" if " " in name else name for name in names))  # noqa: S704 - our own tokens


STYLE = _style()
#: The one style sheet stands in the page, and nothing else may.
CONTENT_POLICY = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


def render(invoice: Invoice, status: str) -> str:
    """The page. ``status`` is the settlement's."""
    decimals = money.currency_decimals(invoice.amounts.currency)
    return _pages.get_template("invoice.html").render(
        invoice=invoice,
        style=Markup(STYLE),  # noqa: S704 - made of our own file and tokens
        stamp=_STAMPS.get(status),
        amount=lambda value: shown(value, decimals),
        percent=money.text,
        day=_day,
    )


def shown(value: Decimal, decimals: int) -> str:
    """An amount as people write it: two decimals at least where the currency has them, digits in groups of three."""
    whole, _, part = money.text(value).partition(".")
    part = part.ljust(min(2, decimals), "0")
    grouped = f"{int(whole):,}".replace(",", "\u202f")
    return f"{grouped}.{part}" if part else grouped


def _day(at: Millis) -> str:
    moment = to_datetime(at)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
