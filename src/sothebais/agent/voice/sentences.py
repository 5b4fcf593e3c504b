"""Where a text may be cut so that its first part can be heard early. Pure."""

from collections.abc import Iterable
from typing import Final

#: A longer sentence is cut at a comma, else between two words: the time for a part, and its memory, are bounded.
PART_LENGTH_MAX: Final = 220
#: The first part is shorter, for it is what people wait for.
FIRST_PART_LENGTH_MAX: Final = 110
#: A part is not cut shorter than this for a comma's sake.
PART_LENGTH_MIN: Final = 24
#: Rest between two sentences, and where a sentence was cut.
SENTENCE_REST_MS: Final = 180
CUT_REST_MS: Final = 40
_CLOSERS: Final = "\"'”’»)]"
_ABBREVIATIONS: Final = frozenset({"mr.", "mrs.", "ms.", "dr.", "vs.", "e.g.", "i.e.", "approx."})


def ends_sentence(run: str) -> bool:
    """Whether this run of text ends a sentence: ``twice...``, ``sold!"``, but not ``vs.`` or ``J.``."""
    bare = run.rstrip(_CLOSERS)
    if not bare.endswith((".", "!", "?", "…")):
        return False
    initial = len(bare) == 2 and bare[0].isupper() and bare[1] == "."
    return not initial and bare.lower() not in _ABBREVIATIONS


def parts(text: str, *, first_length_max: int = FIRST_PART_LENGTH_MAX) -> tuple[str, ...]:
    """The text as sentences, long ones cut further. The runs of all parts are the runs of the text."""
    found: list[str] = []
    for sentence in _sentences(text.split()):
        found += [" ".join(runs) for runs in _cut(sentence, PART_LENGTH_MAX if found else first_length_max)]
    return tuple(found)


def speakable_parts(text: str, *, first_length_max: int = FIRST_PART_LENGTH_MAX) -> tuple[str, ...]:
    """``parts`` where each has something to say: one without a letter or digit goes with its neighbour."""
    joined: list[str] = []
    for part in parts(text, first_length_max=first_length_max):
        if joined and not (_says(part) and _says(joined[-1])):
            joined[-1] += f" {part}"
        else:
            joined.append(part)
    return tuple(joined)


def rest_after_ms(part: str) -> int:
    """How long a voice rests after a part before the next."""
    return SENTENCE_REST_MS if ends_sentence(part.rsplit(maxsplit=1)[-1]) else CUT_REST_MS


def _says(part: str) -> bool:
    return any(map(str.isalnum, part))


def _sentences(runs: Iterable[str]) -> Iterable[list[str]]:
    sentence: list[str] = []
    for run in runs:
        sentence.append(run)
        if ends_sentence(run):
            yield sentence
            sentence = []
    if sentence:
        yield sentence


def _cut(runs: list[str], length_max: int) -> Iterable[list[str]]:
    while len(" ".join(runs)) > length_max and len(runs) > 1:
        at = _place_to_cut(runs, length_max)
        yield runs[:at]
        runs = runs[at:]
        length_max = PART_LENGTH_MAX
    yield runs


def _place_to_cut(runs: list[str], length_max: int) -> int:
    """How many runs go into this part: up to the last comma that fits, else as many as fit, at least one."""
    length, fits, comma = -1, 1, 0
    for count, run in enumerate(runs[:-1], start=1):
        length += len(run) + 1
        if length > length_max:
            break
        fits = count
        if length >= PART_LENGTH_MIN and run.rstrip(_CLOSERS).endswith((",", ";", ":", "—", "–")):
            comma = count
    return comma or fits
