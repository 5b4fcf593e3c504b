"""One voice on the stream: what begins before the end of what was said earlier silences all of it."""

from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

from sothebais.stream.media import messages as m
from sothebais.stream.voices import STALE_SPEECH_MS, Voices

NOW = 1_800_000_000_000


class _Clock:
    def now(self) -> int:
        return NOW


def told(starts_in: int, duration: int) -> Any:
    return SimpleNamespace(id=uuid4(), data={"starts_at": NOW + starts_in, "duration": duration})


async def spoken(*events: Any) -> list[tuple[str, UUID]]:
    """What the media process is told."""
    sent: list[Any] = []
    faults: list[str] = []
    voices = Voices(
        SimpleNamespace(speech=lambda _: b"flac"),  # type: ignore[arg-type]
        _Clock(),  # type: ignore[arg-type]
        send=sent.append,
        fault=lambda _, text: faults.append(text),
    )
    for event in events:
        await voices.speak(event)
    assert not faults
    return [("hush" if isinstance(one, m.Hush) else "speak", one.id) for one in sent]


async def test_parts_of_a_line_follow_one_another() -> None:
    first, second = told(100, 1_000), told(1_100, 500)
    assert await spoken(first, second) == [("speak", first.id), ("speak", second.id)]


async def test_what_interrupts_a_line_silences_its_present_part_and_the_next() -> None:
    first, second, sold = told(100, 1_000), told(1_100, 500), told(300, 700)
    sent = await spoken(first, second, sold)
    assert sent[2:-1] == [("hush", second.id), ("hush", first.id)] or sent[2:-1] == [
        ("hush", first.id),
        ("hush", second.id),
    ]
    assert sent[-1] == ("speak", sold.id)
    # and nothing is silenced twice
    after = told(1_000, 500)
    assert await spoken(first, second, sold, after) == [*sent, ("speak", after.id)]


async def test_what_should_have_begun_long_ago_is_not_begun() -> None:
    late, just = told(-STALE_SPEECH_MS - 1, 500), told(-STALE_SPEECH_MS, 500)
    assert await spoken(late, just) == [("speak", just.id)]
