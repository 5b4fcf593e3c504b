"""For every test: the process as a test may expect to find it."""

import os
import warnings

import pytest

USUAL_UMASK = 0o022


@pytest.fixture(autouse=True)
def usual_umask() -> None:
    """New files and folders have the usual rights; a warning tells of an earlier test that left other ones behind."""
    before = os.umask(USUAL_UMASK)
    if before != USUAL_UMASK:
        warnings.warn(f"an earlier test left the umask at {before:#o}", stacklevel=1)
