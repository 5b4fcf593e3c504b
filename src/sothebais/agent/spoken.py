"""Text made ready for a voice: amounts, numbers, times, names of wallets and signs as words. Pure."""

import re
from collections.abc import Callable

#: Longest number that is said in words; longer ones are read digit by digit.
DIGITS_MAX = 15
#: Characters of an account's address that are read at either end.
ADDRESS_ENDS = 4

_ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_GROUPS = ("", "thousand", "million", "billion", "trillion")
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth", "twelve": "twelfth",
}  # fmt: skip
_MONTHS = "January February March April May June July August September October November December".split()  # noqa: SIM905

#: One, many, and the hundredth part where it is said apart.
_CURRENCIES: dict[str, tuple[str, str, tuple[str, str] | None]] = {
    "ETH": ("ether", "ether", None),
    "WETH": ("wrapped ether", "wrapped ether", None),
    "BTC": ("bitcoin", "bitcoin", None),
    "SOL": ("sol", "sol", None),
    "POL": ("pol", "pol", None),
    "DAI": ("dai", "dai", None),
    "USDC": ("U S D C", "U S D C", None),
    "USDT": ("U S D T", "U S D T", None),
    "EUR": ("euro", "euros", ("cent", "cents")),
    "USD": ("dollar", "dollars", ("cent", "cents")),
    "GBP": ("pound", "pounds", ("penny", "pence")),
    "CHF": ("Swiss franc", "Swiss francs", ("centime", "centimes")),
    "JPY": ("yen", "yen", None),
}
_SIGNS = {"€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY", "Ξ": "ETH", "◎": "SOL", "₿": "BTC"}
_SHORT = {
    "NFT": "N F T", "NFTs": "N F Ts", "AI": "A I", "QR": "Q R", "UTC": "U T C", "GMT": "G M T", "URL": "U R L", "DAO": "dow", "PFP": "P F P",
    "vs.": "versus", "vs": "versus", "e.g.": "for example", "i.e.": "that is", "etc.": "and so on", "approx.": "approximately",
    "No.": "number", "Mr.": "Mister", "Mrs.": "Missis", "Dr.": "Doctor", "St.": "Saint", "w/": "with", "w/o": "without", "&": "and", "+": "plus", "=": "equals",
    "×": "by", "→": "to", "≥": "at least", "≤": "at most", "IPFS": "I P F S", "3D": "three D", "2D": "two D", "GIF": "gif", "HTML": "H T M L", "USA": "U S A", "UK": "U K", "EU": "E U",
}  # fmt: skip


def cardinal(number: int) -> str:
    """``1250`` as "one thousand two hundred and fifty"."""
    if number < 0:
        return f"minus {cardinal(-number)}"
    if len(str(number)) > DIGITS_MAX:
        return digits(str(number))
    if number == 0:
        return "zero"
    parts: list[str] = []
    groups, rest = [], number
    while rest:
        rest, group = divmod(rest, 1_000)
        groups.append(group)
    for place in range(len(groups) - 1, -1, -1):
        group = groups[place]
        if not group:
            continue
        said = _below_thousand(group)
        if place == 0 and parts and group < 100:
            said = f"and {said}"
        parts.append(f"{said} {_GROUPS[place]}".strip())
    return " ".join(parts)


def _below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    said = f"{_ONES[hundreds]} hundred" if hundreds else ""
    if rest:
        low = _ONES[rest] if rest < 20 else _TENS[rest // 10] + (f"-{_ONES[rest % 10]}" if rest % 10 else "")
        said = f"{said} and {low}" if said else low
    return said


def ordinal(number: int) -> str:
    """``21`` as "twenty-first"."""
    words = re.fullmatch(r"(.*?)([ -]?)([a-z]+)", cardinal(number))
    assert words is not None  # a cardinal ends with a word
    head, sign, last = words.groups()
    if last in _ORDINALS:
        word = _ORDINALS[last]
    elif last.endswith("y"):
        word = f"{last[:-1]}ieth"
    else:
        word = f"{last}th"
    return f"{head}{sign}{word}"


def digits(text: str) -> str:
    """Digit by digit."""
    return " ".join(_ONES[int(digit)] for digit in text if digit.isdigit())


def number(text: str) -> str:
    """``1,250.05`` as "one thousand two hundred and fifty point zero five"."""
    whole, _, fraction = text.replace(",", "").partition(".")
    said = cardinal(int(whole)) if len(whole) <= DIGITS_MAX else digits(whole)
    return f"{said} point {digits(fraction)}" if fraction else said


def amount(text: str, currency: str) -> str:
    """``1.5`` of ``ETH`` as "one point five ether", ``12.30`` of ``EUR`` as "twelve euros thirty"."""
    one, many, part = _CURRENCIES[currency]
    plain = text.replace(",", "")
    whole, _, fraction = plain.partition(".")
    if part and len(fraction) in (1, 2):
        hundredths = int(fraction.ljust(2, "0"))
        said_part = f"{cardinal(hundredths)} {part[hundredths != 1]}"
        if hundredths and int(whole) == 0:
            return said_part
        said = f"{cardinal(int(whole))} {one if int(whole) == 1 else many}"
        return f"{said} and {said_part}" if hundredths else said
    return f"{number(plain)} {one if plain == '1' else many}"


def clock_time(hours: int, minutes: int) -> str:
    """``20:15`` as "twenty fifteen", ``18:00`` as "eighteen hundred", ``9:05`` as "nine oh five"."""
    hour = cardinal(hours)
    if minutes == 0:
        return (
            "midnight"
            if hours == 0
            else "noon"
            if hours == 12
            else f"{hour} hundred"
            if hours > 12
            else f"{hour} o'clock"
        )
    return f"{hour} oh {_ONES[minutes]}" if minutes < 10 else f"{hour} {cardinal(minutes)}"


def year(value: int) -> str:
    """``1987`` as "nineteen eighty-seven", ``2004`` as "two thousand and four"."""
    century, rest = divmod(value, 100)
    if 2000 <= value < 2010 or (rest == 0 and century % 10 == 0):
        return cardinal(value)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def address(text: str) -> str:
    """``0x12ab…89ef`` shortened to its ends, letter by letter."""
    bare = text[2:]

    def read(part: str) -> str:
        return " ".join(_ONES[int(c)] if c.isdigit() else c.upper() for c in part)

    if len(bare) <= 2 * ADDRESS_ENDS:
        return f"zero x {read(bare)}"
    return f"the address zero x {read(bare[:ADDRESS_ENDS])}, ending in {read(bare[-ADDRESS_ENDS:])}"


def handle(text: str) -> str:
    """``@ana_42`` as "ana forty-two": signs go, digits become numbers, capitals within part words."""
    bare = re.sub(r"[_.\-]+", " ", text.removeprefix("@"))
    bare = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", bare)
    bare = re.sub(r"\d+", lambda found: f" {_run_of_digits(found[0])} ", bare)
    return " ".join(bare.split())


def _run_of_digits(text: str) -> str:
    return digits(text) if text.startswith("0") or len(text) > 4 else cardinal(int(text))


_AMOUNT = r"\d[\d,]*(?:\.\d+)?"
_CODES = "|".join(sorted(_CURRENCIES, key=len, reverse=True))
_MONTH = "|".join(_MONTHS)
type Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]


def _date(found: re.Match[str]) -> str:
    said = f"the {ordinal(int(found['day']))} of {found['month']}"
    return said + (f" {year(int(found['year']))}" if found["year"] else "")


def _iso(found: re.Match[str]) -> str:
    month, day = int(found[2]), int(found[3])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return found[0]
    return f"the {ordinal(day)} of {_MONTHS[month - 1]} {year(int(found[1]))}"


def _clock(found: re.Match[str]) -> str:
    hours, minutes = int(found[1]), int(found[2])
    return clock_time(hours, minutes) if hours < 24 and minutes < 60 else found[0]


#: Tried in order; what one of them has said is not looked at again.
RULES: tuple[Rule, ...] = (
    (re.compile(r"\b0x([0-9a-fA-F]{2,})(?:…|\.{3})([0-9a-fA-F]{2,})\b"), lambda f: f"the address zero x {address('0x' + f[1])[7:]}, ending in {address('0x' + f[2])[7:]}"),
    (re.compile(r"\b0x[0-9a-fA-F]{3,}\b"), lambda found: address(found[0])),
    (re.compile(r"\bERC-721\b"), lambda _: "E R C seven twenty-one"),
    (re.compile(r"@?\b([A-Za-z0-9-]+)\.(eth|sol)\b"), lambda found: f"{handle(found[1])} dot {found[2]}"),
    (re.compile(r"@[A-Za-z0-9_][A-Za-z0-9_.\-]*(?<![.\-])"), lambda found: handle(found[0])),
    (re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b"), _iso),
    (re.compile(rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)? (?P<month>{_MONTH})\b(?: (?P<year>\d{{4}}))?"), _date),
    (re.compile(r"\b(\d{1,2}):(\d{2})(?::\d{2})?\b"), _clock),
    (re.compile(rf"([{''.join(_SIGNS)}])\s?({_AMOUNT})"), lambda found: amount(found[2], _SIGNS[found[1]])),
    (re.compile(rf"\b({_AMOUNT})\s?([{''.join(_SIGNS)}])"), lambda found: amount(found[1], _SIGNS[found[2]])),
    (re.compile(rf"(?<![\w.])({_AMOUNT})\s?({_CODES})\b"), lambda found: amount(found[1], found[2])),
    (re.compile(rf"(?<![\w.])(-?)({_AMOUNT})\s?%"), lambda found: f"{'minus ' if found[1] else ''}{number(found[2])} percent"),
    (re.compile(r"(?<!\w)#(\d+)\b"), lambda found: f"number {_run_of_digits(found[1]) if found[1].startswith('0') else cardinal(int(found[1]))}"),
    (re.compile(r"(?<![\w.])(\d+)(?:st|nd|rd|th)\b"), lambda found: ordinal(int(found[1]))),
    (re.compile(r"(?<![\w.])(\d+)/(\d+)\b"), lambda found: f"{number(found[1])} of {number(found[2])}"),
    (re.compile(r"(?<=\bin )((?:1[5-9]|20)\d{2})\b"), lambda found: year(int(found[1]))),
    (re.compile(r"(?<![\w.])(\d+)[–-](\d+)\b"), lambda found: f"{number(found[1])} to {number(found[2])}"),
    (re.compile(r"(?<![\w.,])(\d+(?:\.\d+)?)([kKmM])\b"), lambda found: f"{number(found[1])} {'thousand' if found[2] in 'kK' else 'million'}"),
    (re.compile(rf"(?<![\w.])(-?)({_AMOUNT})"), lambda found: f"{'minus ' if found[1] else ''}{number(found[2])}"),
    *(
        (re.compile(rf"(?<![\w.]){re.escape(short)}(?!\w)"), lambda _, said=said: said)
        for short, said in sorted(_SHORT.items(), key=lambda pair: -len(pair[0]))
    ),
    (re.compile(rf"\b({_CODES})\b"), lambda found: _CURRENCIES[found[1]][1]),
    # what is left stands within a word: "Q1", "v2"
    (re.compile(r"[0-9]+"), lambda found: _run_of_digits(found[0])),
)  # fmt: skip

#: Signs that nobody says.
_UNSAID = re.compile(r"[\"“”«»*_~`^<>|\\\[\]{}#@]|[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f\u200d]")


def say(text: str) -> str:
    """The text as it is read aloud. What is in it stays in order; nothing is added but words for signs."""
    parts: list[tuple[str, bool]] = [(text, False)]
    for pattern, tell in RULES:
        parts = [piece for part, done in parts for piece in ([(part, True)] if done else _apply(part, pattern, tell))]
    said = "".join(f" {part} " if done else _UNSAID.sub(" ", part) for part, done in parts)
    said = re.sub(r"\s+([.,;:!?…)’])", r"\1", said)
    said = re.sub(r"([(‘])\s+", r"\1", said)
    return re.sub(r"\s+'s\b", "'s", " ".join(said.split()))


def _apply(text: str, pattern: re.Pattern[str], tell: Callable[[re.Match[str]], str]) -> list[tuple[str, bool]]:
    pieces: list[tuple[str, bool]] = []
    end = 0
    for found in pattern.finditer(text):
        said = tell(found)
        if said == found[0]:
            continue
        pieces.append((text[end : found.start()], False))
        pieces.append((said, True))
        end = found.end()
    pieces.append((text[end:], False))
    return [piece for piece in pieces if piece[0]]
