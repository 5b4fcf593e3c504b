"""What campaigns need from the auctions, which they may not import; ``auctions.campaign_port`` is the adapter."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from sothebais.campaigns.model import LotRules
from sothebais.instants import Millis


class PlannedLot(msgspec.Struct, frozen=True, kw_only=True):
    """A lot to be; ``opens_after`` is the lot of the same day that must be over first."""

    id: UUID
    day: UUID
    art_item: UUID
    title: str
    lot_number: int
    starts_at: Millis
    ends_at: Millis
    rules: LotRules
    premium_percent: Decimal
    fee: Decimal
    seller: UUID | None
    opens_after: UUID | None


class LotSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a campaign knows of a lot it made. ``over``: it takes no bid any more."""

    id: UUID
    day: UUID
    lot_number: int
    art_item: UUID
    title: str
    starts_at: Millis
    ends_at: Millis
    status: str
    over: bool
    ended_at: Millis | None


class LotScheduler(Protocol):
    """Makes, shows and cancels the lots of campaign days, in the caller's transaction."""

    def validate_rules(self, rules: LotRules, *, premium_percent: Decimal, fee: Decimal) -> None:
        """Raise InvalidInput, its ``field`` naming the rule, for rules no lot could be held under."""

    async def taken(self, connection: AsyncConnection, collection: UUID) -> set[UUID]:
        """The collection's art items that may not be offered: sold, or in a lot that is not over."""

    async def schedule(self, connection: AsyncConnection, lots: Sequence[PlannedLot], now: Millis) -> None:
        """Write lots. Their reserves go where only the auction engine reads."""

    async def lots(self, connection: AsyncConnection, days: Sequence[UUID]) -> list[LotSummary]:
        """The lots of these days in the order of their numbers."""

    async def lock(self, connection: AsyncConnection, days: Sequence[UUID]) -> None:
        """Keep everybody else from writing to the lots of these days until the transaction ends.

        To be called before the transaction writes anything, a row lock included: a transaction that has its id
        already when it waits for a lot would stand in the log before what the lot was waiting for.
        """

    async def cancel(
        self, connection: AsyncConnection, days: Sequence[UUID], reason: str, actor: UUID | None, now: Millis
    ) -> int:
        """Cancel every lot of these days that is not over, running ones too; how many. After ``lock``."""
