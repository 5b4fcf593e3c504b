"""Node.js and the packages of ``tests/node``, for tests that hold our work against other ecosystems' tools."""

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

NODE = Path(__file__).parents[1] / "node"
INSTALL_TIMEOUT_S = 150


def missing(reason: str) -> None:
    """Announce a skip; in CI, which has Node, it is a failure."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(f"{reason}, and CI must have it")
    pytest.skip(f"{reason}; install Node.js and npm to run this test")


def installed() -> bool:
    """Whether the folder holds exactly the versions asked for."""
    wanted = json.loads((NODE / "package.json").read_text())["devDependencies"]
    for name, version in wanted.items():
        manifest = NODE / "node_modules" / name / "package.json"
        if not manifest.is_file() or json.loads(manifest.read_text())["version"] != version:
            return False
    return True


def node_program(*, packages: bool = True) -> str:
    """The node program; with ``packages`` those of ``tests/node`` lie beside the scripts."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None:
        missing("there is no node here")
    if not packages:
        return str(program)
    if npm is None and not installed():
        missing("there is no npm here")
    with (NODE / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes share the folder
        if not installed():
            command = [str(npm), "install", "--no-package-lock", "--no-audit", "--no-fund"]
            try:
                subprocess.run(command, cwd=NODE, check=True, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
                missing(f"npm could not install the packages of tests/node ({str(error.stderr or error)[-300:]})")
    return str(program)
