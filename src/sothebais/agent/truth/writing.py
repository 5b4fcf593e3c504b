"""Guards on how a text is written, and on the numbers, names and languages in it. Pure."""

import re
import unicodedata

from sothebais import moderation
from sothebais.agent.truth import words
from sothebais.agent.truth.reading import TOKEN, Reading, Sentence, is_common
from sothebais.agent.truth.tokens import TOKENS, values

LINE_LENGTH_MAX = 360
WORD_LENGTH_MAX = 22
SENTENCES_MAX = 6
#: Share of a text's words that must be common English.
COMMON_SHARE_MIN = 0.62


_ALLOWED = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿ0-9 .,;:!?'\"()\-{}_]*")
_BRACES = re.compile(r"[{}]")
_INVISIBLE = frozenset({"Cf", "Co", "Cs", "Cc", "Cn", "Zl", "Zp", "Mn", "Me"})
_BLANKS = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u034f")
_ADDRESS = re.compile(
    r"(?<![.\w])[a-z0-9-]+\.[a-z]{2,}|\b(?:dot|point)\s+(?:com|net|org|io|xyz|eth|co|app|dev|link|sol|me|gg|ly|info|site|art|ai)\b"
    r"|\b(?:com|xyz|http|https|www|html|url|uri|ipfs|onion|bitly|tinyurl|linktree|href)\b|\b(?:forward\s+)?slash\b|\bcolon\b",
    re.IGNORECASE,
)
_SPELLED = re.compile(
    r"(?:(?<![\w'])[b-hj-z](?![\w'])[\s.,\-]*){2,}|(?:(?<![\w'])[a-z](?![\w'])[\s.,\-]+){3,}", re.IGNORECASE
)
_ONE_BEFORE = words.listed(
    "this that the no another every each any some which next last good fine quiet first lovely only such many makes as with not or than from"
)
_ONE_AFTER = words.listed(
    "of more moment another should does may can might must hopes suspects never always feels would could imagines says likes"
    " mind stride breath voice accord makes hopes by for who that hears sees waits listens admires remembers learns cannot has"
)
_SECOND_AFTER = words.listed("thought thoughts look glance opinion chance time bidder bid nature to")
_KNOWN_LOT = re.compile(r"\blot\s+(?:number\s+)?(\d+)\b", re.IGNORECASE)


# how it is written


def empty(reading: Reading) -> bool:
    """Nothing is said."""
    return not reading.words


def too_long(reading: Reading) -> bool:
    """More than can be said in one breath."""
    return len(reading.plain) > LINE_LENGTH_MAX or len(reading.sentences) > SENTENCES_MAX


def token(reading: Reading) -> bool:
    """A token that does not exist or has no fact now, or a brace that belongs to none."""
    names = TOKEN.findall(reading.text)
    facts = values(reading.facts)
    return any(name not in TOKENS or name not in facts for name in names) or bool(
        _BRACES.search(TOKEN.sub("", reading.text))
    )


def invisible(reading: Reading) -> bool:
    """Characters that cannot be seen, or marks set on letters."""
    return any(
        (unicodedata.category(character) in _INVISIBLE or character in _BLANKS) and character not in "\n\r\t"
        for character in reading.raw
    )


def script(reading: Reading) -> bool:
    """Letters of another alphabet, letters that only look plain, and digits that are not plain ones."""
    return any(
        unicodedata.category(character)[0] in "LN" and not _ALLOWED.fullmatch(character) for character in reading.text
    )


def link(reading: Reading) -> bool:
    """An address of a page, a mailbox or a machine, also one that is read out."""
    bare = TOKEN.sub("it", reading.text)
    folded = unicodedata.normalize("NFKC", bare)
    return moderation.has_link(bare) or bool(_ADDRESS.search(folded))


def handle(reading: Reading) -> bool:
    """A handle, a wallet's name or an account's number that was written out."""
    return bool(re.search(r"@|\b\w+_\w+\b|\b0x|\b\w+\.(?:eth|sol)\b", TOKEN.sub("it", reading.text), re.IGNORECASE))


def characters(reading: Reading) -> bool:
    """Any sign that speech does not need: those of money, code and layout among them."""
    return not _ALLOWED.fullmatch(reading.text) or "_" in TOKEN.sub("", reading.text)


def code(reading: Reading) -> bool:
    """Something encoded: letters among digits, capitals within words, endless words, words spelled letter by letter."""
    for word in reading.text.split():
        bare = TOKEN.sub("", word).strip(".,;:!?'\"()-")
        if re.search(r"[^\W\d]\d|\d[^\W\d]", bare) and not re.fullmatch(r"\d+(?:st|nd|rd|th)", bare):
            return True
        if any(len(part) > WORD_LENGTH_MAX for part in bare.split("-")):
            return True
        if any(re.search(r"[a-z][A-Z]", part) for part in bare.split("-")):
            return True
    return bool(_SPELLED.search(TOKEN.sub("{}", reading.text)))


#: So many words in a row that somebody wrote are theirs.
ECHO_WORDS = 5


def echo(reading: Reading) -> bool:
    """Words of the person who is answered, repeated."""
    if not reading.heard:
        return False
    heard = re.findall(r"[\w']+", reading.heard.lower())
    runs = {tuple(heard[at : at + ECHO_WORDS]) for at in range(len(heard) - ECHO_WORDS + 1)} or {tuple(heard)}
    said = re.findall(r"[\w']+", reading.low)
    least = min(map(len, runs))
    return any(tuple(said[at : at + least]) in runs for at in range(len(said) - least + 1) if least > 2)


# what is said


_HIDDEN = words.listed(
    "zero two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty sixty eighty ninety hundred"
)


def acrostic(reading: Reading) -> bool:
    """A number hidden in the first letters of a sentence."""
    return any(
        not sentence.tokens and "".join(word[0] for word in sentence.low) in _HIDDEN for sentence in reading.sentences
    )


def number(reading: Reading) -> bool:
    """A number, in digits or words, that is not the number of a lot or the count of bids."""
    facts = reading.facts
    text = reading.text
    lots = {facts.lot.number} if facts.lot else set()
    lots |= {lot.number for lot in facts.upcoming} | {result.number for result in facts.results}
    text = _KNOWN_LOT.sub(lambda found: "lot" if int(found[1]) in lots else found[0], text)
    if facts.lot is not None:
        noun = "bid" if facts.lot.bid_count == 1 else "bids"
        text = re.sub(rf"\b{facts.lot.bid_count}\s+{noun}\b", noun, text)
    if re.search(r"\d", text):
        return True
    return any(_numbers(sentence) for sentence in reading.sentences)


def _numbers(sentence: Sentence) -> bool:
    low = sentence.low
    for place, word in enumerate(low):
        before = low[place - 1] if place else ""
        after = low[place + 1] if place + 1 < len(low) else ""
        bare = word.removesuffix("'s")
        if bare in words.NUMBERS and not (bare == "twice" and before == "going"):
            return True
        if bare in ("one", "ones") and not (before in _ONE_BEFORE or after in _ONE_AFTER or bare == "ones"):
            return True
        if bare == "second" and after not in _SECOND_AFTER:
            return True
        # "sixty-two" and "hundredfold" fall apart into words above; "umpteen" and "fiftyish" do not
        if re.fullmatch(r"[a-z]+(?:teen|tyish|fold|illion|illions)", bare) and not is_common(bare):
            return True
    return False


def currency(reading: Reading) -> bool:
    """A word of money. Every token that is an amount brings its own."""
    return any(word.removesuffix("'s") in words.CURRENCIES for word in reading.words)


def date(reading: Reading) -> bool:
    """A day, a month, a time of day or a length of time."""
    return any(word.removesuffix("'s") in words.TIMES for word in reading.words) or bool(
        re.search(r"\b[ap]\.m\b|\bo'?clock\b|\bnext (?:sale|session) (?:is )?(?:at|on)\b(?! \{)", reading.low)
    )


def english(reading: Reading) -> bool:
    """Another language, or none: too few of the words are common English ones."""
    plain = [word for word in reading.words if not word.startswith("{")]
    if sum(map(is_common, plain)) < COMMON_SHARE_MIN * len(plain):
        return True
    for sentence in reading.sentences:
        own = sentence.plain_words
        strange = sum(not is_common(word) for word in own)
        if strange > max(1, (1 - COMMON_SHARE_MIN) * len(own)) or (len(own) == 1 and strange and not sentence.tokens):
            return True
    return False


def name(reading: Reading) -> bool:
    """A name that is not in the facts: any capitalised word that is no common one, and first names in small letters."""
    for sentence in reading.sentences:
        for place, word in enumerate(sentence.words):
            low = word.lower().removesuffix("'s")
            if word.startswith("{") or low in ("i", "i'm", "i'd", "i'll", "i've", "ai", "nft", "nfts"):
                continue
            if low in words.NAMES:
                return True
            if word.isupper() and len(word) > 1 and not is_common(low):
                return True
            if word[0].isupper() and (not is_common(low) or (place and not _may_stand_large(low))):
                return True
    return False


def _may_stand_large(word: str) -> bool:
    # whole words of emphasis and of the trade; a name such as Mark, Will or Art is none
    return word in (
        "lot",
        "lots",
        "ladies",
        "gentlemen",
        "sold",
        "english",
        "going",
        "gone",
        "the",
        "a",
        "bid",
        "sir",
        "fair",
        "sothebais",
    )
