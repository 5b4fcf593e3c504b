"""What the engine answers once a commit stands."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from sothebais.auctions.model import BidStatus, Discreet
from sothebais.clock import Millis, from_datetime
from sothebais.errors import SothebaisError
from sothebais.events.log import Position, Record, canonical
from sothebais.events.types.base import Source

ENGINE = str(Source.AUCTION_ENGINE)


class Answer(Discreet, msgspec.Struct, kw_only=True):
    """What a caller gets once the commit stands. ``event`` tells everything public; ``opening`` is the bidder's own.

    ``repeated`` says that this is the first answer to the same idempotency key, told again.
    """

    SECRET = frozenset({"opening"})

    auction: UUID
    lot_number: int
    event: Record
    position: Position
    bid: UUID | None = None
    user: UUID | None = None
    received_at: Millis | None = None
    commitment: bytes | None = None
    opening: tuple[Decimal, bytes] | None = None
    repeated: bool = False

    @property
    def data(self) -> dict[str, Any]:
        """The event's data."""
        decoded: dict[str, Any] = msgspec.json.decode(self.event.data)
        return decoded

    @property
    def accepted(self) -> bool:
        """Whether the bid counts."""
        return self.event.type == "auction:bid:accepted"


#: One per command; None where there is nothing to say.
type Result = Answer | SothebaisError | None


def told_again(row: Any, lot_number: int) -> Answer:
    """The first answer to an idempotency key, from its row of ``hotpath.LOAD_REPEATED``."""
    accepted = row["status"] != BidStatus.REJECTED
    event = Record(
        id=UUID(int=0),
        type=row["type"],
        source=ENGINE,
        subject=f"auction:{row['auction_id']}",
        timestamp=from_datetime(row["timestamp"]),
        data=canonical(msgspec.json.decode(row["data"])),
        n=row["n"],
        hash=row["hash"],
    )
    return Answer(
        auction=row["auction_id"],
        lot_number=lot_number,
        event=event,
        position=Position(row["epoch"], row["xid"], row["seq"]),
        bid=row["id"],
        user=row["user_id"],
        received_at=from_datetime(row["received_at"]),
        opening=(row["max_amount"], row["salt"]) if accepted else None,
        repeated=True,
    )
