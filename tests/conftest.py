"""What all tests share: plain logs, and the longest tests first, so that no worker is left alone with them at the end.

Two things cost as much time as the tests themselves and are kept small: the collector, which would look at everything
that is imported again and again, and the measuring of branches, which is on for the tests it is about.
"""

import gc
from collections.abc import Iterator

import pytest
import structlog

gc.disable()  # until everything is collected: what is made by importing stays

# the default draws every local variable of every frame, which takes half a minute where the application is among them
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=True),
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)

#: Folders and files by how long their tests take; what is not named comes after them.
LONGEST_FIRST = (
    "tests/integration/faults/",
    "tests/e2e/",
    "tests/integration/test_openapi.py",
    "tests/property/",
    "tests/integration/embedded/",
    "tests/integration/",
)

#: The tests whose branches are counted, where they are counted: those of what the Makefile's COVERED names.
MEASURED = (
    "tests/unit/test_audit",
    "tests/unit/test_event_types",
    "tests/unit/test_formats",
    "tests/unit/test_increments",
    "tests/unit/test_machine",
    "tests/unit/test_rules",
    "tests/property/test_engine",
    "tests/integration/test_engine",
    "tests/integration/test_event_log",
    "tests/integration/test_projection",
    "tests/integration/test_stream_follower",
    "tests/integration/test_verify",
)


def pytest_collection_finish() -> None:
    gc.enable()
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Count branches during the tests that are meant to take them, fixtures and all."""
    plugin = item.config.pluginmanager.getplugin("_cov")
    controller = getattr(plugin, "cov_controller", None)
    if controller is None or item.nodeid.startswith(MEASURED):
        return (yield)
    controller.pause()
    try:
        return (yield)
    finally:
        controller.resume()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    return next(
        (place for place, start in enumerate(LONGEST_FIRST) if item.nodeid.startswith(start)), len(LONGEST_FIRST)
    )
