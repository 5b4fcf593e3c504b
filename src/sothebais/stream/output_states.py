"""Where a broadcast goes and what comes in, by its settings, and how each of its outputs does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from sothebais.clock import Clock
from sothebais.config import Settings
from sothebais.state import models
from sothebais.stream.commands import Desired
from sothebais.stream.encoding import Format
from sothebais.stream.inputs.model import InputSpec
from sothebais.stream.outputs.model import OutputReport, OutputSpec

REASON_LENGTH_MAX: Final = 200


def format_of(settings: Settings, desired: Desired, video_kbps: int) -> Format:
    """The encode of a broadcast."""
    return Format(
        width=desired.width,
        height=desired.height,
        fps=desired.fps,
        video_kbps=video_kbps,
        audio_kbps=settings.stream_audio_kbps,
        key_interval_s=settings.stream_key_interval_s,
        preset=settings.stream_preset,
        threads=settings.stream_threads,
    )


def inputs_of(settings: Settings) -> list[InputSpec]:
    """The live pictures that its scenes may show, addresses and keys included."""
    ca_file = None if settings.stream_ca_file is None else str(settings.stream_ca_file)
    return [
        InputSpec(name=name, source=source.get_secret_value(), ca_file=ca_file)
        for name, source in settings.stream_inputs.items()
    ]


class OutputStates:
    """The outputs of one broadcast; ``tell`` logs an event. Recordings go to ``folder``."""

    def __init__(
        self, settings: Settings, folder: Path, clock: Clock, tell: Callable[[str, dict[str, Any]], None]
    ) -> None:
        self._settings, self._folder, self._clock, self._tell = settings, folder, clock, tell
        self._states: dict[str, models.OutputState] = {}

    @property
    def states(self) -> tuple[models.OutputState, ...]:
        """All of them."""
        return tuple(self._states.values())

    def names(self) -> list[dict[str, str]]:
        """Their names and kinds, which may be told to everybody."""
        return [{"name": state.name, "kind": state.kind} for state in self._states.values()]

    def specs(self) -> list[OutputSpec]:
        """What the media process is to open, addresses and keys included."""
        settings = self._settings
        specs = []
        if settings.stream_hls:
            specs.append(OutputSpec(name="hls", kind="HLS", target=str(settings.data_dir / "hls" / "live")))
        if settings.stream_record:
            specs.append(OutputSpec(name="recording", kind="RECORDING", target=str(self._folder)))
        ca_file = None if settings.stream_ca_file is None else str(settings.stream_ca_file)
        specs += [
            OutputSpec(name=name, kind="RTMP", target=target.get_secret_value(), ca_file=ca_file)
            for name, target in settings.stream_outputs.items()
        ]
        now = self._clock.now()
        for spec in specs:
            fresh = models.OutputState(name=spec.name, kind=spec.kind, status="CONNECTING", since=now)
            self._states.setdefault(spec.name, fresh)
        return specs

    def reported(self, report: OutputReport) -> None:
        """The media process says that one came up or went down."""
        now, before = self._clock.now(), self._states.get(report.name)
        reason = report.reason[:REASON_LENGTH_MAX] or None
        status: models.OutputStatus = "UP" if report.up else "DOWN"
        self._states[report.name] = models.OutputState(
            name=report.name, kind=report.kind, status=status, since=now, reason=reason
        )
        if not report.up:
            data = {"output": report.name, "kind": report.kind, "reason": reason or "lost", "retrying": report.retrying}
            self._tell("stream:output:down", data)
            return
        down_for = report.down_ms
        if down_for is None and before is not None and before.status == "DOWN":
            # another media process knows nothing of the one before it
            down_for = max(0, now - before.since)
        self._tell(
            "stream:output:up",
            {"output": report.name, "kind": report.kind, "attempts": report.attempts, "down_for": down_for},
        )

    def media_died(self) -> None:
        """All that were up went with it."""
        gone = {"status": "DOWN", "since": self._clock.now(), "reason": "the media process ended"}
        for name, state in self._states.items():
            if state.status == "UP":
                self._states[name] = state.model_copy(update=gone)
