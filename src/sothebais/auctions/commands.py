"""What can be asked of the engine: imperative, frozen, checked at the door."""

from decimal import Decimal
from uuid import UUID

import msgspec

from sothebais.auctions.model import Bid, Bidder, Discreet, Override, Source
from sothebais.instants import Millis


class PlaceBid(Discreet, msgspec.Struct, frozen=True, kw_only=True):
    """A bid as it came in. ``received_at`` was stamped on arrival, before any queue, in database time.

    ``effective_at`` is ``received_at`` but for posts. The same ``idempotency_key`` of the same user with the same
    ``request_hash`` gets the first answer again.
    """

    #: The hash too: there are few figures it could be of.
    SECRET = frozenset({"amount", "max_amount", "request_hash"})

    bid: UUID
    auction: UUID
    user: UUID
    amount: Decimal | None
    max_amount: Decimal | None
    currency: str
    confirm: bool
    source: Source
    received_at: Millis
    effective_at: Millis
    idempotency_key: str | None = None
    request_hash: bytes | None = None
    post_id: str | None = None
    correlation_id: UUID | None = None

    def as_bid(self, bidder: Bidder, effective_at: Millis, number: int) -> Bid:
        """The bid as the rules want it."""
        return Bid(
            id=self.bid,
            bidder=bidder,
            amount=self.amount,
            max_amount=self.max_amount,
            currency=self.currency,
            effective_at=effective_at,
            confirm=self.confirm,
            number=number,
        )


class OverrideAuction(msgspec.Struct, frozen=True, kw_only=True):
    """An operator's step on one lot; ``actor`` is the operator."""

    auction: UUID
    actor: UUID | None
    step: Override
    correlation_id: UUID | None = None


class AdvanceAuction(msgspec.Struct, frozen=True, kw_only=True):
    """The clock's word that something may be due on a lot; ``outage`` is a stretch in which nobody could bid."""

    auction: UUID
    outage: tuple[Millis, Millis] | None = None


type Command = PlaceBid | OverrideAuction | AdvanceAuction
