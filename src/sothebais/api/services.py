"""The processes of the house: each says every few seconds that it is alive, and anybody may ask who did.

The first word and the last stand in the log too (``system:startup``, ``system:shutdown``), and what a process can no
longer reach, or can again (``system:health``). The beat also removes what has had its day: old processes, expired
idempotency keys, erasures that were cut off. In PostgreSQL, so that it needs nothing else; without PostgreSQL there is
nothing to say.
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
from sothebais.api import privacy, writes
from sothebais.api.parts import ApiParts
from sothebais.api.tables import ServiceInstance
from sothebais.auctions.tables import ServicePulse
from sothebais.clock import Millis, from_datetime, isoformat, to_datetime
from sothebais.events import log as log_
from sothebais.events.types.base import Source

log = structlog.get_logger(__name__)

BEAT_S = 5.0
OK = "ok"
#: Not heard of for so long: DOWN.
SILENT_S = 20.0
#: Processes are remembered for so long, and so many of them.
REMEMBERED_S = 86_400
PROCESSES_MAX = 200
PROBE_TIMEOUT_S = 2.0
CHECK_LENGTH_MAX = 200
HOST_LENGTH_MAX = 100
NAME_LENGTH_MAX = 100


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
        name: OK if outcome is None else f"{type(outcome).__name__}: {outcome}"[:CHECK_LENGTH_MAX]
        for name, outcome in zip(probes, outcomes, strict=True)
    }


class Heartbeat:
    """One process's word that it is alive: ``await Heartbeat(parts, role).run()`` until cancelled.

    ``began`` is when the process did. ``failed`` is set before the end by whoever knows that something broke.
    """

    def __init__(self, parts: ApiParts, role: str, *, began: Millis | None = None) -> None:
        self._parts = parts
        self._began = parts.clock.now() if began is None else began
        self._told = False
        self._reached: dict[str, bool] = {}
        self.failed: BaseException | None = None
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
            reached = {name: outcome == OK for name, outcome in found.items()}
            said = [] if self._told else [await self._startup(connection)]
            await log_.append(connection, said + self._changes(reached))
            await _tidy(connection)
        self._told, self._reached = True, reached

    async def _goodbye(self) -> None:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S), self._parts.database.begin() as connection:
                await connection.execute(
                    sa.update(ServiceInstance)
                    .where(ServiceInstance.id == self._row["id"])
                    .values(stopped_at=sa.func.clock_timestamp())
                )
                if self._told:
                    await log_.append(connection, self._shutdown())
        except (DBAPIError, PoolTimeout, OSError, TimeoutError) as error:
            log.info("services.goodbye_unheard", error=repr(error))

    async def _startup(self, connection: AsyncConnection) -> log_.Record:
        revision = (await connection.execute(sa.text("select version_num from alembic_version"))).scalar_one_or_none()
        now = self._parts.clock.now()
        told = {"version": self._row["version"], "schema_revision": revision, "took": max(0, now - self._began)}
        return self._event("system:startup", self._process | told, now)

    def _changes(self, reached: dict[str, bool]) -> list[log_.Record]:
        now, role = self._parts.clock.now(), self._row["role"]
        words = {True: ("OK", "is reached again"), False: ("DEGRADED", "is not reached: its log says why")}
        return [
            self._event(
                "system:health",
                {
                    "component": f"{role}/{name}",
                    "status": words[good][0],
                    "previous_status": words[self._reached[name]][0] if name in self._reached else None,
                    "message": f"{name} {words[good][1]}.",
                },
                now,
            )
            for name, good in reached.items()
            # what is well from the beginning is no news
            if good is not self._reached.get(name, True)
        ]

    def _shutdown(self) -> list[log_.Record]:
        now = self._parts.clock.now()
        cause = "REQUESTED" if self.failed is None else "FAILED"
        uptime = max(0, now - self._began)
        ended = self._event("system:shutdown", self._process | {"cause": cause, "uptime": uptime}, now)
        if self.failed is None:
            return [ended]
        # what an error says may hold what it was about; the process's own log has it whole
        fault = {
            "role": self._row["role"],
            "component": "process",
            "code": type(self.failed).__name__[:NAME_LENGTH_MAX],
            "message": "Something that this process does ended with an error, so the process ends. Its log says more.",
            "event": None,
            "dead_letter": None,
            "attempts": None,
        }
        return [self._event("system:error", fault, now), ended]

    @property
    def _process(self) -> dict[str, str]:
        return {"role": self._row["role"], "instance": f"{self._row['host']}/{self._row['pid']}"}

    def _event(self, kind: str, data: dict[str, Any], at: Millis) -> log_.Record:
        role = self._row["role"]
        source = Source(role) if role in Source else Source.EVENT_HANDLER
        return log_.event(kind, f"system:{self._row['id']}", data, at=at, source=source)


async def _tidy(connection: AsyncConnection) -> None:
    old = sa.func.clock_timestamp() - sa.literal(timedelta(seconds=REMEMBERED_S))
    await connection.execute(sa.delete(ServiceInstance).where(ServiceInstance.beat_at < old))
    await writes.prune(connection)
    if released := await privacy.release_abandoned(connection):
        log.warning("services.erasures_were_cut_off", people=released)


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
