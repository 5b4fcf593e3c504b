"""From events of the log to what the host takes from them."""

from decimal import Decimal
from uuid import UUID

from sothebais.agent.model import Seen
from sothebais.events.types import Event
from sothebais.events.types.auction import AuctionEnd, BidAccepted, BidVoided, Step
from sothebais.events.types.stream import OutputDown, StreamError

#: Parts of the show whose faults nobody sees as trouble with the picture.
_NOT_SEEN = frozenset({"ASSET", "AUDIO", "SCENE", "INPUT"})


def seen(event: Event) -> Seen:
    """What the host takes from an event."""
    kind, _, about = event.subject.partition(":")
    lot = UUID(about) if kind == "auction" else None
    match event.data:
        case BidAccepted() as bid:
            return Seen(
                id=event.id,
                type=event.type,
                at=event.timestamp,
                lot=lot,
                user=bid.user,
                bid_count=bid.bid_count,
                price=_amount(bid.price),
                previous_price=_amount(bid.previous_price),
                next_valid=_amount(bid.next_valid_amount),
                extension_count=bid.extension_count,
            )
        case AuctionEnd() as end:
            return Seen(
                id=event.id,
                type=event.type,
                at=event.timestamp,
                lot=lot,
                sold=end.outcome == "SOLD",
                price=_amount(end.price),
            )
        case Step() | BidVoided() as step:
            return Seen(
                id=event.id,
                type=event.type,
                at=event.timestamp,
                lot=lot,
                next_valid=_amount(step.next_valid_amount),
                extension_count=step.extension_count,
            )
        case StreamError() as fault:
            mended = fault.recovered or fault.component in _NOT_SEEN
            return Seen(id=event.id, type=event.type, at=event.timestamp, recovered=mended)
        case OutputDown() as down:
            # the house's own files are no viewer's way to watch
            return Seen(id=event.id, type=event.type, at=event.timestamp, recovered=down.kind == "RECORDING")
        case _:
            return Seen(id=event.id, type=event.type, at=event.timestamp, lot=lot)


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
