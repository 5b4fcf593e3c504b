"""``sothebais up`` and ``sothebais run ROLE``."""

import asyncio
import signal
from enum import StrEnum
from typing import Annotated

import typer

from sothebais import config, roles
from sothebais.bootstrap import open_house
from sothebais.cli.house import err, told
from sothebais.supervisor import Role, Supervisor
from sothebais.telemetry import logging


class RoleName(StrEnum):
    """The roles that exist."""

    AUCTION_ENGINE = roles.AUCTION_ENGINE
    ADMIN_FRONTEND = roles.ADMIN_FRONTEND
    EVENT_HANDLER = roles.EVENT_HANDLER
    LIVE_GATEWAY = roles.LIVE_GATEWAY
    STREAM_MANAGER = roles.STREAM_MANAGER
    AGENT_SERVICE = roles.AGENT_SERVICE


def register(main: typer.Typer) -> None:
    """Add the commands to the main one."""
    main.command()(up)
    main.command()(run)


def house_roles(
    port: int,
    events_port: int,
    environment: dict[str, str] | None = None,
    *,
    gateways: bool = False,
    stream_port: int | None = None,
    agent_port: int | None = None,
) -> list[Role]:
    """The processes of a whole house on one machine; the API is on ``port``, the show (if any) on ``stream_port``, and the
    host, who needs no port but for its health, beside it where ``agent_port`` is given.

    Without ``gateways`` the live feed is served by the API's process alone: enough for a demo and for tests.
    """
    extra = environment or {}
    if not gateways:
        extra = {"SOTHEBAIS_LIVE_GATEWAYS": "0", **extra}
    if stream_port is not None:
        extra = {"SOTHEBAIS_STREAM_PORT": str(stream_port), **extra}
    found = [
        Role(roles.AUCTION_ENGINE, ["run", roles.AUCTION_ENGINE, "--port", str(port)], extra),
        Role(roles.EVENT_HANDLER, ["run", roles.EVENT_HANDLER, "--port", str(events_port)], extra),
    ]
    if stream_port is not None:
        environment = {"SOTHEBAIS_PORT": str(port), **extra}
        found.append(Role(roles.STREAM_MANAGER, ["run", roles.STREAM_MANAGER, "--port", str(stream_port)], environment))
    if agent_port is not None:
        found.append(Role(roles.AGENT_SERVICE, ["run", roles.AGENT_SERVICE, "--port", str(agent_port)], extra))
    return found


@told
def up() -> None:
    """Run all services under one supervisor, with the configured servers or embedded ones, until Ctrl-C."""
    settings = config.load()
    logging.configure(
        "supervisor",
        folder=settings.data_dir / "logs",
        level=settings.log_level,
        file_bytes_max=settings.log_file_bytes_max,
        files_max=settings.log_files_max,
    )

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        async with (
            open_house(settings, name="supervisor", pool_size=1) as house,
            Supervisor(
                house_roles(
                    settings.port,
                    settings.events_port,
                    gateways=True,
                    stream_port=settings.stream_port,
                    agent_port=settings.agent_port,
                ),
                servers=house.servers,
            ),
        ):
            err.print(f"The house is open at http://{settings.host}:{settings.port} (Ctrl-C closes it).")
            await stop.wait()
            err.print("Closing.")

    asyncio.run(main())


@told
def run(
    role: Annotated[RoleName, typer.Argument(help="What this process does.")],
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Listen here instead of the configured port.")
    ] = None,
    parent: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run one service alone, for many machines."""
    roles.run(role, config.load(), port=port, parent=parent)
