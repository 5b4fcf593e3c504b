"""Priorities as the system has them, each in a process of its own: none can be taken back by whoever may not."""

import os
import subprocess
import sys

import pytest

from sothebais.priorities import HOST_NICE, IDLE_NICE, PICTURE_NICE


def told(program: str) -> list[str]:
    text = f"import os\nfrom sothebais import priorities\n{program}"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.split()


NICE = "print(os.getpriority(os.PRIO_PROCESS, 0))"


def test_the_host_steps_back_and_no_further_than_it_should() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    assert told(f"priorities.step_back()\n{NICE}\npriorities.step_back()\n{NICE}") == [str(max(HOST_NICE, before))] * 2


def test_a_clip_takes_what_nobody_else_wants() -> None:
    found = told(f"priorities.only_when_idle()\n{NICE}\nprint(os.sched_getscheduler(0) == os.SCHED_IDLE)")
    assert found == [str(IDLE_NICE), "True"]


def test_the_picture_comes_first_where_the_system_allows_it_and_goes_on_where_not() -> None:
    threads = "import threading\nt = threading.Thread(target=lambda: print(os.getpriority(os.PRIO_PROCESS, 0)))\nt.start(); t.join()"
    allowed, nice = told(f"print(priorities.come_first())\n{threads}")
    if allowed == "True":
        # threads that are begun afterwards have it too
        assert nice == str(PICTURE_NICE)
    if os.geteuid() == 0:
        program = f"os.setuid(65534)\nprint(priorities.come_first())\n{NICE}"
        assert told(program) == ["False", str(os.getpriority(os.PRIO_PROCESS, 0))]
    else:
        assert allowed == "False" or int(nice) < 0


@pytest.mark.parametrize("nice", [0, 5])
def test_stepping_back_never_takes_more_than_is_there(nice: int) -> None:
    assert told(f"priorities.step_back({nice})\n{NICE}") == [str(max(nice, os.getpriority(os.PRIO_PROCESS, 0)))]
