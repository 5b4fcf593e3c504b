"""Processes that take bids are killed, doubled and stopped while people bid."""

import random
import signal
from pathlib import Path

import pytest
from tests.integration.faults.load import ENGINE, SECOND_ENGINE, rig

from sothebais.supervisor import STOP_S

pytestmark = pytest.mark.fault

KILLS = 20


async def test_no_acknowledged_bid_is_lost_when_the_engine_is_killed_twenty_times(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(20)
    async with rig(data_dir) as house:
        await house.begin(short=(12_000, 25_000))
        async with house.under_load():
            for _ in range(KILLS):
                await house.acknowledgements(rng.randrange(1, 40))
                await house.send_signal(ENGINE, signal.SIGKILL)
            await house.acknowledgements(20)
        findings = await house.check()
        house.say(capsys, "kill -9 of the engine", findings)
        assert house.kills == KILLS == house.supervisor.restarts[ENGINE]
        assert findings.acknowledged > KILLS


async def test_two_engines_on_the_same_lots_decide_as_one_and_one_may_die(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with rig(data_dir, engines=2) as house:
        await house.begin(short=(6_000,))
        async with house.under_load():
            await house.acknowledgements(100)
            for engine in (SECOND_ENGINE, ENGINE, SECOND_ENGINE):
                await house.send_signal(engine, signal.SIGKILL)
                await house.acknowledgements(40)
                await house.ready()
        findings = await house.check()
        house.say(capsys, "two engines, one killed", findings)


async def test_an_engine_that_is_asked_to_stop_answers_what_it_has_and_leaves_in_time(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with rig(data_dir) as house:
        await house.begin()
        took = []
        async with house.under_load():
            for _ in range(3):
                await house.acknowledgements(40)
                took.append(await house.send_signal(ENGINE, signal.SIGTERM))
                await house.comes_back(ENGINE)
                await house.ready()
        findings = await house.check()
        house.say(capsys, f"asked to stop (took {', '.join(f'{s:.1f} s' for s in took)})", findings)
        assert max(took) < STOP_S
