"""One transaction of the engine: lock, read, decide in order of arrival, write everything, commit.

Nothing is answered before the commit; a failure anywhere leaves nothing behind. Of a large batch only the first half is
decided here: the other half, and after it whatever comes meanwhile, is decided on what this one leaves behind while
PostgreSQL writes. The next transaction writes that if it finds the lots, locked, exactly as they were assumed; where
somebody else has changed them in between, it decides again.
"""

import asyncio
from collections.abc import Callable, Container, Coroutine, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from prometheus_client import Counter

from sothebais.auctions import hotpath, records, rules
from sothebais.auctions.answers import Answer, Result
from sothebais.auctions.commands import AdvanceAuction, Command, OverrideAuction, PlaceBid
from sothebais.auctions.decisions import NOWHERE, Decisions, Read
from sothebais.auctions.hotpath import Working
from sothebais.auctions.model import SEALED, Bid, Bidder, Lot, Source, Status, Transition
from sothebais.clock import from_datetime
from sothebais.errors import Conflict, SothebaisError
from sothebais.events.log import Position

#: A large batch goes to PostgreSQL in parts, which are written while the next ones are decided: two halves, or more where
#: these would be large. To send and open a part costs as much as six bids, and a part of hundreds costs more for each.
WRITE_BIDS_MIN = 50
WRITE_BIDS_MAX = 100
#: So many bids are worth a transaction of their own, decided while the one before is written. Fewer wait and join the next.
AHEAD_BIDS_MIN = 40

AHEAD = Counter("sothebais_engine_ahead_batches_total", "Batches decided while the one before was written", ["outcome"])
_AS_FORESEEN, _DECIDED_AGAIN = AHEAD.labels("as_foreseen"), AHEAD.labels("decided_again")

#: Asked once, when those lots are locked and read: what else is to be decided on them.
type More = Callable[[Container[UUID]], Sequence[Command]]


class Foreseen(NamedTuple):
    """Bids decided before their transaction began, and the lots as they were assumed then."""

    assumed: Mapping[UUID, Working]
    decisions: Decisions


class Batch:
    """Decides one batch on one connection; used once.

    ``commands`` are, when it has run, all it was given and asked for: first those that it decided, one result each,
    then those of ``foreseen``, if any, then those it leaves for later.
    """

    def __init__(
        self,
        connection: Any,
        cache: hotpath.TermsCache,
        commands: Sequence[Command],
        more: More | None = None,
        before: Foreseen | None = None,
    ) -> None:
        self._connection = connection
        self._cache = cache
        self.commands = commands
        self._more = more
        self._before = before
        #: What is decided for the next transaction.
        self.foreseen: Foreseen | None = None
        self._made = Decisions({}, commands, Read(0, {}, {}))
        self._sent_bids = self._sent_events = 0
        self._positions: list[Position] = []
        self._writing: asyncio.Task[None] | None = None

    @property
    def count(self) -> int:
        """How many of the commands are decided in this transaction."""
        return len(self._made.commands)

    @property
    def timing_changed(self) -> bool:
        """Whether the lots' times changed, so that the clock should look again."""
        return self._made.timing_changed

    async def run(self) -> list[Result]:
        """Begin a transaction and do everything in it but the commit; a result for each of the first ``count`` commands."""
        auctions = sorted({command.auction for command in self.commands})
        await self._connection.execute(hotpath.begin(auctions))
        lots = await hotpath.load_lots(self._connection, auctions, self._cache)
        if self._more is not None:
            self.commands = [*self.commands, *self._more(lots)]
        try:
            if self._before is not None and _as_assumed(self._before, lots):
                _AS_FORESEEN.inc()
                await self._write_foreseen(self._before.decisions)
            else:
                if self._before is not None:
                    _DECIDED_AGAIN.inc()
                await self._decide_now(lots)
        finally:
            if self._writing is not None:  # an error came first; the connection is free only when the write is over
                await asyncio.gather(self._writing, return_exceptions=True)
        return self._made.settle(self._positions)

    async def _write_foreseen(self, decisions: Decisions) -> None:
        self._made = decisions
        ahead = self.commands[self.count :]
        read = await self._read(ahead) if len(ahead) >= AHEAD_BIDS_MIN else None
        await self._start(self._write_in_parts())
        if read is not None:
            await self._look_ahead(ahead, read)
        await self._written()

    async def _decide_now(self, lots: dict[UUID, Working]) -> None:
        read = await self._read(self.commands)
        count = self._share(lots)
        made = self._made = Decisions(lots, self.commands[:count], read)
        for working in lots.values():
            made.advance(working, end=False)
        part = min(max(count // 2, WRITE_BIDS_MIN), WRITE_BIDS_MAX)
        for index, command in enumerate(made.commands):
            if isinstance(command, PlaceBid):
                made.bid(index, command)
            else:
                await self._written()  # it may ask the database
                await self._decide_step(index, command)
            if (index + 1) % part == 0 and index + part < count:
                await self._start(self._write(len(made.bids), len(made.events)))
        await self._written()
        for working in lots.values():
            await self._advance_to_end(working)
        changed = [working for working in lots.values() if working.changed]
        if changed:
            await self._start(self._write(len(made.bids), len(made.events), changed))
        if count < len(self.commands):
            await self._look_ahead(self.commands[count:], read)
        await self._written()
        await self._open_sealed()

    def _share(self, lots: Mapping[UUID, Working]) -> int:
        """How many commands this transaction decides: half of many bids on the same lots, else all."""
        count = len(self.commands)
        half = (count + 1) // 2
        if self._more is None or half < AHEAD_BIDS_MIN:
            return count
        if any(type(command) is not PlaceBid for command in self.commands):
            return count
        if len(lots) > 1:
            first = {command.auction.int for command in self.commands[:half]}
            if not first.issuperset(command.auction.int for command in self.commands[half:]):
                return count
        return half

    async def _look_ahead(self, commands: Sequence[Command], read: Read) -> None:
        """Decide those bids on what this transaction leaves behind, while it is written."""
        made = self._made
        assumed = {
            auction: made.lots[auction] for auction in {command.auction for command in commands} & made.lots.keys()
        }
        if read.now < made.now or not all(_stays_open(working, read) for working in assumed.values()):
            return
        if any(type(command) is not PlaceBid or made.has_key(command) for command in commands):
            return
        decisions = Decisions({auction: working.copy() for auction, working in assumed.items()}, commands, read)
        for start in range(0, len(commands), WRITE_BIDS_MIN):
            decisions.place_all(range(start, min(start + WRITE_BIDS_MIN, len(commands))))
            await asyncio.sleep(0)  # so that the next part is sent
        self.foreseen = Foreseen(assumed, decisions)

    async def _write_in_parts(self) -> None:
        made = self._made
        parts = -(-max(len(made.bids), len(made.events)) // WRITE_BIDS_MAX)
        for part in range(1, parts):
            await self._write(len(made.bids) * part // parts, len(made.events) * part // parts)
        changed = [working for working in made.lots.values() if working.changed]
        if changed:
            await self._write(len(made.bids), len(made.events), changed)

    async def _write(self, bids: int, events: int, lots: Sequence[Working] = ()) -> None:
        """Write the rows up to those numbers, and at last the lots."""
        made = self._made
        rows, told = made.bids[self._sent_bids : bids], made.events[self._sent_events : events]
        self._sent_bids, self._sent_events = bids, events
        self._positions += await hotpath.write(self._connection, made.now, rows, told, lots)

    async def _start(self, writing: Coroutine[Any, Any, None]) -> None:
        """Have that written, after what is being written, while something else is done."""
        await self._written()
        self._writing = asyncio.create_task(writing)
        await asyncio.sleep(0)  # so that it is sent

    async def _written(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            await writing

    async def _read(self, commands: Sequence[Command]) -> Read:
        bids = [command for command in commands if type(command) is PlaceBid]
        rows = await self._connection.fetch(
            hotpath.LOAD_PEOPLE, [bid.user for bid in bids], [bid.idempotency_key for bid in bids]
        )
        people = {}
        repeated: dict[tuple[int, str], Any] = {}
        again_at_all = False
        for _, person, blocked, has_wallet, again in rows:
            if person is not None:
                people[person.int] = Bidder(person, blocked, has_wallet)
            again_at_all = again_at_all or again
        if again_at_all:
            keyed = [bid for bid in bids if bid.idempotency_key is not None]
            found = await self._connection.fetch(
                hotpath.LOAD_REPEATED, [bid.user for bid in keyed], [bid.idempotency_key for bid in keyed]
            )
            repeated = {(row["user_id"].int, row["idempotency_key"]): row for row in found}
        return Read(from_datetime(rows[0]["now"]), people, repeated)

    async def _decide_step(self, index: int, command: OverrideAuction | AdvanceAuction) -> None:
        try:
            working = self._made.working(command.auction)
            if isinstance(command, OverrideAuction):
                await self._override(index, command, working)
            else:
                self._give_back(command, working)
        except SothebaisError as error:  # this caller's fault
            self._made.results[index] = error

    async def _override(self, index: int, command: OverrideAuction, working: Working) -> None:
        before, step = working.lot, command.step
        bids: list[Bid] = []
        if step.kind == "VOID_BID":
            bids, found = await hotpath.load_accepted(self._connection, before.id)
            working.secrets |= found
            if any(row.auction_id == before.id for row in self._made.bids):
                raise Conflict("Bids on this lot are being decided at this moment; try again.")
        if step.kind == "REOPEN" and await self._connection.fetchval(hotpath.HAS_SETTLEMENT, before.id):
            raise Conflict("This lot has been invoiced and cannot be re-opened.")
        if step.kind == "START" and before.held:
            raise Conflict("An earlier lot of this day has not ended yet.")
        lot, transitions, opened = rules.override(before, step, self._made.now, bids)
        working.lot = lot
        transition = transitions[0]
        if step.kind == "VOID_BID" and step.bid is not None:
            await self._void(command, working, transition, before=before, bids=bids, opened=opened)
        elif step.kind == "END":
            await self._load_sealed_secrets(working)
            self._made.end(working, transition, actor=command.actor, correlation=command.correlation_id)
        else:
            data = records.step(lot, transition, command.actor)
            self._made.event(working, str(transition.kind), data, command.correlation_id)
        self._made.timing_changed = True
        answer = Answer(auction=lot.id, lot_number=working.lot_number, event=self._made.events[-1], position=NOWHERE)
        self._made.answer(index, answer, len(self._made.events) - 1)

    async def _void(
        self,
        command: OverrideAuction,
        working: Working,
        transition: Transition,
        *,
        before: Lot,
        bids: Sequence[Bid],
        opened: Sequence[UUID],
    ) -> None:
        bid = command.step.bid
        voided = await self._connection.fetch(hotpath.VOID_ROWS, before.id, bid)
        superseded = [row["id"] for row in voided if row["source"] == Source.PROXY]
        _, made = rules.refold(working.lot, [kept for kept in bids if kept.id != bid])
        rows = self._made.raise_rows(working, made)
        working.bid_count -= 1
        working.previous_price = before.standing.price
        # a voided maximum never stands again; nothing needs to stay secret about it
        shown = [*opened, *([bid] if bid not in opened and working.lot.terms.format not in SEALED else [])]
        data = records.voided(
            before,
            working.lot,
            transition,
            bid or UUID(int=0),
            bid_count=working.bid_count,
            rows=rows,
            led_at=next((kept.effective_at for kept in bids if kept.id == working.lot.standing.leading_bid), None),
            superseded=superseded,
            opened=[one for one in shown if one is not None],
            secrets=working.secrets,
            actor=command.actor,
        )
        self._made.event(working, str(transition.kind), data, command.correlation_id)
        self._made.keep_raises(working, rows)

    def _give_back(self, command: AdvanceAuction, working: Working) -> None:
        if command.outage is None:
            return
        lot, transitions = rules.outage(working.lot, *command.outage)
        working.lot = lot
        for transition in transitions:
            self._made.timing_changed = True
            self._made.event(working, str(transition.kind), records.step(lot, transition))

    async def _advance_to_end(self, working: Working) -> None:
        due = rules.next_due(working.lot)
        if due is not None and due <= self._made.now:
            await self._load_sealed_secrets(working)
        self._made.advance(working, end=True)

    async def _open_sealed(self) -> None:
        """Show the amounts of sealed lots that have ended, when all their bids are written."""
        for working in self._made.lots.values():
            if working.lot.status is Status.ENDED and working.changed and working.lot.terms.format in SEALED:
                await self._connection.execute(hotpath.OPEN_AMOUNTS, working.lot.id)

    async def _load_sealed_secrets(self, working: Working) -> None:
        if working.lot.terms.format in SEALED:
            _, found = await hotpath.load_accepted(self._connection, working.lot.id)
            working.secrets |= found


def _as_assumed(before: Foreseen, lots: Mapping[UUID, Working]) -> bool:
    """Whether nobody has changed a lot since it was decided on; it is locked now."""
    return before.assumed.keys() == lots.keys() and all(
        lots[auction].same_as(working) for auction, working in before.assumed.items()
    )


def _stays_open(working: Working, read: Read) -> bool:
    """Whether nothing but bids can happen to a lot before they are decided."""
    due = rules.next_due(working.lot)
    return (
        working.lot.status is Status.ACTIVE
        and working.lot.terms.format not in SEALED
        and (due is None or due > read.now)
    )
