"""What needs no rules to be checked in a lot's log: its hash chain, its head, the place of a receipt. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sothebais.errors import VerificationFailed
from sothebais.events.chain import GENESIS, canonical, chain_hash


def check_chain(events: Sequence[Mapping[str, Any]]) -> UUID:
    """Numbers without a gap, one subject, every hash; the auction's id."""
    subject = events[0].get("subject", "")
    previous = GENESIS.hex()
    for place, event in enumerate(events, start=1):
        n = event.get("n")
        if n != place:
            found = "is missing or out of order" if isinstance(n, int) and n > place else "does not follow"
            raise VerificationFailed(f"Event {place} {found}: the log has {n!r} in its place.", n=place)
        if event.get("subject") != subject:
            raise VerificationFailed(f"Event {n} belongs to another lot.", n=n)
        if event.get("prev_hash") != previous:
            raise VerificationFailed(f"Event {n} does not follow the event before it: the chain is broken.", n=n)
        try:
            digest = chain_hash(
                canonical(event["data"]), n, bytes.fromhex(previous), event["timestamp"], event["type"]
            ).hex()
        except (KeyError, TypeError, ValueError) as error:
            raise VerificationFailed(f"Event {n} is not an event of a log: {error!r}.", n=n) from error
        if event.get("hash") != digest:
            raise VerificationFailed(f"Event {n} was changed: its hash does not fit its content.", n=n)
        previous = digest
    try:
        return UUID(str(subject).removeprefix("auction:"))
    except ValueError:
        raise VerificationFailed("The log does not say which auction it is of.", n=1) from None


def check_head(events: Sequence[Mapping[str, Any]], head: tuple[int, str] | None) -> None:
    """The log ends where its head says."""
    if head is None:
        return
    n, digest = head
    if n > len(events):
        raise VerificationFailed(f"The log is cut off: it had {n} events and has {len(events)}.", n=len(events) + 1)
    if n < len(events) or events[-1]["hash"] != digest:
        raise VerificationFailed("The log does not end where its head says.", n=min(n, len(events)))


def check_receipt(events: Sequence[Mapping[str, Any]], receipt: Mapping[str, Any]) -> None:
    """The bid of a receipt stands in the log where the receipt says, with the maximum it says."""
    try:
        n, digest, opening = receipt["n"], receipt["hash"], receipt["opening"]
        bid = opening["bid"]
    except (KeyError, TypeError):
        raise VerificationFailed("The receipt lacks n, hash or opening.", n=0) from None
    if not isinstance(n, int) or not 1 <= n <= len(events):
        raise VerificationFailed(
            f"The log is cut off: the receipt is for event {n}, which it lacks.", n=len(events) + 1
        )
    event = events[n - 1]
    if event["hash"] != digest or event["data"].get("bid") != bid:
        raise VerificationFailed(f"Event {n} is not what the receipt acknowledges.", n=n)
