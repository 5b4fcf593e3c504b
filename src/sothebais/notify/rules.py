"""Who is told what, on which channel, from when. Pure: events and facts in, notices and deliveries out.

Decisions that are ours (``docs/notifications.md`` tells people about them):

- In-app is immediate, always; e-mail and web push wait for the end of quiet hours.
- Somebody whose bid is beaten at once by a standing maximum gets OUTBID, not BID_ACCEPTED: one thing, told once.
- With ``notifications`` off only what binds a person still reaches them, and only in-app.
- A refused bid is answered where it was made and is no notification.
"""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from sothebais.instants import Millis
from sothebais.notify import texts
from sothebais.notify.model import Delivery, LotFacts, Notice, NotificationChannel, NotificationKind, Person
from sothebais.notify.quiet import quiet_until

#: Told in-app to everybody: who does not know of these could be made to pay unaware.
OBLIGATIONS = frozenset({NotificationKind.WON, NotificationKind.SETTLEMENT, NotificationKind.BID_VOIDED})
#: The preference that turns a kind off.
SWITCHES: Mapping[NotificationKind, str] = {
    NotificationKind.BID_ACCEPTED: "bid_confirmations",
    NotificationKind.OUTBID: "outbid_alerts",
    NotificationKind.AUCTION_REMINDER: "auction_reminders",
    NotificationKind.SESSION_REMINDER: "auction_reminders",
}
#: A newer notification of the same kind and lot within this time takes the place of one not yet sent.
COLLAPSE_MS: Mapping[NotificationKind, Millis] = {
    NotificationKind.OUTBID: 1_000,
    NotificationKind.BID_ACCEPTED: 30_000,
}
#: These are never pushed: whoever bids is looking.
NOT_PUSHED = frozenset({NotificationKind.BID_ACCEPTED})
#: What happened longer ago is not told: a house that begins to tell does not tell its history.
TOLD_AGE_MS_MAX = 24 * 3_600_000
#: A reminder that could not be told is dropped so long after the beginning it was for.
REMINDER_LATE_MS_MAX = 60_000


def deliveries(person: Person, kind: NotificationKind, now: Millis) -> list[Delivery]:
    """The channels on which a person is told, and from when. Empty when they want none of it."""
    wants = person.preferences
    switch = SWITCHES.get(kind)
    if switch is not None and not getattr(wants, switch):
        return []
    found = []
    if wants.notifications or kind in OBLIGATIONS:
        found.append(Delivery(NotificationChannel.IN_APP, now))
    if not wants.notifications:
        return found
    at = quiet_until(wants.quiet_hours, wants.time_zone, now + COLLAPSE_MS.get(kind, 0))
    if person.email and wants.by_email:
        found.append(Delivery(NotificationChannel.EMAIL, at))
    if person.push and kind not in NOT_PUSHED:
        found.append(Delivery(NotificationChannel.WEB_PUSH, at))
    return found


def notices(type_: str, data: dict[str, Any], facts: LotFacts) -> list[Notice]:
    """What an event of a lot says to the few it is about: bidder, leader, winner."""
    return _TELLERS[type_](type_, data, facts)


def _notice(
    user: str | UUID, kind: NotificationKind, words: tuple[str, str], facts: LotFacts, **details: Any
) -> Notice:
    return Notice(
        user=UUID(str(user)),
        kind=kind,
        title=words[0],
        body=words[1],
        path=f"/auctions/{facts.lot.id}",
        auction=facts.lot.id,
        details={name: value for name, value in details.items() if value is not None},
    )


def _bid_accepted(_type: str, data: dict[str, Any], facts: LotFacts) -> list[Notice]:
    lot, bidder, leader = facts.lot, data["user"], data["leader"]
    price, following = data["price"], data["next_valid_amount"]
    shown = {"price": price, "next_valid_amount": following}
    told = []
    if leader is None:
        return [_notice(bidder, NotificationKind.BID_ACCEPTED, texts.sealed(lot), facts)]
    if leader == bidder:
        told.append(_notice(bidder, NotificationKind.BID_ACCEPTED, texts.leads(lot, price), facts, **shown))
    else:
        told.append(_notice(bidder, NotificationKind.OUTBID, texts.overtaken(lot, price, following), facts, **shown))
    before = None if facts.leader_before is None else str(facts.leader_before)
    if before is not None and before not in (leader, bidder):
        told.append(_notice(before, NotificationKind.OUTBID, texts.outbid(lot, price, following), facts, **shown))
    return told


def _bid_voided(_type: str, data: dict[str, Any], facts: LotFacts) -> list[Notice]:
    lot, leader = facts.lot, data["leader"]
    told = []
    if facts.voided_bidder is not None:
        told.append(_notice(facts.voided_bidder, NotificationKind.BID_VOIDED, texts.voided(lot, data["cause"]), facts))
    if leader is not None and leader not in (str(facts.leader_before), str(facts.voided_bidder)):
        words = texts.leads_again(lot, data["price"])
        told.append(_notice(leader, NotificationKind.BID_VOIDED, words, facts, price=data["price"]))
    return told


def _winner(_type: str, data: dict[str, Any], facts: LotFacts) -> list[Notice]:
    words = texts.won(facts.lot, data["price"], data["total_payable"])
    details = {"price": data["price"], "total_payable": data["total_payable"]}
    return [_notice(data["winner"], NotificationKind.WON, words, facts, **details)]


def _settlement(type_: str, data: dict[str, Any], facts: LotFacts) -> list[Notice]:
    words = texts.settlement(type_, facts.lot, data["amount"])
    step = type_.partition(":")[2].upper()
    return [_notice(data["user"], NotificationKind.SETTLEMENT, words, facts, step=step, amount=data["amount"])]


_TELLERS: Mapping[str, Callable[[str, dict[str, Any], LotFacts], list[Notice]]] = {
    "auction:bid:accepted": _bid_accepted,
    "auction:bid:voided": _bid_voided,
    "auction:winner": _winner,
    "settlement:offered": _settlement,
    "settlement:invoiced": _settlement,
    "settlement:paid": _settlement,
    "settlement:delivered": _settlement,
    "settlement:expired": _settlement,
}
#: Events that are told to a few at once.
TOLD_AT_ONCE = frozenset(_TELLERS)
#: Events for everybody who bid or follows: told page by page (``broadcasts``).
BROADCAST = frozenset(
    {
        "auction:end",
        "auction:cancelled",
        "auction:reopened",
        "session:end",
        "campaign:scheduled",
        "campaign:start",
        "campaign:end",
    }
)


def lot_news(type_: str, data: dict[str, Any], facts: LotFacts) -> tuple[NotificationKind, tuple[str, str]]:
    """What a lot's event says to everybody who bid on it or follows it."""
    match type_:
        case "auction:end":
            sold = data["outcome"] == "SOLD"
            return NotificationKind.LOST, texts.lost(facts.lot, data["price"], sold=sold)
        case "auction:cancelled":
            return NotificationKind.CAMPAIGN_NEWS, texts.cancelled(facts.lot, data["cause"])
        case _:
            return NotificationKind.CAMPAIGN_NEWS, texts.reopened(facts.lot)


def campaign_news(type_: str, data: dict[str, Any], name: str) -> tuple[str, str] | None:
    """What a campaign's event says to its followers; None for nothing."""
    match type_:
        case "campaign:scheduled":
            return texts.campaign_planned(name, data["days"])
        case "campaign:start":
            return texts.campaign_begins(name)
        case "campaign:end":
            return texts.campaign_over(name, cancelled=data["outcome"] == "CANCELLED", reason=data["reason"])
        case "session:end" if data["stage"] == "CANCELLED":
            return texts.session_cancelled(name, data["number"], data["reason"])
        case _:
            return None
