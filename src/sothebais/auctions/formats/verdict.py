"""What a format says of a bid that has passed every check but the price. Pure."""

from decimal import Decimal
from uuid import UUID

import msgspec

from sothebais.auctions.model import Discreet, Raise, Reason


class Accepted(Discreet, msgspec.Struct, frozen=True, kw_only=True):
    """The bid stands. ``amount`` is None where the format keeps it secret."""

    SECRET = frozenset({"committed"})

    amount: Decimal | None
    #: The maximum the house commits to for this bid; what its opening will show.
    committed: Decimal
    #: The visible amount is the house's offer, not the bidder's own figure.
    offered_by_house: bool = False
    raises: tuple[Raise, ...] = ()
    opened: tuple[UUID, ...] = ()
    #: A rival moved the leader or the price: this is what a soft close answers to.
    moved: bool = False
    #: The bid ends the lot at once.
    decisive: bool = False
    bought_now: bool = False


class Refused(msgspec.Struct, frozen=True):
    """The price does not allow the bid."""

    reason: Reason
    message: str
