"""Operators' steps that set a lot's times: a later end, a new opening, other times before it starts. Pure."""

from msgspec.structs import replace

from sothebais.auctions import machine
from sothebais.auctions.model import Closed, Format, Lot, Override, Reason, Status, Transition, TransitionKind
from sothebais.errors import Conflict, IllegalTransition, InvalidInput
from sothebais.instants import Millis

type Stepped = tuple[Lot, tuple[Transition, ...]]


def extended(lot: Lot, step: Override, at: Millis) -> Stepped:
    """EXTEND: a later end, for a running lot."""
    status = machine.after(lot.status, TransitionKind.TIMER)
    if step.ends_at is None or step.ends_at <= max(lot.timing.ends_at, at):
        raise InvalidInput("The new end must be later than now and than the present end.", field="ends_at")
    timing = replace(
        lot.timing, ends_at=step.ends_at, hard_close_at=max(lot.timing.hard_close_at, step.ends_at), closing_at=None
    )
    return replace(lot, status=status, timing=timing), (Transition(TransitionKind.TIMER, at, step.reason),)


def moved(lot: Lot, step: Override, at: Millis) -> Stepped:
    """MOVE: other times, for a lot that has not started."""
    if lot.status is not Status.SCHEDULED:
        raise IllegalTransition(
            f"A lot that is {lot.status} cannot be scheduled anew.", auction_status=str(lot.status), step=step.kind
        )
    if step.starts_at is None or step.ends_at is None or step.hard_close_at is None:
        raise InvalidInput("A lot that is moved needs its start, its end and its hard close.", field="starts_at")
    if step.starts_at <= at:
        raise InvalidInput("The new start must be later than now.", field="starts_at")
    if not step.starts_at < step.ends_at <= step.hard_close_at:
        raise InvalidInput("A lot must start before it ends, and end by its hard close.", field="ends_at")
    timing = replace(lot.timing, starts_at=step.starts_at, ends_at=step.ends_at, hard_close_at=step.hard_close_at)
    return replace(lot, timing=timing), (Transition(TransitionKind.TIMER, at, step.reason),)


def reopened(lot: Lot, step: Override, at: Millis) -> Stepped:
    """REOPEN: an ended lot takes bids again until a new end; its winner is taken back."""
    status = machine.after(lot.status, TransitionKind.REOPENED)
    if lot.terms.format is not Format.ENGLISH:
        raise Conflict(f"A {lot.terms.format} lot has shown its prices and cannot be re-opened.")
    if step.ends_at is None or step.ends_at <= at:
        raise InvalidInput("A re-opened lot needs a new end, later than now.", field="ends_at")
    # a bid made between the end and its commit came too late, and stays so
    ended_at = min(lot.timing.ends_at, lot.timing.ended_at if lot.timing.ended_at is not None else at)
    timing = replace(
        lot.timing,
        ends_at=step.ends_at,
        hard_close_at=max(lot.timing.hard_close_at, step.ends_at),
        closing_at=None,
        ended_at=None,
        closed=(*lot.timing.closed, Closed(ended_at, at, Reason.ENDED)),
    )
    return replace(lot, status=status, outcome=None, timing=timing), (
        Transition(TransitionKind.REOPENED, at, step.reason),
    )
