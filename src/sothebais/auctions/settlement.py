"""Settling sold lots off chain: invoices, payment, delivery, and the runner-up where a winner does not pay.

Every change is one transaction that holds the lot: the settlement, the step, the events in the lot's chain, the audit.
Reasons and references of the staff stay in the settlement and the audit; the chain, which is public, has the house's
own words.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sothebais import money
from sothebais.auctions import invoices, settlement_books
from sothebais.auctions.invoices import Invoice, Party
from sothebais.auctions.model import Status
from sothebais.auctions.settlement_books import SoldLot
from sothebais.auctions.settlement_model import (
    EVENTS,
    REFERENCE_LENGTH_MAX,
    Policy,
    SettlementStatus,
    SettlementStep,
    after,
)
from sothebais.config import Settings
from sothebais.errors import Conflict, Forbidden, InvalidInput, NotFound, SothebaisError
from sothebais.events import log as event_log
from sothebais.events.actions import Actor, action, checked_reason
from sothebais.events.types.base import Source
from sothebais.instants import Millis, from_datetime, to_datetime

log = structlog.get_logger(__name__)

#: Lots that one look takes up; the rest are there at the next.
BATCH_LOTS_MAX = 100
#: Nobody is given longer than a year to pay.
DUE_MS_MAX = 366 * 86_400_000
NOT_PAID = "not paid in time"
NOT_ACCEPTED = "the offer was not accepted in time"
DECLINED = "the offer was declined"

_ACTIONS = {
    SettlementStep.INVOICE: "settlement.invoice",
    SettlementStep.PAY: "settlement.paid",
    SettlementStep.DELIVER: "settlement.delivered",
}


def policy_of(settings: Settings) -> Policy:
    """How this house settles, from its settings."""
    return Policy(
        payment_due=settings.payment_due_s * 1_000,
        offer_lasts=settings.offer_lasts_s * 1_000,
        invoice_after=settings.invoice_after_s * 1_000,
        approval_amounts=settings.approval_amounts,
        issuer=settings.invoice_issuer,
        payment_instructions=settings.payment_instructions,
    )


class Settlements:
    """The steps of settlements. Raises NotFound, Conflict and IllegalTransition; then nothing has changed."""

    def __init__(self, engine: AsyncEngine, policy: Policy) -> None:
        self._engine = engine
        self.policy = policy

    async def invoice(
        self, auction: UUID, now: Millis, *, actor: Actor, reason: str, due_at: Millis | None = None
    ) -> None:
        """Invoice a sold lot by hand, before the house does it by itself."""
        reason = checked_reason(reason)
        if due_at is not None and not now < due_at <= now + DUE_MS_MAX:
            raise InvalidInput("due_at must be later than now, and within a year.", field="due_at")
        async with self._engine.begin() as connection:
            lot = await settlement_books.hold(connection, auction)
            if not lot.sold:
                raise Conflict("Only a lot that was SOLD can be invoiced.", auction_status=str(lot.status))
            found = await settlement_books.settlements(connection, auction)
            if found:
                raise Conflict(
                    f"This lot has been invoiced before ({found[0].number or 'an offer'}, {found[0].status}).",
                    settlement_status=str(found[0].status),
                )
            await self._invoice_winner(connection, lot, now, actor=actor, reason=reason, due_at=due_at)

    async def invoice_if_due(self, auction: UUID, now: Millis) -> bool:
        """Invoice a sold lot whose time to be re-opened is over; False when there is nothing to do (yet, or any more)."""
        async with self._engine.begin() as connection:
            lot = await settlement_books.hold(connection, auction)
            if not lot.sold or lot.ended_at is None or lot.ended_at + self.policy.invoice_after > now:
                return False
            if lot.status is Status.SETTLED or await settlement_books.settlements(connection, auction):
                return False
            await self._invoice_winner(connection, lot, now)
            return True

    async def take(
        self,
        auction: UUID,
        step: SettlementStep,
        now: Millis,
        *,
        actor: Actor,
        reason: str,
        reference: str | None = None,
    ) -> bool:
        """PAY or DELIVER, by the staff; False when another of the staff has to confirm it first.

        Above the policy's amount the first call only asks; the second must come from somebody else and, if it names a
        reference, from the same one. A delivered piece settles the lot.
        """
        reason, reference = checked_reason(reason), _checked_reference(reference)
        async with self._engine.begin() as connection:
            lot = await settlement_books.hold(connection, auction)
            found = await settlement_books.settlements(connection, auction)
            if not found:
                raise Conflict("This lot has not been invoiced.")
            settlement = found[0]
            status = after(settlement.status, step)
            if actor.user in (settlement.user_id, None if lot.seller is None else lot.seller.id):
                raise Forbidden("Who buys or sells a lot cannot settle it. Ask another of the staff.")
            waiting = await settlement_books.waiting_step(connection, settlement.id, step)
            name = _ACTIONS[step]
            if self.policy.needs_approval(settlement.total, settlement.currency):
                if waiting is None or waiting.actor_id == actor.user:
                    await self._ask(connection, settlement.id, step, now, waiting, actor, reason, reference)
                    await _audit(connection, actor, f"{name}.request", auction, reason, now)
                    return False
                name = f"{name}.approve"
            if waiting is None:
                await settlement_books.record(
                    connection, settlement.id, step, now, actor_id=actor.user, reason=reason, reference=reference
                )
            else:
                if None not in (reference, waiting.reference) and reference != waiting.reference:
                    raise Conflict("The reference is not the one that waits for approval. Look again.")
                approver = None if waiting.actor_id == actor.user else actor.user
                await settlement_books.update_record(
                    connection,
                    waiting.id,
                    approver_id=approver,
                    done_at=to_datetime(now),
                    reference=waiting.reference or reference,
                )
            at = {SettlementStep.PAY: "paid_at", SettlementStep.DELIVER: "delivered_at"}[step]
            await settlement_books.update_settlement(
                connection, settlement.id, now, status=status, **{at: to_datetime(now)}
            )
            await self._tell(connection, lot, step, settlement, now, actor=actor)
            await _audit(connection, actor, name, auction, reason, now)
            if status is SettlementStatus.DELIVERED:
                await self._settle(connection, lot, settlement, now, actor)
            return True

    async def withdraw(self, auction: UUID, step: SettlementStep, now: Millis, *, actor: Actor, reason: str) -> None:
        """Take back a step that waits for its second person: asked for by mistake it would keep an invoice from expiring."""
        reason = checked_reason(reason)
        async with self._engine.begin() as connection:
            lot = await settlement_books.hold(connection, auction)
            found = await settlement_books.settlements(connection, auction)
            waiting = await settlement_books.waiting_step(connection, found[0].id, step) if found else None
            if waiting is None:
                raise Conflict(f"No {step} of this lot waits for approval.", step=str(step))
            if actor.user in (found[0].user_id, None if lot.seller is None else lot.seller.id):
                raise Forbidden("Who buys or sells a lot cannot settle it. Ask another of the staff.")
            await settlement_books.remove_record(connection, waiting.id)
            await _audit(connection, actor, f"{_ACTIONS[step]}.withdraw", auction, reason, now)

    async def answer(self, auction: UUID, user: UUID, now: Millis, *, accept: bool) -> None:
        """The runner-up takes the offer, and is invoiced, or leaves it."""
        async with self._engine.begin() as connection:
            lot = await settlement_books.hold(connection, auction)
            found = await settlement_books.settlements(connection, auction)
            mine = [one for one in found if one.user_id == user and one.runner_up]
            if not mine:
                raise NotFound("There is no offer for you on this lot.")
            offer = mine[0]
            if offer.status is not SettlementStatus.OFFERED or from_datetime(offer.due_at) <= now:
                raise Conflict("This offer was answered, or its time is over.", settlement_status=str(offer.status))
            if not accept:
                await self._end(connection, lot, offer, now, DECLINED, actor_id=user)
                return
            due_at = now + self._payment_due(lot)
            invoice = await self._new_invoice(connection, lot, offer.user_id, offer.amount, now, due_at)
            await settlement_books.update_settlement(
                connection,
                offer.id,
                now,
                status=after(offer.status, SettlementStep.INVOICE),
                due_at=to_datetime(due_at),
                **_invoiced(invoice),
            )
            await settlement_books.record(connection, offer.id, SettlementStep.INVOICE, now, actor_id=user)
            await self._tell(connection, lot, SettlementStep.INVOICE, offer, now)

    async def due(self, now: Millis) -> int:
        """Everything that is due: invoices, expiries, offers to runners-up; how many lots changed.

        A lot that cannot be dealt with is told of in the log and does not keep the others waiting.
        """
        async with self._engine.connect() as connection:
            sold = await settlement_books.uninvoiced(connection, now - self.policy.invoice_after, BATCH_LOTS_MAX)
            late = await settlement_books.overdue(connection, now, BATCH_LOTS_MAX)
        changed = 0
        for auction, work in [*((one, self.invoice_if_due) for one in sold), *((one, self.expire) for one in late)]:
            try:
                changed += await work(auction, now)
            except (SothebaisError, DBAPIError) as error:
                log.exception("settlement.failed", auction=str(auction), error=type(error).__name__)
        return changed

    async def expire(self, auction: UUID, now: Millis) -> bool:
        """End a lot's invoice or offer whose time is over, and ask the runner-up where the campaign says so."""
        async with self._engine.begin() as connection:
            lot = await settlement_books.hold(connection, auction)
            if not await settlement_books.overdue(connection, now, 1, auction=auction):
                return False  # answered, paid or settled in the meantime
            settlement = (await settlement_books.settlements(connection, auction))[0]
            offered = settlement.status is SettlementStatus.OFFERED
            await self._end(connection, lot, settlement, now, NOT_ACCEPTED if offered else NOT_PAID)
            if lot.rules.get("offer_to_runner_up") and not settlement.runner_up:
                await self._offer(connection, lot, now)
            return True

    # what steps are made of

    async def _invoice_winner(
        self,
        connection: AsyncConnection,
        lot: SoldLot,
        now: Millis,
        *,
        actor: Actor | None = None,
        reason: str | None = None,
        due_at: Millis | None = None,
    ) -> None:
        if lot.leader is None or lot.leading_bid is None or lot.price is None:
            raise Conflict("This lot has no winner.")
        due_at = now + self._payment_due(lot) if due_at is None else due_at
        invoice = await self._new_invoice(connection, lot, lot.leader, lot.price, now, due_at)
        key = await settlement_books.insert_settlement(
            connection,
            now,
            auction_id=lot.id,
            bid_id=lot.leading_bid,
            user_id=lot.leader,
            status=after(None, SettlementStep.INVOICE),
            amount=lot.price,
            total=invoice.amounts.total,
            currency=lot.terms.currency,
            due_at=to_datetime(due_at),
            **_invoiced(invoice),
        )
        by = None if actor is None else actor.user
        await settlement_books.record(connection, key, SettlementStep.INVOICE, now, actor_id=by, reason=reason)
        told = _Told(key, lot.leader, invoice.amounts.total, lot.terms.currency)
        await self._tell(connection, lot, SettlementStep.INVOICE, told, now, actor=actor)
        if actor is not None:
            await _audit(connection, actor, _ACTIONS[SettlementStep.INVOICE], lot.id, reason, now)

    async def _offer(self, connection: AsyncConnection, lot: SoldLot, now: Millis) -> None:
        if lot.leader is None:
            return
        found = await settlement_books.find_runner_up(connection, lot, winner=lot.leader)
        if found is None:
            return
        total = invoices.amounts(lot.terms, found.amount).total
        key = await settlement_books.insert_settlement(
            connection,
            now,
            auction_id=lot.id,
            bid_id=found.bid,
            user_id=found.user,
            status=after(None, SettlementStep.OFFER),
            runner_up=True,
            amount=found.amount,
            total=total,
            currency=lot.terms.currency,
            due_at=to_datetime(now + self.policy.offer_lasts),
        )
        await settlement_books.record(connection, key, SettlementStep.OFFER, now)
        told = _Told(key, found.user, total, lot.terms.currency)
        await self._tell(connection, lot, SettlementStep.OFFER, told, now)

    async def _ask(
        self,
        connection: AsyncConnection,
        settlement: UUID,
        step: SettlementStep,
        now: Millis,
        waiting: Any,
        actor: Actor,
        reason: str,
        reference: str | None,
    ) -> None:
        if waiting is None:
            await settlement_books.record(
                connection, settlement, step, now, done=False, actor_id=actor.user, reason=reason, reference=reference
            )
        else:  # who asked first may put it right
            await settlement_books.update_record(connection, waiting.id, reason=reason, reference=reference)

    async def _settle(
        self, connection: AsyncConnection, lot: SoldLot, settlement: Any, now: Millis, actor: Actor
    ) -> None:
        status = after(SettlementStatus.DELIVERED, SettlementStep.SETTLE)
        await settlement_books.update_settlement(connection, settlement.id, now, status=status)
        await settlement_books.record(connection, settlement.id, SettlementStep.SETTLE, now, actor_id=actor.user)
        await settlement_books.settle(connection, lot, actor, at=now, source=Source.ADMIN_FRONTEND)

    async def _end(
        self,
        connection: AsyncConnection,
        lot: SoldLot,
        settlement: Any,
        now: Millis,
        why: str,
        *,
        actor_id: UUID | None = None,
    ) -> None:
        status = after(settlement.status, SettlementStep.EXPIRE)
        await settlement_books.update_settlement(connection, settlement.id, now, status=status)
        await settlement_books.record(
            connection, settlement.id, SettlementStep.EXPIRE, now, actor_id=actor_id, reason=why
        )
        await self._tell(connection, lot, SettlementStep.EXPIRE, settlement, now, why=why)

    async def _tell(
        self,
        connection: AsyncConnection,
        lot: SoldLot,
        step: SettlementStep,
        settlement: Any,
        now: Millis,
        *,
        actor: Actor | None = None,
        why: str | None = None,
    ) -> None:
        data = {
            "settlement": str(settlement.id),
            "user": str(settlement.user_id),
            "amount": money.text(settlement.total),
            "currency": settlement.currency,
            "reason": why,
        }
        await settlement_books.append(
            connection,
            lot,
            EVENTS[step],
            data,
            at=now,
            source=Source.EVENT_HANDLER if actor is None else Source.ADMIN_FRONTEND,
            correlation=None if actor is None else actor.correlation,
        )

    async def _new_invoice(
        self, connection: AsyncConnection, lot: SoldLot, buyer: UUID, amount: Any, now: Millis, due_at: Millis
    ) -> Invoice:
        instructions = self.policy.payment_instructions
        name = await settlement_books.name_of(connection, buyer)
        return Invoice(
            number=await settlement_books.next_number(connection, now),
            auction=lot.id,
            lot_number=lot.lot_number,
            title=lot.title,
            token_id=lot.token_id,
            collection=lot.collection,
            amounts=invoices.amounts(lot.terms, amount),
            buyer=Party(buyer, name),
            seller=lot.seller,
            issuer=self.policy.issuer,
            issued_at=now,
            due_at=due_at,
            payment_instructions=instructions.get(lot.terms.currency),
        )

    def _payment_due(self, lot: SoldLot) -> Millis:
        given = lot.rules.get("payment_due")
        return self.policy.payment_due if given is None else int(given)


class _Told:
    """A settlement just written, as far as its event needs it."""

    def __init__(self, key: UUID, user: UUID, total: Any, currency: str) -> None:
        self.id, self.user_id, self.total, self.currency = key, user, total, currency


async def _audit(
    connection: AsyncConnection, actor: Actor, name: str, auction: UUID, reason: str | None, now: Millis
) -> None:
    await event_log.append(connection, [action(actor, name, f"auction:{auction}", at=now, reason=reason)])


def _invoiced(invoice: Invoice) -> dict[str, Any]:
    issued: datetime = to_datetime(invoice.issued_at)
    return {"number": invoice.number, "invoice": invoices.encode(invoice), "invoiced_at": issued}


def _checked_reference(text: str | None) -> str | None:
    reference = (text or "").strip()
    if len(reference) > REFERENCE_LENGTH_MAX:
        raise InvalidInput(f"reference: at most {REFERENCE_LENGTH_MAX} characters.", field="reference")
    return reference or None
