"""What ``sothebais doctor`` says of the show."""

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sothebais.cli import show_checks
from sothebais.cli.show_checks import form_of, is_x, outputs, port_free, recordings, remedy
from sothebais.config import Settings
from sothebais.stream.encoding import X_INGEST, Format, complaints

KEY = "a-key-that-nobody-may-read"
X = f"rtmps://va.pscp.tv:443/x/{KEY}"


def settings(tmp_path: Path, **given: Any) -> Settings:
    return Settings(data_dir=tmp_path, **given)


@pytest.mark.parametrize(
    ("host", "is_one"),
    [
        ("va.pscp.tv", True),
        ("pscp.tv", True),
        ("ingest.x.com", True),
        ("live.twitter.com", True),
        ("notx.com", False),
        ("x.com.example.org", False),
        ("live.example.org", False),
        ("", False),
    ],
)
def test_only_hosts_of_x_are_held_to_its_limits(host: str, is_one: bool) -> None:
    assert is_x(host) is is_one


def test_an_output_to_x_is_warned_of_beyond_a_limit_and_not_at_it(tmp_path: Path) -> None:
    at = {"stream_video_kbps": 12_000, "stream_audio_kbps": 128, "stream_key_interval_s": 3.0}
    (within,) = outputs(settings(tmp_path, stream_outputs={"x": X}, **at))
    assert (within.ok, within.warning, within.found) == (True, False, "va.pscp.tv, within X's limits")
    for name, value, to_set in (
        ("stream_video_kbps", 12_001, "SOTHEBAIS_STREAM_VIDEO_KBPS=12000."),
        ("stream_audio_kbps", 129, "SOTHEBAIS_STREAM_AUDIO_KBPS=128."),
        ("stream_key_interval_s", 3.5, "SOTHEBAIS_STREAM_KEY_INTERVAL_S=3."),
    ):
        (beyond,) = outputs(settings(tmp_path, stream_outputs={"x": X}, **{**at, name: value}))
        assert (beyond.ok, beyond.warning) == (True, True)
        assert beyond.found.endswith(f"Set {to_set}")
        assert str(value) in beyond.found


def test_what_is_set_as_it_says_is_within_the_limits() -> None:
    beyond = Format(width=2560, height=1440, fps=120, video_kbps=20_000, audio_kbps=320, key_interval_s=10)
    told = dict(one.split("=") for one in remedy(beyond, X_INGEST).split(" and "))
    assert len(told) == len(complaints(beyond, X_INGEST)) == 5
    width, height = map(int, told["SOTHEBAIS_STREAM_CANVAS"].split("x"))
    mended = Format(
        width=width,
        height=height,
        fps=int(told["SOTHEBAIS_STREAM_FPS"]),
        video_kbps=int(told["SOTHEBAIS_STREAM_VIDEO_KBPS"]),
        audio_kbps=int(told["SOTHEBAIS_STREAM_AUDIO_KBPS"]),
        key_interval_s=float(told["SOTHEBAIS_STREAM_KEY_INTERVAL_S"]),
    )
    assert complaints(mended, X_INGEST) == []


def test_of_an_output_s_address_only_the_host_is_said(tmp_path: Path) -> None:
    both = {"x": X, "elsewhere": f"rtmp://user:{KEY}@live.example.org/app/{KEY}?k={KEY}"}
    found = outputs(settings(tmp_path, stream_outputs=both, stream_video_kbps=20_000))
    assert [(one.check, one.warning) for one in found] == [("output x", True), ("output elsewhere", False)]
    assert "live.example.org" in found[1].found
    assert KEY not in repr(found)


def test_room_for_recordings_is_told_in_hours_and_warned_of_when_there_is_less_than_one(tmp_path: Path) -> None:
    house = settings(tmp_path, stream_video_kbps=2_872, stream_audio_kbps=128)  # 1.35 GB an hour
    kept = house.recording_free_bytes_min
    hour = 1_350_000_000
    assert recordings(house, kept + 10 * hour).found.startswith("room for 10 h")
    assert not recordings(house, kept + hour).warning
    short = recordings(house, kept + hour - 1_000_000)
    assert (short.ok, short.warning) == (True, True)
    full = recordings(house, kept)
    assert full.warning
    assert "SOTHEBAIS_STREAM_RECORD=false" in full.found
    assert not recordings(settings(tmp_path, stream_record=False), 0).warning


class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"status": "ok"}).encode()
        self.send_response(200 if self.path == "/healthz" else 404)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@contextmanager
def a_service() -> Iterator[int]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Healthy)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_port_is_free_or_taken_by_a_house_or_taken_by_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(show_checks, "ASKED_S", 0.2)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        other.listen()
        taken = port_free("the pages", "127.0.0.1", port, "SOTHEBAIS_PORT")
    assert (taken.ok, taken.warning) == (True, True)
    assert "set SOTHEBAIS_PORT to another" in taken.found
    free = port_free("the pages", "127.0.0.1", port, "SOTHEBAIS_PORT")
    assert (free.found, free.warning) == ("free for the pages", False)
    with a_service() as port:
        ours = port_free("the pages", "127.0.0.1", port, "SOTHEBAIS_PORT")
    assert (ours.found, ours.warning) == ("the pages runs there already", False)


def test_encoders_are_tried_and_one_that_is_not_here_fails_with_what_to_set(tmp_path: Path) -> None:
    house = settings(tmp_path, stream_encoder="libx264")
    assert form_of(house).fps == house.stream_fps
    found = {one.check: one for one in show_checks.examine(house)}
    assert found["H.264 encoder"].found == "libx264 encodes 1280x720 at 30"
    assert found["AAC encoder"].ok
    assert found["fonts"].found == "Caladea and Manrope"
    absent = {one.check: one for one in show_checks.examine(settings(tmp_path, stream_encoder="h264_nowhere"))}
    assert not absent["H.264 encoder"].ok
    assert absent["H.264 encoder"].found.endswith("Set SOTHEBAIS_STREAM_ENCODER=auto.")
