"""Runs roles as child processes: starts them, starts them again when they die, stops them gracefully."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from sothebais.clock import Clock, SystemClock
from sothebais.embedded import EmbeddedServers
from sothebais.errors import EmbeddedServerError

log = structlog.get_logger(__name__)

BACKOFF_S = 0.25
BACKOFF_S_MAX = 10.0
#: A child that lived so long starts again at once when it dies.
HEALTHY_S = 30.0
#: After SIGTERM a child has so long to finish what is in hand.
STOP_S = 10.0
SERVERS_LOOK_S = 1.0


@dataclass(frozen=True)
class Role:
    """One child: its name, its arguments to ``sothebais``, what its environment has beside this process's."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


class Supervisor:
    """``async with Supervisor(roles)`` keeps them running until the block ends."""

    def __init__(
        self,
        roles: Sequence[Role],
        *,
        servers: EmbeddedServers | None = None,
        clock: Clock | None = None,
        quiet: bool = False,
    ) -> None:
        self._roles = roles
        self._servers = servers
        self._clock = clock or SystemClock()
        self._quiet = quiet
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        #: The living child of each role; a test kills them by these ids.
        self.pids: dict[str, int] = {}
        self.restarts: dict[str, int] = {role.name: 0 for role in roles}

    async def __aenter__(self) -> "Supervisor":
        self._tasks = [asyncio.create_task(self._keep(role), name=f"role-{role.name}") for role in self._roles]
        if self._servers is not None:
            self._tasks.append(asyncio.create_task(self._keep_servers(self._servers), name="embedded-servers"))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self, role: Role) -> None:
        delay = BACKOFF_S
        while not self._stopping:
            started = self._clock.monotonic()
            code = await self._live(role)
            lived = self._clock.monotonic() - started
            delay = BACKOFF_S if lived >= HEALTHY_S else delay
            log.warning(
                "supervisor.child_died", role=role.name, exit_code=code, lived_s=round(lived, 1), again_in_s=delay
            )
            self.restarts[role.name] += 1
            await self._clock.sleep(delay)
            delay = min(delay * 2, BACKOFF_S_MAX)

    async def _live(self, role: Role) -> int:
        """One life of a child, to its end or ours."""
        output = asyncio.subprocess.DEVNULL if self._quiet else None
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sothebais",
            *role.arguments,
            "--parent",
            str(os.getpid()),
            env={**os.environ, **role.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # Ctrl-C is for this process; children are told by SIGTERM and finish what is in hand
            start_new_session=True,
        )
        self.pids[role.name] = process.pid
        try:
            return await process.wait()
        except asyncio.CancelledError:
            await _stop(process, role.name)
            raise
        finally:
            self.pids.pop(role.name, None)

    async def _keep_servers(self, servers: EmbeddedServers) -> None:
        while True:
            await self._clock.sleep(SERVERS_LOOK_S)
            try:
                await asyncio.to_thread(servers.ensure_running)
            except EmbeddedServerError as error:
                log.warning("supervisor.server_down", error=str(error))


async def _stop(process: asyncio.subprocess.Process, name: str) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        log.warning("supervisor.child_killed", role=name, after_s=STOP_S)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
