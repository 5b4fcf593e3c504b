"""Structured logs: JSON lines to stdout and to ``data/logs/<service>``, rotated.

Nothing secret and nothing personal is logged; what might carry either by name is blotted out here as well.
"""

import logging
import logging.handlers
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import structlog

_BLOTTED = ("password", "secret", "token", "authorization", "max_amount", "maximum", "reserve", "salt", "private_key")


def configure(
    service: str,
    *,
    folder: Path | None,
    level: str = "info",
    stdout: bool = True,
    file_bytes_max: int = 10_000_000,
    files_max: int = 5,
    part: str | None = None,
) -> None:
    """Set up logging for this process; ``folder`` is ``data/logs`` (None: no files). A service of several processes
    gives each a ``part``, so that no two turn the same file over."""
    handlers: list[logging.Handler] = []
    if stdout:
        handlers.append(logging.StreamHandler(sys.stdout))
    if folder is not None:
        target = folder / service
        target.mkdir(parents=True, exist_ok=True)
        handlers.append(
            logging.handlers.RotatingFileHandler(
                target / f"{part or service}.log", maxBytes=file_bytes_max, backupCount=files_max, encoding="utf-8"
            )
        )
    before: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_service(service),
        _blot,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=before,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    for handler in handlers or [logging.NullHandler()]:
        handler.setFormatter(formatter)
        root.addHandler(handler)
    root.setLevel(level.upper())
    for chatty in ("httpx", "uvicorn.error", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _with_service(service: str) -> structlog.typing.Processor:
    def add(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    return add


def _blot(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name in event:
        if any(word in name.lower() for word in _BLOTTED):
            event[name] = "…"
    return event
