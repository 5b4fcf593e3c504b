"""The room of an auction: what is said comes back in order, once, without deception; staff keep it civil."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from tests.fakes.house import a_lot, a_user, block, eventually, running, signed_in, step, whole_log

from sothebais import ids, moderation
from sothebais.api.models.chat import ChatLine, ChatPage, Mute
from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.config import Settings
from sothebais.errors import ConfigurationError, Conflict, Forbidden, RateLimited
from sothebais.events.types import parse_event
from sothebais.social import chat
from sothebais.social.chat import RoomPolicy
from sothebais.state.store import StateStore
from sothebais.users.tables import Role

API = "/api/v1"
HOUR = 3_600_000
PLAIN = RoomPolicy(moderation.words_of(moderation.DEFAULT_WORDS), 0)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"chat_lines_per_minute": 60.0})


class Room:
    """A lot's room through the HTTP API."""

    def __init__(self, house: House, client: httpx.AsyncClient, lot: UUID) -> None:
        self.house, self.client, self.lot = house, client, lot
        self.people: dict[str, UUID] = {}
        self.headers: dict[str, dict[str, str]] = {}

    async def person(self, name: str, role: Role = Role.BIDDER) -> UUID:
        await a_user(self.house, name, role=role)
        self.people[name], self.headers[name] = await signed_in(self.client, name)
        self.client.cookies.clear()
        return self.people[name]

    async def say(self, name: str | None, text: str, lot: UUID | None = None) -> httpx.Response:
        headers = self.headers[name] if name else {}
        return await self.client.post(f"{API}/auctions/{lot or self.lot}/chat", headers=headers, json={"text": text})

    async def said(self, **query: Any) -> ChatPage:
        answer = await self.client.get(f"{API}/auctions/{self.lot}/chat", params=query)
        assert answer.status_code == 200, answer.text
        return ChatPage.model_validate(answer.json())

    async def do(self, name: str | None, method: str, address: str, **body: Any) -> httpx.Response:
        headers = self.headers[name] if name else {}
        return await self.client.request(method, f"{API}{address}", headers=headers, json=body or None)


@pytest.fixture
async def room(house: House, client: httpx.AsyncClient) -> Room:
    made = Room(house, client, await a_lot(house))
    await made.person("olga", Role.OPERATOR)
    await made.person("ana")
    await made.person("bo", Role.VIEWER)
    return made


async def test_lines_are_said_read_and_paged(room: Room, store: StateStore) -> None:
    first = await room.say("ana", "  What\u202e a\x00 piece! ")
    assert first.status_code == 201, first.text
    line = ChatLine.model_validate(first.json())
    assert (line.text, line.user.handle, line.hidden, line.staff) == ("What a piece!", "ana", False, False)
    for number in range(6):
        assert (await room.say("bo" if number % 2 else "ana", f"line {number}")).status_code == 201
    whole = await room.said()
    assert [one.text for one in whole.items] == [f"line {number}" for number in range(5, -1, -1)] + ["What a piece!"]
    assert (whole.next, whole.slow_s) == (None, None)
    page = await room.said(limit=3)
    older = await room.said(limit=10, after=page.next)
    assert [one.id for one in (*page.items, *older.items)] == [one.id for one in whole.items]
    # what a page that has seen the second line has not
    seen = whole.items[-2].number
    fresh = await room.said(since=seen, limit=2)
    assert [one.text for one in fresh.items] == ["line 2", "line 1"]
    rest = await room.said(since=fresh.next)
    assert [one.text for one in rest.items] == ["line 5", "line 4", "line 3"]
    assert (await room.said(since=whole.items[0].number)).items == []
    found = await chat.find(room.house.engine, [UUID(line.id), ids.new_id()])
    assert [one["text"] for one in found.values()] == ["What a piece!"]
    # the log says that there are lines and not what they say; the relay tells everybody
    events = [event for event in await whole_log(room.house.database_url) if event.type == "chat:message"]
    assert [str(event.decoded()["message"]) for event in events] == [one.id for one in reversed(whole.items)]
    assert {event.subject for event in events} == {f"auction:{room.lot}"}
    assert all(parse_event(event.message()).n is None for event in events)
    assert not any("line 3" in event.data for event in await whole_log(room.house.database_url))
    async with running(room.house.relay(store).run()):

        async def projected() -> bool:
            return bool(await store.keys(f"auction:{room.lot}"))

        await eventually(projected, "the lot is in Redis")


async def test_who_may_write_and_who_may_not(room: Room, engine: AuctionEngine) -> None:
    assert (await room.say(None, "hello")).status_code == 401
    assert (await room.said()).items == []
    assert (await room.say("bo", "a viewer may")).status_code == 201
    for text, reason in (
        ("https://evil.example", "LINK"),
        ("what the fuck", "WORD"),
        ("a\u200bb", "INVISIBLE"),
        ("x" * 501, "TOO_LONG"),
        ("\u202e \t", "EMPTY"),
    ):
        answer = await room.say("ana", text)
        assert (answer.status_code, answer.json().get("reason")) == (422, reason)
    assert (await room.say("ana", "")).status_code == 422
    assert (await room.say("ana", "y" * 3_000)).status_code == 422
    raw = await room.client.post(
        f"{API}/auctions/{room.lot}/chat",
        headers={**room.headers["ana"], "content-type": "application/json"},
        content=b'{"text": "\\ud800"}',
    )
    assert raw.status_code == 422
    assert (await room.say("ana", "hello", UUID(int=5))).status_code == 404
    assert (await room.client.get(f"{API}/auctions/{UUID(int=5)}/chat")).status_code == 404
    assert (
        await room.client.get(f"{API}/auctions/{room.lot}/chat", params={"after": 1, "since": 1})
    ).status_code == 422
    assert (await room.client.get(f"{API}/auctions/{room.lot}/chat", params={"after": 2**63})).status_code == 422
    # the same again, however it is dressed up
    assert (await room.say("ana", "Hello there")).status_code == 201
    again = await room.say("ana", "héllo  THERE")
    assert (again.status_code, again.json()["reason"]) == (409, "DUPLICATE")
    assert (await room.say("bo", "Hello there")).status_code == 201
    await block(room.house, room.people["bo"])
    with pytest.raises(Forbidden, match="blocked"):
        await chat.write(room.house.engine, room.lot, room.people["bo"], "still here", PLAIN, room.house.now())
    assert len((await room.said()).items) == 3
    # a room closes a day after its lot, and at once where that is called off
    await step(engine, room.lot, "CANCEL", actor=room.people["olga"])
    assert (await room.say("ana", "too late")).status_code == 409
    over = await a_lot(room.house)
    await step(engine, over, "END", actor=room.people["olga"])
    now = room.house.now()
    assert (await room.say("ana", "still open", over)).status_code == 201
    with pytest.raises(Conflict, match="closed"):
        await chat.write(room.house.engine, over, room.people["ana"], "next day", PLAIN, now + 25 * HOUR)


async def test_staff_hide_lines_slow_the_room_and_mute(room: Room) -> None:
    line = (await room.say("ana", "something rude")).json()
    hide = f"/auctions/{room.lot}/chat/{line['id']}/hide"
    assert (await room.do("ana", "POST", hide, reason="mine")).status_code == 403
    assert (await room.do(None, "POST", hide, reason="mine")).status_code == 401
    assert (await room.do("olga", "POST", hide, reason=" ")).status_code == 422
    hidden = await room.do("olga", "POST", hide, reason="rude")
    assert (hidden.status_code, hidden.json()["text"], hidden.json()["hidden"]) == (200, None, True)
    assert (await room.do("olga", "POST", hide, reason="rude")).status_code == 200
    other = await a_lot(room.house)
    assert (await room.do("olga", "POST", f"/auctions/{other}/chat/{line['id']}/hide", reason="x")).status_code == 404
    assert [(one.text, one.hidden) for one in (await room.said()).items] == [(None, True)]

    mute = f"/admin/users/{room.people['ana']}/mute"
    assert (await room.do("bo", "POST", mute, minutes=5, reason="no")).status_code == 403
    for wrong in ({"minutes": 0, "reason": "x"}, {"minutes": 5}, {"minutes": "5", "reason": "x"}):
        assert (await room.do("olga", "POST", mute, **wrong)).status_code == 422
    muted = Mute.model_validate((await room.do("olga", "POST", mute, minutes=5, reason="rude")).json())
    refused = await room.say("ana", "but")
    assert (refused.status_code, refused.json()["until"]) == (403, muted.until)
    assert (await room.do("olga", "DELETE", mute)).status_code == 204
    assert (await room.do("olga", "DELETE", mute)).status_code == 404
    assert (await room.say("ana", "sorry")).status_code == 201
    assert (await room.do("olga", "POST", mute, minutes=5, reason="again")).status_code == 200
    said = await chat.write(
        room.house.engine, room.lot, room.people["ana"], "five minutes later", PLAIN, room.house.now() + 5 * 60_000 + 1
    )
    assert said["text"] == "five minutes later"
    for who in (room.people["olga"], UUID(int=4)):
        answer = await room.do("olga", "POST", f"/admin/users/{who}/mute", minutes=1, reason="x")
        assert answer.status_code in (403, 404)

    slow = f"/auctions/{room.lot}/chat/slow"
    assert (await room.do("bo", "PUT", slow, slow_s=60, reason="x")).status_code == 403
    assert (await room.do("olga", "PUT", slow, slow_s=3_601, reason="x")).status_code == 422
    assert (await room.do("olga", "PUT", slow, slow_s=60, reason="a crowd")).json() == {"slow_s": 60}
    assert (await room.said()).slow_s == 60
    assert (await room.say("bo", "first")).status_code == 201
    waits = await room.say("bo", "second")
    assert (waits.status_code, 50 < int(waits.headers["retry-after"]) <= 60) == (429, True)
    assert (await room.do("olga", "PUT", slow, slow_s=0, reason="quiet again")).status_code == 200
    assert (await room.say("bo", "second")).status_code == 201

    async with room.house.engine.connect() as connection:
        rows = await connection.execute(sa.text("select action, reason from audit order by at, id"))
        audited = [(row.action, row.reason) for row in rows if not row.action.startswith("session")]
    assert audited == [
        ("chat:message", "rude"),
        ("user.mute", "rude"),
        ("user.unmute", None),
        ("user.mute", "again"),
        ("chat.slow", "a crowd"),
        ("chat.slow", "quiet again"),
    ]


async def test_a_person_has_so_many_lines_a_minute(room: Room) -> None:
    # a burst of a quarter of a minute's
    answers = [await room.say("ana", f"number {number}") for number in range(18)]
    statuses = [answer.status_code for answer in answers]
    assert 429 in statuses
    assert statuses.index(429) >= 15
    assert answers[statuses.index(429)].headers["retry-after"]
    assert (await room.say("bo", "somebody else may")).status_code == 201


async def test_lines_written_at_once_are_in_one_order_and_slow_mode_holds_across_processes(room: Room) -> None:
    people = [await a_user(room.house) for _ in range(4)]
    now, engine = room.house.now(), room.house.engine
    said = await asyncio.gather(
        *(chat.write(engine, room.lot, one, f"line {n} of {one}", PLAIN, now) for n in range(3) for one in people)
    )
    numbers = [one["number"] for one in said]
    assert len(set(numbers)) == 12
    log = [event.decoded() for event in await whole_log(room.house.database_url) if event.type == "chat:message"]
    by_id = {one["id"]: one["number"] for one in said}
    assert [by_id[event["message"]] for event in log] == sorted(numbers)
    slow = RoomPolicy(PLAIN.words, 30)
    results = await asyncio.gather(
        *(chat.write(engine, room.lot, people[0], f"at once {n}", slow, now + HOUR) for n in range(3)),
        return_exceptions=True,
    )
    assert [type(one) for one in results if not isinstance(one, dict)] == [RateLimited, RateLimited]
    late = await chat.write(engine, room.lot, people[0], "in time", slow, now + HOUR + 30_000)
    assert late["text"] == "in time"


def test_a_list_of_words_is_read_from_a_file(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("# ours\nabracadabra\nhocus*\n", encoding="utf-8")
    words = chat.load_words(settings.model_copy(update={"chat_words_file": path}))
    assert moderation.has_word("HOCUSPOCUS", words)
    assert not moderation.has_word("what the fuck", words)
    for broken in (b"\xff\xfe\xff", b"a\n" * chat.WORDS_FILE_BYTES_MAX):
        path.write_bytes(broken)
        with pytest.raises(ConfigurationError, match="CHAT_WORDS_FILE"):
            chat.load_words(settings.model_copy(update={"chat_words_file": path}))
    with pytest.raises(ConfigurationError, match="CHAT_WORDS_FILE"):
        chat.load_words(settings.model_copy(update={"chat_words_file": tmp_path / "none"}))
