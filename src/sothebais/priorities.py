"""Who gets the processor first where there is not enough of it: the picture, which needs little but on time; bids and
everything else; the host; clips."""

import contextlib
import os
from typing import Final

#: The picture has a deadline thirty times a second and needs a third of a core; without this a voice that is being made,
#: or a clip, holds it up for longer than that now and then.
PICTURE_NICE: Final = -10
#: How far the host steps back for everybody else: a voice takes a core while it is made.
HOST_NICE: Final = 10
#: For work that anybody else may interrupt at any time.
IDLE_NICE: Final = 19


def come_first(nice: int = PICTURE_NICE) -> bool:
    """Go before others of this machine; whether the system lets this process (root, CAP_SYS_NICE or RLIMIT_NICE)."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    except OSError:
        return False
    return True


def step_back(nice: int = HOST_NICE) -> None:
    """Let others go first."""
    os.nice(max(0, nice - os.getpriority(os.PRIO_PROCESS, 0)))


def only_when_idle() -> None:
    """Work with what nobody else wants: a core on which only this runs counts as free for whoever wakes up."""
    step_back(IDLE_NICE)
    if hasattr(os, "SCHED_IDLE"):
        # where a sandbox forbids it, the lowest priority has to do
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
