"""One module per auction format, each with the functions of ``FormatRules``. Pure."""

from decimal import Decimal
from typing import Protocol

from sothebais.auctions.formats import dutch, english, sealed
from sothebais.auctions.formats.verdict import Accepted, Refused
from sothebais.auctions.model import Bid, Format, Standing, Terms, Timing
from sothebais.instants import Millis


class FormatRules(Protocol):
    """What a format's module offers."""

    def validate(self, terms: Terms, /) -> None:
        """Raise InvalidInput for terms the format cannot keep."""

    def next_valid(self, terms: Terms, standing: Standing, timing: Timing, at: Millis, /) -> Decimal | None:
        """The least amount a new bidder could offer at that moment; None when no bid can follow."""

    def buy_now_on_offer(self, terms: Terms, standing: Standing, /) -> bool:
        """Whether an explicit bid at the buy-now price would end the lot."""

    def offer(
        self, terms: Terms, standing: Standing, timing: Timing, bid: Bid, /
    ) -> tuple[Standing, Accepted] | Refused:
        """What the price says of a bid that passed every other check."""

    def conclude(self, terms: Terms, standing: Standing, /) -> Standing:
        """The standing with the winner and the price to pay, when the lot ends."""


FORMATS: dict[Format, FormatRules] = {
    Format.ENGLISH: english,
    Format.DUTCH: dutch,
    Format.SEALED_FIRST_PRICE: sealed,
    Format.SEALED_SECOND_PRICE: sealed,
}
