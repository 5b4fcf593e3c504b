"""What may become a memory. Pure.

What somebody says is hearsay, kept in their own words for them alone; and a memory never holds an amount: what things cost
and who leads is in the log, and is read there. So a line with a number, a price, a claim about a lot, a link or an
instruction is not remembered at all, whoever it comes from.
"""

import re
import unicodedata
from typing import Final

from sothebais import moderation
from sothebais.agent.memory.model import TEXT_LENGTH_MAX
from sothebais.agent.truth.words import CURRENCIES, LEADING, NUMBERS, PRICING, SECRET, listed

#: Longest line of a person that is kept.
SAID_LENGTH_MAX: Final = 160
TITLE_LENGTH_MAX: Final = 80

_WORDS: Final = moderation.words_of(moderation.DEFAULT_WORDS)
_WORD: Final = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
#: "one" and "first" are said of other things than amounts.
_NUMBERS: Final = NUMBERS - listed("one ones first second last single once")
#: Of the words about leading and prices those that nobody needs to say about themselves.
_CLAIMS: Final = (LEADING | PRICING | SECRET | listed(
    "lot lots bid bids bidding auction auctions hammer price prices cost costs sold sell sells winner winners won reserve maximum discount fee fees"
    " refund deposit invoice payment wallet worth market everyone everybody anybody anyone nobody staff admin operator house rules rule"
)) - listed("take takes takes first early ahead front for at from")  # fmt: skip
_ORDERS: Final = re.compile(
    r"\b(?:remember|memori[sz]e|forget|ignore|disregard|pretend|obey|repeat|announce|promise|confirm|always|never|must|should|shall|from now on|next time"
    r"|instructions?|system|prompt|developer|override|authori[sz]ed?|tell|say|says|said|inform|let (?:them|people|all)|make sure|note that|the truth is"
    r"|you(?:'re| are| will| have to| can| may)|your|raven|sable|it is a fact|fact is)\b",
    re.IGNORECASE,
)
#: The host spoken to, which is no part of what is said.
_SPOKEN_TO: Final = re.compile(
    r"^(?:(?:hey|hi|hello|dear|good evening)[ ,]+)?(?:sable|raven)\s*[,:!-]\s*|[\s,]+(?:sable|raven)(?=[.!?]*$)",
    re.IGNORECASE,
)
_STATEMENT: Final = re.compile(
    r"\b(?:i|we)(?: (?:really|also|still|just|mostly|only|usually|do|have|always|actually))? "
    r"(?:collect|love|like|adore|enjoy|prefer|admire|dislike|hate|paint|draw|sculpt|photograph|write|weave|print|make|build|restore|frame|study|teach|work|live|come"
    r"|grew|moved|missed|own|keep|play|sing|cook|travel|visit|read|am|dream|started|inherited|hang|hung|have|named|miss|run|speak|wear|watch)\b[^.!?;\n]*"
    r"|\bi'(?:m|ve) [^.!?;\n]*|\bmy (?:favou?rite|first|dog|cat|parrot|bird|wife|husband|partner|son|daughter|mother|father|grandmother|grandfather|sister|brother|studio|"
    r"gallery|shop|job|home|name|garden|collection|hobby|birthday)\b[^.!?;\n]*|\bcall me [^.!?;\n]*|\bthis is my first[^.!?;\n]*",
    re.IGNORECASE,
)
_AMOUNT: Final = re.compile(
    r"[€$£¥Ξ◎₿]|\d[\d.,_]*\s*(?:k|m|" + "|".join(sorted(map(re.escape, CURRENCIES), key=len, reverse=True)) + r")\b"
    r"|\b(?:" + "|".join(sorted(map(re.escape, CURRENCIES), key=len, reverse=True)) + r")\b|\d+[.,]\d",
    re.IGNORECASE,
)  # fmt: skip


def plain(text: str) -> str:
    """A text on one line, full-width letters and digits as usual ones."""
    return moderation.clean(unicodedata.normalize("NFKC", text[: moderation.RAW_LENGTH_MAX])).replace("’", "'")


def said(text: str) -> str:
    """What somebody says in a line, without the host's name in front or behind."""
    return _SPOKEN_TO.sub("", plain(text)).strip()


def holds_amount(text: str) -> bool:
    """Whether there is a sum of money in a text, or something that reads like one."""
    read = unicodedata.normalize("NFKC", text)
    return _AMOUNT.search(read) is not None or _spelled_amount(read)


def _spelled_amount(text: str) -> bool:
    words = [word.lower() for word in _WORD.findall(text)]
    return any(word in CURRENCIES for word in words)


def hearsay(text: str) -> str | None:
    """What somebody says of themselves in a line, as it may be kept for them; None for what is not to be kept."""
    line = said(text)
    if not is_harmless(line):
        return None
    found = _STATEMENT.search(line)
    if found is None:
        return None
    words = found[0].strip(" ,:-'\"")
    if len(words.split()) < 3 or len(words) > SAID_LENGTH_MAX:
        return None
    return f"They told you: “{words[0].upper()}{words[1:]}.”"


def is_harmless(line: str) -> bool:
    """Whether a cleaned line has nothing that a memory must not hold. It judges the whole line, not the part that is kept."""
    if moderation.refusal(line, _WORDS) is not None or len(line) > 2 * SAID_LENGTH_MAX:
        return False
    if any(unicodedata.category(letter) in ("Nd", "Nl", "No", "Sc") for letter in line) or set(line) & set(
        "@#{}[]<>|\\=`~^_*"
    ):
        return False
    # other alphabets are look-alikes here, and nothing below would see through them
    if any(letter.isalpha() and not _is_latin(letter) for letter in line):
        return False
    words = {word.lower() for word in _WORD.findall(line)}
    words |= {word.removesuffix("'s") for word in words}
    if words & (_NUMBERS | CURRENCIES | _CLAIMS) or _ORDERS.search(line):
        return False
    # letters set apart spell what the words do not say
    return not any(len(word) == 1 and word not in ("i", "a", "o") for word in words - {"s", "t", "m", "d"})


def _is_latin(letter: str) -> bool:
    return "LATIN" in unicodedata.name(letter, "")


def title(text: str) -> str:
    """A piece's title as a memory has it: the catalogue's text, but no amount, and of a bounded length."""
    named = plain(text)
    if not named or holds_amount(named) or moderation.refusal(named, _WORDS) is not None:
        return "a piece"
    if all(word.lower() in _NUMBERS for word in _WORD.findall(named)) and _WORD.search(named):
        return "a piece"
    return f"“{named if len(named) <= TITLE_LENGTH_MAX else named[: TITLE_LENGTH_MAX - 1].rstrip() + '…'}”"


def fits(text: str) -> bool:
    """Whether a text may be stored: not empty, not too long, and without an amount. The last gate, for every memory."""
    return bool(text.strip()) and len(text) <= TEXT_LENGTH_MAX and not holds_amount(text)
