"""What may be said in a room: a line made plain, or the reason why it is refused. Pure.

``clean`` takes out what only deceives the eye; ``refusal`` judges what is left. Words are compared by how they look:
other alphabets' look-alikes, accents, digits for letters and letters set apart all fold to the same word.
"""

import re
import unicodedata
from collections.abc import Iterable
from enum import StrEnum

import msgspec

LINE_LENGTH_MAX = 500
#: Longest text that is looked at: what is cleaned away may be a part of it, but not any amount.
RAW_LENGTH_MAX = 2_000
#: Marks one letter may carry; real languages need two or three.
MARKS_MAX = 4
WORDS_MAX = 10_000
WORD_LENGTH_MAX = 60

#: Refused where the house has no list of its own.
DEFAULT_WORDS = ("fuck*", "motherfuck*", "shit", "bullshit", "cunt*", "asshole*", "bitch*", "wanker*", "dickhead*")


class Refusal(StrEnum):
    """Why a line is not said."""

    EMPTY = "EMPTY"
    TOO_LONG = "TOO_LONG"
    INVISIBLE = "INVISIBLE"
    MARKS = "MARKS"
    LINK = "LINK"
    WORD = "WORD"


SENTENCES = {
    Refusal.EMPTY: "There is nothing to read in this line.",
    Refusal.TOO_LONG: f"A line has at most {LINE_LENGTH_MAX} characters.",
    Refusal.INVISIBLE: "This line has characters that cannot be seen. Type it instead of pasting it.",
    Refusal.MARKS: "This line has letters with too many marks on them.",
    Refusal.LINK: "Links and addresses are not allowed in the room.",
    Refusal.WORD: "This line has a word that is not used here.",
}

_ZWJ, _VS15, _VS16 = "\u200d", "\ufe0e", "\ufe0f"
#: They change the direction of what follows, and nothing else.
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
#: Letters by their category that show nothing.
_BLANK = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u034f")
_SPACES = frozenset("\t\n\v\f\r\x85\u2028\u2029")


class Words(msgspec.Struct, frozen=True):
    """Folded words that are not used here: whole ones, and beginnings."""

    whole: frozenset[str]
    beginnings: tuple[str, ...]


def clean(text: str) -> str:
    """The line in NFC on one line, without control and direction characters, without blanks around or beside each other."""
    kept = [
        " " if character in _SPACES else character
        for character in text
        if character in _SPACES or (character not in _BIDI and unicodedata.category(character) != "Cc")
    ]
    return " ".join(unicodedata.normalize("NFC", "".join(kept)).split())


def refusal(line: str, words: Words) -> Refusal | None:
    """Why a cleaned line is not said; None when it may be."""
    if not line:
        return Refusal.EMPTY
    if len(line) > LINE_LENGTH_MAX:
        return Refusal.TOO_LONG
    if _has_invisible(line):
        return Refusal.INVISIBLE
    if _has_too_many_marks(line):
        return Refusal.MARKS
    if has_link(line):
        return Refusal.LINK
    if has_word(line, words):
        return Refusal.WORD
    return None


def _has_invisible(line: str) -> bool:
    visible = False
    for place, character in enumerate(line):
        category = unicodedata.category(character)
        if character == _ZWJ:
            # it joins emoji into one; anywhere else it only hides
            if not (_is_emoji(line[place - 1 : place]) and _is_emoji(line[place + 1 : place + 2])):
                return True
        elif character in (_VS15, _VS16):
            if place == 0 or line[place - 1] in (_VS15, _VS16, " "):
                return True
        elif category in ("Cf", "Co", "Cs") or character in _BLANK or _is_selector(character):
            return True
        elif category not in ("Zs", "Mn", "Me", "Cn"):
            visible = True
    return not visible


def _is_emoji(character: str) -> bool:
    if not character:
        return False
    # ♂ and ♀, hearts, skin tones and everything drawn after U+1F000
    return character == _VS16 or unicodedata.category(character) == "So" or "\U0001f000" <= character <= "\U0001faff"


def _is_selector(character: str) -> bool:
    return "\ufe00" <= character <= "\ufe0d" or "\U000e0100" <= character <= "\U000e01ef"


def _has_too_many_marks(line: str) -> bool:
    run = 0
    for character in unicodedata.normalize("NFD", line):
        run = run + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if run > MARKS_MAX:
            return True
    return False


# links

#: Endings under which addresses are given away in chats. `.eth` and its like are names of people, not of pages; those
#: that are English words (`it.is`) count only with a path behind them.
_ENDINGS = (
    "com|net|org|info|biz|io|co|ai|app|dev|xyz|link|site|online|shop|store|top|club|live|win|vip|pro|page|art|gallery|"
    "market|finance|exchange|wallet|cash|fund|money|click|space|website|tech|cloud|fun|icu|buzz|gg|ly|to|tv|cc|ws|"
    "uk|eu|de|fr|es|nl|ch|pl|cz|ru|su|cn|hk|jp|kr|br|au|ca|tk|ml|ga|cf|gq|pw|onion"
)
_DOT = re.compile(r"\s*[\[({<]\s*(?:\.|dot|punkt|point)\s*[\])}>]\s*")
_LINKS = (
    re.compile(r"\b[a-z][a-z0-9+.-]{1,20}:/{1,3}"),
    re.compile(r"\b(?:hxxps?|mailto|javascript|data|tel|magnet)\s?:"),
    re.compile(r"\bwww\d?\."),
    re.compile(r"\b[\w-]+\s?@\s?[\w-]+\.[a-z]{2,}"),
    re.compile(rf"\b[\w-]{{2,63}}(?:\.[\w-]{{2,63}}){{0,5}}\.(?:{_ENDINGS})\b(?!\.\d)"),
    re.compile(r"\b(?:[\w-]{1,63}\.){1,5}[a-z]{2,63}/\w"),
    re.compile(r"\bxn--[a-z0-9]"),
    re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])"),
)


def has_link(line: str) -> bool:
    """Whether a line has an address of a page, a mailbox or a machine in it, also one that is spelled out."""
    plain = unicodedata.normalize("NFKC", line).casefold().replace("\u3002", ".").replace("\uff61", ".")
    plain = _DOT.sub(".", plain)
    folded = "".join(_LOOK_ALIKES.get(character, character) for character in plain)
    return any(pattern.search(text) for text in {plain, folded} for pattern in _LINKS)


# words

_LOOK_ALIKES = dict(
    zip(
        "абвгеёзикмнопрстухсуѕіїјԛԝһӏ" + "αβγεζηικνοπρτυχωσ" + "ıłøđħŧɑɡɩʀʏᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꜱᴛᴜᴠᴡᴢ",
        "abbreeznkmhonpctyxcysiijqwhl" + "abyeznikvonptuxwo" + "ilodhtagiryabcdefghijklmnopstuvwz",
        strict=True,
    )
) | {"ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"}
_DIGITS = str.maketrans("0134578@$!|+€", "oieastbasiite")
_EDGES = ".,;:?!…\"'()[]{}<>«»“”„‘’*_~-–—/\\|+"
_LETTERS = re.compile(r"[^\W\d_]+")
_REPEATED = re.compile(r"(.)\1+")


def fold(text: str) -> str:
    """How a text looks, in plain small letters: accents gone, look-alikes of other alphabets replaced."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    bare = "".join(character for character in plain if unicodedata.category(character) not in ("Mn", "Me", "Cf"))
    return "".join(_LOOK_ALIKES.get(character, character) for character in bare)


def words_of(listed: Iterable[str]) -> Words:
    """A list of words, `word*` for a beginning, as ``has_word`` compares it. Blank lines and `#` comments are left out."""
    whole, beginnings = set(), []
    for one in listed:
        word = one.strip()
        if not word or word.startswith("#"):
            continue
        folded = _squeezed(_skeleton(word.removesuffix("*")))
        if not folded or len(folded) > WORD_LENGTH_MAX:
            continue
        if word.endswith("*"):
            beginnings.append(folded)
        else:
            whole.add(folded)
        if len(whole) + len(beginnings) >= WORDS_MAX:
            break
    return Words(frozenset(whole), tuple(sorted(set(beginnings))))


def has_word(line: str, words: Words) -> bool:
    """Whether one of the words is in a line, however it is dressed up. A word within another word is not one."""
    tokens, apart = _tokens(fold(line))
    if any(token in words.whole or token.startswith(words.beginnings) for token in tokens):
        return True
    return any(word in run for run in apart for word in (*words.whole, *words.beginnings))


def _tokens(folded: str) -> tuple[list[str], list[str]]:
    """The words of a folded line in every reading, and the runs of letters that were set apart by blanks."""
    tokens: list[str] = []
    runs, run = [], ""
    for part in folded.split():
        token = part.strip(_EDGES)
        if len(token) == 1 and token.isalpha():
            run += token
            continue
        if len(run) > 1:
            runs.append(_squeezed(run))
        run = ""
        if any(character.isalpha() for character in token):  # digits alone are a number
            tokens.append(_squeezed(_skeleton(token)))
            tokens += [_squeezed(word) for word in _LETTERS.findall(token)]
    if len(run) > 1:
        runs.append(_squeezed(run))
    return tokens, runs


def _skeleton(token: str) -> str:
    """A token's letters, with the digits and signs among them read as the letters they look like."""
    folded = fold(token)
    return "".join(_LETTERS.findall(folded.translate(_DIGITS)))


def _squeezed(word: str) -> str:
    """A word with every repeated letter once."""
    return _REPEATED.sub(r"\1", word)
