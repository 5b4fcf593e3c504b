"""What all tests share: plain logs, and the longest tests first, so that no worker is left alone with them at the end.

The collector, which would look at everything that is imported again and again, would cost as much as the tests do.
"""

import gc

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


def pytest_collection_finish() -> None:
    gc.enable()
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    return next(
        (place for place, start in enumerate(LONGEST_FIRST) if item.nodeid.startswith(start)), len(LONGEST_FIRST)
    )
