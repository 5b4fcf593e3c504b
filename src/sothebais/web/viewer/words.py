"""How the pages say things: amounts, times, states. The scripts say them the same way. Pure."""

from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from sothebais.auctions.model import Outcome, Reason, Status
from sothebais.web.viewer.data import LotLine

FIGURES_SHOWN_MIN = 2


def amount(value: str | None) -> str:
    """An amount as it is shown: thousands apart, at least two decimals where it has any. Never rounded."""
    if value is None:
        return "–"
    whole, _, part = value.partition(".")
    grouped = f"{int(whole):,}"
    return f"{grouped}.{part.ljust(FIGURES_SHOWN_MIN, '0')}" if part else grouped


def cash(value: str | None, currency: str) -> Markup:
    """An amount with its currency, never parted by a line break."""
    return Markup('<span class="figure">{}</span>&nbsp;<span class="unit">{}</span>').format(amount(value), currency)


def moment(at: datetime | int, style: str = "datetime") -> Markup:
    """An instant as ``<time>``: in UTC until a script writes it in the reader's own zone."""
    value = datetime.fromtimestamp(at / 1000, UTC) if isinstance(at, int) else at.astimezone(UTC)
    day = f"{value.day} {value:%B %Y}"
    clock = f"{value:%H:%M}"
    text = {
        "time": f"{clock} UTC",
        "seconds": f"{value:%H:%M:%S} UTC",
        "date": day,
        "weekday": f"{value:%A}, {value.day} {value:%B}",
        "short": f"{value.day} {value:%b}, {clock} UTC",
    }.get(style, f"{day}, {clock} UTC")
    stamp = f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}Z"
    return Markup('<time datetime="{}" data-style="{}">{}</time>').format(stamp, style, text)


def instant(text: str, style: str = "datetime") -> Markup:
    """An instant of the API as ``<time>``."""
    return moment(datetime.fromisoformat(text), style)


def handle(name: str | None) -> str:
    """A person as the house calls them; a name that is not a handle, such as a wallet's, stays as it is."""
    if not name:
        return "somebody"
    return name if name.startswith(("@", "0x")) or " " in name or "…" in name else f"@{name}"


_REFUSALS = {
    Reason.CANCELLED: "the lot was withdrawn",
    Reason.NOT_STARTED: "the lot had not opened",
    Reason.PAUSED: "the lot was paused",
    Reason.ENDED: "the lot had closed",
    Reason.BLOCKED: "your account was blocked",
    Reason.SELLER: "it was your own lot",
    Reason.WALLET_REQUIRED: "it asked for a linked wallet",
    Reason.DEPOSIT_REQUIRED: "it asked for a deposit",
    Reason.CURRENCY_MISMATCH: "in another currency than the lot’s",
    Reason.CONFIRMATION_REQUIRED: "so high that you were asked to confirm it",
    Reason.BELOW_MINIMUM: "below the least bid",
    Reason.ALREADY_LEADING: "you led already",
}


def refusal(reason: str) -> str:
    """Why a bid was refused, to whoever made it."""
    return _REFUSALS[Reason(reason)]


def lot_state(lot: LotLine) -> tuple[str, str]:
    """A lot's state as a tone and a word."""
    if lot.sold:
        return "sold", "Sold"
    if lot.outcome is Outcome.PASSED:
        return "passed", "Passed"
    return {
        Status.ACTIVE: ("live", "On the block"),
        Status.CLOSING: ("live", "Fair warning"),
        Status.PAUSED: ("paused", "Paused"),
        Status.CANCELLED: ("passed", "Withdrawn"),
        Status.SCHEDULED: ("waiting", "To come"),
    }.get(lot.status, ("passed", "Ended"))


def paragraphs(text: str) -> Markup:
    """Plain text as paragraphs."""
    parts = [part.strip() for part in text.split("\n\n") if part.strip()]
    return Markup("").join(Markup("<p>{}</p>").format(part) for part in parts)


def bid_words(bid: dict[str, Any], currency: str) -> Markup:
    """A row of the history as a sentence; a proxy's raise is explained."""
    who = Markup("<b>{}</b>").format(handle(bid["user"]["handle"]))
    if bid["amount"] is None:
        return Markup("{} placed a sealed bid").format(who)
    figure = cash(bid["amount"], currency)
    if bid["proxy"]:
        return Markup("The house raised {} to {}: their maximum stands").format(who, figure)
    if bid["status"] == "VOIDED":
        return Markup("{} bid {}, taken out by the house").format(who, figure)
    return Markup("{} bid {}").format(who, figure)


def plural(number: int, one: str, many: str | None = None) -> str:
    """``1 bid``, ``2 bids``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
