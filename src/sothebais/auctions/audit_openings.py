"""The secrets a lot's log gives away, held against their commitments, and what the prices prove of the others. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sothebais import money
from sothebais.auctions import commitments
from sothebais.errors import VerificationFailed

type Event = Mapping[str, Any]


def maxima(auction: UUID, events: Sequence[Event], given: Sequence[Mapping[str, Any]]) -> dict[str, Decimal]:
    """The maximum of every bid whose opening stands in the log or was given beside it, by bid."""
    bids = {event["data"]["bid"]: event for event in events if event["type"] == "auction:bid:accepted"}
    known: dict[str, Decimal] = {}
    places = [(opening, event["n"]) for event in events for opening in event["data"].get("openings", ())]
    for opening, n in [*places, *((opening, 0) for opening in given)]:
        bid = opening.get("bid")
        if bid not in bids:
            raise VerificationFailed(f"An opening names a bid that was not accepted here: {bid}.", n=n)
        maximum = money.parse_amount(opening["max_amount"], money.DECIMALS_MAX, name="max_amount")
        commitment = commitments.maximum_commitment(auction, UUID(bid), maximum, bytes.fromhex(opening["salt"]))
        if commitment.hex() != bids[bid]["data"]["max_commitment"]:
            raise VerificationFailed(f"The opening of bid {bid} does not fit its commitment.", n=n or bids[bid]["n"])
        known[bid] = maximum
    return known


def reserve(auction: UUID, events: Sequence[Event]) -> Decimal | None:
    """The reserve, if the log opens it anywhere."""
    committed = events[0]["data"]["terms"]["reserve_commitment"]
    found: Decimal | None = None
    for event in events:
        opening = event["data"] if event["type"] == "auction:reserve:met" else event["data"].get("reserve")
        if not isinstance(opening, Mapping):
            continue
        found = money.parse_amount(opening["reserve"], money.DECIMALS_MAX, name="reserve")
        salt = bytes.fromhex(opening["salt"])
        if commitments.reserve_commitment(auction, found, salt).hex() != committed:
            raise VerificationFailed("The reserve that was opened is not the one that was committed.", n=event["n"])
    return found


def placeholders(events: Sequence[Event], known: Mapping[str, Decimal], unit: Decimal) -> dict[str, Decimal]:
    """For every maximum that is not known the least value the prices prove, rising along a leader's own raises.

    True maxima are at least this and in this order, so every decision comes out as it did.
    """
    least: dict[str, Decimal] = {}
    user_of = {
        event["data"]["bid"]: event["data"]["user"] for event in events if event["type"] == "auction:bid:accepted"
    }
    leading: str | None = None
    for event in events:
        data = event["data"]
        if event["type"] not in ("auction:bid:accepted", "auction:bid:voided"):
            continue
        previous, leading = leading, data["leading_bid"]
        if leading is None or leading in known or data["price"] is None:
            continue
        price = Decimal(data["price"])
        below = known.get(previous or "", least.get(previous or ""))
        if leading not in least and below is not None and user_of[leading] == user_of[previous or ""]:
            price = max(price, money.add(below, unit))
        least[leading] = max(price, least.get(leading, price))
    return least
