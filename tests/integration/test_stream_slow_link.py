"""A real server behind a link that takes less than the stream: the rate follows, nothing is left out, the delay ends."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from tests.fakes.media import rtmp
from tests.fakes.rtmp import rtmp_server
from tests.fakes.slow_link import slow_link
from tests.fakes.streams import probe

from sothebais.stream.encoder import Encoder
from sothebais.stream.encoding import RTMP_SEND_BYTES, Format
from sothebais.stream.outputs.output import Output
from sothebais.stream.outputs.sinks import Templates, open_rtmp
from sothebais.stream.rate import CALM_PACKETS, RateControl

NOISE = Format(width=320, height=240, fps=30, video_kbps=4_500, preset="ultrafast", key_interval_s=0.5)
LINK_KBPS = 3_000
PATIENCE_S = 40.0
#: What may be under way at once: the system's queue (it takes up to twice what it is told) and the link's own.
UNDER_WAY_BYTES_MAX = 2 * RTMP_SEND_BYTES + 100_000


def test_a_slow_link_gets_a_lower_rate_and_catches_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    encoder = Encoder(NOISE, "libx264")
    noise = [
        np.random.default_rng(n).integers(16, 235, (NOISE.height * 3 // 2, NOISE.width), np.uint8) for n in range(8)
    ]
    templates, asked = Templates(encoder), threading.Event()
    control = RateControl(NOISE.video_kbps, 500)
    changes: list[tuple[float, int]] = []
    most_waiting = under_way = 0
    with rtmp_server(tmp_path) as server, slow_link(server.port, kbps=LINK_KBPS) as link:
        output = Output(
            rtmp("rtmp://unused"),
            lambda: open_rtmp(f"rtmp://127.0.0.1:{link.port}/live/key", templates),
            report=lambda _report: None,
            ask_key=asked.set,
        )
        begun, frame, looked_at = time.monotonic(), 0, 0
        caught_up_s = None
        while caught_up_s is None:
            time.sleep(max(0.0, begun + frame / NOISE.fps - time.monotonic()))
            key = asked.is_set()
            asked.clear()
            packets = encoder.picture(noise[frame % len(noise)], frame, frame * 33.3, key=key)
            packets += encoder.sound(np.zeros((2, 1_600), np.float32), frame * 1_600, frame * 33.3)
            for packet in packets:
                output.feed(packet)
            frame += 1
            now = time.monotonic() - begun
            assert now < PATIENCE_S, (changes, output.waiting)
            if now < looked_at + 1:
                continue
            looked_at += 1
            # as the stream-manager does, once a second
            reading = output.reading()
            most_waiting = max(most_waiting, reading.waiting)
            under_way = max(under_way, reading.sent_bytes - link.carried)
            if (asked_for := control.decide([reading], now)) is not None:
                changes.append((now, asked_for[1]))
                encoder.rate(asked_for[1])
            if changes and reading.waiting <= CALM_PACKETS:
                caught_up_s = now - changes[0][0]
        dropped = output.reading().dropped
        output.ask_to_stop()
        assert output.join(10)
        kept = server.recordings("key")
    with capsys.disabled():
        print(
            f"\nLink of {LINK_KBPS} kbit/s: {NOISE.video_kbps} -> {[kbps for _, kbps in changes]} kbit/s after "
            f"{changes[0][0]:.0f} s, caught up {caught_up_s:.0f} s later; at most {most_waiting} packets waited, "
            f"{under_way / 1e3:.0f} kB were under way, {dropped} packets were left out"
        )
    assert changes[-1][1] < LINK_KBPS
    assert changes[-1][1] >= LINK_KBPS / 3
    assert under_way < UNDER_WAY_BYTES_MAX
    assert dropped == 0
    (file,) = kept
    found = probe(file)
    assert found.broken == 0
