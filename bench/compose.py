"""``python -m bench.compose``: what a frame of the show costs, beside three other ways to make or send it.

The show is a rehearsed auction (a bid each three seconds, captions, countdown, price rolls). All designs show the
same frames in the same chunks, in turn, round after round; each figure is the median of its rounds, CPU is that of
the whole process.

- ``damage``: the house's composer, converted to I420.
- ``pillow``: the same layers, painted once and kept as images, pasted onto a whole new frame each time, texts that
  changed painted again; converted whole. Kinder than drawing everything anew.
- ``filters``: an ffmpeg graph of ``overlay`` filters through PyAV, one per layer, fed with the same painted images
  (its ``drawtext`` is not in PyAV's build and would only add to it).
- ``x264``: the encoder alone on the same frames; ``damage + x264`` is the pipeline, and must send the same bytes.
- ``parade``: the composer on its busiest scene, the frieze of lots that moves in every frame.
- ``live``: the pipeline at the pace of a broadcast, with the frames it dropped; the host's next faces are painted in
  the time between two frames, as the media process does.

The garbage collector is set as in service.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
import skia
from av.filter import Graph
from PIL import Image

from bench.common import BenchFailed, main, percentile, settled
from sothebais.rehearsal import showcase
from sothebais.stream.beforehand import Beforehand
from sothebais.stream.compositor import Composer, full
from sothebais.stream.layers import Layer
from sothebais.stream.pictures import HeldPictures
from sothebais.stream.scenes.builtin import scenes_for
from sothebais.stream.stage import Programme
from sothebais.stream.surfaces import Surfaces
from sothebais.stream.yuv import I420Frame

SIZES = {"720p30": (1280, 720, 30), "1080p30": (1920, 1080, 30), "1080p60": (1920, 1080, 60)}
#: The ratios are taken here.
JUDGED = "1080p30"
#: As many frames are kept at once for the encoder alone.
CHUNK = 60
CHUNKS, CHUNKS_QUICK = 12, 4
LIVE_SECONDS, LIVE_SECONDS_QUICK = 20, 4
#: The peers that draw whole frames need so much longer that they get only the first frames of a chunk.
PEER_FRAMES = 30
X264 = {"preset": "superfast", "threads": "2", "bf": "0"}
BITRATE = 4_500_000

type Frames = Sequence[tuple[Any, int]]


class Design:
    """A way to make frames: called with a state and an instant, and measured."""

    def __init__(self, name: str, make: Callable[[Any, int], Any]) -> None:
        self.name = name
        self.make = make
        self.waits: list[float] = []
        self.cpu: list[float] = []

    def run(self, frames: Frames) -> list[Any]:
        """All frames in turn; what they returned."""
        made = []
        begun = time.process_time()
        for state, t in frames:
            asked = time.perf_counter()
            made.append(self.make(state, t))
            self.waits.append(time.perf_counter() - asked)
        self.cpu.append((time.process_time() - begun) / len(frames))
        return made

    def result(self, mode: str) -> dict[str, Any]:
        """Its row."""
        width, height, fps = SIZES[mode]
        waits = sorted(self.waits)
        cpu = statistics.median(self.cpu)
        return {
            "mode": self.name,
            "size": f"{width}x{height}",
            "fps_target": fps,
            "compose_ms_p50": round(percentile(waits, 0.5) * 1e3, 4),
            "compose_ms_p99": round(percentile(waits, 0.99) * 1e3, 4),
            "cpu_ms_per_frame": round(cpu * 1e3, 4),
            "cpu_core_pct": round(cpu * fps * 100, 3),
            "fps_max": round(1 / cpu, 1),
            "dropped_pct": None,
        }


class Encoder:
    """x264 as the stream uses it; the bytes of each packet are kept as proof."""

    def __init__(self, width: int, height: int, fps: int) -> None:
        context = av.CodecContext.create("libx264", "w")
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base, context.framerate = Fraction(1, fps), Fraction(fps)
        context.bit_rate, context.gop_size = BITRATE, fps * 2
        context.options = X264
        self._context, self._pts = context, 0
        self.digest = 0

    def __call__(self, frame: Any) -> None:
        video = av.VideoFrame.from_numpy_buffer(frame, "yuv420p")
        video.pts, video.time_base = self._pts, self._context.time_base
        self._pts += 1
        for packet in self._context.encode(video):
            self.digest = hash((self.digest, bytes(packet)))


class PillowFrames:
    """Every frame from its first pixel on: all layers pasted onto a new picture, converted whole."""

    def __init__(self, programme: Programme, pictures: HeldPictures) -> None:
        self._programme = programme
        self._images = Painted(pictures)
        self._frame = I420Frame(programme.canvas.w, programme.canvas.h)
        self.pixels: np.ndarray[Any, Any] | None = None

    def __call__(self, state: Any, t: int) -> None:
        canvas = Image.new("RGBA", (self._programme.canvas.w, self._programme.canvas.h), (0, 0, 0, 255))
        for layer in in_order(self._programme.shown(state, t).layers):
            seen = layer.seen
            if not seen.cut(self._programme.canvas).area:
                continue
            image = self._images.pillow(layer)
            left, top = max(0, seen.x - layer.rect.x), max(0, seen.y - layer.rect.y)
            inside = seen.cut(self._programme.canvas)
            canvas.alpha_composite(image, (inside.x, inside.y), (left, top, left + inside.w, top + inside.h))
        self.pixels = np.asarray(canvas)
        self._frame.convert(cv2.cvtColor(self.pixels, cv2.COLOR_RGBA2BGRA), [self._frame.canvas])


class FilterFrames:
    """One ``overlay`` per layer of a filter graph; an input gets its old frame again while its layer stays."""

    def __init__(self, programme: Programme, pictures: HeldPictures, first: Any, t: int, fps: int) -> None:
        self._programme = programme
        self._images = Painted(pictures)
        self._pts = 0
        self._base = Fraction(1, fps)
        # only layers that are always there: the graph cannot change while it runs
        order = [layer for layer in in_order(programme.shown(first, t).layers) if layer.seen.cut(programme.canvas).area]
        self._names = [layer.id for layer in order]
        graph = Graph()
        size = (programme.canvas.w, programme.canvas.h)
        self._inputs = {}
        last = None
        for index, layer in enumerate(order):
            kind = "yuv420p" if index == 0 else "yuva420p"
            box = size if index == 0 else _even(layer.rect.w, layer.rect.h)
            source = graph.add_buffer(width=box[0], height=box[1], format=kind, time_base=self._base)
            self._inputs[layer.id] = (source, kind, box)
            if last is None:
                last = source
                continue
            place = f"x={layer.rect.x}:y={layer.rect.y}:format=yuv420:eof_action=repeat"
            overlay = graph.add("overlay", place)
            last.link_to(overlay, 0, 0)
            source.link_to(overlay, 0, 1)
            last = overlay
        sink = graph.add("buffersink")
        assert last is not None
        last.link_to(sink)
        graph.configure()
        self._graph, self._sink = graph, sink
        self._held: dict[str, tuple[Any, Any]] = {}

    def __call__(self, state: Any, t: int) -> Any:
        now = {layer.id: layer for layer in self._programme.shown(state, t).layers}
        for name in self._names:
            source, kind, box = self._inputs[name]
            layer = now.get(name)
            held = self._held.get(name)
            looks = (layer.key, layer.opacity) if layer is not None else (held[0] if held else None)
            if held is None or looks != held[0]:
                assert layer is not None
                held = (looks, self._images.frame(layer, kind, box))
                self._held[name] = held
            frame = held[1]
            frame.pts, frame.time_base = self._pts, self._base
            source.push(frame)
        self._pts += 1
        return self._sink.pull()


class Painted:
    """Layers' surfaces as the peers need them, kept as long as ours are."""

    def __init__(self, pictures: HeldPictures) -> None:
        self._surfaces = Surfaces(pictures)
        self._pillow: dict[Any, Image.Image] = {}

    def rgba(self, layer: Layer) -> Any:
        """Straight RGBA, the opacity in it."""
        ink = self._surfaces.get(layer.key, layer.rect.w, layer.rect.h)
        bgra = np.zeros((layer.rect.h, layer.rect.w, 4), np.uint8)
        if ink.image is not None:
            bgra[ink.y : ink.y + ink.h, ink.x : ink.x + ink.w] = ink.image.toarray(colorType=skia.kBGRA_8888_ColorType)
        if layer.opacity < 255:
            bgra[..., 3] = bgra[..., 3].astype(np.uint16) * layer.opacity // 255
        return cv2.cvtColor(bgra, cv2.COLOR_BGRA2RGBA)

    def pillow(self, layer: Layer) -> Image.Image:
        """As Pillow's image."""
        key = (layer.key, layer.opacity)
        if key not in self._pillow:
            self._pillow[key] = Image.fromarray(self.rgba(layer))
        return self._pillow[key]

    def frame(self, layer: Layer, kind: str, box: tuple[int, int]) -> Any:
        """As a frame of even size."""
        rgba = self.rgba(layer)
        padded = np.zeros((box[1], box[0], 4), np.uint8)
        padded[: rgba.shape[0], : rgba.shape[1]] = rgba
        return av.VideoFrame.from_ndarray(padded, format="rgba").reformat(format=kind)


def in_order(layers: Sequence[Layer]) -> list[Layer]:
    """From the bottom to the top."""
    return sorted(layers, key=lambda layer: (layer.z, layer.id))


def measure(mode: str, pictures: HeldPictures, chunks: int) -> list[Design]:
    """All designs on one size, chunk by chunk in turn."""
    width, height, fps = SIZES[mode]
    programme = Programme(scenes_for(width, height), width, height)
    frames = list(showcase.script(fps, chunks * CHUNK))
    composer, source, pipeline = (Composer(programme, pictures) for _ in range(3))
    alone, behind = Encoder(width, height, fps), Encoder(width, height, fps)
    pillow = PillowFrames(programme, pictures)
    filters = FilterFrames(programme, pictures, *frames[0], fps=fps)

    def whole(state: Any, t: int) -> None:
        pipeline.render(state, t)
        behind(pipeline.frame.buffer)

    ours = Design("damage", composer.render)
    rows = [ours, Design("pillow", pillow), Design("filters", filters)]
    bare, both = Design("x264", lambda frame, _t: alone(frame)), Design("damage + x264", whole)
    settled()
    for turn, chunk in enumerate(_chunks(frames)):
        kept: list[tuple[Any, int]] = []
        for state, t in chunk:
            source.render(state, t)
            kept.append((source.frame.buffer.copy(), t))
        for design in rows:
            design.run(chunk if design is ours else chunk[:PEER_FRAMES])
        _same(pillow, programme, pictures, *chunk[PEER_FRAMES - 1])
        # who goes second finds warmer caches: they take turns
        for design, its in ((bare, kept), (both, chunk))[:: 1 if turn % 2 else -1]:
            design.run(its)
        if alone.digest != behind.digest:
            raise BenchFailed(f"{mode}: the pipeline sent other bytes than the encoder alone on the same frames.")
    # the first chunk has what is done once: painting each surface for the first time
    for design in (*rows, bare, both):
        share = len(design.waits) // len(design.cpu)
        design.cpu, design.waits = design.cpu[1:], design.waits[share:]
    return [*rows, bare, both]


def live(mode: str, pictures: HeldPictures, seconds: int) -> dict[str, Any]:
    """The pipeline at the pace of a broadcast; a frame that is not done when the next is due counts as dropped."""
    width, height, fps = SIZES[mode]
    composer = Composer(Programme(scenes_for(width, height), width, height), pictures)
    beforehand = Beforehand(composer)
    encoder = Encoder(width, height, fps)
    frames = list(showcase.script(fps, seconds * fps))
    settled()
    waits: list[float] = []
    dropped = 0
    for state, t in frames[:fps]:
        composer.render(state, t)
        encoder(composer.frame.buffer)
    begun, start = time.process_time(), time.perf_counter()
    for number, (state, t) in enumerate(frames[fps:]):
        due = start + number / fps
        if (early := due - time.perf_counter()) > 0:
            time.sleep(early)
        elif -early > 1 / fps:
            dropped += 1
            continue
        asked = time.perf_counter()
        composer.render(state, t)
        waits.append(time.perf_counter() - asked)
        encoder(composer.frame.buffer)
        beforehand.look(state, t)
        beforehand.paint(lambda: due + 1 / fps - time.perf_counter())  # noqa: B023 - called at once
    spent = time.perf_counter() - start
    waits.sort()
    return {
        "mode": "live",
        "size": f"{width}x{height}",
        "fps_target": fps,
        "compose_ms_p50": round(percentile(waits, 0.5) * 1e3, 4),
        "compose_ms_p99": round(percentile(waits, 0.99) * 1e3, 4),
        "cpu_core_pct": round((time.process_time() - begun) / spent * 100, 2),
        "dropped_pct": round(100 * dropped / len(frames[fps:]), 3),
    }


def _same(pillow: PillowFrames, programme: Programme, pictures: HeldPictures, state: Any, t: int) -> None:
    """The peer must show the same picture, or its figure is worth nothing."""
    assert pillow.pixels is not None
    ours = full(programme.shown(state, t).layers, programme.canvas.w, programme.canvas.h, pictures)
    difference = np.abs(ours[..., [2, 1, 0]].astype(int) - pillow.pixels[..., :3]).mean()
    if difference > 1:
        raise BenchFailed(f"Pillow shows another picture than the composer: {difference:.2f} levels of 255 on average.")


def _ratio(theirs: Design, ours: Design) -> float:
    """How much of ours theirs costs: the median of what it was in each chunk, where both had the same machine."""
    return round(statistics.median(a / b for a, b in zip(theirs.cpu, ours.cpu, strict=True)), 3)


def _chunks(frames: Frames) -> Iterator[Frames]:
    for start in range(0, len(frames), CHUNK):
        yield frames[start : start + CHUNK]


def _even(w: int, h: int) -> tuple[int, int]:
    return w + w % 2, h + h % 2


def parade(pictures: HeldPictures, chunks: int) -> dict[str, Any]:
    """The composer on the scene that moves most."""
    width, height, fps = SIZES[JUDGED]
    design = Design("parade", Composer(Programme(scenes_for(width, height), width, height), pictures).render)
    state, t = showcase.state("pre-auction")
    for chunk in _chunks([(state, t + number * 1000 // fps) for number in range(chunks * CHUNK)]):
        design.run(chunk)
    return design.result(JUDGED)


async def work(quick: bool) -> dict[str, Any]:
    """All sizes, then live."""
    pictures = await asyncio.to_thread(showcase.pictures, 3)
    results: list[dict[str, Any]] = []
    ratios: dict[str, float] = {}
    for mode in SIZES:
        designs = measure(mode, pictures, CHUNKS_QUICK if quick else CHUNKS)
        results += [design.result(mode) for design in designs]
        if mode == JUDGED:
            by_name = {design.name: design for design in designs}
            ratios = {
                "pillow_full_redraw_cpu": _ratio(by_name["pillow"], by_name["damage"]),
                "ffmpeg_filters_cpu": _ratio(by_name["filters"], by_name["damage"]),
                "encoder_only_cpu": _ratio(by_name["x264"], by_name["damage + x264"]),
            }
    results.append(parade(pictures, CHUNKS_QUICK if quick else CHUNKS))
    results += [live(mode, pictures, LIVE_SECONDS_QUICK if quick else LIVE_SECONDS) for mode in SIZES]
    return {"results": results, "ratios": ratios}


if __name__ == "__main__":
    main(
        work,
        "What a frame costs",
        ["mode", "size", "fps_target", "compose_ms_p50", "compose_ms_p99", "cpu_core_pct", "fps_max", "dropped_pct"],
    )
