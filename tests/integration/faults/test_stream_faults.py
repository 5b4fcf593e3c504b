"""The show is hurt while people bid: it comes back, says what is so, and no bid is the worse for it."""

import asyncio
import contextlib
import json
import os
import signal
import time
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tests.fakes.house import a_user, an_open_lot, bid, eventually, running_engine, step, whole_log
from tests.fakes.on_air import MANAGER, PATIENCE_S, SECOND_MANAGER, OnAir, Seen, media_processes, on_air, place
from tests.fakes.streams import probe
from tests.fakes.trials import rows_of

from sothebais.auctions.commands import OverrideAuction
from sothebais.auctions.model import Override
from sothebais.bootstrap import House
from sothebais.events.actions import Actor
from sothebais.state import keys
from sothebais.stream import commands, recordings
from sothebais.stream.fairness import REASON, PausedLots
from sothebais.users.tables import Role

pytestmark = pytest.mark.fault

#: The promise is five seconds; printed, and judged with room for the machine's other work.
BACK_S_PROMISED = 5.0
BACK_S_MAX = 8.0
VIDEO, KEY = 1, 1


async def media_comes_back(show: OnAir, seen: Seen) -> float:
    """Kill the media process; seconds until a watcher has a new picture with a new hello, and outputs are up."""
    pid = await show.media_pid()
    hellos, ups = seen.hellos, len(await show.events("stream:output:up"))
    killed = time.monotonic()
    os.kill(pid, signal.SIGKILL)

    def again(seen: Seen) -> float | None:
        if seen.hellos == hellos:
            return None
        return next((one[0] for one in seen.frames if one[0] > killed + 0.2 and one[1] == VIDEO and one[2] & KEY), None)

    back = await show.until(seen, again, "a new picture")

    async def up() -> bool:
        return len(await show.events("stream:output:up")) >= ups + 2

    await eventually(up, "the outputs are up again", patience_s=PATIENCE_S, every_s=0.1)
    up_at = (await show.events("stream:output:up"))[ups + 1]
    assert up_at.data["down_for"] is not None
    return max(back - killed, up_at.data["down_for"] / 1_000)


async def test_bids_do_not_notice_that_the_media_process_and_then_its_manager_are_killed(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with on_air(data_dir, managers=2) as show:
        await show.ready()
        await show.a_day()
        stream = await show.goes_on_air()
        first, second = await which_is_active(show)
        await show.bidders()
        async with show.rig.under_load(), show.watching(url=first[1]) as seen:
            await show.until(seen, lambda s: s.frames, "the picture is watched")
            await show.rig.acknowledgements(20)
            back_s = await media_comes_back(show, seen)
            show.rig.kills += 1
            died = await show.event("stream:error", component="ENCODER", recovered=True)
            assert "ended with -9" in died.data["message"]

            await show.rig.acknowledgements(20)
            async with show.watching(url=second[1]) as other:
                killed = time.monotonic()
                await show.rig.send_signal(first[0], signal.SIGKILL)
                await show.until(other, lambda s: s.frames, "the second manager shows the picture")
                taken_over_s = time.monotonic() - killed
                before = len(other.frames)
                await show.rig.acknowledgements(20)
                newest = (await show.events())[-1]
                await show.shown(other, newest.position)
                await show.until(other, lambda s: len(s.frames) > before + 60, "pictures go on")
                assert await eventually(lambda: answered(show, second[1]), "stills", patience_s=10)
            await show.rig.comes_back(first[0])

        async def alone() -> bool:
            return len(media_processes(data_dir)) == 1

        await eventually(alone, "the killed manager's media process has left", patience_s=20)
        findings = await show.rig.check()
        show.rig.say(capsys, "media process and stream-manager killed", findings)
        with capsys.disabled():
            print(f"picture and outputs back after {back_s:.2f} s; another manager's "
                  f"picture after {taken_over_s:.2f} s")  # fmt: skip
        assert back_s <= BACK_S_MAX
        assert len(await show.events("stream:start")) == 1
        assert not await show.events("stream:end")
        assert (await show.row())["id"] == stream
        folder = data_dir / "recordings" / str(stream)
        assert len(await asyncio.to_thread(recordings.parts, folder)) >= 2
        assert not await show.events("auction:paused")
    # the house has closed: the broadcast may be gone on with, and what is recorded is whole
    found = await asyncio.to_thread(probe, recordings.whole(folder))
    assert found.broken == 0
    assert found.video is not None
    assert found.video.decoded == found.video.packets > 60


async def answered(show: OnAir, url: str) -> bool:
    return (await show.http.get(f"{url}/frame.png")).status_code == 200


async def which_is_active(show: OnAir) -> tuple[tuple[str, str], tuple[str, str]]:
    """Role and address of the manager that has the show, then of the one that waits."""
    assert show.second_url is not None
    both = [(MANAGER, show.url), (SECOND_MANAGER, show.second_url)]

    async def look() -> int | None:
        found = [(await show.http.get(f"{url}/frame.png", timeout=10)).status_code for _, url in both]
        return found.index(200) + 1 if sorted(found) == [200, 404] else None

    active = await eventually(look, "one of the managers has the show", patience_s=PATIENCE_S, every_s=0.2)
    assert active is not None
    return both[active - 1], both[2 - active]


# nothing to see


async def test_lots_stand_still_while_there_is_no_picture_and_go_on_with_their_time_though_the_disk_is_short(
    data_dir: Path,
) -> None:
    environment = {
        "SOTHEBAIS_STREAM_PAUSE_AFTER_S": "2",
        "SOTHEBAIS_RECORDING_FREE_BYTES_MIN": str(10**15),
    }
    async with on_air(data_dir, environment) as show:
        await show.ready()
        await show.a_day()
        stream = await show.goes_on_air()
        # the disk has not enough for a recording: that is told, and the rest goes on
        down = await show.event("stream:output:down", output="recording")
        assert "recordings begin at" in down.data["reason"]
        assert down.data["retrying"]
        await show.event("stream:output:up", output="hls")
        assert not list((data_dir / "recordings" / str(stream)).glob("*.mp4"))
        # a machine that stood still at the start may have paused it already
        before = await eventually(lambda: running(show), "the lot is on", patience_s=PATIENCE_S)
        earlier = len(await show.events("auction:paused"))
        stop = asyncio.Event()
        killing = asyncio.create_task(no_media(data_dir, stop))
        try:
            paused = await show.event("auction:paused", earlier + 1)
            assert paused.data["cause"].startswith(REASON)
            assert paused.data["actor"] is None
            assert [one["status"] for one in await lots(show, show.lots)] == ["PAUSED", "SCHEDULED"]
            await asyncio.sleep(1.0)
        finally:
            stop.set()
            await killing
        resumed = await show.event("auction:resumed", earlier + 1)
        assert resumed.data["cause"] == "The stream is back."
        (after,) = await lots(show, show.lots[:1])
        assert after["status"] == "ACTIVE"
        away = resumed.at - paused.at
        assert abs((after["ends_at"] - before["ends_at"]).total_seconds() * 1_000 - away) < 50
        fault = await show.event("stream:error", component="ENCODER", recovered=False)
        assert fault.data["message"].startswith("1 lots are paused")
        readings = json.loads(await show.store.get(keys.stream_metrics(stream)) or "{}")
        assert readings.get("fps", 0) >= 0
        assert (await show.http.get(f"{show.url}/hls/live.m3u8")).status_code == 200
        # a media process that hangs does not keep the show from its end
        os.kill(await show.media_pid(), signal.SIGSTOP)
        await stopped(show)


async def stopped(show: OnAir) -> None:
    """An operator ends the show, and nothing of it is left."""
    actor = Actor(await a_user(show.house, "olga", role=Role.OPERATOR), "OPERATOR")
    await commands.stop(show.house.engine, actor, show.house.now(), reason="Midnight")
    end = await show.event("stream:end")
    assert end.data["cause"] == "Midnight"
    assert not media_processes(show.house.settings.data_dir)
    assert (await show.row())["status"] == "ENDED"


async def lots(show: OnAir, wanted: list[UUID]) -> list[Any]:
    found = await rows_of(show.house, "select id, status, ends_at from auctions order by lot_number")
    return [row for row in found if row["id"] in wanted]


async def running(show: OnAir) -> Any:
    """The first lot, where it is on."""
    (lot,) = await lots(show, show.lots[:1])
    return lot if lot["status"] == "ACTIVE" else None


async def no_media(data_dir: Path, stop: asyncio.Event) -> None:
    """Kill every media process of this house as soon as it is there."""
    while not stop.is_set():
        for pid in media_processes(data_dir):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.05)


async def test_lots_that_a_dead_manager_paused_are_known_to_the_next(house: House) -> None:
    async with running_engine(house) as engine:
        ours, staffs, free, again = [await an_open_lot(house, engine, number=n) for n in range(1, 5)]
        actor = await a_user(house, "olga", role=Role.OPERATOR)

        async def pause(lot: UUID, reason: str) -> None:
            await engine.override(OverrideAuction(auction=lot, actor=None, step=Override(kind="PAUSE", reason=reason)))

        await pause(ours, f"{REASON} for 31 seconds.")
        await step(engine, staffs, "PAUSE", actor=actor, reason=f"{REASON} here either")
        await pause(again, f"{REASON} for 40 seconds.")
        await step(engine, again, "RESUME", actor=actor)
        await step(engine, again, "PAUSE", actor=actor, reason="A question about the frame")
        found = PausedLots(house.engine, engine)
        assert await found.left(REASON) == [ours]
        await found.resume([ours, free], "The stream is back.")
        assert await found.left(REASON) == []
        ana = await a_user(house, "ana")
        assert (await bid(engine, ours, ana, "1.5")).accepted
        kinds = [(event.type, event.subject) for event in await whole_log(house.database_url)]
        assert ("auction:resumed", f"auction:{free}") not in kinds


# no books


def database(data_dir: Path) -> list[int]:
    """PostgreSQL's processes of this house, the first of them before its children."""
    (path,) = data_dir.glob("embedded/postgres-*/postmaster.pid")
    first = int(path.read_text().partition("\n")[0])
    children = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == first:
                children.append(int(entry.name))
    return [first, *children]


async def test_without_its_books_the_house_says_so_on_the_picture_and_goes_on_when_they_are_back(
    data_dir: Path,
) -> None:
    async with on_air(data_dir) as show:
        await show.ready()
        await show.a_day()
        stream = await show.goes_on_air()
        pid = await show.media_pid()

        async def status(wanted: str) -> bool:
            state = json.loads(await show.store.get(keys.stream(stream)) or "{}")
            return bool(state.get("status") == wanted)

        await eventually(lambda: status("LIVE"), "the stream is live", patience_s=PATIENCE_S)
        before, position, _ = await show.frame()
        frozen = database(data_dir)
        for one in frozen:
            os.kill(one, signal.SIGSTOP)
        try:
            await eventually(lambda: status("SLATE"), "the slate is told", patience_s=15)
            await asyncio.sleep(1.0)  # it fades in
            slate, _, at = await show.frame()
            assert abs(at - show.house.now()) < 5_000
            assert abs(before.astype(int) - slate).mean() > 5
        finally:
            for one in frozen:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, signal.SIGCONT)
        await eventually(lambda: status("LIVE"), "the stream is live again", patience_s=PATIENCE_S)
        told = await show.event("stream:scene:update", scene="slate")
        assert told.data["cause"] == "the books cannot be reached"
        back = await show.event("stream:scene:update", previous_scene="slate")
        assert place(back.position) > place(told.position) > place(position)

        # and killed, as a machine would be
        os.kill(database(data_dir)[0], signal.SIGKILL)
        await eventually(lambda: books(show), "PostgreSQL is back", patience_s=PATIENCE_S, every_s=0.2)
        async with show.watching() as seen:
            await show.until(seen, lambda s: s.frames, "the picture is watched")
            await show.bidders(1)
            told_bid = await show.rig._bidders[0].bid(show.lots[0], amount="5")
            assert told_bid
            newest = (await show.events())[-1]
            await show.shown(seen, newest.position)
            times = [one[3] for one in seen.frames if one[1] == VIDEO]
            assert max(b - a for a, b in pairwise(times)) < 2_000_000
        assert await show.media_pid() == pid, "the picture went on through all of it"
        # one that dies at the very end does not either
        os.kill(pid, signal.SIGKILL)
        await stopped(show)
        assert show.rig.supervisor.restarts[MANAGER] == 0, "the manager waits, it does not die"


async def books(show: OnAir) -> bool:
    try:
        await rows_of(show.house, "select 1")
    except Exception:
        return False
    return True
