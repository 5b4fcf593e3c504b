"""Speech over a quiet bed, cues, and silence, sample by sample. Pure: no clock, no I/O.

Time is counted in samples since 1970 (48 to the millisecond): an instant of server time has one sample, and nothing
drifts. ``mix`` is called by the encoder's thread alone; everything else may be called from any other.
"""

import threading
from bisect import insort
from collections import deque
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from sothebais.errors import InvalidInput, Overloaded, TooLarge
from sothebais.instants import Millis
from sothebais.sound import mono
from sothebais.stream.audio import loudness
from sothebais.stream.audio.bed import WRAP, music
from sothebais.stream.audio.cues import Cue, sound_of
from sothebais.stream.audio.envelopes import Ducking, Switch
from sothebais.stream.audio.limiter import DELAY, Limiter
from sothebais.stream.audio.signals import RATE, SAMPLES_PER_MS, Samples, amplitude, fade

CLIPS_MAX: Final = 16
CUES_MAX: Final = 8
CLIP_SECONDS_MAX: Final = 120
#: Samples asked for at once.
BLOCK_MAX: Final = WRAP
#: Speech is brought to this loudness, by at most so much.
SPEECH_LUFS: Final = -16.0
SPEECH_GAIN_DB_MAX: Final = 24.0
#: A cue that would sound later than this belongs to nothing any more.
CUE_LATE_MS_MAX: Final = 2_000
#: Ids of clips that are over and still known, so that an event seen twice is said once.
KNOWN_MAX: Final = 256
REPORTS_MAX: Final = 256
_EDGE: Final = 2 * SAMPLES_PER_MS
_HUSH: Final = 20 * SAMPLES_PER_MS


@dataclass(frozen=True, slots=True)
class Clip:
    """Speech to be heard from ``starts_at`` on: mono float32 at 48 kHz. ``id`` is that of its message."""

    id: UUID
    pcm: NDArray[np.float32]
    starts_at: Millis


@dataclass(frozen=True, slots=True)
class Began:
    """The clip's first sample is heard at ``at``. Said again when the output stood still in its middle and ``at`` moved."""

    id: UUID
    at: Millis


@dataclass(frozen=True, slots=True)
class Ended:
    """The clip is over; ``whole`` unless it was hushed."""

    id: UUID
    at: Millis
    whole: bool


type Report = Began | Ended


@dataclass(slots=True, order=True)
class _Sound:
    """Something with a beginning, in samples since 1970. ``start`` is what was wished for until it ``began``."""

    start: int
    order: int
    id: UUID | None = field(compare=False)
    samples: Samples = field(compare=False)
    began: bool = field(default=False, compare=False)
    fades_from: int | None = field(default=None, compare=False)

    @property
    def end(self) -> int:
        whole: int = self.start + self.samples.shape[-1]
        return whole if self.fades_from is None else min(whole, self.fades_from + _HUSH)


class Mixer:
    """One stereo output, asked for block by block.

    One clip is heard at a time, in the order of their instants. One that comes too late, or while another is heard,
    begins as soon as it can, from its beginning; ``reports`` says when. While the bed is on, music lies under it all.
    """

    def __init__(self, rate: int = RATE, *, clips_max: int = CLIPS_MAX) -> None:
        if rate != RATE:
            raise InvalidInput(f"the house mixes at {RATE} Hz, not at {rate}")
        self.rate = rate
        self.clips_max = clips_max
        self._lock = threading.Lock()
        self._waiting: list[_Sound] = []
        self._playing: _Sound | None = None
        self._cues: list[_Sound] = []
        self._known: deque[UUID] = deque(maxlen=KNOWN_MAX)
        self._hushed: set[UUID] = set()
        self._reports: deque[Report] = deque(maxlen=REPORTS_MAX)
        self._ordered = 0
        self._spoken_until = 0
        self._music: Samples | None = None
        self._bed = Switch()
        self._ducking = Ducking()
        self._limiter = Limiter()
        self._next: int | None = None

    def speak(self, clip: Clip) -> bool:
        """Have a clip heard; False when its id is known already and nothing was done.

        Measures and levels the clip in the caller's thread, some milliseconds for each second of speech. Raises
        InvalidInput for samples that are not mono float32, TooLarge beyond ``CLIP_SECONDS_MAX``, Overloaded when
        ``clips_max`` wait.
        """
        samples = mono(clip.pcm)
        if len(samples) > CLIP_SECONDS_MAX * RATE:
            raise TooLarge(f"a clip lasts at most {CLIP_SECONDS_MAX} s", seconds_max=CLIP_SECONDS_MAX)
        with self._lock:
            self._room_for(clip.id)
            if clip.id in self._known:
                return False
        levelled = _levelled(samples)
        with self._lock:
            self._room_for(clip.id)
            if clip.id in self._known:
                return False
            self._known.append(clip.id)
            self._ordered += 1
            insort(self._waiting, _Sound(clip.starts_at * SAMPLES_PER_MS, self._ordered, clip.id, levelled))
        return True

    def _room_for(self, new: UUID) -> None:
        if len(self._waiting) >= self.clips_max and new not in self._known:
            raise Overloaded(f"{self.clips_max} clips wait to be heard already")

    def hush(self, clip: UUID | None = None) -> None:
        """Silence a clip, or all: what waits is dropped, what is heard fades within 20 ms. Cues are left alone."""
        with self._lock:
            for sound in self._waiting:
                if clip in (None, sound.id):
                    self._end(sound, self._next or sound.start, whole=False)
            self._waiting = [sound for sound in self._waiting if clip not in (None, sound.id)]
            playing = self._playing
            if playing is not None and playing.id is not None and clip in (None, playing.id):
                self._hushed.add(playing.id)

    def bed(self, on: bool) -> None:
        """Have music under everything, or not; it comes and goes slowly. The first time it is made, which takes seconds."""
        if on and self._music is None:
            self._music = music()
        self._bed.wanted = on

    def cue(self, kind: Cue, at: Millis) -> None:
        """Sound a cue at an instant, over everything else. Raises Overloaded when ``CUES_MAX`` wait or sound."""
        samples = sound_of(kind)
        with self._lock:
            if len(self._cues) >= CUES_MAX:
                raise Overloaded(f"{CUES_MAX} cues wait or sound already")
            self._ordered += 1
            self._cues.append(_Sound(at * SAMPLES_PER_MS, self._ordered, None, samples))

    def reports(self) -> tuple[Report, ...]:
        """What began and ended since this was asked last, the newest ``REPORTS_MAX`` of it."""
        with self._lock:
            found = tuple(self._reports)
            self._reports.clear()
        return found

    def mix(self, first: int, count: int) -> Samples:
        """The next ``count`` samples as ``(2, count)``, of which the first is heard at sample ``first`` since 1970.

        Blocks follow one another. After a gap (the output stood still) what was being heard goes on where it was.
        Raises ValueError for a block that goes back or is longer than ``BLOCK_MAX``.
        """
        if not 0 < count <= BLOCK_MAX:
            raise ValueError(f"a block has 1 to {BLOCK_MAX} samples, not {count}")
        if self._next is not None and first < self._next:
            raise ValueError(f"sample {first} was mixed before; the next is {self._next}")
        with self._lock:
            ahead = first + DELAY
            if first != self._next:
                self._resume(first)
                lead = self._rendered(first, DELAY)
                if lead is not None:
                    self._limiter.push(lead)
            block = self._rendered(ahead, count)
            self._next = first + count
        if block is None:
            if self._limiter.silent:
                return np.zeros((2, count), np.float32)
            block = np.zeros((2, count), np.float32)
        return self._limiter.push(block)

    def _resume(self, first: int) -> None:
        """Whatever was in its middle is moved by the gap."""
        self._limiter.reset()
        if self._next is None:
            return
        gap, heard = first - self._next, self._next
        for cue in self._cues:
            if cue.began:
                cue.start += gap
        playing = self._playing
        if playing is None or playing.id is None:
            return
        # up to DELAY samples had been made ready and were never heard: it begins with the block then
        moved = playing.start + gap if playing.start < heard else max(playing.start, first)
        if playing.fades_from is not None:
            playing.fades_from += moved - playing.start
        if moved != playing.start:
            playing.start = moved
            self._reports.append(Began(playing.id, _millis(moved)))

    def _rendered(self, begin: int, count: int) -> Samples | None:
        """What all sources together give, before limiting; None for silence."""
        out: Samples | None = None
        level = self._ducking.advance(begin, count, self._speech(begin, begin + count))
        swell = self._bed.advance(count)
        if swell is not None and self._music is not None:
            place = begin % (self._music.shape[1] - WRAP)
            out = self._music[:, place : place + count] * (swell * level)
        for sound in self._sounding(begin, begin + count):
            if out is None:
                out = np.zeros((2, count), np.float32)
            _add(out, begin, sound)
        return out

    def _speech(self, begin: int, end: int) -> list[tuple[int, int]]:
        """When speech is heard, as far as is known now, up to a look-ahead after ``end``."""
        found = [(self._spoken_until, self._spoken_until)]
        free = begin
        if self._playing is not None:
            found.append((self._playing.start, self._playing.end))
            free = max(begin, self._playing.end)
        for sound in self._waiting:
            start = max(sound.start, free)
            free = start + sound.samples.shape[-1]
            if start > end + Ducking.AHEAD:
                break
            found.append((start, free))
        return found

    def _sounding(self, begin: int, end: int) -> list[_Sound]:
        """The sounds that are heard between two samples; clips are begun and ended here."""
        found = []
        free = begin
        while True:
            playing = self._playing
            if playing is None:
                if not self._waiting or (start := max(self._waiting[0].start, free)) >= end:
                    break
                playing = self._playing = self._waiting.pop(0)
                playing.start = start
                if playing.id is not None:
                    self._reports.append(Began(playing.id, _millis(start)))
            if playing.id in self._hushed:
                self._hushed.discard(playing.id)
                playing.fades_from = max(begin, playing.start)
            found.append(playing)
            if playing.end > end:
                break
            free = max(begin, playing.end)
            self._playing = None
            self._spoken_until = playing.end
            self._end(playing, playing.end, whole=playing.fades_from is None)
        return found + self._cues_between(begin, end)

    def _cues_between(self, begin: int, end: int) -> list[_Sound]:
        kept = []
        for cue in self._cues:
            if not cue.began:
                if begin - cue.start > CUE_LATE_MS_MAX * SAMPLES_PER_MS:
                    continue
                cue.start = max(cue.start, begin)
                cue.began = cue.start < end
            kept.append(cue)
        self._cues = [cue for cue in kept if cue.end > end]
        return [cue for cue in kept if cue.began]

    def _end(self, sound: _Sound, at: int, *, whole: bool) -> None:
        if sound.id is not None:
            self._hushed.discard(sound.id)
            self._reports.append(Ended(sound.id, _millis(at), whole))


def _add(out: Samples, begin: int, sound: _Sound) -> None:
    """Add what of a sound falls into a block."""
    start, end = max(begin, sound.start), min(begin + out.shape[1], sound.end)
    if start >= end:
        return
    part = sound.samples[..., start - sound.start : end - sound.start]
    fades_from = sound.fades_from
    if fades_from is not None and end > fades_from:
        falling = np.ones(end - start, np.float32)
        from_ = max(start, fades_from)
        falling[from_ - start :] = fade(_HUSH)[::-1][from_ - fades_from : end - fades_from]
        part = part * falling
    out[:, start - begin : end - begin] += part


def _levelled(samples: Samples) -> Samples:
    """A copy at the loudness of speech, its edges softened against clicks."""
    measured = loudness.integrated(samples)
    gain = np.clip(SPEECH_LUFS - measured, -SPEECH_GAIN_DB_MAX, SPEECH_GAIN_DB_MAX) if np.isfinite(measured) else 0.0
    out: Samples = samples * np.float32(amplitude(float(gain)))
    edge = min(_EDGE, len(out) // 2)
    if edge:
        out[:edge] *= fade(edge)
        out[-edge:] *= fade(edge)[::-1]
    return out


def _millis(sample: int) -> Millis:
    return round(sample / SAMPLES_PER_MS)
