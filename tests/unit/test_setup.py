"""`tools/bootstrap.py`: what a machine with nothing but a Python sees."""

import importlib.util
import os
import stat
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bootstrap() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bootstrap_script", ROOT / "tools" / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def a_python(folder: Path, name: str, body: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_an_interpreter_that_is_found_but_does_not_run_is_passed_over(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a pyenv shim of a version that is not active looks like this
    a_python(tmp_path / "shims", "python3.12", "echo 'pyenv: python3.12: command not found' >&2; exit 127")
    a_python(tmp_path / "home/.pyenv/versions/3.13.9/bin", "python3", f'exec "{sys.executable}" "$@"')
    monkeypatch.setenv("PATH", str(tmp_path / "shims"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    found = bootstrap.find_python()
    assert found is not None
    assert os.path.samefile(found, sys.executable)


def test_an_interpreter_that_is_too_old_is_passed_over(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = a_python(tmp_path, "python3", """echo '["/usr/bin/python3", [3, 11, 7]]'""")
    assert bootstrap.probe(str(old)) is None


def test_pyenv_root_is_looked_into(bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = a_python(tmp_path / "root/versions/3.12.1/bin", "python3", "exit 1")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "root"))
    assert str(wanted) in list(bootstrap.candidates())


def test_no_pip_is_said_plainly(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without_pip = a_python(tmp_path, "python3", "exit 1")
    monkeypatch.setattr(bootstrap.sys, "executable", str(without_pip))
    monkeypatch.setattr(bootstrap, "TOOLS", str(tmp_path / "tools"))
    with pytest.raises(SystemExit):
        bootstrap.bring_uv()
    assert "has no pip" in capsys.readouterr().err


def test_the_lock_has_a_hash_for_every_package_and_names_no_host() -> None:
    for name in ("requirements.lock", "tools/uv.lock.txt"):
        text = (ROOT / name).read_text(encoding="utf-8")
        packages = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert packages
        assert "://" not in text
        blocks = text.split("\n    --hash=sha256:")
        assert len(blocks) > len(packages)
        assert all(line.rstrip().endswith("\\") for line in packages)
