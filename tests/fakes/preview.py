"""A stand-in for the stream-manager's picture: a moving picture and a tone, encoded once with PyAV and served for real.

It speaks the preview's protocol (``packets`` and ``mp4`` over a WebSocket), HLS with fMP4 segments made by libavformat, and
stills. The picture is blue with a bright column that moves, so that a test can see that it moves.
"""

import asyncio
import base64
import contextlib
import io
import json
import shutil
import socket
import struct
import tempfile
import threading
import time
from collections import deque
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

PATH = "/api/v1/stream"
WIDTH, HEIGHT, FPS, RATE = 640, 360, 30, 48_000
KEY_FRAMES = 30
#: Ticks a second of the video track, as libavformat chooses them.
VIDEO_SCALE = 90_000
HEADER = struct.Struct("<BBHIQQ")
VIDEO, AUDIO, FRAGMENT = 1, 2, 3
KEY, INIT = 1, 2
#: Messages that may wait for one viewer; then it goes on at a key frame.
WAITING_MAX = 240
OPEN_HEADERS = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "x-stream-position, x-stream-at",
    "cross-origin-resource-policy": "cross-origin",
    "cache-control": "no-store",
}


def now_ms() -> int:
    """The stand-in's server time."""
    return time.time_ns() // 1_000_000


class _Viewer:
    """One connection's queue. What does not fit is dropped until the next key frame."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes | str] = asyncio.Queue()
        self.waits_for_key = False

    def give(self, message: bytes | str, *, key: bool) -> None:
        if self.queue.qsize() > WAITING_MAX:
            self.waits_for_key = True
        if self.waits_for_key and not key and isinstance(message, bytes):
            return
        self.waits_for_key = False
        self.queue.put_nowait(message)


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _fragment(number: int, track: int, decode_time: int, duration: int, key: bool, payload: bytes) -> bytes:
    """One sample as a fragment of its own. libavformat's ``frag_every_frame`` gives samples of two tracks no duration, and
    MediaSource then shows key frames only."""
    flags = 0x02000000 if key else 0x01010000
    size = len(_moof(number, track, decode_time, bytes(24)))
    # version and what is given of the sample; one sample; where its data begins; its duration, size and flags
    run = struct.pack(">IIIIII", 0x000701, 1, size + 8, duration, len(payload), flags)
    return _moof(number, track, decode_time, run) + _box(b"mdat", payload)


def _moof(number: int, track: int, decode_time: int, run: bytes) -> bytes:
    return _box(
        b"moof",
        _box(b"mfhd", struct.pack(">II", 0, number)),
        _box(
            b"traf",
            _box(b"tfhd", struct.pack(">II", 0x020000, track)),
            _box(b"tfdt", struct.pack(">IQ", 0x01000000, decode_time)),
            _box(b"trun", run),
        ),
    )


class PreviewServer:
    """Opened by ``start``, ended by ``close``; ``stop_serving`` and ``serve`` are the server's death and return."""

    def __init__(self) -> None:
        self._port = 0
        self._loop = asyncio.new_event_loop()
        self._loop_thread = threading.Thread(target=self._loop.run_forever, name="preview", daemon=True)
        self._encoder = threading.Thread(target=self._encode, name="preview-encoder", daemon=True)
        self._ending = threading.Event()
        self._restart = threading.Event()
        self._ready = threading.Event()
        self._folder = Path(tempfile.mkdtemp(prefix="preview-"))
        self._viewers: dict[str, set[_Viewer]] = {"packets": set(), "mp4": set()}
        self._hello: dict[str, dict[str, Any]] = {}
        self._since_key: dict[str, deque[tuple[bytes, bool]]] = {"packets": deque(), "mp4": deque()}
        self._init = b""
        self._still = b""
        self._still_at = 0
        self.position = 1
        self._server: uvicorn.Server | None = None
        self.connections = 0

    @property
    def port(self) -> int:
        """Where it listens, the same after every return."""
        return self._port

    @property
    def url(self) -> str:
        """What ``stream_url`` says of a house whose picture this is."""
        return f"http://127.0.0.1:{self._port}{PATH}"

    def start(self) -> None:
        """Begin to encode and to serve."""
        self._loop_thread.start()
        self._encoder.start()
        assert self._ready.wait(20), "nothing was encoded"
        self.serve()

    def close(self) -> None:
        """End all of it."""
        self.stop_serving()
        self._ending.set()
        self._encoder.join(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._loop_thread.join(10)
        self._loop.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def restart_encoder(self) -> None:
        """A new encoder, whose time begins again; viewers hear a new ``hello``."""
        self._ready.clear()
        self._restart.set()
        assert self._ready.wait(20)

    def say(self, message: str) -> None:
        """A text message to everybody."""
        self._loop.call_soon_threadsafe(self._tell, ("packets", "mp4"), message, True)

    def serve(self) -> None:
        """Take connections, on the same port as before."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        asyncio.run_coroutine_threadsafe(self._serve(listener), self._loop).result(10)

    def stop_serving(self) -> None:
        """As if the process had died."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)

    async def _serve(self, listener: socket.socket) -> None:
        app = Starlette(
            routes=[
                WebSocketRoute(f"{PATH}/preview", self._preview),
                Route(f"{PATH}/hls/{{name}}", self._hls),
                Route(f"{PATH}/frame.png", self._frame),
                Route(PATH, self._about),
            ]
        )
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", ws_per_message_deflate=False, ws="websockets-sansio"
        )
        self._server = server = uvicorn.Server(config)
        server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
        self._serving = asyncio.ensure_future(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.01)

    async def _stop(self) -> None:
        if self._server is None:
            return
        self._server.should_exit = self._server.force_exit = True
        await self._serving
        self._server = None

    # what it answers

    async def _preview(self, socket_: WebSocket) -> None:
        shape = socket_.query_params.get("format", "packets")
        await socket_.accept()
        viewer = _Viewer()
        viewer.give(self._greeting(shape), key=True)
        if shape == "mp4":
            viewer.give(HEADER.pack(FRAGMENT, INIT, 0, 0, 0, now_ms()) + self._init, key=True)
        for message, _ in self._since_key[shape]:
            viewer.give(message, key=True)
        self._viewers[shape].add(viewer)
        self.connections += 1
        sender = asyncio.ensure_future(self._send(socket_, viewer))
        try:
            while True:
                await socket_.receive_text()
        except (WebSocketDisconnect, RuntimeError, KeyError):
            pass
        finally:
            sender.cancel()
            self._viewers[shape].discard(viewer)

    def _greeting(self, shape: str) -> str:
        return json.dumps(self._hello[shape] | {"server": now_ms()})

    async def _send(self, socket_: WebSocket, viewer: _Viewer) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while True:
                message = await viewer.queue.get()
                await (socket_.send_text(message) if isinstance(message, str) else socket_.send_bytes(message))

    async def _hls(self, request: Request) -> Response:
        name = request.path_params["name"]
        path = self._folder / name
        if "/" in name or not path.is_file():
            return Response(status_code=404, headers=OPEN_HEADERS)
        media_type = "application/vnd.apple.mpegurl" if name.endswith(".m3u8") else "video/mp4"
        return FileResponse(path, media_type=media_type, headers=OPEN_HEADERS)

    async def _frame(self, _request: Request) -> Response:
        headers = OPEN_HEADERS | {"x-stream-position": str(self.position), "x-stream-at": str(self._still_at)}
        return Response(self._still, media_type="image/png", headers=headers)

    async def _about(self, _request: Request) -> Response:
        viewers = sum(map(len, self._viewers.values()))
        return JSONResponse({"stream": {"status": "LIVE", "viewers": viewers}}, headers=OPEN_HEADERS)

    def _tell(self, shapes: tuple[str, ...], message: bytes | str, key: bool) -> None:
        for shape in shapes:
            if isinstance(message, bytes):
                held = self._since_key[shape]
                if key:
                    held.clear()
                held.append((message, key))
            for viewer in self._viewers[shape]:
                viewer.give(message, key=key)

    # what it encodes

    def _encode(self) -> None:
        while not self._ending.is_set():
            self._restart.clear()
            self._run()

    def _run(self) -> None:
        made = _Encoder(self._folder)
        began = time.monotonic()
        first_at = now_ms()
        number = 0
        try:
            while not (self._ending.is_set() or self._restart.is_set()):
                wait = began + number / FPS - time.monotonic()
                if wait > 0:
                    time.sleep(wait)
                rgb = _picture(number)
                packets = made.encode(rgb, number)
                if number == 0:
                    self._introduce(made)
                for shape, kind, key, pts_us, duration_us, payload in packets:
                    at_ms = first_at + pts_us // 1_000
                    header = HEADER.pack(kind, KEY if key else 0, 0, duration_us, pts_us, at_ms)
                    self._loop.call_soon_threadsafe(self._tell, (shape,), header + payload, key and kind != AUDIO)
                if number % FPS == 0:
                    self._still, self._still_at = _png(rgb), now_ms()
                    self.position += 1
                    told = f'{{"op":"position","pts_us":{number * 1_000_000 // FPS},"position":"1.{self.position}"}}'
                    self._loop.call_soon_threadsafe(self._tell, ("packets", "mp4"), told, True)
                if number == 2:
                    self._ready.set()
                number += 1
        finally:
            made.close()

    def _introduce(self, made: "_Encoder") -> None:
        packets, mp4, init = made.hello(1)
        again = bool(self._hello)

        def take() -> None:
            self._hello = {"packets": packets, "mp4": mp4}
            self._init = init
            for shape in self._since_key:
                self._since_key[shape].clear()
                if again:
                    self._tell((shape,), self._greeting(shape), True)
            if again:
                for viewer in self._viewers["mp4"]:
                    viewer.give(HEADER.pack(FRAGMENT, INIT, 0, 0, 0, now_ms()) + init, key=True)

        self._loop.call_soon_threadsafe(take)


class _Encoder:
    """One encode for all: its packets as they are, as fragments, and as HLS in a folder."""

    def __init__(self, folder: Path) -> None:
        self._null = av.open("null", "w", format="null")
        self._video = self._null.add_stream("libx264", rate=FPS)
        self._video.width, self._video.height, self._video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        self._video.time_base = Fraction(1, 90_000)
        self._video.codec_context.time_base = Fraction(1, FPS)
        self._video.gop_size = KEY_FRAMES
        self._video.codec_context.flags |= 1 << 22  # AV_CODEC_FLAG_GLOBAL_HEADER
        self._video.options = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "sc_threshold": "0"}
        self._audio = self._null.add_stream("aac", rate=RATE)
        self._audio.layout = "stereo"
        self._audio.codec_context.flags |= 1 << 22
        self._null.start_encoding()
        for old in folder.iterdir():
            old.unlink()
        self._hls = av.open(
            str(folder / "live.m3u8"),
            "w",
            format="hls",
            options={
                "hls_segment_type": "fmp4",
                "hls_time": "1",
                "hls_list_size": "6",
                "hls_flags": "delete_segments+program_date_time+independent_segments",
                "hls_fmp4_init_filename": "init.mp4",
                "hls_segment_filename": str(folder / "live%05d.m4s"),
            },
        )
        self._streams = {
            VIDEO: self._hls.add_stream_from_template(self._video),
            AUDIO: self._hls.add_stream_from_template(self._audio),
        }
        self._fifo = av.AudioFifo()
        self._fragments = 0

    def encode(self, rgb: np.ndarray, number: int) -> list[tuple[str, int, bool, int, int, bytes]]:
        """``(shape, kind, key, pts, duration, payload)`` of everything that one frame and its sound made."""
        frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        samples = RATE // FPS
        t = (np.arange(samples) + number * samples) / RATE
        tone = (0.1 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)
        sound = av.AudioFrame.from_ndarray(np.stack([tone, tone]), format="fltp", layout="stereo")
        sound.sample_rate, sound.pts, sound.time_base = RATE, number * samples, Fraction(1, RATE)
        out: list[tuple[str, int, bool, int, int, bytes]] = []
        for packet in self._video.encode(frame):
            out += self._take(packet, VIDEO)
        self._fifo.write(sound)
        while (whole := self._fifo.read(1024)) is not None:
            for packet in self._audio.encode(whole):
                out += self._take(packet, AUDIO)
        return out

    def _take(self, packet: av.Packet, kind: int) -> list[tuple[str, int, bool, int, int, bytes]]:
        base = packet.time_base
        kept = packet.pts, packet.dts, packet.duration or int(1 / (FPS * base)), base
        pts_us, duration_us = int(packet.pts * base * 1_000_000), int(kept[2] * base * 1_000_000)
        payload = _avcc(bytes(packet)) if kind == VIDEO else bytes(packet)
        key = bool(packet.is_keyframe)
        packet.stream = self._streams[kind]
        packet.pts, packet.dts, packet.duration, packet.time_base = kept
        self._hls.mux(packet)
        if pts_us < 0:  # what an AAC encoder puts before the beginning
            return []
        self._fragments += 1
        scale = VIDEO_SCALE if kind == VIDEO else RATE
        times = int(kept[0] * base * scale), int(kept[2] * base * scale)
        fragment = _fragment(self._fragments, kind, *times, key, payload)
        return [
            ("packets", kind, key, pts_us, duration_us, payload),
            ("mp4", FRAGMENT, key and kind == VIDEO, pts_us, duration_us, fragment),
        ]

    def hello(self, stream: int) -> tuple[dict[str, Any], dict[str, Any], bytes]:
        """What is said first of packets and of fragments, and the init segment."""
        avcc = _decoder_configuration(bytes(self._video.codec_context.extradata or b""))
        codec = f"avc1.{avcc[1:4].hex()}"
        about = {
            "op": "hello",
            "stream": str(stream),
            "video": {"codec": codec, "width": WIDTH, "height": HEIGHT, "fps": FPS, "description": _b64(avcc)},
            "audio": {
                "codec": "mp4a.40.2",
                "sample_rate": RATE,
                "channels": 2,
                "description": _b64(bytes(self._audio.codec_context.extradata or b"")),
            },
        }
        return about, about | {"mime": f'video/mp4; codecs="{codec}, mp4a.40.2"'}, self._init()

    def _init(self) -> bytes:
        """What stands before the first fragment, as libavformat writes it."""
        out = io.BytesIO()
        with av.open(out, "w", format="mp4", options={"movflags": "empty_moov+default_base_moof"}) as mp4:
            for source in (self._video, self._audio):
                mp4.add_stream_from_template(source)
            mp4.start_encoding()
            return out.getvalue()

    def close(self) -> None:
        """Write what is held, and close."""
        for container in (self._hls, self._null):
            container.close()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _nals(annex_b: bytes) -> list[bytes]:
    """The units between start codes."""
    return [unit.rstrip(b"\0") for unit in annex_b.split(b"\0\0\1") if unit.strip(b"\0")]


def _avcc(annex_b: bytes) -> bytes:
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in _nals(annex_b))


def _decoder_configuration(extradata: bytes) -> bytes:
    """``avcC`` of parameter sets, which x264 gives with start codes."""
    units = _nals(extradata)
    sps = next(unit for unit in units if unit[0] & 31 == 7)
    pps = next(unit for unit in units if unit[0] & 31 == 8)
    return b"".join(
        (
            bytes((1, *sps[1:4], 0xFF, 0xE1)),
            len(sps).to_bytes(2, "big"),
            sps,
            b"\x01",
            len(pps).to_bytes(2, "big"),
            pps,
        )
    )


def _picture(number: int) -> np.ndarray:
    """Blue, getting lighter downwards, with a column that moves a few pixels a frame."""
    rgb = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    rgb[:, :, 0], rgb[:, :, 1] = 24, np.linspace(30, 90, HEIGHT, dtype=np.uint8)[:, None]
    rgb[:, :, 2] = 150
    left = (number * 6) % (WIDTH - 60)
    rgb[40:-40, left : left + 60] = (240, 222, 180)
    return rgb


def _png(rgb: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "png", compress_level=1)
    return out.getvalue()
