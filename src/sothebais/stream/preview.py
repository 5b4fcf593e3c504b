"""The live picture for those who watch: hands on what the media process encodes, each packet once, waiting for nobody.

A watcher begins with the last key frame. One that falls behind loses pictures up to the next key frame; one that takes
nothing at all is let go. Two forms: packets (for WebCodecs) and fragments of MP4 (for MediaSource).
"""

import asyncio
import base64
import struct
from collections import deque
from collections.abc import Callable
from typing import Final, Literal

import msgspec
from msgspec import Struct

from sothebais.clock import Clock
from sothebais.stream.media import messages as m
from sothebais.stream.players import Players

type Form = Literal["packets", "mp4"]

#: More bytes than this wait for a watcher, and it skips to the next key frame.
BEHIND_BYTES_MAX: Final = 1024 * 1024
#: So many messages wait, and it is let go: those that tell of positions are never skipped.
MESSAGES_MAX: Final = 2_000
#: A watcher that has taken nothing for so long is let go.
STUCK_S: Final = 15.0
WATCHERS_MAX: Final = 500
#: Of one network address; a household or an office, not a flood.
WATCHERS_PER_ADDRESS_MAX: Final = 50
#: What is kept of the present group of pictures for those who come.
GROUP_BYTES_MAX: Final = 8 * 1024 * 1024
_HEAD: Final = struct.Struct("<BBHIQQ")


class Frame(Struct, frozen=True):
    """A message to a watcher: text or bytes. ``key`` begins a group; what is ``kept`` is never skipped."""

    data: bytes
    text: bool
    key: bool = False
    picture: bool = False
    kept: bool = False


class Watcher:
    """One who watches. ``next`` gives what is to be sent; whoever carries it sends one after the other."""

    def __init__(self, form: Form, clock: Clock, address: str = "") -> None:
        self.form, self.address = form, address
        self._clock = clock
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._news = asyncio.Event()
        self._awaits_key = True
        self.skipped = 0
        self._sending = False
        self._waits_since = 0.0
        self.closed: str | None = None
        #: Set with ``closed``; what waits may still be sent then.
        self.ended = asyncio.Event()

    def put(self, frame: Frame) -> None:
        """Have it sent, unless it is a picture that means nothing without those that were lost."""
        if self.closed is not None:
            return
        if not frame.text:
            if self._awaits_key:
                if not frame.key:
                    return
                self._awaits_key = False
            elif self._bytes + len(frame.data) > BEHIND_BYTES_MAX:
                self.skipped += sum(waiting.picture for waiting in self._frames) + frame.picture
                self._frames = deque(waiting for waiting in self._frames if waiting.text or waiting.kept)
                self._bytes = sum(len(waiting.data) for waiting in self._frames)
                self._awaits_key = True
                self._news.set()
                return
        if len(self._frames) >= MESSAGES_MAX:
            self.drop("too much waits for this connection")
            return
        self._add(frame)

    def put_initial(self, frame: Frame) -> None:
        """The header of its MP4: sent whatever is skipped, and a key frame follows."""
        self._add(msgspec.structs.replace(frame, kept=True))
        self._awaits_key = True

    def _add(self, frame: Frame) -> None:
        if not self._frames and not self._sending:
            self._waits_since = self._clock.monotonic()
        self._frames.append(frame)
        self._bytes += len(frame.data)
        self._news.set()

    async def next(self) -> Frame | None:
        """The next message; null when the connection is to end."""
        while not self._frames:
            if self.closed is not None:
                return None
            self._news.clear()
            await self._news.wait()
        frame = self._frames.popleft()
        self._bytes -= len(frame.data)
        self._sending = True
        return frame

    def took(self) -> None:
        """The last one was sent."""
        self._sending, self._waits_since = False, self._clock.monotonic()

    def waits_s(self) -> float:
        """Seconds for which something waited and nothing was taken."""
        return self._clock.monotonic() - self._waits_since if self._frames or self._sending else 0.0

    def begin_anew(self) -> None:
        """Another encode: only a key frame of it means anything."""
        self._frames.clear()
        self._bytes, self._awaits_key = 0, True

    def close(self, reason: str) -> None:
        """End the connection, after what waits."""
        self.closed = reason
        self._news.set()
        self.ended.set()

    def drop(self, reason: str) -> None:
        """End the connection now."""
        self.begin_anew()
        self.close(reason)


class Preview:
    """All who watch one stream. ``want`` is told which forms anybody looks at."""

    def __init__(self, clock: Clock, *, want: Callable[[m.Want], None], watchers_max: int = WATCHERS_MAX) -> None:
        self._clock = clock
        self._want = want
        self._watchers_max = watchers_max
        self._watchers: set[Watcher] = set()
        self.players = Players(clock)
        self._stream = ""
        self._hello: m.Hello | None = None
        self._initial: Frame | None = None
        self._groups: dict[Form, list[Frame]] = {"packets": [], "mp4": []}
        self._group_bytes: dict[Form, int] = {"packets": 0, "mp4": 0}
        self._shown: Frame | None = None

    def __len__(self) -> int:
        return len(self._watchers)

    @property
    def viewers(self) -> int:
        """Who watches here, in whatever form."""
        return len(self._watchers) + len(self.players)

    def has_room(self, address: str = "") -> bool:
        """Whether another may come, from that address."""
        of_address = sum(watcher.address == address for watcher in self._watchers) if address else 0
        return len(self._watchers) < self._watchers_max and of_address < WATCHERS_PER_ADDRESS_MAX

    def join(self, form: Form, address: str = "") -> Watcher:
        """Somebody comes; first it hears what is encoded and how."""
        watcher = Watcher(form, self._clock, address)
        self._watchers.add(watcher)
        self._greet(watcher)
        for frame in self._groups[form]:
            watcher.put(frame)
        self._tell_wants()
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """It is gone."""
        self._watchers.discard(watcher)
        self._tell_wants()

    def begin(self, stream: str, hello: m.Hello) -> None:
        """An encode begins."""
        self._stream, self._hello, self._initial, self._shown = stream, hello, None, None
        for form in self._groups:
            self._groups[form], self._group_bytes[form] = [], 0
        for watcher in self._watchers:
            watcher.begin_anew()
            self._greet(watcher)
        self._tell_wants()

    def end(self, reason: str) -> None:
        """The stream is over; everybody is told."""
        self._hello, self._initial = None, None
        bye = Frame(msgspec.json.encode({"op": "bye", "reason": reason}), text=True)
        for watcher in list(self._watchers):
            watcher.put(bye)
            watcher.close(reason)

    def show(self, shown: m.Shown) -> None:
        """The log position that is shown has changed."""
        said = {"op": "position", "pts_us": shown.pts_us, "position": shown.position}
        self._shown = frame = Frame(msgspec.json.encode(said), text=True)
        self._hand_on(frame, None)

    def take(self, live: m.Live) -> None:
        """A packet or a fragment."""
        head = _HEAD.pack(live.kind, live.flags, 0, live.duration_us, live.pts_us, live.at)
        form: Form = "mp4" if live.kind == m.FRAGMENT else "packets"
        picture = live.kind == m.VIDEO or (live.kind == m.FRAGMENT and live.duration_us > 0)
        key = bool(live.flags & m.KEY) and live.kind != m.AUDIO
        frame = Frame(head + live.data, text=False, key=key, picture=picture)
        if live.flags & m.INITIAL and live.kind == m.FRAGMENT:
            self._initial = frame
            for watcher in self._watchers:
                if watcher.form == "mp4":
                    watcher.put_initial(frame)
            return
        if key:
            self._groups[form], self._group_bytes[form] = [], 0
        if key or self._groups[form]:
            if self._group_bytes[form] + len(frame.data) <= GROUP_BYTES_MAX:
                self._groups[form].append(frame)
                self._group_bytes[form] += len(frame.data)
            else:
                self._groups[form] = []
        self._hand_on(frame, form)

    def let_go_of_the_stuck(self) -> None:
        """Call it now and then."""
        for watcher in self._watchers:
            if watcher.waits_s() > STUCK_S:
                watcher.drop("nothing was taken for too long")

    def _hand_on(self, frame: Frame, form: Form | None) -> None:
        for watcher in self._watchers:
            if form is None or watcher.form == form:
                watcher.put(frame)

    def _greet(self, watcher: Watcher) -> None:
        hello = self._hello
        if hello is None:
            return
        form = hello.form
        said = {
            "op": "hello",
            "stream": self._stream,
            "video": {
                "codec": hello.video_codec,
                "width": form.width,
                "height": form.height,
                "fps": form.fps,
                "description": base64.b64encode(hello.description).decode(),
            },
            "audio": {
                "codec": hello.audio_codec,
                "sample_rate": 48_000,
                "channels": 2,
                "description": base64.b64encode(hello.audio_description).decode(),
            },
            "mime": f'video/mp4; codecs="{hello.video_codec}, {hello.audio_codec}"',
            "server": self._clock.now(),
        }
        watcher.put(Frame(msgspec.json.encode(said), text=True))
        if watcher.form == "mp4" and self._initial is not None:
            watcher.put_initial(self._initial)
        if self._shown is not None:
            watcher.put(self._shown)

    def _tell_wants(self) -> None:
        forms = {watcher.form for watcher in self._watchers}
        if "mp4" not in forms:
            self._initial, self._groups["mp4"] = None, []
        if "packets" not in forms:
            self._groups["packets"] = []
        self._want(m.Want(packets="packets" in forms, fragments="mp4" in forms))
