"""What runs in each role's process, from start to graceful stop."""

import asyncio
import contextlib
import os
import resource
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import structlog
import uvicorn
import uvloop
from fastapi import FastAPI

from sothebais import priorities
from sothebais.agent.session import HostSession
from sothebais.api.app import create_app, create_operations_app, create_stream_app
from sothebais.api.live import addresses
from sothebais.api.live.gateway import Gateway
from sothebais.api.live.hub import Hub, hub_of
from sothebais.api.live.served import LiveProtocol
from sothebais.api.parts import ApiParts
from sothebais.api.services import Heartbeat
from sothebais.bootstrap import open_house, settle_memory
from sothebais.clock import SystemClock
from sothebais.config import Settings
from sothebais.errors import ConfigurationError
from sothebais.stream.engine import StreamManager
from sothebais.supervisor import Role, Supervisor
from sothebais.telemetry import logging
from sothebais.telemetry.tracing import tracing
from sothebais.web import overlays, viewer

log = structlog.get_logger(__name__)

AUCTION_ENGINE, ADMIN_FRONTEND, EVENT_HANDLER = "auction-engine", "admin-frontend", "event-handler"
STREAM_MANAGER, AGENT_SERVICE = "stream-manager", "agent-service"
#: A process of event-handler's, and a role of its own only where many machines share the viewers.
LIVE_GATEWAY = "live-gateway"
#: A role's process imports this among the first things it does.
_BEGAN = SystemClock().now()
#: A process whose parent has died stops within so long.
ORPHAN_LOOK_S = 0.5
STOP_LOOK_S = 0.1
#: Requests under way have so long to finish when the process is asked to stop.
DRAIN_S = 5
BACKLOG = 2_048
#: A proxy on this machine is believed without being named.
LOOPBACK = ("127.0.0.1", "::1")

type Background = Callable[[], Coroutine[Any, Any, None]]


class _Server(uvicorn.Server):
    """A server that leaves signals alone; the role asks it to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting and finish. Those who listen for news would never finish by themselves: they are told to go."""
        self._hub.stop()
        await super().shutdown(sockets)


class _GatewayServer:
    """The live gateway in the shape of the other roles' servers."""

    def __init__(self, hub: Hub, settings: Settings) -> None:
        self._hub, self._settings = hub, settings
        self.should_exit = False

    async def serve(self, sockets: list[socket.socket]) -> None:
        """Until told to stop."""
        async with Gateway(self._hub, self._settings, sockets[0]):
            while not self.should_exit:  # noqa: ASYNC110 - signal handlers and ended tasks set it, as uvicorn's
                await asyncio.sleep(STOP_LOOK_S)


def run(role: str, settings: Settings, *, port: int | None = None, parent: int | None = None) -> None:
    """Run a role until SIGTERM or SIGINT, or until ``parent`` (a process id) is gone."""
    logging.configure(
        role,
        folder=settings.data_dir / "logs",
        level=settings.log_level,
        file_bytes_max=settings.log_file_bytes_max,
        files_max=settings.log_files_max,
    )
    tracing.configure(role, settings.otlp_endpoint, ratio=settings.trace_ratio)
    main = {
        AUCTION_ENGINE: _auction_engine,
        ADMIN_FRONTEND: _admin_frontend,
        EVENT_HANDLER: _event_handler,
        LIVE_GATEWAY: _live_gateway,
        STREAM_MANAGER: _stream_manager,
        AGENT_SERVICE: _agent_service,
    }[role]
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main(settings, port, parent))
    finally:
        tracing.shutdown()


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ConfigurationError, naming the setting, when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"Cannot listen on {host}:{port}: {error.strerror}. Free the port, or set another (SOTHEBAIS_PORT, "
            "SOTHEBAIS_ENGINE_PORT, SOTHEBAIS_EVENTS_PORT, SOTHEBAIS_LIVE_PORT, SOTHEBAIS_STREAM_PORT, SOTHEBAIS_AGENT_PORT)."
        ) from error
    listener.set_inheritable(False)
    return listener


async def _auction_engine(settings: Settings, port: int | None, parent: int | None) -> None:
    listener = bind(settings.host, port or settings.engine_port)
    async with open_house(settings, name=AUCTION_ENGINE) as house:
        store = house.store()
        engine = house.auction_engine()
        await engine.start()
        clock = house.auction_clock(engine)
        parts = house.api_parts(engine, store)
        app = create_app(parts)
        viewer.mount(app, parts)
        overlays.mount(app, parts)
        try:
            await _serve(app, listener, parent, _beat(parts, AUCTION_ENGINE), background=[hub_of(parts).run, clock.run])
        finally:
            await engine.stop()
            await clock.close()
            await store.close()


async def _admin_frontend(settings: Settings, port: int | None, parent: int | None) -> None:
    """Pages and every API. Its engine is for the operators' steps; the clock is auction-engine's."""
    listener = bind(settings.host, port or settings.port)
    async with open_house(settings, name=ADMIN_FRONTEND) as house:
        store = house.store()
        engine = house.auction_engine(ADMIN_FRONTEND)
        await engine.start()
        parts = house.api_parts(engine, store)
        app = create_app(parts)
        viewer.mount(app, parts)
        overlays.mount(app, parts)
        try:
            await _serve(app, listener, parent, _beat(parts, ADMIN_FRONTEND), background=[hub_of(parts).run])
        finally:
            await engine.stop()
            await store.close()


async def _event_handler(settings: Settings, port: int | None, parent: int | None) -> None:
    listener = bind(settings.host, port or settings.events_port)
    async with open_house(settings, name=EVENT_HANDLER, pool_size=2) as house:
        store = house.store()
        relay = house.relay(store)
        parts = house.api_parts(None, store)
        app = create_operations_app(parts)
        try:
            async with Supervisor(gateway_roles(settings)):
                work = [
                    relay.run,
                    *house.settlement_work(),
                    *house.notify_desk().work(),
                ]
                await _serve(app, listener, parent, _beat(parts, EVENT_HANDLER), background=work)
        finally:
            await store.close()


def gateway_roles(settings: Settings) -> list[Role]:
    """The live gateways of one event-handler: processes, because handing on to ten thousand clients takes its time."""
    return [
        Role(f"{LIVE_GATEWAY}-{port}", ["run", LIVE_GATEWAY, "--port", str(port)])
        for port in addresses.gateway_ports(settings)
    ]


async def _live_gateway(settings: Settings, port: int | None, parent: int | None) -> None:
    listener = bind(settings.host, port or settings.live_port)
    allow_open_files()
    async with open_house(settings, name=LIVE_GATEWAY, pool_size=4) as house:
        store = house.store()
        parts = house.api_parts(None, store)
        hub = hub_of(parts)
        try:
            server = _GatewayServer(hub, settings)
            await _run(server, listener, parent, _beat(parts, LIVE_GATEWAY), background=[hub.run])
        finally:
            await store.close()


async def _stream_manager(settings: Settings, port: int | None, parent: int | None) -> None:
    """The show. Its engine is for pausing lots that nobody can follow."""
    listener = bind(settings.host, port or settings.stream_port)
    async with open_house(settings, name=STREAM_MANAGER, pool_size=4) as house:
        store = house.store()
        engine = house.auction_engine(STREAM_MANAGER)
        await engine.start()
        parts = house.api_parts(None, store)
        manager = StreamManager(house.stream_parts(store, engine))
        app = create_stream_app(parts, manager)
        try:
            work = [manager.run, *house.clip_work()]
            await _serve(app, listener, parent, _beat(parts, STREAM_MANAGER), background=work)
        finally:
            await engine.stop()
            await store.close()


async def _agent_service(settings: Settings, port: int | None, parent: int | None) -> None:
    """The host. It listens for nobody but those who ask how it is."""
    listener = bind(settings.host, port or settings.agent_port)
    priorities.step_back()
    async with open_house(settings, name=AGENT_SERVICE, pool_size=4) as house:
        store = house.store()
        parts = house.api_parts(None, store)
        session = HostSession(house.agent_parts(store))
        app = create_operations_app(parts)
        try:
            work = [session.run, *house.memory_work()]
            await _serve(app, listener, parent, _beat(parts, AGENT_SERVICE), background=work)
        finally:
            await store.close()


def allow_open_files() -> None:
    """Each connection is an open file; the soft limit of most systems is for programs that have few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _beat(parts: ApiParts, role: str) -> Heartbeat:
    return Heartbeat(parts, role, began=_BEGAN)


async def _serve(
    app: FastAPI, listener: socket.socket, parent: int | None, beat: Heartbeat, *, background: list[Background]
) -> None:
    """Serve an HTTP application until told to stop or a background task fails."""
    parts: ApiParts = app.state.parts
    server = _Server(server_config(app, parts.settings), hub_of(parts))
    await _run(server, listener, parent, beat, background=background)


def server_config(app: Callable[..., Any], settings: Settings) -> uvicorn.Config:
    """How an application is served. Addresses are those that a proxy names where it is one of ours, so that limits by
    address are the visitors'."""
    return uvicorn.Config(
        app,
        proxy_headers=True,
        forwarded_allow_ips=[*LOOPBACK, *settings.live_trusted_proxies],
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        loop="none",
        http="httptools",
        ws=LiveProtocol,
        ws_max_size=settings.live_message_bytes_max,
        ws_per_message_deflate=False,
        backlog=BACKLOG,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=DRAIN_S,
    )


async def _run(
    server: "_Server | _GatewayServer",
    listener: socket.socket,
    parent: int | None,
    beat: Heartbeat,
    *,
    background: list[Background],
) -> None:
    """Run a server until told to stop or a background task fails; then stop accepting, finish, leave."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _ask_to_stop, server)
    tasks = [asyncio.create_task(work()) for work in (beat.run, *background)]
    tasks.append(asyncio.create_task(_leave_with(parent, server)))
    for task in tasks:
        task.add_done_callback(lambda done: _ended(done, server))
    settle_memory()
    host, port = listener.getsockname()[:2]
    log.info("role.serves", host=host, port=port)
    try:
        await server.serve(sockets=[listener])
    finally:
        beat.failed = next((found for task in tasks if (found := _error_of(task)) is not None), None)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        log.info("role.stops")
    failed = [result for result in results if isinstance(result, Exception)]
    if failed:
        raise failed[0]


def _ask_to_stop(server: "_Server | _GatewayServer") -> None:
    server.should_exit = True


def _error_of(task: "asyncio.Task[None]") -> BaseException | None:
    return task.exception() if task.done() and not task.cancelled() else None


def _ended(task: "asyncio.Task[None]", server: "_Server | _GatewayServer") -> None:
    if not task.cancelled():
        if task.exception() is not None:
            log.error("role.background_failed", exc_info=task.exception())
        server.should_exit = True


async def _leave_with(parent: int | None, server: "_Server | _GatewayServer") -> None:
    """A role that was started by a supervisor does not outlive it."""
    while parent is None or os.getppid() == parent:  # noqa: ASYNC110 - nothing tells of a parent's death
        await asyncio.sleep(ORPHAN_LOOK_S)
    log.warning("role.orphaned", parent=parent)
    server.should_exit = True
