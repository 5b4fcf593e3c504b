"""For every test: the process as a test may expect to find it."""

import os
import warnings

import pytest

USUAL_UMASK = 0o022


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """New files and folders have the usual rights, also those of session fixtures, whatever an earlier test has left."""
    before = os.umask(USUAL_UMASK)
    if before != USUAL_UMASK:
        warnings.warn(f"an earlier test left the umask at {before:#o}", stacklevel=1)
