"""A lot's log as the engine writes it, without an engine: for tests of the audit.

``tests/integration/test_verify.py`` holds logs of the real engine against the same audit.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from msgspec.structs import replace
from tests.fakes.lots import LOT_ID, NAMES, a_bid, a_lot

from sothebais import money
from sothebais.auctions import commitments, records, rules
from sothebais.auctions import terms as terms_codec
from sothebais.auctions.commands import PlaceBid
from sothebais.auctions.machine import OVER
from sothebais.auctions.model import (
    SEALED,
    Bid,
    Decision,
    Lot,
    Outcome,
    Override,
    Raise,
    Source,
    Status,
    Transition,
    TransitionKind,
)
from sothebais.events.chain import GENESIS, canonical, chain_hash

OPERATOR = uuid5(NAMES, "operator")

type Event = dict[str, Any]


class LogWriter:
    """Takes bids, steps and the time; keeps the lot, its ``events`` and every bid's ``secrets``."""

    def __init__(self, **lot: Any) -> None:
        self.lot: Lot = a_lot(status=Status.SCHEDULED, **lot)
        self.events: list[Event] = []
        self.secrets: dict[UUID, tuple[Decimal, bytes]] = {}
        self.bids: list[Bid] = []
        self.number = 0
        self.count = 0
        self.hash = GENESIS
        terms, timing = self.lot.terms, self.lot.timing
        self.reserve = None if terms.reserve is None else (terms.reserve, _salt("reserve"))
        commitment = self.reserve and commitments.reserve_commitment(LOT_ID, *self.reserve)
        self._write(
            "auction:scheduled",
            {
                "art_item": str(LOT_ID),
                "title": "A piece",
                "campaign_day": None,
                "lot_number": 1,
                "starts_at": timing.starts_at,
                "ends_at": timing.ends_at,
                "hard_close_at": timing.hard_close_at,
                "terms": terms_codec.to_public(terms, commitment),
            },
            -1_000,
        )

    def openings(self, bids: Sequence[UUID] | None = None) -> list[dict[str, Any]]:
        """The openings of those bids, of all by default."""
        found = records.openings(self.secrets if bids is None else bids, self.secrets)
        opened: list[dict[str, Any]] = json.loads(canonical(found))
        return opened

    def clock(self, now: int, *, end: bool = True) -> None:
        """The clock's look at the lot; what it reads was committed."""
        self.lot = rules.closing_seen(self.lot, now)
        while True:
            self.lot, step = rules.advance_once(self.lot, now, end=end)
            if step is None:
                return
            if step.kind is TransitionKind.END:
                self._end(step)
            else:
                self._write(str(step.kind), records.step(self.lot, step), now)

    def bid(
        self, who: str, amount: Any = None, maximum: Any = None, *, at: int, made: int | None = None, **more: Any
    ) -> Decision:
        """A bid decided ``at``, ``made`` when it is decided unless the test says otherwise."""
        self.clock(at, end=False)
        made = at if made is None else made
        bid = replace(a_bid(who, amount, maximum, at=made, **more), number=self.number + 1)
        command = PlaceBid(
            bid=bid.id,
            auction=self.lot.id,
            user=bid.bidder.id,
            amount=bid.amount,
            max_amount=bid.max_amount,
            currency=bid.currency,
            confirm=bid.confirm,
            source=Source.API,
            received_at=made,
            effective_at=made,
        )
        before = self.lot
        lot, decision = rules.decide(before, bid, at)
        self.number += 1
        number = self.number
        if not decision.accepted:
            data = records.rejected(command, lot, decision, number=number, effective_at=made, bid_count=self.count)
            self._write("auction:bid:rejected", data, at)
            return decision
        assert decision.committed is not None
        self.lot = lot
        self.count += 1
        # as the books have it: without an amount that was the house's offer
        offered = bid.amount if self.lot.terms.format in SEALED else decision.amount
        self.bids.append(
            replace(bid, amount=None if decision.offered_by_house else offered, max_amount=decision.committed)
        )
        self.secrets[bid.id] = decision.committed, _salt(str(bid.id))
        data = records.accepted(
            command,
            before,
            lot,
            decision,
            number=number,
            effective_at=made,
            commitment=commitments.maximum_commitment(lot.id, bid.id, *self.secrets[bid.id]),
            bid_count=self.count,
            rows=self._rows(decision.raises),
            secrets=self.secrets,
        )
        self._write("auction:bid:accepted", data, at)
        if decision.reserve_met and self.reserve is not None:
            self._write("auction:reserve:met", _reserve(self.reserve), at)
        if decision.extended:
            step = Transition(TransitionKind.TIMER, at, rules.SOFT_CLOSE)
            self._write(str(step.kind), records.step(lot, step), at)
        if lot.status in OVER:
            self._end(Transition(TransitionKind.END, at, rules.BUY_NOW))
        return decision

    def step(self, kind: Any, *, at: int, actor: UUID | None = OPERATOR, **more: Any) -> None:
        """An operator's step."""
        self.clock(at, end=False)
        before = self.lot
        override = Override(kind=kind, reason="because", **more)
        self.lot, (transition,), opened = rules.override(before, override, at, self.bids)
        if kind == "VOID_BID":
            self._void(before, override.bid, transition, opened, actor)
        elif kind == "END":
            self._end(transition, actor)
        else:
            self._write(str(transition.kind), records.step(self.lot, transition, actor), at)

    def outage(self, since: int, until: int, *, at: int | None = None) -> None:
        """Time in which nobody could bid is given back; decided ``at``, a moment after it was over."""
        self.lot, transitions = rules.outage(self.lot, since, until)
        for transition in transitions:
            self._write(str(transition.kind), records.step(self.lot, transition), until if at is None else at)

    def _void(self, before: Lot, bid: UUID | None, step: Transition, opened: Sequence[UUID], actor: Any) -> None:
        assert bid is not None
        self.bids = [kept for kept in self.bids if kept.id != bid]
        self.count -= 1
        _, made = rules.refold(self.lot, self.bids)
        sealed = self.lot.terms.format in SEALED
        data = records.voided(
            before,
            self.lot,
            step,
            bid,
            bid_count=self.count,
            rows=self._rows(made),
            led_at=None,
            superseded=(),
            opened=[*opened, *([bid] if bid not in opened and not sealed else [])],
            secrets=self.secrets,
            actor=actor,
        )
        self._write(str(step.kind), data, step.at)

    def _end(self, step: Transition, actor: UUID | None = None) -> None:
        lot, standing = self.lot, self.lot.standing
        if lot.terms.format in SEALED:
            opened = tuple(bid.id for bid in self.bids)
        else:
            opened = tuple(bid for bid in standing.unopened[:-1] if self.secrets[bid][0] < (standing.price or 0))
            left = tuple(bid for bid in standing.unopened if bid not in opened)
            self.lot = lot = replace(lot, standing=replace(standing, unopened=left))
        missed = lot.outcome is Outcome.PASSED and not standing.reserve_met
        data = records.end(
            lot,
            step,
            bid_count=self.count,
            opened=opened,
            secrets=self.secrets,
            reserve=self.reserve if missed or lot.terms.format in SEALED else None,
            actor=actor,
        )
        self._write(str(TransitionKind.END), data, step.at)
        if lot.outcome is Outcome.SOLD:
            self._write("auction:winner", records.winner(lot), step.at)

    def _rows(self, made: Sequence[Raise]) -> list[tuple[UUID, int, Raise]]:
        rows = []
        for one in made:
            self.number += 1
            rows.append((UUID(int=self.number), self.number, one))
        return rows

    def _write(self, kind: str, data: dict[str, Any], at: int) -> None:
        self.events.append(
            {
                "n": len(self.events) + 1,
                "subject": f"auction:{self.lot.id}",
                "type": kind,
                "timestamp": at,
                # as it comes out of a file: a copy that shares nothing
                "data": json.loads(canonical(data)),
            }
        )
        self.events = rehashed(self.events, start=len(self.events) - 1)


def rehashed(events: Sequence[Event], start: int = 0) -> list[Event]:
    """The events with a chain that fits them from place ``start`` on; numbers and ids stay."""
    made = list(events[:start])
    for event in events[start:]:
        previous = bytes.fromhex(made[-1]["hash"]) if made else GENESIS
        digest = chain_hash(canonical(event["data"]), event["n"], previous, event["timestamp"], event["type"])
        made.append(event | {"prev_hash": previous.hex(), "hash": digest.hex()})
    return made


def forged(
    events: Sequence[Event], kind: str, change: Callable[[dict[str, Any]], Any], *, which: int = -1, rehash: bool = True
) -> tuple[list[Event], int]:
    """The log with ``change`` made to the data of one event of a kind, and that event's ``n``.

    With ``rehash`` the whole chain is made to fit again, as the house itself could do.
    """
    place = [i for i, event in enumerate(events) if event["type"] == kind][which]
    data = json.loads(json.dumps(events[place]["data"]))
    change(data)
    assert data != events[place]["data"], "the forgery changes nothing"
    changed = [*events[:place], events[place] | {"data": data}, *events[place + 1 :]]
    return (rehashed(changed, place) if rehash else changed), place + 1


def without(events: Sequence[Event], place: int) -> list[Event]:
    """The log without the event at ``place``, numbered and hashed anew."""
    left = [event | {"n": n} for n, event in enumerate([*events[:place], *events[place + 1 :]], start=1)]
    return rehashed(left)


def _reserve(reserve: tuple[Decimal, bytes]) -> dict[str, str]:
    return {"reserve": money.text(reserve[0]), "salt": reserve[1].hex()}


def _salt(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
