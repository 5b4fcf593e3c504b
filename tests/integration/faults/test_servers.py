"""PostgreSQL and Valkey go away, come back, and come back empty while people bid."""

import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import RedisError
from tests.fakes.house import eventually
from tests.integration.faults.load import ENGINE, RELAY, Rig, rig

pytestmark = pytest.mark.fault


def _postmaster(data_dir: Path) -> int:
    """The process PostgreSQL says it is; 0 while it says nothing, or has not finished saying it."""
    for path in data_dir.glob("embedded/postgres-*/postmaster.pid"):
        try:
            first, _, rest = path.read_text().partition("\n")
        except FileNotFoundError:
            continue
        if rest:
            return int(first)
    return 0


async def _valkey(house: Rig) -> int:
    """The process of a Valkey that answers: bids need none, so they may have gone on before it is back."""

    async def look() -> int:
        try:
            found: dict[str, Any] = await house.store._redis.info("server")
        except RedisError:
            return 0
        return int(found["process_id"])

    return await eventually(look, "Valkey answers", patience_s=40)


async def test_bids_get_503_while_postgresql_is_gone_and_nothing_acknowledged_is_lost(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with rig(data_dir) as house:
        await house.begin()
        async with house.under_load():
            for _ in range(2):
                await house.acknowledgements(50)
                pid = _postmaster(data_dir)
                assert pid, "PostgreSQL runs"
                os.kill(pid, signal.SIGKILL)
                house.kills += 1

                async def is_back(before: int = pid) -> bool:
                    return _postmaster(data_dir) not in (0, before)

                await eventually(is_back, "the supervisor starts PostgreSQL again", patience_s=40)
            await house.acknowledgements(50)
        findings = await house.check()
        house.say(capsys, "kill -9 of PostgreSQL", findings)
        assert house.supervisor.restarts == {ENGINE: 0, RELAY: 0}, "the services wait, they do not die"
        assert house.record.answers["503 UNAVAILABLE"] + house.record.answers["503 OUTCOME_UNKNOWN"] > 0


async def _flush(house: Rig) -> None:
    await _valkey(house)
    await house.store._redis.flushall()


async def _kill(house: Rig) -> None:
    os.kill(await _valkey(house), signal.SIGKILL)


async def _halt(house: Rig) -> None:
    """A Valkey that neither answers nor goes away, for a while."""
    pid = await _valkey(house)
    os.kill(pid, signal.SIGSTOP)
    try:
        await house.acknowledgements(60)
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_bids_go_on_whatever_becomes_of_valkey_and_its_state_comes_back(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faults: tuple[Callable[[Rig], Awaitable[None]], ...] = (_flush, _kill, _flush, _halt)
    async with rig(data_dir) as house:
        await house.begin()
        idle = house.lots.pop()  # nobody bids here any more: only a rebuild brings its state back
        async with house.under_load():
            for fault in faults:
                await house.acknowledgements(40)
                await fault(house)
                house.kills += 1
                await house.acknowledgements(40)
        findings = await house.check()
        house.say(capsys, "Valkey flushed, killed, flushed, halted", findings)
        assert await house.store.get(f"auction:{idle}") is not None
        assert house.supervisor.restarts == {ENGINE: 0, RELAY: 0}
        assert not [answer for answer in house.record.answers if answer.startswith("503")]
