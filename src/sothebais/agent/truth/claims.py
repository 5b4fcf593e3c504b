"""Guards on what a text claims: secrets, leaders, prices, and what became of a lot. Pure."""

import re

from sothebais.agent.truth import words
from sothebais.agent.truth.reading import Reading, is_common
from sothebais.agent.truth.tokens import AMOUNTS, LEADERS, TOKENS, leads

#: Fair warning is given no earlier than this before the end.
FAIR_WARNING_MS_MAX = 60_000


_ASSENT_FIRST = words.listed(
    "yes no nod nods correct indeed exactly true false confirmed affirmative right wrong warm cold close aye"
)
_EXPLAINS = re.compile(
    r"\byou (?:can|may|could) (?:also )?(?:give|set|name|enter|leave|type) (?:a|your) maximum\b(?! (?:of|is|at|to))"
)


#: What somebody else would do, and whether a guess was good.
_FORETELLS = re.compile(
    r"\b(?:leader|bidder|bidders|winner|\{leader\}|they|he|she|rival|seller)\s+(?:will|would|won't|is going to|may|might|can|cannot|could)\s+(?:\w+\s+)?(?:stop|go|pay|give|bid|drop|fold|yield|raise|follow|accept)\b"
    r"|\brhym\w+|\b(?:number|figure|guess|answer)s?\b[^.!?]*\b(?:right|correct|close|warm|first|last|near|higher|lower|big|small|good|yours)\b"
    r"|\b(?:right|correct|close|warm|last|first)\b[^.!?]*\b(?:number|figure|guess)s?\b|\b(?:warmer|colder|getting warm)\b"
)
_ASSENT = words.listed(
    "yes no nod nods correct indeed exactly true false confirmed affirmative right wrong warm cold close near so quite that is it very you are i say aye of course"
)


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
        if _FORETELLS.search(sentence.text.lower()):
            return True
        # a bare yes or no tells what was asked, whatever that was
        if sentence.low and sentence.low[0] in _ASSENT_FIRST and sentence.known <= _ASSENT:
            return True
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


_YOURS = re.compile(r"\b(?:is|are|be|it's) (?:now |all |already )?yours\b")


def leader(reading: Reading) -> bool:
    """A claim who leads or who won that is not made by a token."""
    for sentence in reading.sentences:
        low = sentence.text.lower()
        if _YOURS.search(low) and not sentence.tokens & LEADERS:
            return True
        if not sentence.known & words.LEADING:
            continue
        if not all(map(is_common, sentence.plain_words)):
            return True
        if "asker" in sentence.tokens and not leads(reading.facts):
            return True
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


#: "the price is {next_bid}", "{leader} leads at {next_bid}"
_IS_NEXT = re.compile(
    r"\b(?:at|for|of|is|are|reached|now|stands?|leads?|price|bid)\s*:?\s+(?:now\s+|only\s+)?\{next_bid\}"
)
_ASKS_NEXT = re.compile(
    r"\b(?:next|takes?|would|need|needed|from here|to lead|will|want|ask|asking|looking|listening|invite|require|requires?|minimum|least|or more|shall|say|hear)\b"
)
_DENIALS = words.listed("cannot can't never not no nobody won't don't doesn't isn't")
#: A price must not hide in a word of another language: "we are at devyat".
_AT = re.compile(
    r"\b(?:at|(?:goes|went|sold|yours|going|gone|asking|offered) for|reached|(?:price|bid) (?:is|of)(?: now)?)\s+([\w{}]+)"
)
_AT_SOMETHING = re.compile(
    r"\b(?:seller|house|owner)\s+(?:would|will|might|may|could|can|is ready to)\s+(?:\w+\s+)?(?:accept|take|settle|agree|sell)\b"
)


def price(reading: Reading) -> bool:
    """A claim about a price that no token makes, or that the wrong token makes."""
    for sentence in reading.sentences:
        tokens, low = sentence.tokens, sentence.text.lower()
        claims = sentence.known & words.PRICING
        if claims and not all(map(is_common, sentence.plain_words)):
            return True
        if "next_bid" in tokens and _IS_NEXT.search(low) and not _ASKS_NEXT.search(low):
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
        if _MOVES.search(low) and not sentence.known & _DENIALS:
            return True
        if _AT_SOMETHING.search(low) or any(
            not is_common(word) for word in _AT.findall(low) if not word.startswith("{")
        ):
            return True
    return False


_MOVES = re.compile(
    r"\b(?:price|bid|bids|lot|fee|premium|reserve)\b[^.!?]*\b(?:lowered|lower|reduced|cut|dropped|dropping|falls?|fallen|fell|down to|waived|refunded|free|nothing|reset|returned)\b"
    r"|\b(?:lowered|reduced|waived|refunded|dropped)\b[^.!?]*\b(?:price|fee|premium|bid)\b|\b(?:is|are|for|it's) (?:now |all )?free(?! to)\b|\bfree of charge\b|\bfor nothing\b"
    r"|\b(?:costs?|pay|pays|owes?) (?:you )?(?:nothing|little)\b|\bdiscount(?:ed|s)?\b|\bon the house\b|\bbargain price\b"
)
