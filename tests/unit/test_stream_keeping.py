"""What a broadcast keeps: its notes for the database, in order; fairness to lots that nobody can follow; its pictures."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError

from sothebais.clock import SystemClock
from sothebais.errors import NotFound, Unavailable
from sothebais.stream import books as books_module
from sothebais.stream import example, scenery
from sothebais.stream.books import Books
from sothebais.stream.commands import Desired, Override, Slate
from sothebais.stream.fairness import BACK_S, REASON, Fairness
from sothebais.stream.media import messages as m
from sothebais.stream.scenery import IN_HAND_MAX, Scenery, artworks_of
from sothebais.stream.scenes import builtin
from sothebais.stream.show import Artwork, Notice, ShowState

STREAM = UUID(int=7)


class QuickClock(SystemClock):
    """Waits are only counted."""

    waits = 0

    async def sleep(self, seconds: float) -> None:
        self.waits += 1
        await asyncio.sleep(0)


def some_books(**given: Any) -> tuple[Books, list[str], Callable[..., Callable[[], Awaitable[None]]]]:
    made = Books(None, STREAM, QuickClock(), **given)  # type: ignore[arg-type]
    written: list[str] = []

    def a_note(name: str, *faults: BaseException) -> Callable[[], Awaitable[None]]:
        waiting = list(faults)

        async def note() -> None:
            if waiting:
                raise waiting.pop(0)
            written.append(name)

        return note

    return made, written, a_note


def gone(kind: type[DBAPIError] = InterfaceError) -> DBAPIError:
    return kind("insert", {}, Exception("connection is closed"))


async def settled(books: Books) -> None:
    writing = asyncio.create_task(books.write())
    await asyncio.wait_for(books._notes.join(), 5.0)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)


async def test_notes_are_written_in_order_however_often_the_database_is_away() -> None:
    books, written, a_note = some_books()
    books.note(a_note("first"))
    books.note(a_note("second", gone(), OSError("refused"), TimeoutError(), gone(DBAPIError)))
    books.note(a_note("third", gone()))
    await settled(books)
    assert written == ["first", "second", "third"]
    assert books.left_out == 0
    assert isinstance(books._clock, QuickClock)
    assert books._clock.waits == 5


@pytest.mark.parametrize("fault", [gone(IntegrityError), ValueError("a field is missing"), KeyError("x")])
async def test_a_note_that_the_database_will_never_take_holds_up_no_other(fault: Exception) -> None:
    books, written, a_note = some_books()
    for note in (a_note("first"), a_note("bad", fault, fault), a_note("third")):
        books.note(note)
    await settled(books)
    assert written == ["first", "third"]
    assert books.left_out == 1


async def test_one_note_too_many_is_left_out_and_counted() -> None:
    books, written, a_note = some_books(notes_max=3)
    for number in range(5):
        books.note(a_note(str(number)))
    assert books.left_out == 2
    await settled(books)
    assert written == ["0", "1", "2"]


async def test_at_the_end_notes_are_waited_for_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books_module, "LAST_S", 0.05)
    books, written, a_note = some_books()
    books.note(a_note("never", *[gone()] * 1_000_000))
    writing = asyncio.create_task(books.write())
    await asyncio.wait_for(books.close(), 5.0)
    assert written == []
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)


# fairness


class Room:
    """Lots that can be paused, while the engine answers."""

    def __init__(self, *open_: int) -> None:
        self.open = [UUID(int=n) for n in open_]
        self.paused: list[UUID] = []
        self.left_over: list[UUID] = []
        self.away = False
        self.reasons: list[str] = []

    async def pause(self, reason: str) -> list[UUID]:
        self._ask()
        stopped, self.open = self.open, []
        self.paused += stopped
        self.reasons += [reason] * bool(stopped)
        return stopped

    async def resume(self, lots: list[UUID], reason: str) -> None:
        self._ask()
        self.reasons.append(reason)
        self.paused = [lot for lot in self.paused if lot not in lots]

    async def left(self, reason: str) -> list[UUID]:
        self._ask()
        assert reason == REASON
        return list(self.left_over)

    def _ask(self) -> None:
        if self.away:
            raise Unavailable("not now", retry_after=1)


async def test_lots_stand_still_without_a_picture_and_go_on_with_one() -> None:
    room, told = Room(1, 2), list[str]()
    fairness = Fairness(room, 30.0, told.append)
    await fairness.look(30.0)
    assert room.paused == []  # the bound itself
    await fairness.look(30.6)
    assert room.paused == [UUID(int=1), UUID(int=2)]
    assert room.reasons == ["The stream has shown no picture for 31 seconds."]
    assert told == ["2 lots are paused: The stream has shown no picture for 31 seconds."]
    room.open = [UUID(int=3)]  # one that opens meanwhile
    await fairness.look(40.0)
    await fairness.look(41.0)
    assert room.paused == [UUID(int=n) for n in (1, 2, 3)]
    assert len(told) == 2
    await fairness.look(BACK_S)
    assert len(room.paused) == 3  # not yet sure
    await fairness.look(BACK_S - 0.1)
    assert room.paused == []
    assert room.reasons[-1] == "The stream is back."
    await fairness.look(0.1)
    assert len(room.reasons) == 3


async def test_what_cannot_be_done_now_is_done_at_the_next_look() -> None:
    room = Room(1)
    fairness = Fairness(room, 5.0, lambda _: None)
    room.away = True
    await fairness.look(6.0)
    assert room.open == [UUID(int=1)]
    room.away = False
    await fairness.look(7.0)
    assert room.paused == [UUID(int=1)]
    room.away = True
    await fairness.look(0.0)
    room.away = False
    assert room.paused == [UUID(int=1)]
    await fairness.look(0.2)
    assert room.paused == []


async def test_lots_that_a_manager_left_paused_go_on_when_there_is_a_picture_again() -> None:
    room = Room()
    room.paused = room.left_over = [UUID(int=9)]
    fairness = Fairness(room, 5.0, lambda _: None)
    room.away = True
    await fairness.look(0.0)
    room.away = False
    await fairness.look(0.0)
    assert room.paused == []


async def test_zero_never_pauses() -> None:
    room = Room(1)
    fairness = Fairness(room, 0.0, lambda _: None)
    await fairness.look(1e9)
    assert room.open == [UUID(int=1)]


# the pictures a media process is sent


class Store:
    """An asset store of small files."""

    def __init__(self) -> None:
        self.missing: set[str] = set()
        self.asked: list[str] = []

    def get(self, key: str) -> bytes:
        self.asked.append(key)
        if key in self.missing:
            raise NotFound(f"There is no asset {key}.")
        return f"bytes of {key}".encode()


class Hanging:
    """A scenery and what it sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.faults: list[tuple[str, str]] = []
        self.store = Store()
        self.tasks: set[asyncio.Task[Any]] = set()
        self.scenery = Scenery(
            None, self.store, Desired(width=1_280, height=720), SystemClock(),  # type: ignore[arg-type]
            send=self._send, spawn=self._spawn, fault=lambda kind, text: self.faults.append((kind, text)),
        )  # fmt: skip

        self.scenery.begin()

    def _send(self, message: m.ToMedia) -> None:
        assert isinstance(message, m.Picture)
        self.sent.append(message.ref)

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def sends(self, count: int) -> list[str]:
        async with asyncio.timeout(5.0):
            while len(self.sent) < count:
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)
        return self.sent


def a_day(lots: int, *, first: int = 0) -> ShowState:
    shown = example.state("pre-auction", 0)
    coming = shown.upcoming[0]
    upcoming = tuple(replace(coming, artwork=replace(coming.artwork, ref=f"art/{first + n}")) for n in range(lots))
    return replace(shown, lot=None, results=(), upcoming=upcoming)


# what is shown


def an_override(name: str, revision: int) -> Override:
    scene = next(iter(builtin.scenes_for(1_280, 720)))
    return Override(name, revision, scene.model_copy(update={"name": name}), "cut", 0, 0)


async def test_without_books_the_slate_says_so_and_comes_on_once() -> None:
    hanging = Hanging()
    shown = example.state("auction", 50_000)
    assert hanging.scenery.as_shown(shown, 60_000) == shown
    hanging.scenery.no_books = True
    first = hanging.scenery.as_shown(shown, 60_000)
    assert (first.on_air.scene, first.on_air.since, first.on_air.previous) == ("slate", 60_000, "auction")
    assert first.notice == scenery.NO_BOOKS
    assert hanging.scenery.as_shown(shown, 65_000) == first
    hanging.scenery.no_books = False
    assert hanging.scenery.as_shown(shown, 70_000) == shown
    hanging.scenery.no_books = True
    assert hanging.scenery.as_shown(shown, 80_000).on_air.since == 80_000


async def test_the_operators_slate_says_what_they_say_and_of_bids_what_is_so() -> None:
    hanging = Hanging()
    shown = example.state("slate", 0)
    hanging.scenery.desired = replace(hanging.scenery.desired, slate=Slate("Back soon.", "", 0))
    assert hanging.scenery.as_shown(shown, 0).notice == Notice("Back soon.", shown.notice.meaning)
    hanging.scenery.desired = replace(hanging.scenery.desired, slate=Slate("Back soon.", "No bids now.", 0))
    assert hanging.scenery.as_shown(shown, 0).notice == Notice("Back soon.", "No bids now.")
    assert hanging.scenery.chosen_by_operator("slate")
    assert not hanging.scenery.chosen_by_operator("auction")


async def test_a_scene_that_nobody_knows_or_that_could_not_be_drawn_gives_way_to_the_auction() -> None:
    hanging = Hanging()
    shown = example.state("mine", 50_000)
    assert hanging.scenery.as_shown(shown, 0).on_air.scene == "auction"
    assert hanging.scenery.as_shown(replace(shown, lot=None), 0).on_air.scene == "intermission"
    assert not hanging.scenery.distrust()  # nobody to blame
    override = an_override("mine", 3)
    hanging.scenery.desired = replace(hanging.scenery.desired, override=override)
    hanging.scenery._stored, hanging.scenery._revisions = {"mine": override.scene}, {"mine": 3}
    assert hanging.scenery.as_shown(shown, 0) == shown
    assert hanging.scenery.distrust()
    assert hanging.scenery.as_shown(shown, 0).on_air.scene == "auction"
    hanging.scenery._revisions = {"mine": 4}  # a later revision is tried
    assert hanging.scenery.as_shown(shown, 0) == shown
    hanging.scenery.desired = replace(hanging.scenery.desired, override=an_override("auction", 0))
    assert not hanging.scenery.distrust()  # the house's own


async def test_a_few_pictures_at_a_time_are_sent_and_the_next_when_one_is_decoded() -> None:
    hanging = Hanging()
    hanging.scenery.hang(a_day(10))
    assert await hanging.sends(IN_HAND_MAX) == ["art/0", "art/1", "art/2"]
    hanging.scenery.decoded("art/0")
    assert await hanging.sends(IN_HAND_MAX + 1) == ["art/0", "art/1", "art/2", "art/3"]
    for n in range(1, 10):
        hanging.scenery.decoded(f"art/{n}")
        await asyncio.sleep(0.01)
    assert await hanging.sends(10) == [f"art/{n}" for n in range(10)]
    hanging.scenery.hang(a_day(10))
    assert len(await hanging.sends(10)) == 10  # each once


async def test_one_that_is_never_decoded_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenery, "IN_HAND_S", 0.01)
    hanging = Hanging()
    hanging.scenery.hang(a_day(8))
    assert len(await hanging.sends(8)) == 8


async def test_another_media_process_gets_all_of_them_again() -> None:
    hanging = Hanging()
    hanging.scenery.hang(a_day(2))
    await hanging.sends(2)
    hanging.scenery.begin()
    assert await hanging.sends(4) == ["art/0", "art/1"] * 2


async def test_a_missing_picture_is_told_once_and_the_others_are_sent() -> None:
    hanging = Hanging()
    hanging.store.missing = {"art/1"}
    hanging.scenery.hang(a_day(3))
    assert await hanging.sends(2) == ["art/0", "art/2"]
    hanging.scenery.hang(a_day(3))
    await hanging.sends(2)
    assert hanging.faults == [("ASSET", "art/1: There is no asset art/1.")]


async def test_one_that_found_no_room_is_sent_again_when_it_is_needed_and_not_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hanging = Hanging()
    hanging.scenery.hang(a_day(1))
    await hanging.sends(1)
    hanging.scenery.gone("art/0")
    hanging.scenery.hang(a_day(1))
    assert len(await hanging.sends(1)) == 1
    monkeypatch.setattr(scenery, "SEND_AGAIN_S", 0.0)
    hanging.scenery.hang(a_day(1, first=5))
    assert await hanging.sends(2) == ["art/0", "art/5"]
    hanging.scenery.hang(a_day(1))
    assert await hanging.sends(3) == ["art/0", "art/5", "art/0"]


async def test_a_picture_that_is_too_large_for_the_link_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    length = len(b"bytes of art/0")
    monkeypatch.setattr(scenery, "PICTURE_BYTES_MAX", length)
    hanging = Hanging()
    hanging.scenery.hang(a_day(1))
    await hanging.sends(1)
    monkeypatch.setattr(scenery, "PICTURE_BYTES_MAX", length - 1)
    hanging.scenery.hang(a_day(1, first=1))
    await asyncio.sleep(0.05)
    assert hanging.faults == [("ASSET", f"art/1 has {length} bytes; at most {length - 1} can be shown")]
    assert hanging.sent == ["art/0"]


async def test_at_the_end_nothing_is_waited_for() -> None:
    hanging = Hanging()
    hanging.scenery.hang(a_day(10))
    await hanging.sends(IN_HAND_MAX)
    hanging.scenery.close()
    async with asyncio.timeout(2.0):
        await asyncio.gather(*hanging.tasks)
    assert len(hanging.sent) <= IN_HAND_MAX + 1


def test_the_lot_that_is_on_is_sent_first_then_those_that_come() -> None:
    shown = example.state("auction", 0, [Artwork(f"art/{n}", 10, 10) for n in range(3)])
    order = artworks_of(shown)
    assert shown.lot is not None
    assert order[0] == shown.lot.artwork.ref
    assert len(order) == len(set(order))
    assert all(order)
