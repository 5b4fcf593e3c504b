"""What one batch decides, in memory: its lots as they become, and the answers, rows and events that come of it. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from msgspec.structs import replace

from sothebais import ids
from sothebais.auctions import commitments, records, rules
from sothebais.auctions.answers import ENGINE, Answer, Result, told_again
from sothebais.auctions.commands import AdvanceAuction, Command, PlaceBid
from sothebais.auctions.hotpath import Working
from sothebais.auctions.machine import OVER
from sothebais.auctions.model import SEALED, Bidder, Lot, Outcome, Raise, Status, Transition, TransitionKind
from sothebais.auctions.rows import BidRow, bid_row, raise_row
from sothebais.clock import Millis
from sothebais.errors import IdempotencyConflict, NotFound, SothebaisError
from sothebais.events.log import Position, Record, chain_hash

#: Of an event that is not written yet.
NOWHERE = Position(0, 0, 0)

#: Who bids, and with which key. By the ids as numbers, as lots are below: hashing a UUID takes three times as long.
type Key = tuple[int, str]


class Read(NamedTuple):
    """What PostgreSQL knew of the callers, and its time."""

    now: Millis
    people: Mapping[int, Bidder]
    #: Bids whose keys were used before, as rows of ``hotpath.LOAD_REPEATED``.
    repeated: Mapping[Key, Any]


class Decisions:
    """Decides commands in order of arrival on lots that nobody else changes; written and answered by ``batch``.

    One result per command, in order. The lots are changed as they are decided on.
    """

    def __init__(self, lots: Mapping[UUID, Working], commands: Sequence[Command], read: Read) -> None:
        self.lots = lots
        self.commands = commands
        self.now, self._people, self._repeated = read
        self.results: list[Result] = [None] * len(commands)
        self.bids: list[BidRow] = []
        self.events: list[Record] = []
        #: Answers that wait for the position of their event, by its index.
        self.answers: list[tuple[Answer, int]] = []
        #: The lots' times changed, so the clock should look again.
        self.timing_changed = False
        self._by_id = {lot.int: working for lot, working in lots.items()}
        self._keys: dict[Key, int] = {}
        self._given_back = {
            command.auction for command in commands if type(command) is AdvanceAuction and command.outage is not None
        }

    def working(self, auction: UUID) -> Working:
        """The lot of a command. Raises NotFound."""
        working = self._by_id.get(auction.int)
        if working is None:
            raise NotFound("There is no auction with this id.")
        return working

    def has_key(self, command: PlaceBid) -> bool:
        """Whether a bid with the key of this one was decided here."""
        return command.idempotency_key is not None and _key(command, command.idempotency_key) in self._keys

    def place_all(self, indices: Iterable[int]) -> None:
        """Decide those commands, which are bids."""
        for index in indices:
            command = self.commands[index]
            if isinstance(command, PlaceBid):
                self.bid(index, command)

    def answer(self, index: int, answer: Answer, event_index: int) -> None:
        """Keep the answer to a command, which is told the position of that event."""
        self.results[index] = answer
        self.answers.append((answer, event_index))

    def settle(self, positions: Sequence[Position]) -> list[Result]:
        """The results, when every event has its position."""
        for answer, event_index in self.answers:
            answer.position = positions[event_index]
        self._copy_repeats()
        return self.results

    def bid(self, index: int, command: PlaceBid) -> None:
        """Decide one bid."""
        try:
            self._place(index, command, self.working(command.auction))
        except SothebaisError as error:  # this caller's fault; the rules changed nothing
            self.results[index] = error

    def _place(self, index: int, command: PlaceBid, working: Working) -> None:
        key = None if command.idempotency_key is None else _key(command, command.idempotency_key)
        if key is not None and self._is_repeat(index, command, key):
            return
        bidder = self._people.get(command.user.int)
        if bidder is None:
            raise NotFound("There is no user with this id.")
        before = working.lot
        # nothing can have been received after it is decided; a process whose clock runs ahead must not say so
        oldest = command.received_at - before.terms.max_post_delay
        effective_at = min(max(command.effective_at, oldest), command.received_at, self.now)
        number = working.last_number + 1
        lot, decision = rules.decide(before, command.as_bid(bidder, effective_at, number), self.now)
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
            rows = self.raise_rows(working, decision.raises)
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
        event = self.event(working, event_type, data, command.correlation_id)
        event_index = len(self.events) - 1
        self.bids.append(
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
        self.keep_raises(working, rows)
        if decision.accepted:
            self._follow_up(working, before, decision.extended, decision.reserve_met, event)
        answer = Answer(
            auction=lot.id,
            lot_number=working.lot_number,
            event=event,
            position=NOWHERE,
            bid=command.bid,
            user=command.user,
            received_at=command.received_at,
            commitment=commitment,
            opening=opening,
        )
        self.answer(index, answer, event_index)

    def _is_repeat(self, index: int, command: PlaceBid, key: tuple[int, str]) -> bool:
        row = self._repeated.get(key)
        if row is not None:
            if row["request_hash"] != command.request_hash or row["auction_id"] != command.auction:
                raise IdempotencyConflict("This Idempotency-Key was used before with another body. Use a new one.")
            self.results[index] = told_again(row, self.lots[command.auction].lot_number)
            return True
        first = self._keys.get(key)
        if first is None:
            return False
        earlier = self.commands[first]
        if isinstance(earlier, PlaceBid) and (
            earlier.request_hash != command.request_hash or earlier.auction != command.auction
        ):
            raise IdempotencyConflict("This Idempotency-Key was used before with another body. Use a new one.")
        return True  # answered from the first one by _copy_repeats

    def _copy_repeats(self) -> None:
        for index, command in enumerate(self.commands):
            if self.results[index] is None and isinstance(command, PlaceBid) and command.idempotency_key is not None:
                first = self.results[self._keys[command.user.int, command.idempotency_key]]
                self.results[index] = replace(first, repeated=True) if isinstance(first, Answer) else first

    def _follow_up(self, working: Working, before: Lot, extended: bool, reserve_met: bool, cause: Record) -> None:
        lot = working.lot
        if reserve_met and working.reserve is not None:
            reserve, salt = working.reserve
            data = {"reserve": records.opt(reserve), "salt": salt.hex()}
            self.event(working, "auction:reserve:met", data, cause.correlation_id, cause.id)
        if extended:
            self.timing_changed = True
            step = Transition(TransitionKind.TIMER, self.now, rules.SOFT_CLOSE)
            self.event(working, str(step.kind), records.step(lot, step), cause.correlation_id, cause.id)
        if lot.status in OVER and before.status not in OVER:
            self.end(working, Transition(TransitionKind.END, self.now, rules.BUY_NOW), cause=cause)

    def advance(self, working: Working, *, end: bool) -> None:
        """Let pass on that lot what its time has come for; what ends it only with ``end``."""
        # only what was read was committed: at the end of a batch CLOSING may be this batch's own
        seen = working.lot if end else rules.closing_seen(working.lot, self.now)
        if seen is not working.lot:
            working.lot, working.changed = seen, True
        if seen.id in self._given_back and seen.status in (Status.ACTIVE, Status.CLOSING):
            return  # the time lost is given back before anything is found to be over
        while True:
            working.lot, transition = rules.advance_once(working.lot, self.now, end=end)
            if transition is None:
                return
            self.timing_changed = True
            if transition.kind is TransitionKind.END:
                self.end(working, transition)
            else:
                self.event(working, str(transition.kind), records.step(working.lot, transition))

    def end(
        self,
        working: Working,
        transition: Transition,
        *,
        actor: UUID | None = None,
        correlation: UUID | None = None,
        cause: Record | None = None,
    ) -> None:
        """Tell that a lot is over, and who has won."""
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
        ended = self.event(working, str(TransitionKind.END), data, correlation, cause.id if cause else None)
        self.timing_changed = True
        if lot.outcome is Outcome.SOLD:
            self.event(working, "auction:winner", records.winner(lot), correlation, ended.id)

    def event(
        self,
        working: Working,
        event_type: str,
        data: records.AcceptedData | records.RejectedData | dict[str, Any],
        correlation: UUID | None = None,
        causation: UUID | None = None,
    ) -> Record:
        """The next event of that lot's chain."""
        working.n += 1
        encoded = records.encoded(data)
        digest = chain_hash(encoded, working.n, working.hash, self.now, event_type)
        event = Record(
            id=ids.new_id(),
            type=event_type,
            source=ENGINE,
            subject=working.subject,
            timestamp=self.now,
            data=encoded,
            n=working.n,
            prev_hash=working.hash,
            hash=digest,
            correlation_id=correlation,
            causation_id=causation,
        )
        working.hash = digest
        working.changed = True
        self.events.append(event)
        return event

    def raise_rows(self, working: Working, made: Sequence[Raise]) -> list[tuple[UUID, int, Raise]]:
        """Ids and numbers for the bids the house makes for somebody."""
        rows = []
        for one in made:
            working.last_number += 1
            rows.append((ids.new_id(), working.last_number, one))
        return rows

    def keep_raises(self, working: Working, rows: Sequence[tuple[UUID, int, Raise]]) -> None:
        """Have those bids written, behind the event that tells them."""
        self.bids += [
            raise_row(bid, number, made, working.lot, event_n=working.n, at=self.now) for bid, number, made in rows
        ]


def _key(command: PlaceBid, key: str) -> Key:
    return command.user.int, key
