"""The tokens a writer may use, and what they are filled with at the moment of speaking. Pure."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType

from sothebais import moderation, money
from sothebais.agent.model import Facts, LotFacts, LotStatus, Upcoming
from sothebais.agent.truth.reading import TOKEN, sounds_like_amount
from sothebais.instants import Millis, to_datetime

HANDLE_LENGTH_MAX = 40
NAME_LENGTH_MAX = 120
STORY_SENTENCE_LENGTH_MAX = 240
#: Bids, traits and results said in one breath.
LISTED_MAX = 3
#: Said instead of a name that may not be said.
SOMEBODY = "a bidder in the room"

_HOUSE_WORDS = moderation.words_of(moderation.DEFAULT_WORDS)
_HANDLE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_NAME_OF_WALLET = re.compile(r"[a-z0-9-]+\.(?:eth|sol)", re.IGNORECASE)
_MINUTE_MS, _HOUR_MS, _DAY_MS = 60_000, 3_600_000, 86_400_000


def priced(amount: Decimal, currency: str) -> str:
    """``1,250.5 ETH``; money of two decimals shows both or none."""
    if money.CURRENCY_DECIMALS.get(currency) == 2 and amount != amount.to_integral_value():
        return f"{amount:,.2f} {currency}"
    whole, _, fraction = money.text(amount).partition(".")
    return f"{int(whole):,}" + (f".{fraction}" if fraction else "") + f" {currency}"


def counted(number: int, one: str, many: str) -> str:
    """``1 bid``, ``7 bids``, ``no bids``."""
    return f"no {many}" if number == 0 else f"{number:,} {one if number == 1 else many}"


def length(left: Millis) -> str:
    """``2 minutes 5 seconds``, ``1 hour 10 minutes``, ``3 days``: the two largest units, rounded down."""
    seconds = max(0, left) // 1_000
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, seconds = divmod(rest, 60)
    units = ((days, "day"), (hours, "hour"), (minutes, "minute"), (seconds, "second"))
    first = next((place for place, (number, _) in enumerate(units) if number), None)
    if first is None:
        return "less than a second"
    said = [counted(number, unit, f"{unit}s") for number, unit in units[first : first + 2] if number]
    return " ".join(said)


def _local(at: Millis, facts: Facts) -> datetime:
    return to_datetime(at + facts.offset_minutes * _MINUTE_MS)


def clock_time(at: Millis, facts: Facts) -> str:
    """``20:15``, with its day when that is not today: ``20:15 on Sunday 1 March``."""
    local = _local(at, facts)
    day = "" if local.date() == _local(facts.now, facts).date() else f" on {local:%A} {local.day} {local:%B}"
    return f"{local:%H:%M}{day}"


@lru_cache(maxsize=4_096)
def handle(name: str) -> str:
    """How somebody is called aloud; ``SOMEBODY`` for a name that claims, sells or insults."""
    bare = name.removeprefix("@")
    may_be_said = (
        len(bare) <= HANDLE_LENGTH_MAX
        and _HANDLE.fullmatch(bare)
        and (_NAME_OF_WALLET.fullmatch(bare) or not moderation.has_link(bare))
        and not moderation.has_word(bare.replace("_", " ").replace(".", " "), _HOUSE_WORDS)
        and not sounds_like_amount(_NAME_OF_WALLET.sub(lambda found: found[0].rpartition(".")[0], bare))
    )
    if not may_be_said:
        return SOMEBODY
    return bare if _NAME_OF_WALLET.fullmatch(bare) else f"@{bare}"


@lru_cache(maxsize=4_096)
def phrase(text: str | None, length_max: int = NAME_LENGTH_MAX) -> str | None:
    """A title, a name or a sentence from the catalogue, as it may be said; None when it may not."""
    if not text:
        return None
    # braces would be read as tokens when the text is read again
    plain = moderation.clean(text).replace("{", "(").replace("}", ")")
    refused = moderation.refusal(plain[: moderation.LINE_LENGTH_MAX], _HOUSE_WORDS)
    if refused in (
        moderation.Refusal.LINK,
        moderation.Refusal.WORD,
        moderation.Refusal.INVISIBLE,
        moderation.Refusal.EMPTY,
    ):
        return None
    return plain if len(plain) <= length_max else plain[: length_max - 1].rstrip() + "…"


def _of_lot(tell: Callable[[LotFacts, Facts], str | None]) -> Callable[[Facts], str | None]:
    return lambda facts: None if facts.lot is None else tell(facts.lot, facts)


def _next(tell: Callable[[Upcoming, Facts], str | None]) -> Callable[[Facts], str | None]:
    return lambda facts: tell(facts.upcoming[0], facts) if facts.upcoming else None


def _amount(amount: Decimal | None, currency: str) -> str | None:
    return None if amount is None else priced(amount, currency)


def _time_left(lot: LotFacts, facts: Facts) -> str | None:
    return length(lot.ends_at - facts.now) if lot.status.open and lot.ends_at and lot.ends_at > facts.now else None


def _traits(lot: LotFacts, _: Facts) -> str | None:
    said = [
        f"{name} “{value}”" for name, value in ((phrase(a, 40), phrase(b, 40)) for a, b in lot.traits) if name and value
    ]
    return ", ".join(said[:LISTED_MAX]) or None


def _story(lot: LotFacts, _: Facts) -> str | None:
    first = re.split(r"(?<=[.!?])\s", (lot.story or "").strip(), maxsplit=1)[0]
    if len(first) > STORY_SENTENCE_LENGTH_MAX or sounds_like_amount(first):
        return None
    return phrase(first.rstrip(".!?"), STORY_SENTENCE_LENGTH_MAX)


def _reserve(lot: LotFacts, _: Facts) -> str:
    if not lot.has_reserve:
        return "there is no reserve on this lot"
    return "the reserve has been met" if lot.reserve_met else "the reserve has not been met yet"


def _last(field: str) -> Callable[[Facts], str | None]:
    def tell(facts: Facts) -> str | None:
        last = facts.last_result
        if last is None:
            return None
        if field == "lot":
            return f"lot {last.number}"
        if field == "item":
            return phrase(last.title)
        if last.winner is None:
            return None
        return handle(last.winner) if field == "winner" else _amount(last.price, last.currency)

    return tell


def _own_bids(facts: Facts) -> str | None:
    if not facts.asker or not facts.asker.bids:
        return None
    said = [f"{priced(bid.amount, bid.currency)} on lot {bid.lot_number}" for bid in facts.asker.bids[:LISTED_MAX]]
    return ", then ".join(said)


def _standing(facts: Facts) -> str | None:
    if not facts.asker or not facts.lot:
        return None
    own = [bid for bid in facts.asker.bids if bid.lot_number == facts.lot.number]
    if not own:
        return "you have no bid on this lot"
    if leads(facts):
        return "you won this lot" if facts.lot.status is LotStatus.SOLD else "you are leading"
    return "you are not leading; another bid stands above yours"


def leads(facts: Facts) -> bool:
    """Whether the person spoken to leads the lot that is on, or has won it."""
    return bool(
        facts.asker and facts.lot and any(b.leads and b.lot_number == facts.lot.number for b in facts.asker.bids)
    )


def _greeting(facts: Facts) -> str:
    hour = _local(facts.now, facts).hour
    return "good morning" if 5 <= hour < 12 else "good afternoon" if 12 <= hour < 17 else "good evening"


def _sold_lots(facts: Facts) -> str:
    return counted(sum(result.winner is not None for result in facts.results), "lot", "lots")


TOKENS: Mapping[str, Callable[[Facts], str | None]] = MappingProxyType({
    "price": _of_lot(lambda lot, _: _amount(lot.price, lot.currency)),
    "previous_price": _of_lot(lambda lot, _: _amount(lot.previous_price, lot.currency)),
    "starting_price": _of_lot(lambda lot, _: priced(lot.starting_price, lot.currency)),
    "next_bid": _of_lot(lambda lot, _: _amount(lot.next_valid, lot.currency) if lot.status.open else None),
    "leader": _of_lot(lambda lot, _: handle(lot.leader) if lot.leader else None),
    "lot": _of_lot(lambda lot, _: f"lot {lot.number}"),
    "item": _of_lot(lambda lot, _: phrase(lot.title) or "this piece"),
    "artist": _of_lot(lambda lot, _: phrase(lot.artist)),
    "traits": _of_lot(_traits),
    "story": _of_lot(_story),
    "bids": _of_lot(lambda lot, _: counted(lot.bid_count, "bid", "bids")),
    "bid_count": _of_lot(lambda lot, _: f"{lot.bid_count:,}"),
    "bidders": _of_lot(lambda lot, _: counted(lot.bidder_count, "bidder", "bidders") if lot.bidder_count else None),
    "time_left": _of_lot(_time_left),
    "ends_at": _of_lot(lambda lot, facts: clock_time(lot.ends_at, facts) if lot.ends_at and lot.status.open else None),
    "reserve_state": _of_lot(_reserve),
    "premium": _of_lot(
        lambda lot, _: f"a buyer's premium of {money.text(lot.premium_percent)}%" if lot.premium_percent else "no buyer's premium"
    ),
    "extension": _of_lot(lambda lot, _: length(lot.extension) if lot.extension else None),
    "extension_window": _of_lot(lambda lot, _: length(lot.extension_window) if lot.extension_window else None),
    "currency": _of_lot(lambda lot, _: lot.currency),
    "next_lot": _next(lambda lot, _: f"lot {lot.number}"),
    "next_item": _next(lambda lot, _: phrase(lot.title)),
    "next_artist": _next(lambda lot, _: phrase(lot.artist)),
    "next_lot_at": _next(lambda lot, facts: clock_time(lot.starts_at, facts)),
    "next_lot_in": _next(lambda lot, facts: length(lot.starts_at - facts.now) if lot.starts_at > facts.now else None),
    "next_session": lambda facts: clock_time(facts.next_session_at, facts) if facts.next_session_at else None,
    "last_lot": _last("lot"),
    "last_item": _last("item"),
    "last_price": _last("price"),
    "winner": _last("winner"),
    "sold_lots": _sold_lots,
    "campaign": lambda facts: phrase(facts.campaign),
    "day": lambda facts: f"day {facts.day} of {facts.days}" if facts.day and facts.days else None,
    "asker": lambda facts: handle(facts.asker.handle) if facts.asker else None,
    "your_bids": _own_bids,
    "your_standing": _standing,
    "host": lambda facts: phrase(facts.host),
    "greeting": _greeting,
    "now": lambda facts: clock_time(facts.now, facts),
    "zone": lambda facts: facts.zone,
})  # fmt: skip

#: Tokens that tell an amount of money.
AMOUNTS = frozenset({"price", "previous_price", "starting_price", "next_bid", "last_price", "your_bids"})
#: Tokens that name somebody who leads or won.
LEADERS = frozenset({"leader", "winner", "your_standing"})

_TWO_STOPS = re.compile(r"([.!?…][”\"’)]?)\.(?!\.)(?=\s|$)")
_COUNT_AND_NOUN = re.compile(r"\{bid_count\}(\s+)bids?\b")


@lru_cache(maxsize=64)
def values(facts: Facts) -> Mapping[str, str]:
    """Every token that has a fact now, with what it says."""
    return MappingProxyType({name: said for name, tell in TOKENS.items() if (said := tell(facts)) is not None})


def needed(text: str) -> frozenset[str]:
    """The tokens of a text."""
    return frozenset(TOKEN.findall(text))


def fill(text: str, facts: Facts) -> str:
    """The text with every token filled, capitals where sentences begin, and the noun after a count agreeing with it.

    Raises KeyError for a token that has no fact.
    """
    bids = 0 if facts.lot is None else facts.lot.bid_count
    agreed = _COUNT_AND_NOUN.sub(lambda found: f"{{bid_count}}{found[1]}{'bid' if bids == 1 else 'bids'}", text)
    known = values(facts)
    said = []
    end = 0
    for found in TOKEN.finditer(agreed):
        before = agreed[end : found.start()]
        said.append(before)
        value = known[found[1]]
        begins = not "".join(said).strip() or re.search(r"[.!?][\"'”’)]*\s+[\"'“‘(]*$", "".join(said))
        # a handle and a wallet's name are written as their owner writes them
        verbatim = found[1] in ("leader", "winner", "asker") and value != SOMEBODY
        said.append(value[:1].upper() + value[1:] if begins and not verbatim else value)
        end = found.end()
    # a title may bring its own full stop
    return _TWO_STOPS.sub(r"\1", "".join(said) + agreed[end:])
