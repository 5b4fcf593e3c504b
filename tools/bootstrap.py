"""Build ``.venv``: bring uv, find a Python >= 3.12, install the locked requirements.

Runs on any Python >= 3.8 that has pip, because it is what the Makefile calls first on a machine with nothing
else. Everything it makes lies inside the checkout (``.tools``, ``.venv``); nothing is installed elsewhere.
"""

import glob
import hashlib
import json
import os
import pwd
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOOLS = os.path.join(ROOT, ".tools")
VENV = os.path.join(ROOT, ".venv")
LOCK = os.path.join(ROOT, "requirements.lock")
UV_LOCK = os.path.join(ROOT, "tools", "uv.lock.txt")
MINIMUM = (3, 12)
TRIED_FIRST = ("3.12", "3.13", "3.14")
PROBE = "import sys, ssl, ctypes, json; print(json.dumps([sys.executable, list(sys.version_info[:3])]))"
PROBE_TIMEOUT_S = 20
INSTALL_TIMEOUT_S = 1200
INSTALL_ATTEMPTS = 3


def fail(message):
    sys.stderr.write("setup: " + message + "\n")
    sys.exit(1)


def candidates():
    """Interpreters worth trying, best first: PATH, then pyenv's folders under HOME and under the passwd home."""
    names = ["python" + version for version in TRIED_FIRST] + ["python3", "python"]
    for name in names:
        for folder in os.environ.get("PATH", "").split(os.pathsep):
            path = os.path.join(folder, name)
            if folder and os.access(path, os.X_OK):
                yield path
    roots = [os.environ.get("PYENV_ROOT", "")]
    roots.append(os.path.join(os.path.expanduser("~"), ".pyenv"))
    try:
        roots.append(os.path.join(pwd.getpwuid(os.getuid()).pw_dir, ".pyenv"))
    except KeyError:
        pass  # a container's user without a passwd entry: HOME has been looked at
    for root in [root for root in roots if root]:
        for version in TRIED_FIRST:
            for path in sorted(glob.glob(os.path.join(root, "versions", version + "*", "bin", "python3"))):
                yield path


def probe(path):
    """The absolute interpreter and version behind ``path``, by running it; None if it does not run or is too old."""
    try:
        done = subprocess.run(
            [path, "-I", "-c", PROBE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=PROBE_TIMEOUT_S
        )
        executable, version = json.loads(done.stdout.decode())
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return executable if done.returncode == 0 and tuple(version) >= MINIMUM else None


def find_python():
    seen = set()
    for path in candidates():
        if path in seen:
            continue
        seen.add(path)
        executable = probe(path)
        if executable:
            return executable
    return None


def run(command, env=None, attempts=1):
    for attempt in range(1, attempts + 1):
        try:
            done = subprocess.run(command, env=env, timeout=INSTALL_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            sys.stderr.write("setup: no end after %d s: %s\n" % (INSTALL_TIMEOUT_S, " ".join(command)))
        else:
            if done.returncode == 0:
                return True
        if attempt < attempts:
            sys.stderr.write("setup: try %d of %d failed, again\n" % (attempt, attempts))
    return False


def bring_uv():
    """The uv of ``tools/uv.lock.txt``, put by pip into ``.tools`` (hash-checked); its absolute path."""
    with open(UV_LOCK, "rb") as file:
        stamp = hashlib.sha256(file.read()).hexdigest()[:16]
    folder = os.path.join(TOOLS, "uv-" + stamp)
    binary = os.path.join(folder, "bin", "uv")
    if os.access(binary, os.X_OK):
        return binary
    if subprocess.run([sys.executable, "-m", "pip", "--version"], stdout=subprocess.DEVNULL).returncode != 0:
        fail("%s has no pip. Install it (Debian: apt-get install python3-pip) and run again." % sys.executable)
    print("setup: fetching uv")
    unfinished = folder + ".part"
    shutil.rmtree(unfinished, ignore_errors=True)
    ok = run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        + ["--require-hashes", "--only-binary", ":all:", "--target", unfinished, "-r", UV_LOCK],
        attempts=INSTALL_ATTEMPTS,
    )
    if not ok:
        fail("pip could not fetch uv. Check the network (or PIP_INDEX_URL) and run again.")
    shutil.rmtree(folder, ignore_errors=True)
    os.rename(unfinished, folder)
    return binary


def wanted_stamp(python):
    digest = hashlib.sha256()
    for name in (LOCK, os.path.join(ROOT, "pyproject.toml")):
        with open(name, "rb") as file:
            digest.update(file.read())
    digest.update(python.encode())
    digest.update(ROOT.encode())
    return digest.hexdigest()


def main():
    python = find_python()
    stamp_file = os.path.join(VENV, ".sothebais-stamp")
    stamp = wanted_stamp(python or "uv-managed")
    try:
        with open(stamp_file) as file:
            if file.read() == stamp and probe(os.path.join(VENV, "bin", "python")):
                return
    except OSError:
        pass  # not built yet
    uv = bring_uv()
    env = dict(os.environ, UV_SYSTEM_CERTS="1", UV_NO_PROGRESS="1", VIRTUAL_ENV=VENV)
    # a build's own settings must not leak in from the caller's environment
    for name in ("UV_PYTHON", "UV_PROJECT_ENVIRONMENT", "UV_EXTRA_INDEX_URL", "PYTHONHOME", "PYTHONPATH"):
        env.pop(name, None)
    if python is None:
        print("setup: no Python >= 3.12 found, asking uv for one")
    shutil.rmtree(VENV, ignore_errors=True)
    if not run([uv, "venv", "--quiet", "--python", python or "3.12", VENV], env=env):
        fail(
            "SothebAIs needs Python >= 3.12. None of PATH, $PYENV_ROOT/versions or ~/.pyenv/versions has one that runs, "
            "and uv could not download one. Install Python 3.12 or newer and run again."
        )
    print("setup: installing the locked requirements")
    interpreter = os.path.join(VENV, "bin", "python")
    sync = [uv, "pip", "sync", "--quiet", "--compile-bytecode", "--require-hashes", "--python", interpreter, LOCK]
    if not run(sync, env=env, attempts=INSTALL_ATTEMPTS):
        fail(
            "the locked requirements could not be installed; the lines above say which. Nothing outside .venv changed."
        )
    editable = [
        uv,
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--python",
        interpreter,
        "-e",
        ROOT,
    ]
    if not run(editable, env=env, attempts=INSTALL_ATTEMPTS):
        fail("the package itself could not be installed into .venv; the lines above say why.")
    with open(stamp_file, "w") as file:
        file.write(stamp)
    print("setup: .venv is ready (%s)" % (python or "Python from uv"))


if __name__ == "__main__":
    main()
