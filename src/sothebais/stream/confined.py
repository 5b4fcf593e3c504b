"""Work on what outsiders made, in a child process: bounded in memory, processor time, files and seconds.

A decoder may crash, loop or ask for all memory there is; so may drawing a scene somebody wrote. None of this may touch
the process that takes bids. The child gets a folder with what it needs, no secrets and no open connections.
"""

import asyncio
import json
import os
import resource
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from sothebais.errors import InvalidInput, Overloaded

MEMORY_BYTES_MAX: Final = 3 * 1024**3
FILE_BYTES_MAX: Final = 1024**3
CPU_S_MAX: Final = 60
LASTS_S_MAX: Final = 90.0
CHILDREN_MAX: Final = 2
WAITING_MAX: Final = 8
RETRY_AFTER_S: Final = 2
#: Of the house's environment a child needs no more than this to start.
_ENVIRONMENT: Final = ("PATH", "LANG", "LC_ALL", "HOME", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
_QUESTION, _ANSWER = "question.json", "answer.json"


class Children:
    """Starts the children of one process, a bounded number at a time; more wait, and more than those are refused."""

    def __init__(self, *, lasts_s_max: float = LASTS_S_MAX) -> None:
        self._at_once = asyncio.Semaphore(CHILDREN_MAX)
        self._inside = 0
        self._lasts_s_max = lasts_s_max

    async def run(
        self, module: str, question: Mapping[str, Any], files: Mapping[str, bytes], *, result: str
    ) -> tuple[dict[str, Any], bytes]:
        """Have ``module`` (whose ``main`` calls ``answering``) work on files; its answer, and the file ``result``.

        Raises InvalidInput for what the child refuses, or when it broke or hit a bound; Overloaded when too many wait.
        """
        if self._inside >= CHILDREN_MAX + WAITING_MAX:
            raise Overloaded("Too many files are being looked at. Nothing was kept.", retry_after=RETRY_AFTER_S)
        self._inside += 1
        try:
            async with self._at_once:
                with tempfile.TemporaryDirectory(prefix="confined-") as name:
                    return await self._run(module, question, files, result, Path(name))
        finally:
            self._inside -= 1

    async def _run(
        self, module: str, question: Mapping[str, Any], files: Mapping[str, bytes], result: str, folder: Path
    ) -> tuple[dict[str, Any], bytes]:
        await asyncio.to_thread(_lay_out, folder, question, files)
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            str(folder),
            env=environment | {"TMPDIR": str(folder)},
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(self._lasts_s_max):
                await child.wait()
        except TimeoutError:
            raise _broken("it takes too long") from None
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        answer = await asyncio.to_thread(_read, folder / _ANSWER)
        if answer is None:
            raise _broken("what looks at it broke on it")
        refused = json.loads(answer)
        if "refused" in refused:
            raise InvalidInput(str(refused["refused"]), field=refused.get("field", "file"))
        return refused, await asyncio.to_thread(_read, folder / result) or b""


def answering(work: Callable[[Path, dict[str, Any]], dict[str, Any]]) -> None:
    """The child's side: bound oneself, do ``work`` with the folder and the question, write its answer or refusal down."""
    folder = Path(sys.argv[1])
    for kind, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES_MAX),
        (resource.RLIMIT_CPU, CPU_S_MAX),
        (resource.RLIMIT_FSIZE, FILE_BYTES_MAX),
        (resource.RLIMIT_CORE, 0),
    ):
        _bound(kind, most)
    question = json.loads((folder / _QUESTION).read_bytes())
    try:
        answer = work(folder, question)
    except InvalidInput as error:
        answer = {"refused": error.message, "field": error.fields.get("field", "file")}
    except MemoryError:
        answer = {"refused": "The file cannot be taken: it needs too much memory. Make it smaller.", "field": "file"}
    (folder / _ANSWER).write_text(json.dumps(answer))


def _bound(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (bound, bound))


def _lay_out(folder: Path, question: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    (folder / _QUESTION).write_text(json.dumps(question))
    for name, data in files.items():
        (folder / name).write_bytes(data)


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _broken(why: str) -> InvalidInput:
    return InvalidInput(
        f"This cannot be used: {why}. Save it again with another program, or make it smaller.", field="file"
    )
