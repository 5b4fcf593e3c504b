"""Processes that take bids are killed, doubled and stopped while people bid."""

import random
import signal
from pathlib import Path

import pytest
from tests.integration.faults.load import ENGINE, SECOND_ENGINE, rig

from sothebais.supervisor import STOP_S

pytestmark = pytest.mark.fault

#: Twenty in all in the long runs (`make soak`), some in every run: a process takes seconds to start.
KILLS_OF_THE_ONLY_ENGINE = [2, pytest.param(5, marks=pytest.mark.slow)]
KILLS_OF_TWO_ENGINES = [5, pytest.param(15, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]


@pytest.mark.parametrize("kills", KILLS_OF_THE_ONLY_ENGINE)
async def test_no_acknowledged_bid_is_lost_when_the_only_engine_is_killed_again_and_again(
    data_dir: Path, capsys: pytest.CaptureFixture[str], kills: int
) -> None:
    rng = random.Random(20)
    async with rig(data_dir) as house:
        await house.begin(short=(8_000,))
        async with house.under_load():
            for _ in range(kills):
                await house.acknowledgements(rng.randrange(5, 60))
                await house.send_signal(ENGINE, signal.SIGKILL)
            await house.acknowledgements(20)
        findings = await house.check()
        house.say(capsys, "kill -9 of the only engine", findings)
        assert house.kills == kills == house.supervisor.restarts[ENGINE]


@pytest.mark.parametrize("kills", KILLS_OF_TWO_ENGINES)
async def test_two_engines_on_the_same_lots_decide_as_one_while_either_is_killed(
    data_dir: Path, capsys: pytest.CaptureFixture[str], kills: int
) -> None:
    rng = random.Random(15)
    async with rig(data_dir, engines=2) as house:
        await house.begin(short=(6_000, 15_000))
        async with house.under_load():
            await house.acknowledgements(100)
            for _ in range(kills):
                engine = await house.ready_engine((ENGINE, SECOND_ENGINE), rng)
                await house.acknowledgements(rng.randrange(1, 25))
                await house.send_signal(engine, signal.SIGKILL)
            await house.acknowledgements(20)
        findings = await house.check()
        house.say(capsys, "two engines, kill -9 of either", findings)
        assert house.kills == kills


async def test_an_engine_that_is_asked_to_stop_answers_what_it_has_and_leaves_in_time(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with rig(data_dir) as house:
        await house.begin()
        took = []
        async with house.under_load():
            for _ in range(2):
                await house.acknowledgements(60)
                took.append(await house.send_signal(ENGINE, signal.SIGTERM))
                await house.comes_back(ENGINE)
                await house.ready()
        findings = await house.check()
        house.say(capsys, f"asked to stop (took {', '.join(f'{s:.1f} s' for s in took)})", findings)
        assert max(took) < STOP_S
