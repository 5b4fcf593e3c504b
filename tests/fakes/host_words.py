"""Facts and asks for tests of the host's words."""

import random
from decimal import Decimal
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from sothebais.agent.intents import intent, question
from sothebais.agent.model import Asker, Facts, LotFacts, LotStatus, Moment, OwnBid, Result, Upcoming
from sothebais.agent.ports import Ask, Persona
from sothebais.agent.scripted.host import ScriptedHost

LOT, EVE, CAUSE = UUID(int=7), UUID(int=1), UUID(int=2)
NOW = 1_772_388_000_000  # 1 March 2026, 18:00 UTC

LOT_FACTS = LotFacts(
    id=LOT,
    number=7,
    title="Night Market",
    artist="Ines Vo",
    traits=(("Hat", "Top Hat"), ("Background", "Dusk")),
    story="A market after rain. Painted from memory.",
    starting_price=Decimal(1),
    price=Decimal("1.5"),
    previous_price=Decimal("1.4"),
    leader="ana",
    next_valid=Decimal("1.55"),
    bid_count=4,
    bidder_count=2,
    has_reserve=True,
    extension=120_000,
    extension_window=120_000,
    premium_percent=Decimal(10),
    opens_at=NOW - 300_000,
    ends_at=NOW + 340_000,
)
FACTS = Facts(
    now=NOW,
    campaign="Winter Nouns",
    day=2,
    days=3,
    lot=LOT_FACTS,
    upcoming=(Upcoming(8, "Harbour", "Ada Lin", NOW + 500_000),),
    results=(Result(6, "Old Hat", Decimal(2), "ETH", "bea"),),
    next_session_at=NOW + 86_400_000,
    asker=Asker("eve", (OwnBid(7, Decimal("1.2"), "ETH", False),)),
)
SOLD_FACTS = replace(
    FACTS,
    lot=replace(LOT_FACTS, status=LotStatus.SOLD, next_valid=None),
    results=(Result(7, "Night Market", Decimal("1.5"), "ETH", "ana"), *FACTS.results),
)
PASSED_FACTS = replace(
    FACTS,
    lot=replace(LOT_FACTS, status=LotStatus.PASSED, next_valid=None),
    results=(Result(7, "Night Market", None, "ETH", None), *FACTS.results),
)
EMPTY_FACTS = Facts(now=NOW)


def lot(**changes: Any) -> Facts:
    """The facts with the lot changed."""
    return replace(FACTS, lot=replace(LOT_FACTS, **changes))


#: Facts under which each moment is spoken of; every other moment has ``FACTS``.
OF_MOMENT: dict[Moment, Facts] = {
    Moment.SOLD: SOLD_FACTS,
    Moment.PASSED: PASSED_FACTS,
    Moment.CANCELLED: lot(status=LotStatus.CANCELLED),
    Moment.PAUSED: lot(status=LotStatus.PAUSED),
    Moment.CLOSING: lot(status=LotStatus.CLOSING),
    Moment.FAIR_WARNING: lot(ends_at=NOW + 12_000),
    Moment.LAST_CALL: lot(ends_at=NOW + 5_000),
    Moment.EXTENSION: lot(extension_count=1),
    Moment.BID_VOIDED: lot(voided_count=1),
    Moment.RESERVE_MET: lot(reserve_met=True),
    Moment.FIRST_BID: lot(bid_count=1, bidder_count=1, previous_price=None),
}


def ids() -> Any:
    """Ids that count."""
    numbers = iter(range(1_000, 1_000_000))
    return lambda: UUID(int=next(numbers))


def ask(moment: Moment, facts: Facts | None = None, *, persona: Persona | None = None) -> Ask:
    """An ask for a moment."""
    return Ask(
        intent=intent(moment, NOW, ids(), cause=CAUSE, lot=LOT),
        facts=facts or OF_MOMENT.get(moment, FACTS),
        persona=persona or Persona(),
    )


def asked(text: str, facts: Facts = FACTS, **more: Any) -> Ask:
    """An ask for an answer."""
    return Ask(intent=question(text, EVE, NOW, ids(), cause=CAUSE, lot=LOT, place="STREAM"), facts=facts, **more)


def scripted(seed: int = 1) -> ScriptedHost:
    """A scripted host with a seed of its own."""
    return ScriptedHost(random.Random(seed))
