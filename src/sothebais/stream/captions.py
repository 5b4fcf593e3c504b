"""What the host says, as people read it: pages of two short lines, and WebVTT. Pure.

Times come from the words of the speech, letters from its text: a voice says "one point five ether" where people read
"1.5 ETH". A page ends where a sentence or a clause does, if it can.
"""

import re
import unicodedata
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from sothebais.instants import Millis
from sothebais.stream.show import Caption

LINE_CHARS_MAX: Final = 42
LINES_MAX: Final = 2
#: A page is shown at least so long; what would come sooner waits for it.
SHOWN_MS_MIN: Final = 1_000
#: After its last word a page stays a little.
LINGER_MS: Final = 600
#: Of a text only so much is shown: as much as an event has room for.
TEXT_CHARS_MAX: Final = 10_000
ENTRIES_MAX: Final = 2_000
#: Words more than this apart in count are not compared one by one.
_ALIGNED_WORDS_MAX: Final = 4_000

_SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’)\]]*$")
_CLAUSE_END = re.compile(r"[,;:–—、，；：][\"'”’)\]]*$")
#: Words that belong to what follows: a page or a line that ends in one reads badly.
_LEANING: Final = frozenset((
    "a", "an", "and", "as", "at", "but", "by", "for", "from", "if", "in", "into", "is", "my", "no", "of", "on", "or",
    "our", "so", "than", "that", "the", "their", "this", "to", "was", "we", "with", "you", "your",
))  # fmt: skip
#: Marks that turn the direction of what follows: a line stands alone and needs none.
_TURNING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Word(Protocol):
    """A word and when it sounds, from the start of its speech."""

    @property
    def text(self) -> str: ...
    @property
    def start(self) -> Millis: ...
    @property
    def end(self) -> Millis: ...


class Speech(Protocol):
    """What the captions need of the event ``agent:speech``, whose model pure modules may not import."""

    @property
    def starts_at(self) -> Millis: ...
    @property
    def duration(self) -> Millis: ...
    @property
    def words(self) -> Sequence[Word]: ...


class Token(Struct, frozen=True):
    """A word of the text as it is written, and when it sounds, from the start of the speech."""

    text: str
    start: Millis
    end: Millis


def pages(speech: Speech, text: str, speaker: str, began_at: Millis | None = None) -> tuple[Caption, ...]:
    """The captions of a speech, in order, none reaching into the next.

    ``began_at`` is when it really began, where that is not ``speech.starts_at``. ``Caption.text`` has at most
    ``LINES_MAX`` lines of ``LINE_CHARS_MAX`` characters, parted by a newline. Nothing for a text without a word.
    """
    begin = speech.starts_at if began_at is None else began_at
    tokens = timed(text, speech.words, speech.duration)
    if not tokens:
        return ()
    cuts = _paged(tokens)
    made: list[Caption] = []
    for first, last in pairwise(cuts):
        at = begin + tokens[first].start
        until = begin + tokens[last - 1].end + LINGER_MS
        if made:
            at = max(at, made[-1].at + SHOWN_MS_MIN)
            made[-1] = replace(made[-1], until=min(made[-1].until, at))
        lines = _lines([token.text for token in tokens[first:last]])
        assert lines is not None
        made.append(Caption("\n".join(lines), speaker, at, max(until, at + SHOWN_MS_MIN)))
    return tuple(made)


def timed(text: str, words: Sequence[Word], duration: Millis) -> list[Token]:
    """The words of the text with the times of the words that were spoken for them.

    Where both agree, each has its own time; a stretch that was spoken otherwise shares the time of that stretch by
    length. Words longer than a line are cut into pieces.
    """
    written = [piece for word in text[:TEXT_CHARS_MAX].split() for piece in _pieces(_printable(word))]
    if not written:
        return []
    if not words:
        return _shared(written, 0, max(duration, 1))
    found: list[Token] = []
    spoken_until = 0
    for here, there in _stretches(written, words):
        part = written[here.start : here.stop]
        said = words[there.start : there.stop]
        if len(part) == len(said):
            found += [
                Token(token, word.start, max(word.end, word.start)) for token, word in zip(part, said, strict=True)
            ]
        elif part:
            start = said[0].start if said else spoken_until
            following = words[there.stop].start if there.stop < len(words) else max(duration, start)
            end = said[-1].end if said else following
            found += _shared(part, start, max(start, end))
        if said:
            spoken_until = said[-1].end
    return found


def _stretches(written: Sequence[str], words: Sequence[Word]) -> list[tuple[slice, slice]]:
    """Pairs of stretches of both that belong together, in order; every word is in one of them."""
    ours, theirs = [_plain(word) for word in written], [_plain(word.text) for word in words]
    if ours == theirs or len(ours) + len(theirs) > _ALIGNED_WORDS_MAX:
        return [(slice(0, len(ours)), slice(0, len(theirs)))]
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    return [(slice(a, b), slice(c, d)) for _, a, b, c, d in matcher.get_opcodes()]


def _plain(word: str) -> str:
    """What two ways of writing a word have in common."""
    return "".join(char for char in unicodedata.normalize("NFKD", word).casefold() if char.isalnum())


def _shared(parts: Sequence[str], start: Millis, end: Millis) -> list[Token]:
    """A length of time divided by length of word."""
    total = sum(len(part) + 1 for part in parts)
    found, passed = [], 0
    for part in parts:
        begin = start + (end - start) * passed // total
        passed += len(part) + 1
        found.append(Token(part, begin, start + (end - start) * passed // total))
    return found


def _printable(word: str) -> str:
    return "".join(char for char in word if unicodedata.category(char) not in ("Cc", "Cs") and char not in _TURNING)


def _pieces(word: str) -> Iterable[str]:
    """A word in pieces that fit a line, never parted from their accents."""
    while len(word) > LINE_CHARS_MAX:
        cut = LINE_CHARS_MAX
        while cut > 1 and (
            unicodedata.combining(word[cut]) or word[cut] in "\u200d\ufe0f" or word[cut - 1] == "\u200d"
        ):
            cut -= 1
        yield word[:cut]
        word = word[cut:]
    if word:
        yield word


def _paged(tokens: Sequence[Token]) -> list[int]:
    """Where pages begin, and the end: the cheapest way through, judged by how each page ends and how full it is."""
    count = len(tokens)
    cost = [0.0] * (count + 1)
    after = [count] * (count + 1)
    for first in range(count - 1, -1, -1):
        cost[first] = float("inf")
        for last in range(first + 1, count + 1):
            if _lines([token.text for token in tokens[first:last]]) is None:
                break
            price = _price(tokens, first, last) + cost[last]
            if price < cost[first]:
                cost[first], after[first] = price, last
    cuts = [0]
    while cuts[-1] < count:
        cuts.append(after[cuts[-1]])
    return cuts


def _price(tokens: Sequence[Token], first: int, last: int) -> float:
    """Every page costs something; one that ends in mid-clause more; one that is gone at once more still."""
    price = 3.0
    if last < len(tokens):
        price += _break_price(tokens[last - 1].text)
        # a pause of the voice is a good place too
        if tokens[last].start - tokens[last - 1].end >= 250:
            price -= 1.0
        if tokens[last].start - tokens[first].start < SHOWN_MS_MIN:
            price += 4.0
    if last - first == 1 and len(tokens) > 1:
        price += 1.5
    return price


def _break_price(word: str) -> float:
    if _SENTENCE_END.search(word):
        return 0.0
    if _CLAUSE_END.search(word):
        return 1.0
    return 9.0 if _plain(word) in _LEANING else 5.0


def _lines(words: Sequence[str]) -> list[str] | None:
    """The words in one line, or in two that read well; None when they don't fit."""
    whole = " ".join(words)
    if len(whole) <= LINE_CHARS_MAX:
        return [whole]
    if len(whole) > LINES_MAX * LINE_CHARS_MAX + 1:
        return None
    best: tuple[float, list[str]] | None = None
    upper = ""
    for index, word in enumerate(words[:-1]):
        upper = f"{upper} {word}" if index else word
        lower = whole[len(upper) + 1 :]
        if len(upper) > LINE_CHARS_MAX or len(lower) > LINE_CHARS_MAX:
            continue
        # rather a full lower line than a full upper one: it hides less of the picture
        price = _break_price(word) + abs(len(upper) - len(lower)) / 8 + (len(upper) > len(lower)) * 0.5
        if best is None or price < best[0]:
            best = price, [upper, lower]
    return best[1] if best else None


class CaptionTrack:
    """The captions of a stream, the newest ``entries_max`` of them, in order of time and never two at once."""

    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        self._entries: deque[Caption] = deque(maxlen=entries_max)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, captions: Iterable[Caption]) -> None:
        """Take captions that follow one another. What was to be shown after the first of them begins gives way to it."""
        for caption in captions:
            self.cut(caption.at)
            if caption.until > caption.at:
                self._entries.append(caption)

    def cut(self, at: Millis) -> None:
        """Show nothing from an instant on: the speech was hushed."""
        while self._entries and self._entries[-1].at >= at:
            self._entries.pop()
        if self._entries and self._entries[-1].until > at:
            self._entries.append(replace(self._entries.pop(), until=at))

    def at(self, instant: Millis) -> Caption | None:
        """What is shown at an instant."""
        place = bisect_right(self._entries, instant, key=lambda caption: caption.at) - 1
        if place < 0 or self._entries[place].until <= instant:
            return None
        return self._entries[place]

    def webvtt(
        self,
        begin: Millis,
        *,
        start: Millis | None = None,
        end: Millis | None = None,
        mpegts: int | None = None,
    ) -> str:
        """The track as a WebVTT file whose times count from ``begin``.

        With ``start`` and ``end`` (server instants) only what is shown between them, with its whole times, as a segment
        of an HLS playlist wants it. ``mpegts`` is the media time of ``begin`` in 90,000ths of a second and adds the
        header that joins both clocks.
        """
        blocks = ["WEBVTT"]
        if mpegts is not None:
            blocks[0] += f"\nX-TIMESTAMP-MAP=LOCAL:{_timestamp(0)},MPEGTS:{mpegts % 2**33}"
        low = begin if start is None else max(begin, start)
        for caption in self._entries:
            if caption.until <= low or (end is not None and caption.at >= end):
                continue
            text = _cue_text(caption)
            if not text:  # a cue without a line would be read as one with the next cue's
                continue
            times = f"{_timestamp(max(0, caption.at - begin))} --> {_timestamp(caption.until - begin)}"
            blocks.append(f"{times}\n{text}")
        return "\n\n".join(blocks) + "\n"


def _timestamp(length: Millis) -> str:
    seconds, millis = divmod(length, 1_000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}.{millis:03d}"


def _cue_text(caption: Caption) -> str:
    """The lines, escaped, in a voice span that names the speaker; empty when there is nothing to read."""
    lines = [_escaped(line) for line in caption.text.splitlines()]
    text = "\n".join(line for line in lines if line)
    speaker = _escaped(caption.speaker)
    return f"<v {speaker}>{text}" if speaker and text else text


def _escaped(text: str) -> str:
    plain = " ".join(_printable(word) for word in text.split())
    return plain.strip().replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
