"""One transaction of the engine: lock, read, decide in order of arrival, write everything, commit.

Nothing is answered before the commit; a failure anywhere leaves nothing behind.
"""

import asyncio
from collections.abc import Callable, Container, Sequence
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from sothebais import ids
from sothebais.auctions import commitments, hotpath, records, rules
from sothebais.auctions.answers import ENGINE, Answer, Result, told_again
from sothebais.auctions.commands import AdvanceAuction, Command, OverrideAuction, PlaceBid
from sothebais.auctions.hotpath import Working
from sothebais.auctions.machine import OVER
from sothebais.auctions.model import (
    SEALED,
    Bid,
    Bidder,
    Lot,
    Outcome,
    Raise,
    Source,
    Status,
    Transition,
    TransitionKind,
)
from sothebais.auctions.rows import BidRow, bid_row, raise_row
from sothebais.clock import Millis, from_datetime
from sothebais.errors import Conflict, IdempotencyConflict, NotFound, SothebaisError
from sothebais.events.log import Position, Record, chain_hash

#: A large batch goes to PostgreSQL in parts, which are written while the next ones are decided: two halves, or more where
#: these would be large. To send and open a part costs as much as six bids, and a part of hundreds costs more for each.
WRITE_BIDS_MIN = 50
WRITE_BIDS_MAX = 100

_NOWHERE = Position(0, 0, 0)

#: Asked once, when those lots are locked and read: what else is to be decided on them.
type More = Callable[[Container[UUID]], Sequence[Command]]


class Batch:
    """Decides one batch on one connection; used once."""

    def __init__(
        self, connection: Any, cache: hotpath.TermsCache, commands: Sequence[Command], more: More | None = None
    ) -> None:
        self._connection = connection
        self._cache = cache
        self._commands = commands
        self._more = more
        self._lots: dict[UUID, Working] = {}
        #: The same by the ids as numbers, and so people and keys: hashing a UUID takes three times as long.
        self._by_id: dict[int, Working] = {}
        self._auctions = sorted({command.auction for command in commands})
        self._given_back = {
            command.auction for command in commands if type(command) is AdvanceAuction and command.outage is not None
        }
        self._people: dict[int, Bidder] = {}
        self._repeated: dict[tuple[int, str], Any] = {}
        self._keys: dict[tuple[int, str], int] = {}
        self._results: list[Result] = []
        self._bids: list[BidRow] = []
        self._events: list[Record] = []
        self._sent_bids = self._sent_events = 0
        self._positions: list[Position] = []
        self._writing: asyncio.Task[list[Position]] | None = None
        self._answers: list[tuple[Answer, int]] = []
        self._now: Millis = 0
        #: The lots' times changed, so the clock should look again.
        self.timing_changed = False

    async def run(self) -> list[Result]:
        """Begin a transaction and do everything in it but the commit; one result per command, ``more`` behind the others."""
        await self._connection.execute(hotpath.begin(self._auctions))
        self._lots = await hotpath.load_lots(self._connection, self._auctions, self._cache)
        self._by_id = {lot.int: working for lot, working in self._lots.items()}
        if self._more is not None:
            self._commands = [*self._commands, *self._more(self._lots)]
        self._results = [None] * len(self._commands)
        await self._load_people()
        try:
            await self._decide_all()
        finally:
            if self._writing is not None:  # an error came first; the connection is free only when the write is over
                await asyncio.gather(self._writing, return_exceptions=True)
        for answer, event_index in self._answers:
            answer.position = self._positions[event_index]
        self._copy_repeats()
        return self._results

    async def _decide_all(self) -> None:
        for working in self._lots.values():
            self._advance(working, end=False)
        count = len(self._commands)
        part = min(max(count // 2, WRITE_BIDS_MIN), WRITE_BIDS_MAX)
        for index, command in enumerate(self._commands):
            if isinstance(command, PlaceBid):
                self._decide_bid(index, command)
            else:
                await self._written()  # it may ask the database
                await self._decide_step(index, command)
            if (index + 1) % part == 0 and index + part < count:
                await self._write(())
        await self._written()
        for working in self._lots.values():
            await self._advance_to_end(working)
        changed = [working for working in self._lots.values() if working.changed]
        if changed:
            await self._write(changed)
            await self._written()
        await self._open_sealed()

    async def _write(self, lots: Sequence[Working]) -> None:
        """Have what was decided since the last time written while the next bids are decided."""
        await self._written()
        bids, events = self._bids[self._sent_bids :], self._events[self._sent_events :]
        self._sent_bids, self._sent_events = len(self._bids), len(self._events)
        self._writing = asyncio.create_task(hotpath.write(self._connection, self._now, bids, events, lots))
        await asyncio.sleep(0)  # so that it is sent

    async def _written(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            self._positions += await writing

    async def _load_people(self) -> None:
        bids = [command for command in self._commands if type(command) is PlaceBid]
        rows = await self._connection.fetch(
            hotpath.LOAD_PEOPLE, [bid.user for bid in bids], [bid.idempotency_key for bid in bids]
        )
        self._now = from_datetime(rows[0]["now"])
        repeated = False
        for _, person, blocked, has_wallet, again in rows:
            if person is not None:
                self._people[person.int] = Bidder(person, blocked, has_wallet)
            repeated = repeated or again
        if repeated:
            keyed = [bid for bid in bids if bid.idempotency_key is not None]
            found = await self._connection.fetch(
                hotpath.LOAD_REPEATED, [bid.user for bid in keyed], [bid.idempotency_key for bid in keyed]
            )
            self._repeated = {(row["user_id"].int, row["idempotency_key"]): row for row in found}

    def _decide_bid(self, index: int, command: PlaceBid) -> None:
        working = self._by_id.get(command.auction.int)
        if working is None:
            self._results[index] = _no_such_lot()
            return
        try:
            self._place(index, command, working)
        except SothebaisError as error:  # this caller's fault; the rules changed nothing
            self._results[index] = error

    async def _decide_step(self, index: int, command: OverrideAuction | AdvanceAuction) -> None:
        working = self._by_id.get(command.auction.int)
        if working is None:
            self._results[index] = _no_such_lot()
            return
        try:
            if isinstance(command, OverrideAuction):
                await self._override(index, command, working)
            else:
                self._give_back(command, working)
        except SothebaisError as error:  # as above
            self._results[index] = error

    def _place(self, index: int, command: PlaceBid, working: Working) -> None:
        key = None if command.idempotency_key is None else (command.user.int, command.idempotency_key)
        if key is not None and self._is_repeat(index, command, key):
            return
        bidder = self._people.get(command.user.int)
        if bidder is None:
            raise NotFound("There is no user with this id.")
        before = working.lot
        # nothing can have been received after it is decided; a process whose clock runs ahead must not say so
        oldest = command.received_at - before.terms.max_post_delay
        effective_at = min(max(command.effective_at, oldest), command.received_at, self._now)
        number = working.last_number + 1
        lot, decision = rules.decide(before, command.as_bid(bidder, effective_at, number), self._now)
        working.last_number = number
        if key is not None:  # only what was decided is repeated; a malformed bid is none
            self._keys[key] = index
        opening = commitment = None
        rows: list[tuple[UUID, int, Raise]] = []
        if decision.accepted and decision.committed is not None:
            salt = ids.new_salt()
            opening = (decision.committed, salt)
            commitment = commitments.maximum_commitment(lot.id, command.bid, decision.committed, salt)
            working.secrets[command.bid] = opening
            working.lot = lot
            working.bid_count += 1
            working.previous_price = before.standing.price  # as the event says, and so the fold of events too
            rows = self._raise_rows(working, decision.raises)
            data: records.AcceptedData | records.RejectedData = records.accepted(
                command,
                before,
                lot,
                decision,
                number=number,
                effective_at=effective_at,
                commitment=commitment,
                bid_count=working.bid_count,
                rows=rows,
                secrets=working.secrets,
            )
        else:
            data = records.rejected(
                command, lot, decision, number=number, effective_at=effective_at, bid_count=working.bid_count
            )
        event_type = "auction:bid:accepted" if decision.accepted else "auction:bid:rejected"
        event = self._event(working, event_type, data, command.correlation_id)
        event_index = len(self._events) - 1
        self._bids.append(
            bid_row(
                command,
                lot,
                decision,
                number=number,
                event_n=working.n,
                effective_at=effective_at,
                commitment=commitment,
                opening=opening,
            )
        )
        self._keep_raises(working, rows)
        if decision.accepted:
            self._follow_up(working, before, decision.extended, decision.reserve_met, event)
        answer = Answer(
            auction=lot.id,
            lot_number=working.lot_number,
            event=event,
            position=_NOWHERE,
            bid=command.bid,
            user=command.user,
            received_at=command.received_at,
            commitment=commitment,
            opening=opening,
        )
        self._results[index] = answer
        self._answers.append((answer, event_index))

    def _is_repeat(self, index: int, command: PlaceBid, key: tuple[int, str]) -> bool:
        row = self._repeated.get(key)
        if row is not None:
            if row["request_hash"] != command.request_hash or row["auction_id"] != command.auction:
                raise IdempotencyConflict("This Idempotency-Key was used before with another body. Use a new one.")
            self._results[index] = told_again(row, self._lots[command.auction].lot_number)
            return True
        first = self._keys.get(key)
        if first is None:
            return False
        earlier = self._commands[first]
        if isinstance(earlier, PlaceBid) and (
            earlier.request_hash != command.request_hash or earlier.auction != command.auction
        ):
            raise IdempotencyConflict("This Idempotency-Key was used before with another body. Use a new one.")
        return True  # answered from the first one by _copy_repeats

    def _copy_repeats(self) -> None:
        for index, command in enumerate(self._commands):
            if self._results[index] is None and isinstance(command, PlaceBid) and command.idempotency_key is not None:
                first = self._results[self._keys[command.user.int, command.idempotency_key]]
                self._results[index] = replace(first, repeated=True) if isinstance(first, Answer) else first

    def _follow_up(self, working: Working, before: Lot, extended: bool, reserve_met: bool, cause: Record) -> None:
        lot = working.lot
        if reserve_met and working.reserve is not None:
            reserve, salt = working.reserve
            data = {"reserve": records.opt(reserve), "salt": salt.hex()}
            self._event(working, "auction:reserve:met", data, cause.correlation_id, cause.id)
        if extended:
            self.timing_changed = True
            step = Transition(TransitionKind.TIMER, self._now, rules.SOFT_CLOSE)
            self._event(working, str(step.kind), records.step(lot, step), cause.correlation_id, cause.id)
        if lot.status in OVER and before.status not in OVER:
            self._end(working, Transition(TransitionKind.END, self._now, rules.BUY_NOW), cause=cause)

    async def _override(self, index: int, command: OverrideAuction, working: Working) -> None:
        before, step = working.lot, command.step
        bids: list[Bid] = []
        if step.kind == "VOID_BID":
            bids, found = await hotpath.load_accepted(self._connection, before.id)
            working.secrets |= found
            if any(row.auction_id == before.id for row in self._bids):
                raise Conflict("Bids on this lot are being decided at this moment; try again.")
        if step.kind == "REOPEN" and await self._connection.fetchval(hotpath.HAS_SETTLEMENT, before.id):
            raise Conflict("This lot has been invoiced and cannot be re-opened.")
        if step.kind == "START" and before.held:
            raise Conflict("An earlier lot of this day has not ended yet.")
        lot, transitions, opened = rules.override(before, step, self._now, bids)
        working.lot = lot
        transition = transitions[0]
        if step.kind == "VOID_BID" and step.bid is not None:
            await self._void(command, working, transition, before=before, bids=bids, opened=opened)
        elif step.kind == "END":
            await self._load_sealed_secrets(working)
            self._end(working, transition, actor=command.actor, correlation=command.correlation_id)
        else:
            data = records.step(lot, transition, command.actor)
            self._event(working, str(transition.kind), data, command.correlation_id)
        self.timing_changed = True
        answer = Answer(auction=lot.id, lot_number=working.lot_number, event=self._events[-1], position=_NOWHERE)
        self._results[index] = answer
        self._answers.append((answer, len(self._events) - 1))

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
        rows = self._raise_rows(working, made)
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
        self._event(working, str(transition.kind), data, command.correlation_id)
        self._keep_raises(working, rows)

    def _give_back(self, command: AdvanceAuction, working: Working) -> None:
        if command.outage is None:
            return
        lot, transitions = rules.outage(working.lot, *command.outage)
        working.lot = lot
        for transition in transitions:
            self.timing_changed = True
            self._event(working, str(transition.kind), records.step(lot, transition))

    def _advance(self, working: Working, *, end: bool) -> None:
        # only what was read was committed: at the end of a batch CLOSING may be this batch's own
        seen = working.lot if end else rules.closing_seen(working.lot, self._now)
        if seen is not working.lot:
            working.lot, working.changed = seen, True
        if seen.id in self._given_back and seen.status in (Status.ACTIVE, Status.CLOSING):
            return  # the time lost is given back before anything is found to be over
        while True:
            working.lot, transition = rules.advance_once(working.lot, self._now, end=end)
            if transition is None:
                return
            self.timing_changed = True
            if transition.kind is TransitionKind.END:
                self._end(working, transition)
            else:
                self._event(working, str(transition.kind), records.step(working.lot, transition))

    async def _advance_to_end(self, working: Working) -> None:
        due = rules.next_due(working.lot)
        if due is not None and due <= self._now:
            await self._load_sealed_secrets(working)
        self._advance(working, end=True)

    async def _open_sealed(self) -> None:
        """Show the amounts of sealed lots that have ended, when all their bids are written."""
        for working in self._lots.values():
            if working.lot.status is Status.ENDED and working.changed and working.lot.terms.format in SEALED:
                await self._connection.execute(hotpath.OPEN_AMOUNTS, working.lot.id)

    async def _load_sealed_secrets(self, working: Working) -> None:
        if working.lot.terms.format in SEALED:
            _, found = await hotpath.load_accepted(self._connection, working.lot.id)
            working.secrets |= found

    def _end(
        self,
        working: Working,
        transition: Transition,
        *,
        actor: UUID | None = None,
        correlation: UUID | None = None,
        cause: Record | None = None,
    ) -> None:
        lot = working.lot
        price = lot.standing.price
        if lot.terms.format in SEALED:
            opened = tuple(working.secrets)
        else:
            # a superseded maximum below the price tells nothing that the price does not; one above it would
            # say something of the standing one, which stays secret for good
            opened = tuple(
                bid for bid in lot.standing.unopened[:-1] if price is not None and working.secrets[bid][0] < price
            )
            left = tuple(bid for bid in lot.standing.unopened if bid not in opened)
            working.lot = lot = replace(lot, standing=replace(lot.standing, unopened=left))
        # met by a bid it was opened then; sealed bids meet it only now
        missed = lot.outcome is Outcome.PASSED and not lot.standing.reserve_met
        reserve = working.reserve if missed or lot.terms.format in SEALED else None
        data = records.end(
            lot,
            transition,
            bid_count=working.bid_count,
            opened=opened,
            secrets=working.secrets,
            reserve=reserve,
            actor=actor,
        )
        correlation = cause.correlation_id if cause else correlation
        ended = self._event(working, str(TransitionKind.END), data, correlation, cause.id if cause else None)
        self.timing_changed = True
        if lot.outcome is Outcome.SOLD:
            self._event(working, "auction:winner", records.winner(lot), correlation, ended.id)

    def _event(
        self,
        working: Working,
        event_type: str,
        data: records.AcceptedData | records.RejectedData | dict[str, Any],
        correlation: UUID | None = None,
        causation: UUID | None = None,
    ) -> Record:
        working.n += 1
        encoded = records.encoded(data)
        digest = chain_hash(encoded, working.n, working.hash, self._now, event_type)
        event = Record(
            id=ids.new_id(),
            type=event_type,
            source=ENGINE,
            subject=working.subject,
            timestamp=self._now,
            data=encoded,
            n=working.n,
            prev_hash=working.hash,
            hash=digest,
            correlation_id=correlation,
            causation_id=causation,
        )
        working.hash = digest
        working.changed = True
        self._events.append(event)
        return event

    def _raise_rows(self, working: Working, made: Sequence[Raise]) -> list[tuple[UUID, int, Raise]]:
        rows = []
        for one in made:
            working.last_number += 1
            rows.append((ids.new_id(), working.last_number, one))
        return rows

    def _keep_raises(self, working: Working, rows: Sequence[tuple[UUID, int, Raise]]) -> None:
        self._bids += [
            raise_row(bid, number, made, working.lot, event_n=working.n, at=self._now) for bid, number, made in rows
        ]


def _no_such_lot() -> NotFound:
    return NotFound("There is no auction with this id.")
