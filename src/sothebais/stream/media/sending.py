"""The thread that encodes and hands on: a picture and its sound per frame, whatever becomes of either.

It keeps the show's time. A picture that is late is replaced by the last one, after ``SLATE_AFTER_S`` by the slate; when
encoding itself falls behind, frames are left out, and the sound goes on without a gap.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import structlog

from sothebais.stream.audio.mixer import BLOCK_MAX, Mixer
from sothebais.stream.audio.signals import SAMPLES_PER_MS
from sothebais.stream.encoder import Encoder, Packet
from sothebais.stream.encoding import SAMPLE_RATE
from sothebais.stream.media.composing import Ahead, Composed, SlatePicture, Slot
from sothebais.stream.media.messages import Shown
from sothebais.stream.media.pace import Pace, first_sample

log = structlog.get_logger(__name__)

#: The picture stands still for so long before the slate.
SLATE_AFTER_S: Final = 1.0
#: A picture is waited for until this share of its frame's time is over.
WAIT_SHARE: Final = 0.75
#: So late, and frames are left out; what is less late is made up for: to encode takes a quarter of a frame's time.
BEHIND_S_MAX: Final = 0.2
#: The wall clock is looked at so often.
FOLLOW_EVERY_S: Final = 1.0
#: Two key frames that were asked for lie so far apart at least.
KEYS_APART_S: Final = 0.5
#: A hole in time (the machine slept) up to this is filled with sound.
SOUND_GAP_S_MAX: Final = 10.0


class Counts:
    """What the sending thread counts; others only read."""

    def __init__(self) -> None:
        self.frames = 0
        self.dropped = 0
        self.late = 0
        self.bytes = 0
        self.slate = False
        self.milliseconds: deque[float] = deque(maxlen=1_024)


class Sending(threading.Thread):
    """Encodes until told to stop; ``hand_on`` takes each packet and must not wait."""

    def __init__(
        self,
        encoder: Encoder,
        mixer: Mixer,
        pace: Pace,
        slot: Slot,
        ahead: Ahead,
        slate: SlatePicture,
        *,
        hand_on: Callable[[Packet], None],
        shown: Callable[[Shown], None],
    ) -> None:
        super().__init__(name="sending", daemon=True)
        self._encoder, self._mixer, self._pace, self._slot = encoder, mixer, pace, slot
        self._ahead, self._slate = ahead, slate
        self._hand_on, self._shown = hand_on, shown
        self.counts = Counts()
        self.current: Composed | None = None
        #: How far the mixer's time runs before the server's: its own never goes back.
        self.mixer_ahead_ms = 0
        self.failure: BaseException | None = None
        self._key = False
        self._key_at = -KEYS_APART_S
        self._key_frame = 0
        self._rate: int | None = None
        self._position: str | None = None
        self._position_told = False
        self._stopping = False
        self._mixer_next: int | None = None

    def ask_key(self) -> None:
        """Somebody has to begin with a key frame."""
        self._key = True

    def rate(self, video_kbps: int) -> None:
        """Another bit rate from the next frame on."""
        self._rate = video_kbps

    def stop(self) -> None:
        """Finish the frame in hand, flush, leave."""
        self._stopping = True

    def run(self) -> None:
        """Frame by frame."""
        try:
            self._loop()
            for packet in self._encoder.flush():
                self._hand_on(packet)
        except BaseException as error:
            # the process ends, and is started again, whatever it was
            self.failure = error
            log.critical("stream.encoding_failed", exc_info=error)

    def _loop(self) -> None:
        pace, counts = self._pace, self.counts
        behind_max = round(BEHIND_S_MAX * pace.fps)
        frame = pace.now() + 1
        begun, looked = time.monotonic(), time.monotonic()
        while not self._stopping:
            deadline = pace.due(frame) + WAIT_SHARE / pace.fps
            composed = self._slot.take(frame, lambda: deadline - time.monotonic())  # noqa: B023 - called at once
            asked = time.perf_counter()
            if composed is not None:
                self.current = composed
            if composed is None or composed.frame < frame:
                counts.late += 1
            self._picture(frame, since_begin=time.monotonic() - begun)
            self._sound(frame)
            counts.frames += 1
            counts.milliseconds.append((time.perf_counter() - asked) * 1_000)
            if time.monotonic() - looked >= FOLLOW_EVERY_S:
                looked = time.monotonic()
                moved = pace.follow()
                if moved:
                    log.warning("stream.clock_moved", by_ms=round(moved))
                if moved < 0:
                    self.mixer_ahead_ms += round(-moved)
            following = frame + 1
            now = pace.now()
            if now > frame + behind_max:
                counts.dropped += now - following
                for left_out in range(max(following, now - round(SOUND_GAP_S_MAX * pace.fps)), now):
                    self._sound(left_out)
                following = now
            frame = following

    def _picture(self, frame: int, *, since_begin: float) -> None:
        at = self._pace.at(frame)
        current = self.current
        still = since_begin if current is None else (frame - current.frame) / self._pace.fps
        self.counts.slate = still > SLATE_AFTER_S or current is None
        if self._rate is not None:
            self._encoder.rate(self._rate)
            self._rate = None
        buffer = self._slate.at(self._ahead.at(at)[0], at) if self.counts.slate or current is None else current.buffer
        position = None if self.counts.slate or current is None else current.position
        if position != self._position or not self._position_told:
            self._position, self._position_told = position, True
            self._shown(Shown(frame * 1_000_000 // self._pace.fps, position, round(at)))
        # the encoder counts the frames it is given: where some were left out, its next key frame would come late
        due = frame - self._key_frame >= self._encoder.form.key_interval
        key = due or (self._key and time.monotonic() - self._key_at >= KEYS_APART_S)
        if key:
            self._key, self._key_at, self._key_frame = False, time.monotonic(), frame
        for packet in self._encoder.picture(buffer, frame, at, key=key):
            self.counts.bytes += len(packet.data)
            self._hand_on(packet)

    def _sound(self, frame: int) -> None:
        fps = self._pace.fps
        first, end = first_sample(frame, fps, SAMPLE_RATE), first_sample(frame + 1, fps, SAMPLE_RATE)
        at = self._pace.at(frame)
        house = round(at * SAMPLES_PER_MS) + self.mixer_ahead_ms * SAMPLES_PER_MS
        # the instants of two frames are rounded each by itself; blocks follow one another to the sample, and never go back
        expected = self._mixer_next
        if expected is not None and house < expected + SAMPLES_PER_MS * 2:
            house = expected
        count = min(end - first, BLOCK_MAX)
        self._mixer_next = house + count
        for packet in self._encoder.sound(self._mixer.mix(house, count), first, at):
            self.counts.bytes += len(packet.data)
            self._hand_on(packet)
