"""The picture's bit rate: lower when an output cannot keep up, higher again when all can. Pure."""

from collections.abc import Sequence
from typing import Final

from sothebais.stream.outputs.model import PACKETS_MAX, OutputReading

#: An output falls behind when so many packets wait; it keeps up when so few do.
BEHIND_PACKETS: Final = PACKETS_MAX // 4
CALM_PACKETS: Final = PACKETS_MAX // 20
LOWER: Final = 0.7
HIGHER: Final = 1.25
#: Of what an output was seen to take, so much is sent: the rest is for the sound and for what waits already.
DRAINS: Final = 0.75
#: An output that takes so much more than it is sent now gets rid of what waits by itself.
DRAINING: Final = 1.1
#: The rate is changed no more often than this, and raised only after so long a calm.
CHANGE_EVERY_S: Final = 4.0
CALM_S: Final = 30.0
#: A rise that proved too much within this time makes the next one wait twice as long, up to this.
TOO_MUCH_S: Final = 60.0
CALM_S_MAX: Final = 480.0
#: What an output takes is measured over this time at least.
MEASURE_S: Final = 0.5


class RateControl:
    """Decides by each second's readings. One encode feeds all outputs, so the slowest network output decides."""

    def __init__(self, kbps: int, kbps_min: int) -> None:
        self.kbps = self.kbps_max = kbps
        self.kbps_min = min(kbps, kbps_min)
        self._changed_at = self._raised_at = float("-inf")
        self._calm_since: float | None = None
        self._calm_s = CALM_S
        #: When and how much each output had sent, and the kbit/s of the last two readings: one alone is too rough.
        self._sent: dict[str, tuple[float, int]] = {}
        self._taken: dict[str, tuple[float, float]] = {}

    def decide(self, outputs: Sequence[OutputReading], now: float) -> tuple[int, int, str, str | None] | None:
        """Another rate, or none: the old one, the new one, why, and the output that asks for it."""
        remote = [output for output in outputs if output.kind == "RTMP" and output.up]
        self._measure(remote, now)
        slowest = max(remote, key=lambda output: output.waiting, default=None)
        if slowest is not None and slowest.waiting >= BEHIND_PACKETS:
            self._calm_since = None
            drains = self._takes(slowest.name) >= DRAINING * self.kbps
            if self.kbps > self.kbps_min and now - self._changed_at >= CHANGE_EVERY_S and not drains:
                if now - self._raised_at <= TOO_MUCH_S:
                    self._calm_s, self._raised_at = min(CALM_S_MAX, 2 * self._calm_s), float("-inf")
                kbps = max(self.kbps_min, self._bearable(slowest.name))
                return self._change(kbps, f"{slowest.name} cannot keep up", slowest.name, now)
            return None
        if slowest is None or slowest.waiting <= CALM_PACKETS:
            self._calm_since = now if self._calm_since is None else self._calm_since
            if self.kbps < self.kbps_max and now - self._calm_since >= self._calm_s:
                self._calm_since = self._raised_at = now
                return self._change(min(self.kbps_max, round(self.kbps * HIGHER)), "all outputs keep up", None, now)
            if self.kbps == self.kbps_max and now - self._calm_since >= CALM_S_MAX:
                # what was narrow for a while is taken to be wide again
                self._calm_s = CALM_S
        else:
            self._calm_since = None
        return None

    def _bearable(self, name: str) -> int:
        """Less than before, and less than an output that is behind was seen to take: then what waits gets through."""
        lower = round(self.kbps * LOWER)
        taken = self._takes(name)
        return min(lower, round(taken * DRAINS)) if taken > 0 else lower

    def _takes(self, name: str) -> float:
        """The kbit/s that an output is sure to take; 0 while nothing is known."""
        return min(self._taken.get(name, (0.0, 0.0)))

    def _measure(self, remote: Sequence[OutputReading], now: float) -> None:
        sent = {output.name: (now, output.sent_bytes) for output in remote}
        for name, (at, count) in self._sent.items():
            if name not in sent:
                continue
            more = sent[name][1] - count
            if now - at < MEASURE_S:
                sent[name] = (at, count)
            else:
                # another process counts from nothing
                taken = more * 8 / 1_000 / (now - at) if more > 0 else 0.0
                self._taken[name] = (self._taken.get(name, (taken, taken))[1], taken)
        self._taken = {name: both for name, both in self._taken.items() if name in sent}
        self._sent = sent

    def _change(self, kbps: int, cause: str, output: str | None, now: float) -> tuple[int, int, str, str | None]:
        before, self.kbps, self._changed_at = self.kbps, kbps, now
        return before, kbps, cause, output
