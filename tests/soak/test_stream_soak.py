"""A long show: hours of picture and sound to a server, a folder, a file and people who watch, under the load of a sale.

``make soak-stream``; ``STREAM_SOAK_MINUTES`` says how long (120). Frames that were dropped while the machine gave the media
process no processor are counted apart: how long its threads waited for one the kernel says (``schedstat``).
"""

import asyncio
import os
import random
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from tests.fakes.media import Media, hls, log_of, media, now, recording, rtmp
from tests.fakes.media_files import still
from tests.fakes.rtmp import rtmp_server
from tests.soak.measuring import by_minute, growth_of, read, run_delay_s

from sothebais.ids import new_id
from sothebais.sound import encode as flac
from sothebais.stream import example, recordings
from sothebais.stream.audio.cues import Cue
from sothebais.stream.encoding import Format
from sothebais.stream.media import messages as m
from sothebais.stream.show import Artwork, Bid, ShowState

MINUTES = float(os.environ.get("STREAM_SOAK_MINUTES", "120"))
FORM = Format(width=1_280, height=720, fps=30, video_kbps=3_000, preset="superfast")
SCENES = ("auction", "auction", "closing", "sold", "intermission", "auction", "closing", "passed")
SCENE_S = 20.0
DROPPED_SHARE_MAX = 0.001
#: A second in which a thread of the media process waited so long for a processor is the machine's.
WAITED_S_MAX = 0.05
#: Drops are told with the reading behind them, which may be the next one.
NEAR_S = 2.0
APART_S_MAX = 0.04
#: Caches fill at first.
WARM_SHARE = 0.5
GROWTH_BYTES_MAX = 24 * 1024 * 1024
WATCHED_MS_MAX = 250


@dataclass
class Run:
    """What is measured from outside, once a second."""

    waited: list[tuple[float, float]] = field(default_factory=list)
    readings: list[tuple[float, m.Readings]] = field(default_factory=list)
    delays_ms: list[float] = field(default_factory=list)
    drift_ms: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)


def states(rng: random.Random) -> Iterator[ShowState]:
    """A sale: scenes change, bids come, the clock runs."""
    begun, n = time.monotonic(), 0
    while True:
        at = now()
        shown = example.state(
            SCENES[int((time.monotonic() - begun) / SCENE_S) % len(SCENES)], at, [Artwork("art/0", 900, 700)]
        )
        n += 1
        if shown.lot is not None:
            bids = (Bid(n + 10, f"bidder{n % 7}", f"{1 + n / 100:.2f}", at), *shown.lot.bids[:5])
            lot = replace(shown.lot, price=bids[0].amount, price_at=at, leader=bids[0].handle, bids=bids, bid_count=n)
            shown = replace(shown, lot=lot, viewers=1_000 + rng.randrange(300))
        yield shown


@pytest.mark.slow
@pytest.mark.timeout(MINUTES * 60 * 2 + 900)
async def test_a_long_show_neither_grows_nor_drops_nor_drifts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, rng = Run(), random.Random(1)
    with rtmp_server(tmp_path) as server:
        outputs = [rtmp(server.publish_url("soak")), hls(tmp_path), recording(tmp_path)]
        async with media(tmp_path, form=FORM, outputs=outputs, bed=True) as process:
            hello = await process.heard(m.Hello)
            for n in range(4):
                process.send(m.Picture(f"art/{n}", still("JPEG", (900, 700), f"#{n}{n}4466")))
            process.send(m.Want(packets=True, fragments=True))
            watching = asyncio.create_task(watch(process, run, tmp_path / "hls"))
            begun = time.monotonic()
            for position, shown in enumerate(states(rng), 1):
                if time.monotonic() - begun >= MINUTES * 60:
                    break
                process.send(m.State(m.pack(shown), f"1.{position}.0", now()))
                if position % 40 == 0:
                    process.send(m.Cue(rng.choice((Cue.SOLD, Cue.FAIR_WARNING, Cue.LOT_OPENING)), now()))
                if position % 25 == 0:
                    tone = 0.2 * np.sin(np.arange(22_050 * 2) * 0.05).astype(np.float32)
                    process.send(m.Speak(new_id(), flac(tone.astype(np.float32), 22_050), now() + 300))
                await asyncio.sleep(rng.uniform(0.1, 0.7))
            lasted = time.monotonic() - begun
            watching.cancel()
            last = run.readings[-1][1]
            assert await process.stop() == 0
        await asyncio.sleep(1.0)
        streamed = server.recordings("soak")
    assert hello.form == FORM
    path = await asyncio.to_thread(recordings.whole, tmp_path / "recording")
    film = await asyncio.to_thread(read, path, FORM.fps)
    sent = [await asyncio.to_thread(read, one, FORM.fps) for one in streamed]

    counted = drops(run)
    memory = [(at, reading.memory_bytes) for at, reading in run.readings]
    growth = growth_of(memory, WARM_SHARE)
    cpu = statistics.mean(reading.cpu_percent for _, reading in run.readings[2:])
    late = sorted(run.delays_ms)[int(len(run.delays_ms) * 0.99)]
    fps = statistics.mean(reading.fps for _, reading in run.readings[2:])
    figures = {
        "show": f"{lasted / 60:.1f} minutes of 1280x720 at 30: {last.frames} frames, {fps:.2f} a second",
        "dropped": f"{last.dropped_frames}, {last.dropped_frames - counted} of them in seconds without a processor",
        "late": f"{last.late_frames} frames (the last picture was sent again)",
        "machine": f"{sum(one > WAITED_S_MAX for _, one in run.waited)} of {len(run.waited)} seconds in which a thread "
        f"waited longer than {WAITED_S_MAX * 1e3:.0f} ms for a processor",
        "compose": f"p50 {last.compose_ms_p50:.2f} ms, p99 {last.compose_ms_p99:.2f} ms",
        "encode": f"p50 {last.encode_ms_p50:.2f} ms, p99 {last.encode_ms_p99:.2f} ms; {cpu:.0f} % of a core in all",
        "memory": f"{memory[0][1] / 1e6:.0f} MB at first, {memory[-1][1] / 1e6:.0f} MB at last, "
        f"{growth / 1e6:+.1f} MB in the second half",
        "by minute": " ".join(f"{one / 1e6:.0f}" for one in by_minute(memory)) + " MB",
        "recorded": f"{film.pictures} pictures, broken {film.broken}, sound ends {film.apart * 1e3:+.1f} ms after them",
        "server": "; ".join(
            f"{one.pictures} pictures, broken {one.broken}, sound ends {one.apart * 1e3:+.1f} ms after them"
            for one in sent
        ),
        "watched": f"p50 {statistics.median(run.delays_ms):.0f} ms, p99 {late:.0f} ms after the instant a picture shows",
        "clock": f"shown time moved by {max(run.drift_ms) - min(run.drift_ms):.1f} ms against the stream's",
        "files": f"of HLS at most {max(run.files)}",
    }
    with capsys.disabled():
        print("\n" + "\n".join(f"{name:10} {figure}" for name, figure in figures.items()))

    assert counted <= DROPPED_SHARE_MAX * last.frames, counted
    assert growth < GROWTH_BYTES_MAX, f"{growth / 1e6:.1f} MB"
    assert film.broken == 0
    assert sum(one.broken for one in sent) == 0
    assert abs(film.pictures - last.frames) <= 60
    assert abs(film.apart) <= APART_S_MAX
    assert all(abs(one.apart) <= APART_S_MAX for one in sent)
    assert max(run.drift_ms) - min(run.drift_ms) <= 45
    assert statistics.median(run.delays_ms) <= WATCHED_MS_MAX
    # after the first minute as many files as after the last
    assert max(run.files) <= 40 + 12 * 6
    assert {one.name for one in last.outputs if one.up} == {"x", "hls", "recording"}
    assert '"level": "error"' not in log_of(tmp_path)


async def watch(process: Media, run: Run, folder: Path) -> None:
    """Every second: what the process says, how long its threads waited, how old what watchers get is."""
    seen, before = 0, run_delay_s(process.pid)
    while True:
        await asyncio.sleep(1.0)
        at = time.monotonic()
        waits = run_delay_s(process.pid)
        run.waited.append(
            (at, max((waited - before.get(thread, waited) for thread, waited in waits.items()), default=0.0))
        )
        before = waits
        new, times = process.messages[seen:], process.times[seen:]
        seen = len(process.messages)
        wall = now() - at * 1_000
        for message, heard in zip(new, times, strict=True):
            if isinstance(message, m.Readings):
                run.readings.append((heard, message))
            elif isinstance(message, m.Live) and message.kind == m.VIDEO:
                run.delays_ms.append(heard * 1_000 + wall - message.at)
                run.drift_ms.append(message.at - message.pts_us / 1_000)
        # hours of packets are not to be kept
        kept = max(0, seen - 2_000)
        del process.messages[:kept], process.times[:kept]
        seen -= kept
        run.files.append(sum(1 for _ in folder.iterdir()))


def drops(run: Run) -> int:
    """Frames that were dropped though the process had a processor."""
    busy = [at for at, waited in run.waited if waited > WAITED_S_MAX]
    counted = 0
    for (_, earlier), (at, later) in pairwise(run.readings):
        dropped = later.dropped_frames - earlier.dropped_frames
        if dropped and not any(abs(at - one) <= NEAR_S for one in busy):
            counted += dropped
    return counted
