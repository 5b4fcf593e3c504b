"""The show's follower on a real house: what it tells is what the log says, however it came to know it."""

import time
from uuid import UUID

import pytest
from msgspec.structs import replace as replace_fields
from tests.fakes.house import (
    MINUTE,
    a_lot,
    a_user,
    advance,
    advanced_until,
    bid,
    eventually,
    step,
)
from tests.fakes.show import (
    SHOWN,
    a_day,
    a_message,
    a_mood,
    a_scene,
    a_speech,
    a_stage,
    caught_up,
    folded,
    following,
    taken_now,
    tell,
    without_position,
)

from sothebais.agent import characters
from sothebais.agent.character import Picture
from sothebais.agent.sable import SABLE
from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.db.engine import connect
from sothebais.errors import Unavailable
from sothebais.events.actions import Actor
from sothebais.state.keys import Channel
from sothebais.state.store import Publication, StateStore
from sothebais.stream import follower as follower_module
from sothebais.stream import snapshot
from sothebais.stream.follower import Change
from sothebais.stream.show import LotStatus
from sothebais.users.tables import Role


async def test_what_a_follower_knows_is_what_a_snapshot_and_the_whole_log_say(
    house: House, engine: AuctionEngine
) -> None:
    _, day, pieces = await a_day(house)
    ana, bea, cleo = [await a_user(house, name) for name in ("ana", "bea", "cleo")]
    boss = await a_user(house, "boss", role=Role.OPERATOR)
    first = await a_lot(house, item=pieces[0], campaign_day=day, lasts=3 * MINUTE, reserve="1.5")
    second = await a_lot(
        house, item=pieces[1], campaign_day=day, number=2, opens_in=MINUTE, opens_after=first, format="ENGLISH"
    )

    async def all_agree() -> Change:
        change = await caught_up(house, follower)
        whole, now = await folded(house, first), await taken_now(house, day)
        for later in (0, 1_000, 20_000, 200_000, 3_700_000):
            t = house.now() + later
            states = [source.moment(t) for source in (whole, now)]
            # the snapshot's own place may be behind numbered events it has in it
            assert states[0].until == states[1].until
            assert without_position(states[0].state) == without_position(states[1].state)
        # at the instant it was told for: a moment later a transition may be over
        assert without_position(whole.state(change.at)) == without_position(change.state)
        return change

    async with following(house, day=day) as follower:
        await all_agree()
        await advance(engine, first)
        change = await all_agree()
        assert change.state.on_air.scene == "auction"
        assert change.state.lot is not None
        assert (change.state.lot.number, change.state.lot.status) == (1, LotStatus.ACTIVE)
        assert change.state.bid_url == f"https://house.test/auctions/{first}"
        await bid(engine, first, ana, "1", "3")
        one = await bid(engine, first, bea, "2")
        await bid(engine, first, cleo, "0.5")  # refused
        change = await all_agree()
        assert change.state.lot is not None
        assert [(shown.handle, shown.amount, shown.proxy) for shown in change.state.lot.bids] == [
            ("ana", "2.1", True), ("bea", "2", False), ("ana", "1.5", True), ("ana", "1", False)
        ]  # fmt: skip
        assert change.state.lot.reserve_met
        await step(engine, first, "VOID_BID", actor=boss, bid=UUID(one.data["bid"]))
        change = await all_agree()
        await step(engine, first, "PAUSE", actor=boss, reason="the line was lost")
        change = await all_agree()
        assert change.state.on_air.scene == "pause"
        assert change.state.notice.meaning.startswith("The line was lost. No bid is lost")
        await step(engine, first, "RESUME", actor=boss)
        await all_agree()
        await step(engine, first, "EXTEND", actor=boss, ends_at=house.now() + 9 * MINUTE)
        change = await all_agree()
        assert change.state.lot is not None
        assert change.state.lot.extended_at is not None
        await step(engine, first, "END", actor=boss)
        change = await all_agree()
        assert (change.state.on_air.scene, change.state.on_air.previous) == ("sold", "auction")
        assert change.state.lot is not None
        assert change.state.lot.leader == "ana"
        await advanced_until(house, engine, first, "ENDED")
        await step(engine, second, "START", actor=boss)
        change = await all_agree()
        assert change.state.lot is not None
        assert change.state.lot.number == 2
        await step(engine, second, "CANCEL", actor=boss)
        change = await all_agree()
        assert [(result.number, result.winner) for result in change.state.results] == [(1, "ana")]


async def test_what_the_host_says_and_an_operator_shows_is_followed_too(house: House, engine: AuctionEngine) -> None:
    _, day, pieces = await a_day(house, lots=1)
    boss = await a_user(house, "boss", role=Role.OPERATOR)
    lot = await a_lot(house, item=pieces[0], campaign_day=day)
    await advance(engine, lot)
    async with following(house, day=day) as follower:
        await tell(house, "agent:mood", a_mood("CURIOUS", 60))
        await tell(house, "agent:message", a_message("Said in the chat.", place="CHAT"))
        said = await tell(house, "agent:message", a_message("A word about the light."))

        async def captioned() -> bool:
            return follower.current is not None and follower.current.state.caption is not None

        await eventually(captioned, "words without a voice are shown")
        change = await caught_up(house, follower)
        assert change.state.caption is not None
        assert (change.state.caption.text, change.state.caption.speaker) == ("A word about the light.", "Sable")
        assert (change.state.host.mood, change.state.host.expression, change.state.host.intensity) == (
            "CURIOUS", "curious", 60,
        )  # fmt: skip
        starts_at = house.now() + 50
        await tell(house, "agent:speech", a_speech(said, starts_at, 60_000))

        async def speaks() -> bool:
            return follower.current is not None and follower.current.state.host.mouth != ()

        await eventually(speaks, "the mouth moves")
        change = await caught_up(house, follower)
        assert change.state.host.mouth[0].at == starts_at
        await tell(house, "stream:scene:update", a_scene("auction", None))  # what the show itself reports
        await tell(house, "stream:scene:update", a_scene("slate", boss))
        change = await caught_up(house, follower)
        assert (change.state.on_air.scene, change.state.on_air.transition) == ("slate", "cut")
        assert change.state.notice.meaning == "Bids on lot 1 are still taken, and its clock runs on."
        assert "for the test" not in str(change.state)
        for source in (await folded(house, lot), await taken_now(house, day)):
            assert without_position(source.state(house.now())) == without_position(change.state)
        await tell(house, "stream:scene:update", a_scene("automatic", boss, transition="slide"))
        change = await caught_up(house, follower)
        assert (change.state.on_air.scene, change.state.on_air.transition) == ("auction", "slide")


async def test_a_follower_goes_on_where_it_was_when_its_connection_is_cut(house: House, engine: AuctionEngine) -> None:
    _, day, pieces = await a_day(house, lots=1)
    ana = await a_user(house, "ana")
    lot = await a_lot(house, item=pieces[0], campaign_day=day)
    await advance(engine, lot)
    async with following(house, day=day) as follower:
        await caught_up(house, follower)
        assert follower.healthy
        assert follower.day == day
        connection = await connect(house.database_url, name="test")
        try:
            for amount in ("1", "1.2", "1.4"):
                cut = await connection.fetch(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where application_name = 'sothebais-stream-follower' and datname = current_database()"
                )
                assert cut
                await bid(engine, lot, ana, None, amount)
                change = await caught_up(house, follower)
        finally:
            await connection.close()
        assert change.state.lot is not None
        assert change.state.lot.bid_count == 3
        assert follower.snapshots == 1
        assert follower.healthy


async def test_a_follower_that_cannot_read_says_so_and_its_clock_runs_on(house: House, engine: AuctionEngine) -> None:
    _, day, pieces = await a_day(house, lots=1)
    # the fair warning is a quarter of so short a lot
    lot = await a_lot(house, item=pieces[0], campaign_day=day, lasts=6_000)
    await advance(engine, lot)
    async with following(house, day=day) as follower:
        await caught_up(house, follower)
        connection = await connect(house.database_url, name="test")
        try:
            async with connection.transaction():
                # nobody reads the log while this is held
                await connection.execute("lock table event_logs in access exclusive mode")

                async def silent() -> bool:
                    return not follower.healthy

                await eventually(silent, "the silence shows")
                assert follower.silent_for > 2

                async def warns() -> bool:
                    return follower.current is not None and follower.current.state.on_air.scene == "closing"

                await eventually(warns, "the fair warning comes without the database")
        finally:
            await connection.close()

        async def well() -> bool:
            return follower.healthy

        await eventually(well, "it reads again")


async def test_it_follows_the_day_that_is_on_else_the_next_one_else_says_that_there_is_none(house: House) -> None:
    async with following(house) as follower:
        change = await caught_up_or_first(follower)
        assert (change.state.on_air.scene, change.state.live) == ("slate", False)
        assert change.state.notice.sentence == "There is no auction now."
        campaign, day, _ = await a_day(house, status="PRE_AUCTION", version=1)

        async def on() -> bool:
            return follower.day == day

        await eventually(on, "the day is followed")
        change = await caught_up(house, follower)
        assert (change.state.on_air.scene, change.state.campaign, change.state.day) == (
            "pre-auction", "Rooms of Light", "Day 1 of 1",
        )  # fmt: skip
        await a_stage(house, campaign, day, "AUCTION", version=2)
        assert (await caught_up(house, follower)).state.on_air.scene == "intermission"
        await a_stage(house, campaign, day, "POST_AUCTION", version=3)
        assert (await caught_up(house, follower)).state.on_air.scene == "post-auction"
        await a_stage(house, campaign, day, "COMPLETED", version=4)

        async def off() -> bool:
            return follower.day is None

        await eventually(off, "nothing is left to follow")
        assert (await caught_up(house, follower)).state.on_air.scene == "slate"


async def test_a_missing_event_makes_it_take_a_new_snapshot(house: House, engine: AuctionEngine) -> None:
    campaign, day, _ = await a_day(house, version=3)
    async with following(house, day=day) as follower:
        await caught_up(house, follower)
        await a_stage(house, campaign, day, "POST_AUCTION", version=5)  # 4 is missing
        change = await caught_up(house, follower)
        assert follower.snapshots == 2
        assert change.state.on_air.scene == "post-auction"


async def test_what_an_older_transaction_held_up_is_shown_soon_after_its_end_though_no_bell_rings(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "LOOK_AGAIN_S", 600.0)
    _, day, _ = await a_day(house)
    async with following(house, day=day) as follower:
        before = await caught_up(house, follower)
        older = await connect(house.database_url, name="older")
        try:
            held = older.transaction()
            await held.start()
            await older.execute("select pg_current_xact_id()")
            looked_at = time.monotonic() - follower.silent_for
            await tell(house, "agent:mood", a_mood("EXCITED"))

            async def looked_again() -> bool:
                return time.monotonic() - follower.silent_for > looked_at + 0.001

            await eventually(looked_again, "the bell is heard")
            assert follower.current is not None
            assert follower.current.position == before.position
            await held.commit()
        finally:
            await older.close()
        change = await caught_up(house, follower)
        assert change.state.host.mood == "EXCITED"


async def test_another_host_and_its_own_pictures_are_shown_as_soon_as_the_house_has_them(house: House) -> None:
    _, day, _ = await a_day(house)
    await tell(house, "agent:mood", a_mood("EXCITED"))
    async with following(house, day=day, pictured=house.pictured) as follower:
        change = await caught_up(house, follower)
        assert (change.state.host.name, change.state.host.picture) == ("Sable", None)
        face = Picture(asset="EXPRESSION/calm", moods=("NEUTRAL",))
        own = replace_fields(SABLE, name="Odile", expressions={"calm": face}, default_expression="calm")
        who = Actor(await a_user(house, "otto"), "OPERATOR")
        await characters.put(house.engine, own, who, house.now(), reason="a guest")
        await caught_up(house, follower)

        async def hosts() -> bool:
            shown = follower.current
            return shown is not None and (shown.state.host.name, shown.state.host.picture) == (
                "Odile",
                "EXPRESSION/calm",
            )

        await eventually(hosts, "the other host is shown")


async def test_a_house_that_does_not_answer_is_waited_for_and_then_shown_as_it_was(house: House) -> None:
    _, day, _ = await a_day(house)
    asked = 0

    async def answers_once() -> snapshot.House:
        nonlocal asked
        asked += 1
        if asked != 2:
            raise Unavailable("nobody answers")
        return SHOWN

    async with following(house, day=day, pictured=answers_once) as follower:
        change = await caught_up(house, follower)
        assert change.state.bid_hint == SHOWN.bid_hint
        who = Actor(await a_user(house, "otto"), "OPERATOR")
        await characters.put(house.engine, replace_fields(SABLE, name="Odile"), who, house.now(), reason="a guest")

        async def asked_again() -> bool:
            return asked >= 3

        await eventually(asked_again, "the house is asked again")
        change = await caught_up(house, follower)
        assert (change.state.host.name, change.state.bid_hint) == ("Sable", SHOWN.bid_hint)


async def test_how_many_watch_is_heard_from_redis(house: House, store: StateStore) -> None:
    _, day, _ = await a_day(house)
    async with following(house, store, day=day) as follower:
        await caught_up(house, follower)

        async def heard() -> bool:
            message = (
                b'{"id":"01a214cc-ad62-7000-804e-142633a337a7","position":null,"n":null,"timestamp":1,'
                b'"type":"stream:viewers","source":"stream-manager","version":"1.0","subject":"stream:main",'
                b'"data":{"origin":"TOTAL","reporter":"all","viewers":1284,"peak":null}}'
            )
            nonsense = Publication(Channel.STREAM, b'"stream:viewers" is no reading')
            await store.apply([], [nonsense, Publication(Channel.STREAM, message)], None)
            return follower.current is not None and follower.current.state.viewers == 1284

        await eventually(heard, "the reading is shown")
        assert follower.healthy


async def caught_up_or_first(follower: object) -> Change:
    """The first thing it tells."""

    async def look() -> Change | None:
        found: Change | None = getattr(follower, "current", None)
        return found

    found = await eventually(look, "the follower tells something")
    assert found is not None
    return found
