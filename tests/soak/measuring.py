"""What the soaks measure from outside: memory, waits for a processor, and what a finished film is like."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError


def run_delay_s(pid: int) -> dict[int, float]:
    """How long each thread has waited for a processor so far."""
    found = {}
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            found[int(path.parent.name)] = int(path.read_text().split()[1]) / 1e9
        except (OSError, IndexError):
            continue
    return found


def resident_bytes(pid: int) -> int:
    """The memory of a process; 0 once it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4_096
    except (OSError, IndexError):
        return 0


def by_minute(memory: list[tuple[float, int]]) -> list[int]:
    """The memory at each minute's end, at most thirty of them."""
    minutes = {int((at - memory[0][0]) / 60): held for at, held in memory}
    return list(minutes.values())[:: max(1, len(minutes) // 30)]


def slope_of(points: list[tuple[float, int]]) -> float:
    """Bytes a second, by least squares."""
    times = np.array([at for at, _ in points])
    values = np.array([value for _, value in points], np.float64)
    return float(np.polyfit(times - times[0], values, 1)[0])


def growth_of(memory: list[tuple[float, int]], warm_share: float) -> float:
    """Bytes by which it grew over the part that follows ``warm_share`` of the time: caches fill at first."""
    from_s = memory[0][0] + (memory[-1][0] - memory[0][0]) * warm_share
    warm = [one for one in memory if one[0] >= from_s]
    return slope_of(warm) * (warm[-1][0] - warm[0][0])


@dataclass
class Film:
    """``apart``: seconds by which the sound ends after the picture. ``broken``: what is marked so, does not decode (one
    group in ten is tried) or goes back in time."""

    pictures: int = 0
    broken: int = 0
    apart: float = 0.0


def read(path: Path, fps: int) -> Film:
    """A film with sound at 48 kHz."""
    film, ends, last = Film(), {"video": Fraction(0), "audio": Fraction(0)}, dict[str, int]()
    group = 0
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.dts is None or packet.pts is None:
                continue
            kind, base = packet.stream.type, Fraction(packet.time_base.numerator, packet.time_base.denominator)
            if packet.is_corrupt or packet.dts < last.get(kind, packet.dts):
                film.broken += 1
            last[kind] = packet.dts
            length = Fraction(1, fps) if kind == "video" else Fraction(1_024, 48_000)
            ends[kind] = max(ends[kind], packet.pts * base + length)
            if kind != "video":
                continue
            film.pictures += 1
            group += packet.is_keyframe
            if group % 10 == 1:
                try:
                    list(packet.decode())
                except FFmpegError:
                    film.broken += 1
    film.apart = float(ends["audio"] - ends["video"])
    return film
