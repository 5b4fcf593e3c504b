"""The media process: ``python -m sothebais.stream.media DESCRIPTOR``, started by the stream-manager with one end of a
socket pair. It knows no database, no network but its outputs, and leaves when its manager does.
"""

import gc
import os
import resource
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import structlog
from av.error import FFmpegError

from sothebais.clock import SystemClock
from sothebais.errors import InvalidInput, SothebaisError
from sothebais.sound import decode as decode_speech
from sothebais.stream import decoding, encoding, scenes
from sothebais.stream.audio.mixer import Began, Clip, Mixer
from sothebais.stream.audio.resample import to_house_rate
from sothebais.stream.encoder import Encoder, NoEncoder, Packet
from sothebais.stream.inputs.feeds import Feeds
from sothebais.stream.media import messages as m
from sothebais.stream.media.composing import Ahead, Composing, SlatePicture, Slot, with_artworks
from sothebais.stream.media.link import Link
from sothebais.stream.media.pace import Pace
from sothebais.stream.media.sending import Sending
from sothebais.stream.media.stills import png
from sothebais.stream.outputs.fragments import Fragments, Piece
from sothebais.stream.outputs.hls import HlsFolder
from sothebais.stream.outputs.model import OutputSpec
from sothebais.stream.outputs.output import Output, Sink
from sothebais.stream.outputs.sinks import Recording, Templates, open_rtmp
from sothebais.stream.pictures import HeldPictures
from sothebais.stream.show import Artwork

log = structlog.get_logger(__name__)

READ_EVERY_S: Final = 1.0
#: Outputs have so long to finish; a stalled server is not waited for longer.
FINISH_S: Final = 5.0
#: Outputs besides the two that are built in.
OUTPUTS_MAX: Final = 12


class MediaProcess:
    """Everything between ``Begin`` and ``Stop``."""

    def __init__(self, link: Link, begin: m.Begin) -> None:
        self._link = link
        self._begin = begin
        form = begin.form
        self.encoder = self._some_encoder()
        self._templates = Templates(self.encoder)
        self._clock = SystemClock()
        self.pace = Pace(form.fps, self._clock, begin.offset_ms)
        self._pictures = HeldPictures(on_gone=lambda ref: link.send(m.PictureGone(ref)))
        self._artworks: dict[str, Artwork] = {}
        self._ahead = Ahead(m.unpack(begin.state), begin.position)
        self._slot = Slot()
        self._mixer = Mixer()
        self._slate = SlatePicture(form.width, form.height, self._pictures)
        self._feeds = Feeds(
            begin.inputs, self._pictures, lambda text, recovered: link.send(m.Fault("INPUT", text, recovered))
        )
        self.composing = Composing(
            form.width, form.height, self.pace, self._ahead, self._pictures, self._slot, link.send, self._feeds.show
        )
        self.sending = Sending(
            self.encoder,
            self._mixer,
            self.pace,
            self._slot,
            self._ahead,
            self._slate,
            hand_on=self._hand_on,
            shown=link.send,
        )
        # a picture may take a second to decode; speech and stills do not wait for it
        self._worker, self._decoder = Worker("worker"), Worker("decoder")
        self._outputs: dict[str, Output] = {}
        self._starts: dict[str, int] = {}
        self._want = m.Want(packets=False, fragments=False)
        self._pieces: Fragments | None = None
        self._pieces_lock = threading.Lock()
        later, decode = self._later, self._decode
        self._doing: dict[type, Callable[[Any], None]] = {
            m.State: self._state,
            m.Scenes: self._scenes,
            m.Picture: lambda message: decode(lambda: self._picture(message)),
            m.Speak: lambda message: later(lambda: self._speak(message)),
            m.Hush: lambda message: self._mixer.hush(message.id),
            m.Cue: self._cue,
            m.Bed: lambda message: self._bed(message.on),
            m.HouseTime: self._house_time,
            m.Slate: self._say_on_slate,
            m.Rate: lambda message: self.sending.rate(message.video_kbps),
            m.AddOutput: lambda message: self._add(message.spec),
            m.DropOutput: self._drop,
            m.Want: self._wanted,
            m.WantFrame: lambda message: later(lambda: self._frame(message)),
            m.Stall: lambda message: self.composing.stall(message.seconds),
        }
        self._bytes_before, self._read_at, self._cpu_before = 0, time.monotonic(), time.process_time()
        self._frames_before = 0

    def start(self) -> None:
        """Begin composing, encoding and sending."""
        if self._begin.scenes:
            self._scenes(m.Scenes(self._begin.scenes))
        self.composing.start()
        self.sending.start()
        encoder = self.encoder
        self._link.send(
            m.Hello(
                pid=os.getpid(),
                encoder=encoder.codec,
                form=encoder.form,
                video_codec=encoding.video_codec(encoder.extradata),
                audio_codec=encoding.AUDIO_CODEC,
                description=encoding.avcc(encoder.extradata),
                audio_description=encoder.audio_config,
            )
        )
        for spec in self._begin.outputs:
            self._add(spec)
        if self._begin.bed:
            self._bed(True)

    def take(self, message: m.ToMedia) -> None:
        """Do what the manager says. Raises InvalidInput for what is said at the wrong time."""
        do = self._doing.get(type(message))
        if do is None:
            raise InvalidInput(f"There is nothing to do for {type(message).__name__} now.")
        do(message)

    def watch(self) -> None:
        """Send readings every second. When encoding has failed the process ends, and its manager starts another."""
        while self.sending.is_alive():
            self.sending.join(READ_EVERY_S)
            self._link.send(self._readings())
            for report in self._mixer.reports():
                if isinstance(report, Began):
                    at = report.at - self.sending.mixer_ahead_ms
                    self._link.send(m.Spoke(report.id, at, max(0, at - self._starts.pop(report.id.hex, at))))
        if self.sending.failure is not None:
            self._link.hang_up()

    def finish(self, *, ended: bool = False) -> None:
        """Stop, flush, let every output write its end within ``FINISH_S``."""
        self.composing.stop()
        self._feeds.stop()
        self.sending.stop()
        self.sending.join(FINISH_S)
        outputs = list(self._outputs.values())
        for output in outputs:
            output.ask_to_stop(ended=ended)
        deadline = time.monotonic() + FINISH_S
        for output in outputs:
            if not output.join(max(0.0, deadline - time.monotonic())):
                log.warning("stream.output_not_finished", output=output.spec.name)
        self._link.send(self._readings())
        self._link.send(m.Bye())

    # what is handed on

    def _hand_on(self, packet: Packet) -> None:
        for output in list(self._outputs.values()):
            output.feed(packet)
        if self._want.packets:
            video = packet.kind == "video"
            rate = self.encoder.form.fps if video else encoding.SAMPLE_RATE
            if packet.pts >= 0:
                self._link.send(
                    m.Live(
                        m.VIDEO if video else m.AUDIO,
                        m.KEY if packet.key else 0,
                        packet.pts * 1_000_000 // rate,
                        packet.duration * 1_000_000 // rate,
                        round(packet.at),
                        encoding.sample(packet.data) if video else packet.data,
                    )
                )
        with self._pieces_lock:
            if self._pieces is not None:
                try:
                    self._pieces.write(packet)
                except (FFmpegError, OSError, ValueError) as error:
                    # those who watch in this form lose it; the show does not
                    log.warning("stream.fragments_failed", reason=str(error))
                    self._pieces = None
                    self._begin_pieces()

    def _piece(self, piece: Piece) -> None:
        self._link.send(
            m.Live(
                m.FRAGMENT,
                m.KEY if piece.pictures and piece.key else 0,
                round(piece.begins * 1e6),
                round(piece.lasts * 1e6),
                round(self.pace.at(0) + piece.begins * 1_000),
                piece.data,
            )
        )

    def _wanted(self, want: m.Want) -> None:
        if (want.packets and not self._want.packets) or (want.fragments and not self._want.fragments):
            self.sending.ask_key()
        self._want = want
        with self._pieces_lock:
            if not want.fragments:
                self._pieces = None
            elif self._pieces is None:
                self._begin_pieces()

    def _begin_pieces(self) -> None:
        self._pieces = Fragments(self._templates, self._piece)
        self._link.send(m.Live(m.FRAGMENT, m.INITIAL, 0, 0, self._clock.now(), self._pieces.initial))
        self.sending.ask_key()

    # what scenes show and people hear

    def _state(self, message: m.State) -> None:
        state = with_artworks(m.unpack(message.state), self._artworks)
        self._ahead.put(self.pace.begins(message.since), state, message.position)

    def _house_time(self, message: m.HouseTime) -> None:
        self.pace.offset_ms = message.offset_ms

    def _say_on_slate(self, message: m.Slate) -> None:
        self._slate.notice = message.notice

    def _scenes(self, message: m.Scenes) -> None:
        try:
            wanted = [scenes.parse(scene) for scene in message.scenes]
        except SothebaisError as error:
            self._link.send(m.Fault("SCENE", error.message))
            return
        self.composing.scenes(wanted)
        self._feeds.want(wanted)

    def _picture(self, message: m.Picture) -> None:
        try:
            artwork = decoding.hold(self._pictures, message.ref, message.data)
        except Exception as error:  # noqa: BLE001 - whatever a library makes of a file, it is told and left out
            fault = str(error) if isinstance(error, ValueError) else type(error).__name__
            self._link.send(m.PictureReady(message.ref, fault))
            return
        self._artworks[message.ref] = artwork
        self._ahead.change(lambda state: with_artworks(state, self._artworks))
        self.composing.refresh()
        self._link.send(m.PictureReady(message.ref))

    def _speak(self, message: m.Speak) -> None:
        try:
            pcm, rate = decode_speech(message.flac)
            self._starts[message.id.hex] = message.starts_at
            starts = message.starts_at + self.sending.mixer_ahead_ms
            self._mixer.speak(Clip(message.id, to_house_rate(pcm, rate), starts))
        except SothebaisError as error:
            self._link.send(m.Fault("AUDIO", error.message))

    def _bed(self, on: bool) -> None:
        # making the music takes seconds: pictures do not wait for it
        threading.Thread(target=self._mixer.bed, args=(on,), name="bed", daemon=True).start()

    def _cue(self, message: m.Cue) -> None:
        try:
            self._mixer.cue(message.cue, message.at + self.sending.mixer_ahead_ms)
        except SothebaisError as error:
            self._link.send(m.Fault("AUDIO", error.message))

    def _frame(self, message: m.WantFrame) -> None:
        current = self.sending.current
        if current is None or self.sending.counts.slate:
            at = self.pace.at(self.pace.now())
            buffer, position = self._slate.copy(self._ahead.at(at)[0], at), None
        else:
            buffer, position, at = current.buffer, current.position, current.at
        data = png(buffer, self.encoder.form.width, self.encoder.form.height, message.wide)
        self._link.send(m.FramePng(message.request, data, position, round(at)))

    # outputs

    def _add(self, spec: OutputSpec) -> None:
        if spec.name in self._outputs or len(self._outputs) >= OUTPUTS_MAX:
            self._link.send(m.Fault("OUTPUT", f"output {spec.name} is there already, or there are {OUTPUTS_MAX}"))
            return
        self._outputs[spec.name] = Output(
            spec,
            self._opener(spec),
            report=lambda report: self._link.send(m.Report(report)),
            ask_key=self.sending.ask_key,
        )

    def _drop(self, message: m.DropOutput) -> None:
        if (output := self._outputs.pop(message.name, None)) is not None:
            output.ask_to_stop()

    def _opener(self, spec: OutputSpec) -> Callable[[], Sink]:
        templates, begin = self._templates, self._begin
        match spec.kind:
            case "RTMP":
                return lambda: open_rtmp(spec.target, templates, ca_file=spec.ca_file)
            case "HLS":
                return lambda: HlsFolder(
                    Path(spec.target), templates, token=f"{self._clock.now():x}", now=self._clock.now()
                )
            case "RECORDING":
                return lambda: Recording(
                    Path(spec.target) / f"{self._clock.now()}.mp4",
                    templates,
                    disk_free_bytes_min=begin.disk_free_bytes_min,
                )
            case _:
                raise ValueError(f"there is no output of kind {spec.kind}")

    # readings

    def _readings(self) -> m.Readings:
        counts, now = self.sending.counts, time.monotonic()
        lasted = max(1e-6, now - self._read_at)
        cpu, sent, frames = time.process_time(), counts.bytes, counts.frames
        composed, encoded = sorted(self.composing.milliseconds), sorted(counts.milliseconds)
        outputs = [output.reading() for output in list(self._outputs.values())]
        readings = m.Readings(
            at=self._clock.now(),
            fps=(frames - self._frames_before) / lasted,
            bitrate_kbps=(sent - self._bytes_before) * 8 / 1_000 / lasted,
            frames=frames,
            dropped_frames=counts.dropped,
            late_frames=counts.late,
            compose_ms_p50=_percentile(composed, 0.5),
            compose_ms_p99=_percentile(composed, 0.99),
            encode_ms_p50=_percentile(encoded, 0.5),
            encode_ms_p99=_percentile(encoded, 0.99),
            queue_frames=max((output.waiting for output in outputs), default=0),
            cpu_percent=(cpu - self._cpu_before) / lasted * 100,
            memory_bytes=_memory(),
            slate=counts.slate,
            position=None if self.sending.current is None else self.sending.current.position,
            outputs=outputs,
        )
        self._read_at, self._cpu_before, self._bytes_before, self._frames_before = now, cpu, sent, frames
        return readings

    def _later(self, work: Callable[[], None]) -> None:
        """What takes longer than a message may."""
        self._submit(self._worker, work)

    def _decode(self, work: Callable[[], None]) -> None:
        self._submit(self._decoder, work)

    def _submit(self, worker: "Worker", work: Callable[[], None]) -> None:

        def run() -> None:
            try:
                work()
            except Exception as error:
                # told, and the show goes on without it
                log.exception("stream.media_work_failed")
                self._link.send(m.Fault("ASSET", f"{type(error).__name__}: {error}"[:300]))

        worker.submit(run)

    def _some_encoder(self) -> Encoder:
        """The one that is wished for; a show in another one's picture is better than none."""
        form, codec = self._begin.form, self._begin.codec
        try:
            return Encoder(form, codec)
        except (NoEncoder, FFmpegError, ValueError) as error:
            if codec == encoding.SOFTWARE:
                raise
            log.warning("stream.encoder_not_here", encoder=codec, reason=str(error))
            self._link.send(
                m.Fault("ENCODER", f"{codec} cannot be opened; {encoding.SOFTWARE} encodes", recovered=True)
            )
            return Encoder(form, encoding.SOFTWARE)


class Worker:
    """One thread that does things in order."""

    def __init__(self, name: str) -> None:
        self._jobs: list[Callable[[], None]] = []
        self._news = threading.Condition()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def submit(self, job: Callable[[], None]) -> None:
        """Do it after those before it."""
        with self._news:
            self._jobs.append(job)
            self._news.notify()

    def _run(self) -> None:
        while True:
            with self._news:
                while not self._jobs:
                    self._news.wait()
                job = self._jobs.pop(0)
            job()


def run(descriptor: int) -> int:
    """Live from ``Begin`` to ``Stop``, or until the manager is gone; the exit code."""
    link = Link(socket.socket(fileno=descriptor))
    received = link.receive()
    begin = next(received, None)
    if not isinstance(begin, m.Begin):
        return 2
    media = MediaProcess(link, begin)
    # what is there now stays: a collector that went through all of it, now or later, would hold up frames
    gc.freeze()
    media.start()
    threading.Thread(target=media.watch, name="watch", daemon=True).start()
    asked = ended = False
    for message in received:
        if media.sending.failure is not None:
            break
        try:
            if isinstance(message, m.Stop):
                asked, ended = True, message.ended
                break
            media.take(message)
        except Exception as error:
            # a word that cannot be followed must not end the picture
            log.exception("stream.media_message_failed", message=type(message).__name__)
            link.send(m.Fault("ENCODER", f"{type(message).__name__}: {type(error).__name__}: {error}"[:300]))
    media.finish(ended=ended)
    link.close(FINISH_S)
    return 0 if asked and media.sending.failure is None else 1


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def _memory() -> int:
    """Resident bytes, now where the system says so, else the most there ever were."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024
