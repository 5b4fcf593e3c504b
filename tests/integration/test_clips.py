"""A clip of each sold lot: made by a process of its own after the sale, and served in parts."""

import asyncio
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import av
import pytest
from tests.fakes.house import MINUTE, a_lot, a_user, advance, api_client, bid, eventually, running, step, whole_log
from tests.fakes.show import a_day

from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.state.store import StateStore
from sothebais.stream import clips
from sothebais.stream.clips import ClipFailed, ClipFolder, ClipMaker
from sothebais.users.tables import Role

SMALL: dict[clips.Form, tuple[int, int]] = {"wide": (320, 180), "upright": (180, 320)}


class Impatient:
    """The house's clock, but it waits for nothing; how long it should have is counted."""

    def __init__(self, house: House) -> None:
        self._clock = house.clock
        self.slept = 0.0

    def now(self) -> int:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.monotonic() + self.slept

    async def sleep(self, seconds: float) -> None:
        self.slept += seconds
        await asyncio.sleep(0)


async def a_sale(house: House, engine: AuctionEngine) -> tuple[UUID, UUID, int]:
    """A lot that was just sold: its id, and the event of the sale with its time."""
    _, day, pieces = await a_day(house, lots=1)
    ana, boss = await a_user(house), await a_user(house, role=Role.OPERATOR)
    lot = await a_lot(house, item=pieces[0], campaign_day=day, lasts=5 * MINUTE, title="Four vessels")
    await advance(engine, lot)
    await bid(engine, lot, ana, "1")
    await step(engine, lot, "END", actor=boss)
    (won,) = [event for event in await whole_log(house.database_url) if event.type == "auction:winner"]
    return lot, won.id, won.timestamp


def a_maker(house: House, **given: Any) -> ClipMaker:
    environ = clips.environment(house.settings, house.database_url, house.redis_url)
    return ClipMaker(
        ClipFolder(house.settings.data_dir),
        **({"clock": Impatient(house), "environ": environ, "load": lambda: 0.0, "sizes": SMALL, "fps": 5} | given),
    )


async def test_a_sold_lot_gets_its_clips_and_the_api_serves_them(
    house: House, engine: AuctionEngine, store: StateStore
) -> None:
    lot, won, _ = await a_sale(house, engine)
    folder = ClipFolder(house.settings.data_dir)
    async with api_client(house, engine, store) as client:
        address = f"/api/v1/auctions/{lot}/clips"
        assert (await client.get(address)).json() == {"auction_id": str(lot), "made_at": None, "items": []}
        assert (await client.get(f"{address}/wide.mp4")).status_code == 404

        async def made() -> bool:
            return await asyncio.to_thread(folder.of, lot) is not None

        consumer = clips.consumer(house.database_url, a_maker(house))
        async with running(consumer.run()):
            await eventually(made, "both clips are made", patience_s=60)
        found = folder.of(lot)
        assert found is not None
        assert (found.event, [clip.form for clip in found.clips]) == (won, ["wide", "upright"])
        body = (await client.get(address)).json()
        assert [(item["form"], item["width"], item["height"]) for item in body["items"]] == [
            ("wide", 320, 180), ("upright", 180, 320)
        ]  # fmt: skip
        whole = await client.get(body["items"][0]["url"])
        assert (whole.status_code, whole.headers["content-type"]) == (200, "video/mp4")
        assert len(whole.content) == body["items"][0]["size"]
        part = await client.get(body["items"][0]["url"], headers={"range": "bytes=4-11"})
        assert (part.status_code, part.content) == (206, whole.content[4:12])
        assert part.headers["content-range"] == f"bytes 4-11/{len(whole.content)}"
        assert (await client.get(body["items"][0]["url"], headers={"range": "bytes=99999999-"})).status_code == 416
        for name in ("tall.mp4", "wide.mkv", "..%2fwide.mp4", f"{lot}.json"):
            assert (await client.get(f"{address}/{name}")).status_code == 404
        assert (await client.get(f"/api/v1/auctions/{UUID(int=4)}/clips")).status_code == 404
    with av.open(str(folder.file(lot, "upright"))) as container:
        assert (container.streams.video[0].width, container.streams.audio[0].rate) == (180, 48_000)
    assert not list(folder.path.glob(".*"))
    # done again it finds what is there, and asks no process
    again = await a_maker(house, program=["/nonexistent"]).make(lot, won, house.now())
    assert again == found


async def test_a_clip_that_fails_goes_to_the_dead_letters_and_the_next_sale_is_looked_at(
    house: House, engine: AuctionEngine, connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clips, "BACKOFF_S", 0.01)
    lot, won, _ = await a_sale(house, engine)
    script = "import sys; sys.exit('no paint left')"
    consumer = clips.consumer(house.database_url, a_maker(house, program=[sys.executable, "-c", script]))

    async def buried() -> Any:
        return await connection.fetchrow("select * from dead_letters where consumer = 'clips'")

    async with running(consumer.run()):
        letter = await eventually(buried, "it is given up")
    assert (letter["event_id"], letter["attempts"]) == (won, clips.ATTEMPTS_MAX)
    assert "no paint left" in letter["error"]
    assert ClipFolder(house.settings.data_dir).of(lot) is None
    cursor = await connection.fetchval("select seq from event_cursors where consumer = 'clips'")
    assert cursor >= await connection.fetchval("select seq from event_logs where id = $1", won)


async def test_a_process_that_hangs_is_ended(house: House, tmp_path: Path) -> None:
    script = f"import os, pathlib, time; pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid())); time.sleep(99)"
    maker = a_maker(house, program=[sys.executable, "-c", script], render_s_max=1.5)
    with pytest.raises(ClipFailed, match=r"took longer than 1\.5 s"):
        await maker.make(UUID(int=1), UUID(int=2), house.now())
    pid = int((tmp_path / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists()


async def test_a_busy_machine_is_left_alone_for_a_while(house: House) -> None:
    loads = iter([9.0, 9.0, 0.5])
    clock = Impatient(house)
    nothing = [sys.executable, "-c", "raise SystemExit(1)"]
    with pytest.raises(ClipFailed):
        await a_maker(house, clock=clock, load=lambda: next(loads), program=nothing).make(
            UUID(int=1), UUID(int=2), house.now() - MINUTE
        )
    assert clock.slept == 2 * clips.LOOK_AGAIN_S
    clock = Impatient(house)
    with pytest.raises(ClipFailed):  # it never rests: then all the same
        await a_maker(house, clock=clock, load=lambda: 9.0, program=nothing).make(
            UUID(int=1), UUID(int=2), house.now() - MINUTE
        )
    assert clips.BUSY_S_MAX <= clock.slept <= clips.BUSY_S_MAX + clips.LOOK_AGAIN_S


async def test_a_sale_of_long_ago_gets_none_and_the_stamp_is_waited_for(house: House) -> None:
    maker = a_maker(house, program=["/nonexistent"])
    assert await maker.make(UUID(int=1), UUID(int=2), house.now() - clips.AGE_MS_MAX - 1_000) is None
    clock = Impatient(house)
    with pytest.raises(ClipFailed):
        await a_maker(house, clock=clock, program=[sys.executable, "-c", "raise SystemExit(1)"]).make(
            UUID(int=1), UUID(int=2), house.now()
        )
    assert clips.STAMP_S <= clock.slept <= clips.STAMP_S + 1


def test_the_command_is_what_a_person_would_type() -> None:
    assert clips.command(UUID(int=1), Path("/clips/a.mp4"), clips.SIZES["upright"]) == [
        "render", "00000000-0000-0000-0000-000000000001", "--out", "/clips/a.mp4", "--from", "-20", "--to", "+6",
        "--size", "720x1280", "--fps", "30", "--gently", "--json",
    ]  # fmt: skip
