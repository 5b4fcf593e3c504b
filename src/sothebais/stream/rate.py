"""The picture's bit rate: lower when an output cannot keep up, higher again when all can. Pure."""

from collections.abc import Sequence
from typing import Final

from sothebais.stream.outputs.model import PACKETS_MAX, OutputReading

#: An output falls behind when so many packets wait; it keeps up when so few do.
BEHIND_PACKETS: Final = PACKETS_MAX // 3
CALM_PACKETS: Final = PACKETS_MAX // 20
LOWER: Final = 0.7
HIGHER: Final = 1.25
#: The rate is changed no more often than this, and raised only after so long a calm.
CHANGE_EVERY_S: Final = 4.0
CALM_S: Final = 30.0


class RateControl:
    """Decides by each second's readings. One encode feeds all outputs, so the slowest network output decides."""

    def __init__(self, kbps: int, kbps_min: int) -> None:
        self.kbps = self.kbps_max = kbps
        self.kbps_min = min(kbps, kbps_min)
        self._changed_at = float("-inf")
        self._calm_since: float | None = None

    def decide(self, outputs: Sequence[OutputReading], now: float) -> tuple[int, int, str, str | None] | None:
        """Another rate, or none: the old one, the new one, why, and the output that asks for it."""
        remote = [output for output in outputs if output.kind == "RTMP" and output.up]
        slowest = max(remote, key=lambda output: output.waiting, default=None)
        if slowest is not None and slowest.waiting >= BEHIND_PACKETS:
            self._calm_since = None
            if self.kbps > self.kbps_min and now - self._changed_at >= CHANGE_EVERY_S:
                kbps = max(self.kbps_min, round(self.kbps * LOWER))
                return self._change(kbps, f"{slowest.name} cannot keep up", slowest.name, now)
            return None
        if slowest is None or slowest.waiting <= CALM_PACKETS:
            self._calm_since = now if self._calm_since is None else self._calm_since
            if self.kbps < self.kbps_max and now - self._calm_since >= CALM_S:
                self._calm_since = now
                return self._change(min(self.kbps_max, round(self.kbps * HIGHER)), "all outputs keep up", None, now)
        else:
            self._calm_since = None
        return None

    def _change(self, kbps: int, cause: str, output: str | None, now: float) -> tuple[int, int, str, str | None]:
        before, self.kbps, self._changed_at = self.kbps, kbps, now
        return before, kbps, cause, output
