"""The lifecycles as tables, from which ``docs/lifecycles.md`` is drawn. Pure."""

from sothebais.auctions.model import Status, TransitionKind
from sothebais.errors import IllegalTransition

#: (from, step) -> to. What is not here is illegal.
TRANSITIONS: dict[tuple[Status, TransitionKind], Status] = {
    (Status.SCHEDULED, TransitionKind.START): Status.ACTIVE,
    (Status.ACTIVE, TransitionKind.PAUSED): Status.PAUSED,
    (Status.CLOSING, TransitionKind.PAUSED): Status.PAUSED,
    (Status.PAUSED, TransitionKind.RESUMED): Status.ACTIVE,
    (Status.ACTIVE, TransitionKind.CLOSING): Status.CLOSING,
    (Status.CLOSING, TransitionKind.TIMER): Status.ACTIVE,
    (Status.CLOSING, TransitionKind.END): Status.ENDED,
    (Status.ACTIVE, TransitionKind.END): Status.ENDED,
    (Status.PAUSED, TransitionKind.END): Status.ENDED,
    (Status.ENDED, TransitionKind.REOPENED): Status.ACTIVE,
    (Status.ENDED, TransitionKind.SETTLED): Status.SETTLED,
    (Status.SCHEDULED, TransitionKind.CANCELLED): Status.CANCELLED,
    (Status.ACTIVE, TransitionKind.CANCELLED): Status.CANCELLED,
    (Status.PAUSED, TransitionKind.CANCELLED): Status.CANCELLED,
    (Status.CLOSING, TransitionKind.CANCELLED): Status.CANCELLED,
}

#: Steps that change a running lot without moving it to another status.
_IN_PLACE: dict[TransitionKind, frozenset[Status]] = {
    TransitionKind.TIMER: frozenset({Status.ACTIVE, Status.PAUSED}),
    TransitionKind.VOIDED: frozenset({Status.ACTIVE, Status.PAUSED, Status.CLOSING}),
}

#: A lot in one of these takes no bid any more, and the next lot of its day may open.
OVER = frozenset({Status.ENDED, Status.SETTLED, Status.CANCELLED})
#: A lot in one of these has the clock's attention.
RUNNING = frozenset({Status.ACTIVE, Status.PAUSED, Status.CLOSING})

_VERBS = {
    TransitionKind.START: "started",
    TransitionKind.PAUSED: "paused",
    TransitionKind.RESUMED: "resumed",
    TransitionKind.CLOSING: "closed",
    TransitionKind.END: "ended",
    TransitionKind.SETTLED: "settled",
    TransitionKind.CANCELLED: "cancelled",
    TransitionKind.REOPENED: "re-opened",
    TransitionKind.TIMER: "extended",
    TransitionKind.VOIDED: "changed by voiding a bid",
}


def after(status: Status, step: TransitionKind) -> Status:
    """The status that ``step`` leads to. Raises IllegalTransition, naming both, when the table has no such step."""
    if status in _IN_PLACE.get(step, ()):
        return status
    try:
        return TRANSITIONS[status, step]
    except KeyError:
        raise IllegalTransition(
            f"A lot that is {status} cannot be {_VERBS[step]}.", auction_status=str(status), step=str(step)
        ) from None
