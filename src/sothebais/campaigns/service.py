"""Campaigns: planned, started, moved along by time, cancelled. Every change is one transaction with its events.

The lots of a campaign are written when it is created, not when it is started: then everything that can be refused is
refused at once, a reserve goes straight to where only the auction engine reads (there is no other place where it
could wait), and what ``plan`` shows are the lots themselves. The lots of a DRAFT are SCHEDULED like all others, so
nobody may open a lot of a campaign that is not SCHEDULED or ACTIVE: neither the auction clock nor a bid.
"""

import hashlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from msgspec.structs import replace
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sothebais import ids
from sothebais.campaigns import repository
from sothebais.campaigns.model import (
    DAY_OVER,
    NEXT_DAY_STEP,
    REASON_LENGTH_MAX,
    RUNNING,
    CampaignDetails,
    CampaignPlan,
    CampaignStatus,
    CampaignStep,
    CollectionOrder,
    DayDetails,
    DayStatus,
    DayStep,
    ListedOrder,
    Order,
    ShuffledOrder,
    after_campaign,
    after_day,
)
from sothebais.campaigns.ports import LotScheduler, LotSummary, PlannedLot
from sothebais.errors import Conflict, IllegalTransition, InvalidInput, Unavailable
from sothebais.events import log
from sothebais.events.actions import Actor, action
from sothebais.instants import Millis, isoformat

#: How soon to look again at a day whose time is over but whose lots are not.
LOTS_WAIT_MS = 500
RETRY_AFTER_S = 1

_STEP_EVENTS: dict[DayStep, tuple[str, ...]] = {
    DayStep.PRE_AUCTION: ("session:start", "session:pre_auction"),
    DayStep.AUCTION: ("session:auction",),
    DayStep.POST_AUCTION: ("session:post_auction",),
    DayStep.COMPLETE: ("session:end",),
    DayStep.CANCEL: ("session:end",),
}


async def create(
    engine: AsyncEngine, plan: CampaignPlan, scheduler: LotScheduler, now: Millis, *, actor: Actor | None = None
) -> UUID:
    """Write a campaign as DRAFT with its days and lots, all or nothing; its id.

    Raises NotFound (collection), Conflict (slug in use, art item taken) or InvalidInput.
    """
    _validate(plan, scheduler, now)
    async with engine.begin() as connection:
        collection = await repository.lock_collection(connection, plan.collection)
        # the slug first: who creates a file twice should hear of that, not that its art items are taken
        campaign = await repository.insert_campaign(connection, plan, collection.id)
        pieces = iter(await _choose(connection, plan, collection.id, scheduler))
        for day in plan.days:
            key = await repository.insert_day(connection, campaign, day)
            before: UUID | None = None
            lots = []
            for slot, piece in zip(day.slots, pieces, strict=False):
                lots.append(
                    PlannedLot(
                        id=ids.new_id(),
                        day=key,
                        art_item=piece.id,
                        title=piece.name,
                        lot_number=slot.number,
                        starts_at=slot.starts_at,
                        ends_at=slot.ends_at,
                        rules=plan.items.get(piece.token_id, plan.rules),
                        premium_percent=plan.premium_percent,
                        fee=plan.fee,
                        seller=collection.seller_id,
                        opens_after=before,
                    )
                )
                before = lots[-1].id
            await scheduler.schedule(connection, lots, now)
        await _record(connection, actor, "campaign.create", campaign, now)
    return campaign


async def change(
    engine: AsyncEngine, campaign: UUID | str, values: dict[str, str], now: Millis, *, actor: Actor
) -> CampaignDetails:
    """Change the ``name`` or ``description`` of a draft; IllegalTransition once it was started.

    Everything else is in the terms of its lots, which were promised when they were written: cancel the draft and
    create another.
    """
    async with engine.begin() as connection:
        found = await _held(connection, campaign)
        if found.status is not CampaignStatus.DRAFT:
            raise IllegalTransition(
                f"A campaign that is {found.status} cannot be changed; only a DRAFT can.",
                campaign_status=str(found.status),
            )
        changed = {name: value for name, value in values.items() if getattr(found, name) != value}
        if changed:
            await repository.set_texts(connection, found.id, changed)
            await _record(connection, actor, "campaign.change", found.id, now, changed=sorted(changed))
        return replace(found, **changed)


async def _record(
    connection: AsyncConnection,
    actor: Actor | None,
    name: str,
    campaign: UUID,
    now: Millis,
    *,
    changed: Sequence[str] = (),
) -> None:
    if actor is not None:
        await log.append(connection, [action(actor, name, f"campaign:{campaign}", at=now, changed=changed)])


async def start(
    engine: AsyncEngine, campaign: UUID | str, now: Millis, *, actor: Actor | None = None
) -> CampaignDetails:
    """DRAFT → SCHEDULED: from here on time moves it. Conflict when its first lot should be open already."""
    async with engine.begin() as connection:
        found = await _held(connection, campaign)
        status = after_campaign(found.status, CampaignStep.SCHEDULE)
        days = await repository.days(connection, found.id)
        if days[0].auction_at <= now:
            raise Conflict(
                f"The first auction of {found.slug} was due at {isoformat(days[0].auction_at)}, which is over."
                " Cancel this campaign and create it with later dates.",
                field="dates",
            )
        started = replace(found, status=status, version=found.version + 1)
        await repository.set_campaign(connection, found.id, status, started.version)
        data = _course_data(started, len(days)) | {"version": started.version}
        await log.append(connection, [log.event("campaign:scheduled", f"campaign:{found.id}", data, at=now)])
        await _record(connection, actor, "campaign.start", found.id, now)
        return started


async def plan(
    engine: AsyncEngine, campaign: UUID | str, scheduler: LotScheduler
) -> tuple[CampaignDetails, list[DayDetails], list[LotSummary]]:
    """A campaign with its days and lots as they stand. Reserves are not among what is known of a lot."""
    async with engine.connect() as connection:
        found = await repository.find(connection, campaign)
        days = await repository.days(connection, found.id)
        return found, days, await scheduler.lots(connection, [day.id for day in days])


async def cancel(
    engine: AsyncEngine,
    campaign: UUID | str,
    *,
    reason: str,
    actor: UUID | None,
    scheduler: LotScheduler,
    now: Millis,
) -> int:
    """Cancel a campaign, its days and every lot that is not over, running ones too; how many lots."""
    reason = reason.strip()
    if not 0 < len(reason) <= REASON_LENGTH_MAX:
        raise InvalidInput(f"reason: say why, in at most {REASON_LENGTH_MAX} characters.", field="reason")
    async with engine.begin() as connection:
        # the lots first: nothing may be written before both locks are there
        found = await repository.find(connection, campaign)
        await scheduler.lock(connection, [day.id for day in await repository.days(connection, found.id)])
        found = await _held(connection, found.id)
        after_campaign(found.status, CampaignStep.CANCEL)
        course = await _Course.read(connection, found, scheduler)
        open_days = [day for day in course.days if day.status not in DAY_OVER]
        cancelled = await scheduler.cancel(connection, [day.id for day in open_days], reason, actor, now)
        course.lots = await scheduler.lots(connection, [day.id for day in course.days])
        for day in open_days:
            await course.step_day(day, DayStep.CANCEL, now, reason=reason, actor=actor)
        await course.step(CampaignStep.CANCEL, now, reason=reason, actor=actor)
        return cancelled


async def advance(where: AsyncEngine | AsyncConnection, scheduler: LotScheduler, now: Millis) -> Millis | None:
    """Take every step that is due, in the order in which it was; the instant at which to look again, None for never.

    With an engine each campaign has a transaction of its own, with a connection all share the caller's, in which
    nothing may have been written yet. Any number of processes may do this at once: whoever comes second waits for the campaign's row and finds nothing to do.
    Raises Unavailable when the database does not answer; what was not committed is done the next time.
    """
    try:
        if isinstance(where, AsyncConnection):
            soon, ready = _sorted_out(await repository.running(where), now)
            await repository.lock(where, ready)
            for campaign in ready:
                soon += await _advance_one(where, campaign, scheduler, now)
            return min(soon, default=None)
        async with where.connect() as connection:
            soon, ready = _sorted_out(await repository.running(connection), now)
        for campaign in ready:
            async with where.begin() as connection:
                soon += await _advance_one(connection, campaign, scheduler, now)
        return min(soon, default=None)
    except (IntegrityError, ProgrammingError, DataError):
        raise  # a fault of ours, which trying again does not mend
    except (DBAPIError, PoolTimeout) as error:
        raise Unavailable(f"PostgreSQL does not answer: {error}", retry_after=RETRY_AFTER_S) from error


def _sorted_out(running: list[tuple[UUID, Millis | None]], now: Millis) -> tuple[list[Millis], list[UUID]]:
    """The instants that are still to come, and the campaigns on which something may be due."""
    return (
        [due for _, due in running if due is not None and due > now],
        [campaign for campaign, due in running if due is None or due <= now],
    )


async def _advance_one(
    connection: AsyncConnection, campaign: UUID, scheduler: LotScheduler, now: Millis
) -> tuple[Millis, ...]:
    # first without the lock: a day that waits for its lots is looked at often, and nothing should be written
    course = await _Course.read(connection, await repository.find(connection, campaign), scheduler)
    if not course.is_due(now):
        return course.next_due(now)
    course = await _Course.read(connection, await _held(connection, campaign), scheduler)
    await course.catch_up(now)
    return course.next_due(now)


async def _held(connection: AsyncConnection, campaign: UUID | str) -> CampaignDetails:
    """The campaign as nobody else can change it until this transaction ends."""
    found = await repository.find(connection, campaign)
    await repository.lock(connection, [found.id])
    return await repository.find(connection, found.id, for_update=True)


class _Course:
    """One campaign in the hands of one transaction."""

    def __init__(
        self, connection: AsyncConnection, campaign: CampaignDetails, days: list[DayDetails], lots: list[LotSummary]
    ) -> None:
        self.connection = connection
        self.campaign = campaign
        self.days = days
        self.lots = lots

    @classmethod
    async def read(cls, connection: AsyncConnection, campaign: CampaignDetails, scheduler: LotScheduler) -> "_Course":
        days = await repository.days(connection, campaign.id)
        return cls(connection, campaign, days, await scheduler.lots(connection, [day.id for day in days]))

    def is_due(self, now: Millis) -> bool:
        """Whether there is a step to take."""
        if self.campaign.status not in RUNNING:
            return False
        return self._next_day(now) is not None or all(day.status in DAY_OVER for day in self.days)

    def next_due(self, now: Millis) -> tuple[Millis, ...]:
        """When the days that are left are due, no earlier than is worth looking again."""
        if self.campaign.status not in RUNNING:
            return ()
        return tuple(
            due if due > now else now + LOTS_WAIT_MS
            for day in self.days
            if day.status not in DAY_OVER
            for due in (_due(day),)
        )

    async def catch_up(self, now: Millis) -> None:
        """Take the steps one by one, always the one that was due first."""
        while self.campaign.status in RUNNING:
            day = self._next_day(now)
            if day is not None:
                if self.campaign.status is CampaignStatus.SCHEDULED:
                    await self.step(CampaignStep.START, now)
                await self.step_day(day, NEXT_DAY_STEP[day.status], now)
            elif all(day.status in DAY_OVER for day in self.days):
                await self.step(CampaignStep.COMPLETE, now)
            else:
                return

    async def step(
        self, step: CampaignStep, now: Millis, *, reason: str | None = None, actor: UUID | None = None
    ) -> None:
        """Move the campaign and say so."""
        status = after_campaign(self.campaign.status, step)
        self.campaign = replace(self.campaign, status=status)
        data: dict[str, Any]
        if step is CampaignStep.START:
            kind = "campaign:start"
            data = _course_data(self.campaign, len(self.days))
        else:
            kind = "campaign:end"
            data = {"outcome": str(status), "reason": reason, "actor": _text(actor)}
        await self._tell(kind, data, now)

    async def step_day(
        self, day: DayDetails, step: DayStep, now: Millis, *, reason: str | None = None, actor: UUID | None = None
    ) -> None:
        """Move a day and say so."""
        lots = [lot for lot in self.lots if lot.day == day.id]
        moved = replace(day, status=after_day(day.status, step))
        if step is DayStep.POST_AUCTION:
            # lots that ended late take nothing from the stage after them
            begins = max([day.post_auction_at, *(lot.ended_at for lot in lots if lot.ended_at is not None)])
            moved = replace(moved, post_auction_at=begins, ends_at=begins + day.ends_at - day.post_auction_at)
        self.days = [moved if other.id == day.id else other for other in self.days]
        await repository.set_day(self.connection, moved, now)
        for kind in _STEP_EVENTS[step]:
            data = {
                "day": str(day.id),
                "number": day.number,
                "date": day.date.isoformat(),
                "stage": str(moved.status),
                "lots": [str(lot.id) for lot in lots],
                "completed": sum(lot.over for lot in lots),
                "reason": reason,
                "actor": _text(actor),
            }
            await self._tell(kind, data, now)

    async def _tell(self, kind: str, data: dict[str, Any], now: Millis) -> None:
        """Write the event and the campaign's row, whose version is that of its last event."""
        version = self.campaign.version + 1
        self.campaign = replace(self.campaign, version=version)
        await repository.set_campaign(self.connection, self.campaign.id, self.campaign.status, version)
        event = log.event(kind, f"campaign:{self.campaign.id}", data | {"version": version}, at=now)
        await log.append(self.connection, [event])

    def _next_day(self, now: Millis) -> DayDetails | None:
        ready = [day for day in self.days if day.status not in DAY_OVER and _due(day) <= now and self._may_go(day)]
        return min(ready, key=lambda day: (_due(day), day.number), default=None)

    def _may_go(self, day: DayDetails) -> bool:
        return day.status is not DayStatus.AUCTION or all(lot.over for lot in self.lots if lot.day == day.id)


def _due(day: DayDetails) -> Millis:
    """When a day that is not over changes its stage, if its lots allow it."""
    match day.status:
        case DayStatus.SCHEDULED:
            return day.pre_auction_at
        case DayStatus.PRE_AUCTION:
            return day.auction_at
        case DayStatus.AUCTION:
            return day.post_auction_at
        case _:
            return day.ends_at


def _validate(plan: CampaignPlan, scheduler: LotScheduler, now: Millis) -> None:
    if not plan.days or any(not day.slots for day in plan.days):
        raise InvalidInput("dates: a campaign needs at least one day, and every day a lot.", field="dates")
    if plan.days[0].auction_at <= now:
        raise InvalidInput(
            f"dates: the first auction would be at {isoformat(plan.days[0].auction_at)}, which is over."
            " Choose later dates.",
            field="dates",
        )
    validate_rules(plan, scheduler)


def validate_rules(plan: CampaignPlan, scheduler: LotScheduler) -> None:
    """Raise InvalidInput, naming the field as the campaign file has it, for rules no lot could be held under."""
    for token_id, rules in (("", plan.rules), *plan.items.items()):
        where = f"items.{token_id}" if token_id else "rules"
        try:
            scheduler.validate_rules(rules, premium_percent=plan.premium_percent, fee=plan.fee)
        except InvalidInput as error:
            field = error.fields.get("field")
            path = f"{'fees' if field in ('premium_percent', 'fee') else where}.{field}" if field else where
            raise type(error)(f"{path}: {error.message}", field=path) from error


async def _choose(
    connection: AsyncConnection, plan: CampaignPlan, collection: UUID, scheduler: LotScheduler
) -> Sequence[Any]:
    """The art items of the campaign in the order of its lots."""
    everything = await repository.items(connection, collection)
    taken = await scheduler.taken(connection, collection)
    taken |= {
        lot.art_item
        for lot in await scheduler.lots(connection, await repository.unfinished_days(connection, collection))
    }
    chosen = _ordered(plan.order, everything, taken)
    needed = plan.lot_count
    if len(chosen) < needed:
        raise InvalidInput(
            f"daily.lots_per_day: the campaign has {needed} lots but only {len(chosen)} art items of"
            f" {plan.collection} are free ({len(everything)} in all; the others are sold or in another campaign).",
            field="daily.lots_per_day",
            needed=needed,
            free=len(chosen),
        )
    if isinstance(plan.order, ListedOrder) and len(chosen) > needed:
        raise InvalidInput(f"order: {len(chosen)} art items are listed for {needed} lots.", field="order")
    chosen = chosen[:needed]
    idle = sorted(set(plan.items) - {piece.token_id for piece in chosen})
    if idle:
        raise InvalidInput(f"items.{idle[0]}: this art item is not in the campaign.", field=f"items.{idle[0]}")
    return chosen


def _ordered(order: Order, everything: Sequence[Any], taken: set[UUID]) -> list[Any]:
    free = [piece for piece in everything if piece.id not in taken]
    match order:
        case CollectionOrder():
            return free
        case ShuffledOrder(seed):
            return sorted(free, key=lambda piece: hashlib.sha256(f"{seed}:{piece.token_id}".encode()).digest())
        case ListedOrder(token_ids):
            known = {piece.token_id: piece for piece in everything}
            for token_id in token_ids:
                if token_id not in known:
                    raise InvalidInput(f"order: the collection has no art item {token_id}.", field="order")
                if known[token_id].id in taken:
                    raise Conflict(f"order: art item {token_id} is sold or in another campaign.", field="order")
            return [known[token_id] for token_id in token_ids]


def _course_data(campaign: CampaignDetails, days: int) -> dict[str, Any]:
    return {"name": campaign.name, "collection": str(campaign.collection), "days": days}


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
