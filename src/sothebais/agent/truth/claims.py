"""Guards on what a text claims: secrets, leaders, prices, and what became of a lot. Pure."""

import re

from sothebais.agent.model import LotStatus
from sothebais.agent.truth import words
from sothebais.agent.truth.reading import Reading, Sentence, is_common
from sothebais.agent.truth.tokens import AMOUNTS, LEADERS, TOKENS, leads

#: Fair warning is given no earlier than this before the end.
FAIR_WARNING_MS_MAX = 60_000


_EXPLAINS = re.compile(r"\byou (?:can|may|could) (?:also )?(?:give|set|name|enter|leave|type) (?:a|your) maximum\b(?! (?:of|is|at|to))")


def secret(reading: Reading) -> bool:
    """Talk of a maximum, a reserve or another secret that does not refuse to tell it, or that hints at it."""
    hints = words.listed(
        "above below under over higher lower near nearly close almost around about roughly between exceeds exceed past beyond half"
        " starts begins rhymes equals equal as like same less more than reached beaten far short away matches digit digits letter letters"
    )
    told = words.listed(
        "cannot can't never not no nobody won't don't nor neither refuse decline discretion sealed private until"
    )
    for sentence in reading.sentences:
        found = sentence.known & words.SECRET
        if not found:
            continue
        if "reserve_state" in sentence.tokens and not sentence.tokens & AMOUNTS and not sentence.known & hints:
            continue
        if sentence.tokens & (AMOUNTS | LEADERS) or sentence.known & hints:
            return True
        if _EXPLAINS.search(sentence.text.lower()):
            continue
        if not sentence.known & told or not all(map(is_common, sentence.plain_words)):
            return True
    return False


_WHO_BEFORE = re.compile(
    r"([\w'{}]+)\s+(?:(?:is|was|now|has|still|again|just|already|clearly|certainly)\s+)*"
    r"(?:leads?|leading|ahead|wins|won|winning|in front|in the lead|outbids?|takes it|took it|takes the|took the|claims|bought|owns|the (?:leader|winner|buyer|owner)|on top|victorious)\b"
)
_WHO_AFTER = re.compile(
    r"\b(?:leader|winner|buyer|owner|bidder|victor|champion|(?:sold|goes|gone|going|belongs|went|lost|knocked down|congratulations|applause|bravo|thanks|well done)"
    r"(?:,|\s+to|\s+goes to|\s+for)?|(?:lead|top|front)\s+(?:is\s+)?(?:with|held by|belongs to|by|for)|(?:is|are|with) with|by)"
    r"(?:\s+(?:is|was|are|be|now|still|again|goes|belongs|remains|to))*[\s,:]+([\w'{}]+)"
)
_NOBODY = words.listed(
    "who whoever nobody someone somebody anyone it this that which everyone one the a an and or of bid bids lot piece room what they we i to price not"
    "our your in on there at yet now paddle bidder bidders plan gets receives pays will collector leader winner somebody's never no for with as all so you every each if until when"
)


def leader(reading: Reading) -> bool:
    """A claim who leads or who won that is not made by a token."""
    for sentence in reading.sentences:
        if not sentence.known & words.LEADING:
            continue
        if not all(map(is_common, sentence.plain_words)):
            return True
        if "asker" in sentence.tokens and not leads(reading.facts):
            return True
        low = sentence.text.lower()
        who = [found[1] for found in _WHO_BEFORE.finditer(low)] + [found[1] for found in _WHO_AFTER.finditer(low)]
        allowed = {
            f"{{{one}}}"
            for one in (
                *LEADERS,
                *(("asker",) if leads(reading.facts) else ()),
                *TOKENS.keys() - {"asker", "host", "artist"},
            )
        }
        if any(
            word.rstrip("'s") not in _NOBODY and word not in _NOBODY and word not in allowed and not _is_small(word)
            for word in who
        ):
            return True
        if re.search(
            r"\byou(?:'re|'ve| are| have)?\s+(?:\w+\s+)?(?:lead|leading|won|win|winning|ahead|in front|the (?:leader|winner|buyer|owner))\b",
            low,
        ):
            if not leads(reading.facts) and not sentence.all_open(words.LEADING):
                return True
    return False


def _is_small(word: str) -> bool:
    return word in ("then", "here", "already", "too", "again", "first", "well", "is", "was", "has", "will", "can", "may", "does", "still", "more",
                    "patience", "courage", "taste", "persistence", "cannot", "once", "only", "ever", "have", "are", "next", "such", "fully", "today")  # fmt: skip


def price(reading: Reading) -> bool:
    """A claim about a price that no token makes, or that the wrong token makes."""
    for sentence in reading.sentences:
        tokens, low = sentence.tokens, sentence.text.lower()
        claims = sentence.known & words.PRICING
        if claims and not all(map(is_common, sentence.plain_words)):
            return True
        if (
            "next_bid" in tokens
            and re.search(
                r"\b(?:price|bid|lead|leader|it|we|standing|stands?|sold|now|reached|is)(?:'s)?\s+(?:\w+\s+){0,2}(?:is|stands?|are|at|of|now|reached|for)?\s*(?:now\s+)?(?:at\s+)?\{next_bid\}",
                low,
            )
            and not re.search(
                r"\b(?:next|takes?|would|need|needed|from here|to lead|will|want|ask|asking|looking|invite|require|requires?|minimum|least)\b",
                low,
            )
        ):
            return True
        if "previous_price" in tokens and not re.search(
            r"\b(?:from|was|were|before|previous|previously|up|beyond|past|above|beat|beats|left)\b", low
        ):
            return True
        if "starting_price" in tokens and not re.search(
            r"\b(?:start|starts|starting|open|opens|opened|opening|began|begin|begins|from|first)\b", low
        ):
            return True
        if "last_price" in tokens and not re.search(
            r"\{(?:last_lot|last_item|winner)\}|\blast\b|\bsold\b|\bhammer\b", low
        ):
            return True
        if "your_bids" in tokens and not re.search(r"\b(?:you|your|yours)\b", low):
            return True
        if "price" in tokens and re.search(
            r"\b(?:next|minimum|to lead|needed|required|estimate|worth|reserve|maximum|starting|opened at)\b", low
        ):
            if "next_bid" not in tokens and "starting_price" not in tokens:
                return True
    return bool(_MOVES.search(reading.low)) and not reading.sentences[0].all_open(words.PRICING)


_MOVES = re.compile(
    r"\b(?:price|bid|bids|lot|fee|premium|reserve)\b[^.!?]*\b(?:lowered|reduced|cut|dropped|dropping|falls?|fallen|fell|down to|waived|refunded|free|nothing|reset|returned)\b"
    r"|\b(?:lowered|reduced|waived|refunded|dropped)\b[^.!?]*\b(?:price|fee|premium|bid)\b|\bfree of charge\b|\bfor free\b|\bfor nothing\b"
    r"|\bdiscount(?:ed|s)?\b|\bon the house\b|\bbargain price\b"
)


def state(reading: Reading) -> bool:
    """A lot that is said to be sold, closed, extended or halted while it is not."""
    facts = reading.facts
    lot, last = facts.lot, facts.last_result
    status = lot.status if lot else None
    sold = status is LotStatus.SOLD or bool(last and last.winner)
    near = status is LotStatus.CLOSING or bool(
        lot and lot.status.open and lot.ends_at and lot.ends_at - facts.now <= FAIR_WARNING_MS_MAX
    )
    checks = (
        ("sold gone won winner winners congratulations congrats champion victor", sold),
        ("unsold passed", status is LotStatus.PASSED or bool(last and not last.winner)),
        ("closed over ended finished done", status is None or status.over),
        ("extended", bool(lot and lot.extension_count)),
        ("paused halted suspended", status is LotStatus.PAUSED),
        ("cancelled withdrawn void voided annulled", status is LotStatus.CANCELLED),
        ("reopened", False),
        ("removed struck deleted", bool(lot and lot.voided_count)),
    )
    for sentence in reading.sentences:
        low = sentence.text.lower()
        for listed, holds in checks:
            said = sentence.known & words.listed(listed)
            if said and not holds and not sentence.all_open(said) and not _is_idiom(sentence, said):
                return True
        warns = re.search(
            r"\b(?:fair warning|last chance|final call|last call|final chance|going (?:once|twice)|going,? going)\b",
            low,
        )
        if warns and not near and not (sold and "sold" in low):
            return True
        if re.search(r"\b(?:hammer|gavel)\s+(?:is|has|comes|came|falls|fell)\b", low) and not sold:
            if not sentence.all_open(frozenset({"hammer", "gavel"})):
                return True
    return False


def _is_idiom(sentence: Sentence, said: frozenset[str]) -> bool:
    low = sentence.text.lower()
    if low.endswith("?") and said <= {"finished", "done", "over"}:
        return True
    if "sold_lots" in sentence.tokens and said == {"sold"}:
        return True
    idioms = {
        "over": r"\bover (?:to|there|here|it|this|the|a|that|my|your|and)\b|\b(?:all|look|looked|think|thought|watch|talk) (?:it )?over\b",
        "passed": r"\bpassed (?:a|the|my|into|from|by|through)\b",
        "done": r"\b(?:well|nicely|quietly|beautifully|handsomely|neatly|bravely) done\b|\bdone (?:with|in|by|justice)\b",
        "void": r"\bvoid of\b",
        "finished": r"\b(?:a|beautifully|finely|so|well) finished\b",
        "closed": r"\bclosed (?:eyes|door|room)\b",
        "gone": r"\b(?:has|have|had) gone (?:quiet|up|still|very|rather|from|well)\b|\bgone quiet\b",
    }
    return all(word in idioms and re.search(idioms[word], low) for word in said)
