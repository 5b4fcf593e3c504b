"""Where the servers of one data folder keep their files, and which user owns them.

``<data>/embedded`` holds the lock, the lease, the logs, Valkey and, as a rule, PostgreSQL. Only when this process is root and the
user PostgreSQL runs as cannot reach that folder, PostgreSQL's part lives elsewhere and the file ``postgres-location`` says where.
"""

import hashlib
import logging
import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sothebais.embedded.process import Account
from sothebais.errors import EmbeddedServerError

log = logging.getLogger(__name__)

# sun_path has 108 bytes on Linux, 104 on macOS, with a final NUL.
SOCKET_PATH_BYTES_MAX = 100
_USER_VARIABLE = "SOTHEBAIS_PG_USER"
_USERS = ("postgres", "nobody")
# Only places that survive a restart of the machine: this is where the bids are.
_RELOCATION_ROOTS = (Path("/var/lib"), Path("/srv"))
_POINTER = "postgres-location"
_OWNER = "owner"


@dataclass(frozen=True)
class Home:
    """``folder``: files of the user of this process. ``postgres``: PostgreSQL's, run as ``account`` (None: as this process)."""

    folder: Path
    postgres: Path
    account: Account | None


def embedded_folder(data_dir: Path) -> Path:
    """Create ``<data>/embedded`` if missing. Root's may be passed through, for PostgreSQL's user, but not listed."""
    data_dir.mkdir(parents=True, exist_ok=True)
    folder = data_dir.resolve() / "embedded"
    if not folder.exists():
        folder.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            folder.chmod(0o711)
    owner = folder.stat().st_uid
    if os.geteuid() not in (0, owner):
        raise wrong_owner(folder, owner)
    return folder


def wrong_owner(path: Path, owner: int) -> EmbeddedServerError:
    """The message for a data folder that was used by another user before."""
    return EmbeddedServerError(
        f"{path} belongs to {_user_name(owner)}, but this process runs as {_user_name(os.geteuid())}: "
        "run it as the same user as before, or choose another SOTHEBAIS_DATA_DIR"
    )


def _user_name(uid: int) -> str:
    try:
        return f"user {pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def data_folders(base: Path) -> dict[int, Path]:
    """PostgreSQL data folders under ``base`` by major version, the newest first."""
    found = {}
    for path in base.glob("postgres-*"):
        version = path.name.removeprefix("postgres-")
        if version.isdecimal():
            found[int(version)] = path
    return dict(sorted(found.items(), reverse=True))


def blocked_at(path: Path, account: Account) -> Path | None:
    """The first folder on the way to ``path`` (included) that ``account`` may not pass, by mode bits; access lists are not seen."""
    for folder in [*reversed(path.parents), path]:
        status = folder.stat()
        if status.st_uid == account.uid:
            bit = stat.S_IXUSR
        elif status.st_gid == account.gid:
            bit = stat.S_IXGRP
        else:
            bit = stat.S_IXOTH
        if not status.st_mode & bit:
            return folder
    return None


def _account(base: Path) -> Account | None:
    """The owner of the data there is; for new data the first of $SOTHEBAIS_PG_USER, postgres, nobody that exists."""
    if os.geteuid() != 0:
        return None
    for folder in data_folders(base).values():
        status = folder.stat()
        if status.st_uid != 0:
            return Account(_user_name(status.st_uid), status.st_uid, status.st_gid)
    for name in (os.environ.get(_USER_VARIABLE, ""), *_USERS):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedServerError(
        "PostgreSQL refuses to run as root and none of the users "
        f"${_USER_VARIABLE}, {', '.join(_USERS)} exists: set {_USER_VARIABLE} to an unprivileged user, or set DATABASE_URL"
    )


def find_home(folder: Path) -> Home:
    """Decide, and remember, where PostgreSQL lives and as whom. Call under the lock."""
    pointer = folder / _POINTER
    if pointer.exists():
        base = _follow(pointer)
        return Home(folder, base, _account(base))
    account = _account(folder)
    if account is None or (blocked := blocked_at(folder, account)) is None:
        return Home(folder, folder, account)
    if existing := data_folders(folder):
        # Starting an empty database elsewhere would look like the loss of every bid.
        raise EmbeddedServerError(
            f"PostgreSQL's data in {next(iter(existing.values()))} cannot be reached by {account.name}: "
            f"let others pass through {blocked} again (chmod o+x)"
        )
    return Home(folder, _relocate(pointer, account, blocked), account)


def _relocate(pointer: Path, account: Account, blocked: Path) -> Path:
    for root in _RELOCATION_ROOTS:
        if not root.is_dir() or not os.access(root, os.W_OK) or blocked_at(root, account):
            continue
        shared = root / "sothebais"
        shared.mkdir(mode=0o711, exist_ok=True)
        if blocked_at(shared, account) or shared.stat().st_uid != 0:
            continue
        base = Path(tempfile.mkdtemp(prefix=f"{pointer.parent.parent.name}-", dir=shared))
        base.chmod(0o711)
        sync_folder(shared)
        write_file(base / _OWNER, f"{pointer.parent}\n")
        write_file(pointer, f"{base}\n")
        log.warning(
            "PostgreSQL runs as %s, who cannot pass through %s: its data is kept in %s instead (written down in %s)",
            account.name,
            blocked,
            base,
            pointer,
        )
        return base
    raise EmbeddedServerError(
        f"PostgreSQL runs as {account.name}, who cannot pass through {blocked}, and no place under "
        f"{' or '.join(map(str, _RELOCATION_ROOTS))} can be used instead: choose another SOTHEBAIS_DATA_DIR, or set DATABASE_URL"
    )


def _follow(pointer: Path) -> Path:
    base = Path(pointer.read_text().strip())
    if not base.is_dir():
        raise EmbeddedServerError(
            f"{pointer} says that PostgreSQL's data is in {base}, which does not exist: put it back, "
            f"or remove {pointer} to start with an empty database"
        )
    owner = Path((base / _OWNER).read_text().strip())
    if owner != pointer.parent:
        other = owner / _POINTER
        if other.exists() and Path(other.read_text().strip()) == base:
            raise EmbeddedServerError(
                f"{pointer} and {other} both name {base}: a copy of a data folder cannot share its database; remove {pointer}"
            )
        write_file(base / _OWNER, f"{pointer.parent}\n")  # the data folder was moved
    return base


def folder_account(folder: Path) -> Account | None:
    """The user whose folder it is, for a root that works in another user's folder and must leave no files of its own there."""
    status = folder.stat()
    if os.geteuid() != 0 or status.st_uid == 0:
        return None
    return Account(_user_name(status.st_uid), status.st_uid, status.st_gid)


def write_file(path: Path, text: str, account: Account | None = None) -> None:
    """Replace a file as a whole, readable by its owner only, on disk when this returns."""
    fd, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with open(fd, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(fd)
        if account is not None:
            os.chown(name, account.uid, account.gid)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def socket_folder(base: Path, socket_name: str, account: Account | None) -> Path:
    """A folder only the server's user may enter, with a path short enough for a socket; the same one each time where possible.

    Local connections need no password, so this folder is the lock on the door.
    """
    uid = account.uid if account else os.geteuid()
    near = base / "run"
    if _fits(near / socket_name):
        return _private_folder(near, account)
    digest = hashlib.sha256(os.fsencode(base)).hexdigest()[:12]
    for parent in (Path("/tmp"), Path(tempfile.gettempdir())):  # noqa: S108 - owner and mode of what is made there are checked
        far = parent / f"sothebais-{uid}-{digest}"
        if not parent.is_dir() or not _fits(far / socket_name):
            continue
        try:
            return _private_folder(far, account)
        except EmbeddedServerError as error:
            log.warning("%s; a new folder is used instead", error.message)
            return _private_folder(Path(tempfile.mkdtemp(prefix="sothebais-", dir=parent)), account)
    raise EmbeddedServerError(
        f"no folder with a path short enough for a socket: {near} and {tempfile.gettempdir()} are too long"
    )


def remove_far_folder(base: Path, folder: Path) -> None:
    """Remove what `socket_folder` made outside of ``base``, after the server has left it."""
    if folder == base / "run" or not folder.is_dir():
        return
    try:
        folder.rmdir()
    except OSError as error:
        log.info("%s stays: %s", folder, error)


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX


def _private_folder(folder: Path, account: Account | None) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()  # not stat: a link planted in a shared folder must not be followed
    uid = account.uid if account else os.geteuid()
    # The present user owns it when a former start was killed before the chown below.
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (uid, os.geteuid()) or status.st_mode & 0o077:
        raise EmbeddedServerError(f"{folder} should be a folder of {_user_name(uid)} with mode 0700, and is not")
    if account and status.st_uid != account.uid:
        os.chown(folder, account.uid, account.gid)
    return folder


def remove_tree(folder: Path) -> None:
    """Remove what a killed process left half done; what resists is logged and tried again at the next start."""
    shutil.rmtree(folder, onexc=lambda _, path, error: log.warning("cannot remove %s: %s", path, error))


def is_relocated(folder: Path) -> bool:
    """Whether PostgreSQL's data was put elsewhere."""
    return (folder / _POINTER).exists()
