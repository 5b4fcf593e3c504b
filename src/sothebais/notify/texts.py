"""The words of every notification. Pure; amounts are those everybody may see, never a maximum that stands."""

from datetime import datetime
from zoneinfo import ZoneInfo

from sothebais.instants import Millis, to_datetime
from sothebais.notify.model import Lot

NAME_LENGTH_MAX = 80
REASON_LENGTH_MAX = 300


def clean(text: str, length_max: int) -> str:
    """One line without control characters, cut to so many characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= length_max else line[: length_max - 1].rstrip() + "…"


def name_of(lot: Lot) -> str:
    """``Lot 3 “Night Market”``."""
    return f"Lot {lot.number} “{clean(lot.title, NAME_LENGTH_MAX)}”"


def amount(value: str | None, lot: Lot) -> str:
    """``1.5 ETH``; for a sealed lot nothing is known."""
    return "a sealed amount" if value is None else f"{value} {lot.currency}"


def instant(at: Millis, zone: str) -> str:
    """``Sun 1 March, 18:00 (Europe/Berlin)``."""
    local: datetime = to_datetime(at).astimezone(ZoneInfo(zone))
    return f"{local:%a} {local.day} {local:%B, %H:%M} ({zone})"


def leads(lot: Lot, price: str | None) -> tuple[str, str]:
    """Somebody's bid leads."""
    return f"You lead {name_of(lot)}", f"Your bid counts and leads at {amount(price, lot)}."


def sealed(lot: Lot) -> tuple[str, str]:
    """A sealed bid was taken."""
    return f"Your sealed bid on {name_of(lot)} counts", "It is opened when the lot ends."


def outbid(lot: Lot, price: str | None, following: str | None) -> tuple[str, str]:
    """Somebody else leads now."""
    more = "" if following is None else f" The next valid bid is {amount(following, lot)}."
    return f"You are outbid on {name_of(lot)}", f"The price is now {amount(price, lot)}.{more}"


def overtaken(lot: Lot, price: str | None, following: str | None) -> tuple[str, str]:
    """The own bid was accepted and beaten at once by a standing maximum."""
    title, body = outbid(lot, price, following)
    return title, f"Your bid counts, but another bidder's maximum is higher. {body}"


def voided(lot: Lot, reason: str) -> tuple[str, str]:
    """The house took somebody's bid out."""
    return (
        f"Your bid on {name_of(lot)} was taken out",
        f"The house gave this reason: {clean(reason, REASON_LENGTH_MAX)}",
    )


def leads_again(lot: Lot, price: str | None) -> tuple[str, str]:
    """A bid above was taken out."""
    return (
        f"You lead {name_of(lot)} again",
        f"A bid above yours was taken out. You lead at {amount(price, lot)}.",
    )


def won(lot: Lot, price: str, total: str) -> tuple[str, str]:
    """The lot is sold to this person."""
    return (
        f"You won {name_of(lot)}",
        f"It is yours for {amount(price, lot)}; with premium and fees there are {amount(total, lot)} to pay.",
    )


def lost(lot: Lot, price: str | None, *, sold: bool) -> tuple[str, str]:
    """The lot is over, and not theirs."""
    if not sold:
        return f"{name_of(lot)} was not sold", "Bidding is over and the lot found no buyer."
    return f"{name_of(lot)} went to another bidder", f"It was sold for {amount(price, lot)}."


def cancelled(lot: Lot, reason: str) -> tuple[str, str]:
    """A lot will not be held."""
    return f"{name_of(lot)} is cancelled", f"The house gave this reason: {clean(reason, REASON_LENGTH_MAX)}"


def reopened(lot: Lot) -> tuple[str, str]:
    """An ended lot takes bids again."""
    return f"{name_of(lot)} is open again", "The house reopened it; its earlier result does not count."


def lot_opens(lot: Lot, at: Millis, zone: str) -> tuple[str, str]:
    """A followed lot opens soon."""
    return f"{name_of(lot)} opens soon", f"Bidding begins {instant(at, zone)}."


def session_opens(campaign: str, number: int, at: Millis, zone: str) -> tuple[str, str]:
    """A followed session begins soon."""
    return f"Session {number} of {clean(campaign, NAME_LENGTH_MAX)} begins soon", f"It begins {instant(at, zone)}."


def session_cancelled(campaign: str, number: int, reason: str | None) -> tuple[str, str]:
    """A followed session will not be held."""
    why = "" if reason is None else f" The house gave this reason: {clean(reason, REASON_LENGTH_MAX)}"
    return f"Session {number} of {clean(campaign, NAME_LENGTH_MAX)} is cancelled", f"It will not be held.{why}"


def campaign_planned(campaign: str, days: int) -> tuple[str, str]:
    """A followed campaign has its dates."""
    return f"{clean(campaign, NAME_LENGTH_MAX)} is scheduled", f"It has {days} auction day{'s' * (days != 1)}."


def campaign_begins(campaign: str) -> tuple[str, str]:
    """A followed campaign begins."""
    return f"{clean(campaign, NAME_LENGTH_MAX)} begins", "Its first session is about to be held."


def campaign_over(campaign: str, *, cancelled: bool, reason: str | None) -> tuple[str, str]:
    """A followed campaign is over."""
    name = clean(campaign, NAME_LENGTH_MAX)
    if not cancelled:
        return f"{name} is over", "All its sessions have been held."
    why = "" if reason is None else f" The house gave this reason: {clean(reason, REASON_LENGTH_MAX)}"
    return f"{name} is cancelled", f"No more of its lots will be held.{why}"


_SETTLEMENT = {
    "settlement:offered": (
        "{lot} is offered to you",
        "The winner did not pay. Accept in time, and it is yours for {amount}.",
    ),
    "settlement:invoiced": ("The invoice for {lot} is ready", "There are {amount} to pay."),
    "settlement:paid": ("Your payment for {lot} has arrived", "The house has received {amount}. Delivery is next."),
    "settlement:delivered": ("{lot} was delivered", "The piece is with you. Thank you."),
    "settlement:expired": ("The time to pay for {lot} is over", "The sale of {amount} was given up."),
}


def settlement(type_: str, lot: Lot, due: str) -> tuple[str, str]:
    """A step of what comes after a win."""
    title, body = _SETTLEMENT[type_]
    return title.format(lot=name_of(lot)), body.format(amount=amount(due, lot))
