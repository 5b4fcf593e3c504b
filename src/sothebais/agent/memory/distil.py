"""What is left of a session when it is over: from its events and lines to memories. Pure.

Records, results and regulars are counted from the log. What people said of themselves stays theirs; what the room said
together is a running joke only when enough different people said it, and nothing in it is a claim.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Final
from uuid import UUID

from msgspec import Struct, field

from sothebais.agent.memory import wording
from sothebais.agent.memory.model import NewMemory
from sothebais.agent.truth.words import listed
from sothebais.agent.understanding import Wish, understand
from sothebais.instants import Millis

#: Lines of a session that are read; the newest.
LINES_MAX: Final = 5_000
#: What one person leaves of one session at most.
SAYINGS_MAX: Final = 3
LOTS_MAX: Final = 6
#: Somebody who came to so many sessions is a regular.
REGULAR_SESSIONS_MIN: Final = 3
#: A phrase is the room's when so many different people said it, and each joke stands apart from the others.
JOKE_PEOPLE_MIN: Final = 4
JOKE_WORDS: Final = range(2, 5)
JOKES_MAX: Final = 2

_ASKED: Final[Mapping[Wish, str]] = {
    Wish.ARTIST: "who made a piece",
    Wish.STORY: "the story behind a piece",
    Wish.TRAITS: "the details of a piece",
    Wish.HOW_TO_BID: "how to take part",
    Wish.SOFT_CLOSE: "how the clock works",
    Wish.VERIFY: "how a result can be checked",
    Wish.PAYMENT: "how paying works",
    Wish.SCHEDULE: "when the next session is",
    Wish.ARE_YOU_AI: "whether you are an AI",
}


class LotEnd(Struct, frozen=True, kw_only=True):
    """A lot as the log has it at the end of the session. ``event`` is its ``auction:end``."""

    auction: UUID
    number: int
    title: str
    event: UUID
    sold: bool
    price: Decimal | None = None
    currency: str = "ETH"
    winner: UUID | None = None
    bid_count: int = 0
    #: Everybody who made a bid that counted, with the event of their last one.
    bidders: dict[UUID, UUID] = field(default_factory=dict)


class Line(Struct, frozen=True):
    """What somebody wrote, and the event that says so."""

    user: UUID
    text: str
    at: Millis
    event: UUID


class Session(Struct, frozen=True, kw_only=True):
    """A campaign day that is over. ``event`` is its end; ``sessions`` counts the days on which each person took part."""

    campaign: UUID
    number: int
    event: UUID
    lots: tuple[LotEnd, ...] = ()
    lines: tuple[Line, ...] = ()
    sessions: dict[UUID, int] = field(default_factory=dict)


def distil(session: Session) -> list[NewMemory]:
    """The memories of a session, the same whenever it is distilled; amounts are in none of them.

    Of somebody who asked the host to leave them alone nothing is kept.
    """
    found = [*_of_the_house(session), *_of_lots(session), *_of_people(session)]
    alone = {line.user for line in session.lines if understand(wording.plain(line.text)).ask is Wish.OPT_OUT}
    return [memory for memory in found if memory.user not in alone and wording.fits(memory.text)]


def _of_the_house(session: Session) -> Iterator[NewMemory]:
    subject = f"campaign:{session.campaign}"
    day = f"day {session.number}"
    sold = [lot for lot in session.lots if lot.sold and lot.price is not None]
    record = record_of(session.lots)
    if record is not None:
        yield NewMemory(
            key=f"record/{session.number}",
            text=f"The record of {day} was lot {record.number}, {wording.title(record.title)}.",
            importance=0.9,
            subject=subject,
            event=record.event,
        )
    busiest = max(session.lots, key=lambda lot: (lot.bid_count, -lot.number), default=None)
    if busiest is not None and busiest.bid_count > 1:
        yield NewMemory(
            key=f"busiest/{session.number}",
            text=f"On {day} nothing was wanted by so many as lot {busiest.number}, {wording.title(busiest.title)}.",
            importance=0.6,
            subject=subject,
            event=busiest.event,
        )
    if session.lots and len(sold) == len(session.lots):
        yield NewMemory(
            key=f"all-sold/{session.number}",
            text=f"On {day} every lot found a home.",
            importance=0.7,
            subject=subject,
            event=session.event,
        )
    for lot in session.lots:
        if not lot.sold:
            yield NewMemory(
                key=f"passed/{lot.auction}",
                text=f"Lot {lot.number}, {wording.title(lot.title)}, found no buyer on {day}.",
                importance=0.5,
                subject=subject,
                event=lot.event,
            )
    for phrase, event in jokes(session.lines):
        yield NewMemory(
            key=f"joke/{phrase}",
            text=f"On {day} the room kept saying “{phrase}”.",
            importance=0.4,
            subject=subject,
            event=event,
        )


def record_of(lots: Iterable[LotEnd]) -> LotEnd | None:
    """The lot with the highest price; None where none was sold, or where prices in several currencies have no order."""
    sold = [lot for lot in lots if lot.sold and lot.price is not None]
    if not sold or len({lot.currency for lot in sold}) > 1:
        return None
    return max(sold, key=lambda lot: (lot.price or Decimal(0), -lot.number))


def _of_lots(session: Session) -> Iterator[NewMemory]:
    told: Counter[UUID] = Counter()
    for lot in session.lots:
        for user, event in lot.bidders.items():
            if told[user] >= LOTS_MAX and user != lot.winner:
                continue
            told[user] += 1
            named = f"lot {lot.number}, {wording.title(lot.title)}, on day {session.number}"
            if lot.sold and user == lot.winner:
                yield NewMemory(
                    key=f"won/{lot.auction}", text=f"They won {named}.", importance=0.9, user=user, event=lot.event
                )
            else:
                outcome = "it went to somebody else" if lot.sold else "it found no buyer"
                yield NewMemory(
                    key=f"bid/{lot.auction}",
                    text=f"They took part in {named}; {outcome}.",
                    importance=0.5,
                    user=user,
                    event=event,
                )


def _of_people(session: Session) -> Iterator[NewMemory]:
    for user, count in session.sessions.items():
        if count >= REGULAR_SESSIONS_MIN:
            # the key has no number: it is the same memory, told anew each time
            yield NewMemory(
                key=f"regular/{session.campaign}",
                text=f"They are a regular: they have come to {count} sessions of this campaign.",
                importance=0.7,
                user=user,
                event=session.event,
            )
    said: Counter[UUID] = Counter()
    asked: set[tuple[UUID, Wish]] = set()
    for line in session.lines[-LINES_MAX:]:
        hearsay = wording.hearsay(line.text)
        if hearsay is not None:
            if said[line.user] < SAYINGS_MAX:
                said[line.user] += 1
                yield NewMemory(
                    key=f"said/{hearsay.casefold()}", text=hearsay, importance=0.6, user=line.user, event=line.event
                )
            continue
        wish = understand(wording.plain(line.text)).ask
        if wish in _ASKED and (line.user, wish) not in asked:
            asked.add((line.user, wish))
            yield NewMemory(
                key=f"asked/{wish}",
                text=f"They asked {_ASKED[wish]}.",
                importance=0.3,
                user=line.user,
                event=line.event,
            )


def jokes(lines: Iterable[Line]) -> list[tuple[str, UUID]]:
    """Phrases that many different people said, each with the first event: never a claim, an order, a name or a number."""
    people: dict[str, set[UUID]] = {}
    first: dict[str, UUID] = {}
    for line in lines:
        text = wording.plain(line.text)
        if not wording.is_harmless(text):
            continue
        words = [word for word in (one.strip(".,;:!?'\"()“”…-").lower() for one in text.split()) if word]
        for length in JOKE_WORDS:
            for at in range(len(words) - length + 1):
                phrase = " ".join(words[at : at + length])
                people.setdefault(phrase, set()).add(line.user)
                first.setdefault(phrase, line.event)
    shared = [phrase for phrase, users in people.items() if len(users) >= JOKE_PEOPLE_MIN and _is_a_phrase(phrase)]
    shared.sort(key=lambda phrase: (-len(people[phrase]), -len(phrase.split()), phrase))
    found: list[str] = []
    for phrase in shared:
        if len(found) < JOKES_MAX and not any(_overlaps(phrase, other) for other in found):
            found.append(phrase)
    return [(phrase, first[phrase]) for phrase in found]


#: What everybody says anyway is no joke.
_PLAIN: Final = listed(
    """
    a an the and or but of to in on at is it its it's this that i i'm you we so very my me be been are was for with as how what good evening morning night
    hello hi hey thanks thank please yes no nice great love lovely beautiful wow here there now then just really have has do does not welcome
    """
)


def _is_a_phrase(phrase: str) -> bool:
    words = phrase.split()
    return (
        sum(word not in _PLAIN for word in words) >= 2
        and words[0] not in ("of", "and", "or")
        and words[-1] not in _PLAIN
    )


def _overlaps(one: str, other: str) -> bool:
    return bool(set(one.split()) & set(other.split()) - _PLAIN)
