"""The processes of the house: each says every few seconds that it is alive, and anybody may ask who did.

The beat also removes what has had its day: old processes, expired idempotency keys. In PostgreSQL, so that it needs
nothing else; without PostgreSQL there is nothing to say.
"""

import asyncio
import os
import socket
from collections.abc import Sequence
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection

from sothebais import ids
from sothebais.api import writes
from sothebais.api.parts import ApiParts
from sothebais.api.tables import ServiceInstance
from sothebais.auctions.tables import ServicePulse
from sothebais.clock import from_datetime, isoformat, to_datetime

log = structlog.get_logger(__name__)

BEAT_S = 5.0
#: Not heard of for so long: DOWN.
SILENT_S = 20.0
#: Processes are remembered for so long, and so many of them.
REMEMBERED_S = 86_400
PROCESSES_MAX = 200
PROBE_TIMEOUT_S = 2.0
CHECK_LENGTH_MAX = 200
HOST_LENGTH_MAX = 100


def house_version() -> str:
    """The version of this package."""
    try:
        return version("sothebais")
    except PackageNotFoundError:  # run from a folder that was never installed
        return "unknown"


async def checks(parts: ApiParts) -> dict[str, str]:
    """Each dependency by name: ``ok`` or what is wrong."""
    probes = parts.probes
    outcomes = await asyncio.gather(
        *(asyncio.wait_for(probe(), PROBE_TIMEOUT_S) for probe in probes.values()), return_exceptions=True
    )
    return {
        name: "ok" if outcome is None else f"{type(outcome).__name__}: {outcome}"[:CHECK_LENGTH_MAX]
        for name, outcome in zip(probes, outcomes, strict=True)
    }


class Heartbeat:
    """One process's word that it is alive: ``await Heartbeat(parts, role).run()`` until cancelled."""

    def __init__(self, parts: ApiParts, role: str) -> None:
        self._parts = parts
        self._row: dict[str, Any] = {
            "id": ids.new_id(),
            "role": role,
            "host": socket.gethostname()[:HOST_LENGTH_MAX],
            "pid": os.getpid(),
            "version": house_version(),
            "started_at": to_datetime(parts.clock.now()),
        }

    async def run(self) -> None:
        """Beat until cancelled, then say goodbye."""
        try:
            while True:
                try:
                    await self.beat()
                except (DBAPIError, PoolTimeout, OSError) as error:
                    log.info("services.beat_missed", error=repr(error))
                await self._parts.clock.sleep(BEAT_S)
        finally:
            await asyncio.shield(self._goodbye())

    async def beat(self) -> None:
        """Say it once."""
        found = await checks(self._parts)
        now = sa.func.clock_timestamp()
        statement = insert(ServiceInstance).values(**self._row, beat_at=now, checks=found)
        async with self._parts.database.begin() as connection:
            await connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["id"], set_={"beat_at": now, "checks": found, "stopped_at": None}
                )
            )
            await _tidy(connection)

    async def _goodbye(self) -> None:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S), self._parts.database.begin() as connection:
                await connection.execute(
                    sa.update(ServiceInstance)
                    .where(ServiceInstance.id == self._row["id"])
                    .values(stopped_at=sa.func.clock_timestamp())
                )
        except (DBAPIError, PoolTimeout, OSError, TimeoutError) as error:
            log.info("services.goodbye_unheard", error=repr(error))


async def _tidy(connection: AsyncConnection) -> None:
    old = sa.func.clock_timestamp() - sa.literal(timedelta(seconds=REMEMBERED_S))
    await connection.execute(sa.delete(ServiceInstance).where(ServiceInstance.beat_at < old))
    await writes.prune(connection)


async def processes(connection: AsyncConnection) -> list[dict[str, Any]]:
    """Every process that has not said goodbye, as the API shows it."""
    silent = sa.func.clock_timestamp() - sa.literal(timedelta(seconds=SILENT_S))
    found = await connection.execute(
        sa.select(ServiceInstance, (ServiceInstance.beat_at < silent).label("silent"))
        .where(ServiceInstance.stopped_at.is_(None))
        .order_by(ServiceInstance.role, ServiceInstance.id)
        .limit(PROCESSES_MAX)
    )
    return [_process(row) for row in found]


def _process(row: Any) -> dict[str, Any]:
    failing = any(check != "ok" for check in row.checks.values())
    return {
        "id": str(row.id),
        "role": row.role,
        "host": row.host,
        "pid": row.pid,
        "version": row.version,
        "since": isoformat(from_datetime(row.started_at)),
        "heard_at": isoformat(from_datetime(row.beat_at)),
        "health": "DOWN" if row.silent else "DEGRADED" if failing else "OK",
        "checks": row.checks,
    }


async def pulses(connection: AsyncConnection) -> Sequence[dict[str, Any]]:
    """When things last worked."""
    found = await connection.execute(sa.select(ServicePulse.name, ServicePulse.at).order_by(ServicePulse.name))
    return [{"name": row.name, "at": isoformat(from_datetime(row.at))} for row in found]
