"""Which samples belong to which frame. Pure."""

from dataclasses import dataclass
from fractions import Fraction

from sothebais.instants import Millis
from sothebais.stream.audio.signals import RATE, SAMPLES_PER_MS


@dataclass(frozen=True, slots=True)
class SampleClock:
    """The samples of a stream that began at an instant, frame by frame, in whole numbers: nothing adds up.

    Frame ``n`` begins ``n / fps`` seconds after ``started_at``; its sound begins with the sample at or after that.
    """

    started_at: Millis
    fps: Fraction | int

    def first(self, frame: int) -> int:
        """The frame's first sample, counted since 1970."""
        return self.started_at * SAMPLES_PER_MS + -(-frame * RATE // Fraction(self.fps))

    def block(self, frame: int) -> tuple[int, int]:
        """What ``Mixer.mix`` is asked for: the first sample and how many."""
        first = self.first(frame)
        return first, self.first(frame + 1) - first

    def at(self, frame: int) -> Millis:
        """The server instant at which the frame is shown, rounded down."""
        return self.started_at + int(1_000 * frame // Fraction(self.fps))
