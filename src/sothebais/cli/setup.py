"""``sothebais init`` and ``sothebais doctor``."""

import asyncio
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
import typer
from pydantic import SecretStr
from rich.markup import escape
from rich.table import Table

from sothebais import config
from sothebais.bootstrap import House, open_house
from sothebais.cli import show_checks, staff
from sothebais.cli.house import as_json, err, out, told
from sothebais.cli.show_checks import Finding
from sothebais.clock import DatabaseTime
from sothebais.config import CONFIG_FILE, Settings
from sothebais.errors import Conflict, SothebaisError
from sothebais.telemetry import logging
from sothebais.users.tables import Role

DISK_FREE_BYTES_MIN = 1_000_000_000
CLOCK_READINGS = 5

#: Name of a check to what it found; a SothebaisError or OSError is the finding that something is wrong.
type Check = Callable[[House], Awaitable[str]]


def register(main: typer.Typer) -> None:
    """Add the commands to the main one."""
    main.command()(init)
    main.command()(doctor)


@told
def init() -> None:
    """Write a commented configuration file with every setting at its default; on a terminal, make the first admin."""
    path = Path(CONFIG_FILE)
    lines = [
        "# Configuration of this house. Environment variables (SOTHEBAIS_…) come before what stands here.",
        "# Secrets (DATABASE_URL, REDIS_URL, SOTHEBAIS_HOUSE_KEY and others) belong in the environment, not in this file.",
    ]
    for name, field in Settings.model_fields.items():
        if _is_secret(name):
            continue
        lines += ["", f"# {field.description}", f"# {name} = {_toml(field.default)}"]
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
    except FileExistsError:
        raise Conflict(f"{path} is there already; edit it, or move it away first.") from None
    out.print(f"Wrote {path}. Uncomment what you change; `sothebais doctor` checks it.")
    if sys.stdin.isatty():
        _first_admin()


def _first_admin() -> None:
    if asyncio.run(staff.has_admin()):
        return
    email = input("E-mail address of the first admin (empty for none now): ").strip()
    if email:
        staff.show(asyncio.run(staff.enrol(email, Role.ADMIN, staff.asked_password())), None)


@told
def doctor(json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Check configuration, disk, servers, clocks and the show; say what to do about each failure.

    Exit 1 when one fails; a warning is no failure.
    """
    settings = config.load()
    logging.configure("doctor", folder=None, level=settings.log_level, stdout=False)
    rows = [Finding(*row) for row in asyncio.run(_examine(settings))] + show_checks.examine(settings)
    failed = any(not row.ok for row in rows)
    if json:
        checks = [{"check": row.check, "ok": row.ok, "warning": row.warning, "found": row.found} for row in rows]
        as_json({"ok": not failed, "checks": checks, "settings": _shown(settings)})
    else:
        table = Table("Setting", "Value", box=None, pad_edge=False)
        for name, value in _shown(settings).items():
            table.add_row(name, escape(str(value)))
        out.print(table)
        out.print()
        for row in rows:
            mark = "[red]bad [/]" if not row.ok else "[yellow]warn[/]" if row.warning else "[green]ok  [/]"
            (out if row.ok else err).print(f"{mark} {row.check}: {escape(row.found)}", soft_wrap=True, highlight=False)
    if failed:
        raise typer.Exit(1)


async def _examine(settings: Settings) -> list[tuple[str, bool, str]]:
    rows = [("Python", sys.version_info >= (3, 12), sys.version.split()[0]), _disk(settings.data_dir)]
    try:
        async with open_house(settings, name="doctor", pool_size=1) as house:
            for name, check in (("PostgreSQL", _postgres), ("Redis", _redis), ("clock", _clock), ("house key", _key)):
                rows.append(await _one(name, check, house))
    except (SothebaisError, OSError, sa.exc.SQLAlchemyError) as error:
        rows.append(
            (
                "servers",
                False,
                f"{_text(error)} Set DATABASE_URL and REDIS_URL, or leave both empty for embedded servers.",
            )
        )
    return rows


async def _one(name: str, check: Check, house: House) -> tuple[str, bool, str]:
    try:
        return name, True, await check(house)
    except (SothebaisError, OSError, sa.exc.SQLAlchemyError) as error:
        return name, False, _text(error)


def _disk(folder: Path) -> tuple[str, bool, str]:
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    enough = free >= DISK_FREE_BYTES_MIN
    more = "" if enough else f"; free at least {DISK_FREE_BYTES_MIN / 1e9:.0f} GB or set SOTHEBAIS_DATA_DIR elsewhere"
    return "disk", enough, f"{free / 1e9:.1f} GB free for {folder}{more}"


async def _postgres(house: House) -> str:
    async with house.engine.connect() as connection:
        settings = {
            name: (await connection.execute(sa.text(f"show {name}"))).scalar_one()
            for name in ("server_version", "fsync", "synchronous_commit")
        }
    if settings["fsync"] != "on" or settings["synchronous_commit"] == "off":
        raise SothebaisError("fsync or synchronous_commit is off: an acknowledged bid could be lost. Turn both on.")
    return f"{settings['server_version']}, fsync on"


async def _redis(house: House) -> str:
    store = house.store()
    try:
        await store.ping()
    finally:
        await store.close()
    return "answers"


async def _clock(house: House) -> str:
    time = DatabaseTime(house.clock)
    async with house.engine.connect() as connection:
        for _ in range(CLOCK_READINGS):
            sent = house.now()
            database = (await connection.execute(sa.text("select clock_timestamp()"))).scalar_one()
            time.observe(sent, database, house.now())
    return f"PostgreSQL is {time.offset_ms:+.0f} ms from this machine; the engine follows it"


async def _key(house: House) -> str:
    return f"public half {house.key().public.hex()}"


def _shown(settings: Settings) -> dict[str, Any]:
    return {
        name: ("set" if value is not None else "not set") if _is_secret(name) else value
        for name, value in settings.model_dump(mode="python").items()
    }


def _is_secret(name: str) -> bool:
    return SecretStr.__name__ in str(Settings.model_fields[name].annotation)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, tuple):
        return str(list(value))
    if isinstance(value, dict):
        return "{}"
    return f'"{value or ""}"'


def _text(error: Exception) -> str:
    return (
        error.message if isinstance(error, SothebaisError) else f"{type(error).__name__}: {str(error).splitlines()[0]}"
    )
