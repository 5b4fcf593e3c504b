"""What the host says and how it looks, folded from its events. Pure."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from sothebais.instants import Millis
from sothebais.stream import captions
from sothebais.stream.facts import Told
from sothebais.stream.host_look import expression_of
from sothebais.stream.layers import NEVER
from sothebais.stream.show import Caption, HostLook, Mouth

#: What was written and may still be spoken.
MESSAGES_KEPT_MAX: Final = 16
SAYINGS_KEPT_MAX: Final = 8
#: How long words without a voice stay: as long as a slow reader needs.
READ_MS_PER_CHARACTER: Final = 65
#: A message whose sound has not come by then is shown without it.
UNSPOKEN_AFTER_MS: Final = 2_000
READ_MS_MIN: Final = 2_500
READ_MS_MAX: Final = 60_000


class Said(Struct, frozen=True):
    """The caption and the look of an instant, and until when they stay."""

    caption: Caption | None
    host: HostLook
    until: Millis


class Saying(Struct, frozen=True):
    """One thing said: its captions one after the other, and the mouth that says it."""

    message: str
    at: Millis
    until: Millis
    pages: tuple[Caption, ...]
    mouth: tuple[Mouth, ...] = ()


class _Word(Struct, frozen=True):
    text: str
    start: Millis
    end: Millis


class _Speech(Struct, frozen=True):
    starts_at: Millis
    duration: Millis
    words: tuple[_Word, ...] = ()


class Speaking:
    """The host on the stream. What it says in the chat, in posts or about another campaign's lots is not shown."""

    def __init__(self, host: HostLook, lots: frozenset[str], expressions: Mapping[str, str]) -> None:
        self._host = host
        self._lots = lots
        self._expressions = expressions
        #: What a character with pictures of its own shows where it has none for a mood: its first, not another's face.
        self._picture = host.picture
        self._texts: dict[str, str] = {}
        self._sayings: list[Saying] = []

    def apply(self, told: Told) -> bool:
        """Take an event of the host; whether it is seen or heard."""
        data = told.data
        match told.type:
            case "agent:mood":
                self._face(expression_of(data["mood"]), data["intensity"], told.at)
                self._host = replace(self._host, mood=data["mood"])
            case "agent:asset:request":
                if data["expression"] != self._host.expression:
                    self._face(data["expression"], self._host.intensity, told.at)
                self._host = replace(self._host, background=data["background"], props=tuple(data["props"]))
            case "agent:message":
                return self._message(told)
            case "agent:speech":
                return self._speech(told)
            case _:
                return False
        return True

    def at(self, t: Millis) -> Said:
        """What is said at an instant: nothing, once it was."""
        saying, until = None, NEVER
        for one in self._sayings:
            if one.at > t:
                until = min(until, one.at)
                break
            saying = one
        if saying is None or t >= saying.until:
            return Said(None, self._host, until)
        until = min(until, saying.until)
        caption = None
        for page in saying.pages:
            if page.at > t:
                until = min(until, page.at)
                break
            caption = page
        if caption is not None and caption.until <= t:
            caption = None
        elif caption is not None:
            until = min(until, caption.until)
        host = replace(self._host, mouth=saying.mouth) if saying.mouth else self._host
        return Said(caption, host, until)

    def _face(self, expression: str, intensity: int, at: Millis) -> None:
        """Another face, into which the present one turns."""
        host = self._host
        self._host = replace(
            host,
            expression=expression,
            intensity=intensity,
            since=at,
            was=host.expression,
            was_intensity=host.intensity,
            picture=self._expressions.get(expression, self._picture) or None,
        )

    def _message(self, told: Told) -> bool:
        data = told.data
        elsewhere = data["place"] != "STREAM" or (data["auction"] is not None and data["auction"] not in self._lots)
        text = "" if elsewhere else data["text"]
        self._texts[str(told.id)] = text
        while len(self._texts) > MESSAGES_KEPT_MAX:
            del self._texts[next(iter(self._texts))]
        if elsewhere:
            return False
        length = max(READ_MS_MIN, min(READ_MS_MAX, len(text) * READ_MS_PER_CHARACTER))
        # a voice needs a moment; what is being spoken is not interrupted by what is only written so far
        at = max([told.at + UNSPOKEN_AFTER_MS, *(one.until for one in self._sayings if one.mouth)])
        unspoken = _Speech(at, length)
        pages = captions.pages(unspoken, text, self._host.name)
        if not pages:
            return False
        self._say(Saying(str(told.id), at, pages[-1].until, pages))
        return True

    def _speech(self, told: Told) -> bool:
        data = told.data
        message = data["message"]
        text = self._texts.get(message)
        if text == "":
            return False
        text = data.get("text") or text
        if text is None:  # written before the snapshot
            text = " ".join(word["text"] for word in data["words"])
        words = tuple(_Word(word["text"], word["start"], word["end"]) for word in data["words"])
        speech = _Speech(data["starts_at"], data["duration"], words)
        pages = captions.pages(speech, text, self._host.name)
        at, until = speech.starts_at, speech.starts_at + speech.duration
        mouth = tuple(Mouth(at + shape["at"], shape["opening"]) for shape in data["mouth"])
        # what was written gives way to its sound; a part of it, to nothing
        self._sayings = [one for one in self._sayings if one.message not in (message, str(told.id))]
        self._say(Saying(str(told.id), at, max([until, *(page.until for page in pages)]), pages, mouth))
        return True

    def _say(self, saying: Saying) -> None:
        # one voice: what begins later ends what was still on
        earlier = [
            one if one.until <= saying.at else replace(one, until=saying.at)
            for one in self._sayings
            if one.at < saying.at
        ]
        self._sayings = [*earlier, saying][-SAYINGS_KEPT_MAX:]
