"""What the documents say is true."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from sothebais.cli.app import app
from sothebais.config import Settings

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_lifecycle_diagrams_are_drawn_from_the_code_as_it_is() -> None:
    done = subprocess.run([sys.executable, ROOT / "tools" / "draw_lifecycles.py", "--check"], check=False)
    assert done.returncode == 0, "run `make docs`"


def test_operations_names_every_setting() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    names = {f"SOTHEBAIS_{name.upper()}" for name in Settings.model_fields} - {
        "SOTHEBAIS_DATABASE_URL",
        "SOTHEBAIS_REDIS_URL",
    }
    missing = sorted(name for name in names | {"DATABASE_URL", "REDIS_URL"} if name not in text)
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_inside_the_documents_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", _prose(document)):
        assert (document.parent / target).exists(), f"{document.name} links to {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_the_documents_name_exists(document: Path) -> None:
    runner = CliRunner()
    text = document.read_text(encoding="utf-8")
    for line in re.findall(r"sothebais ((?:[a-z-]+ ?){1,3})", text):
        words = line.split()
        commands = set(_commands())
        if words and words[0] in {name.split()[0] for name in commands}:
            candidates = [" ".join(words[:size]) for size in range(len(words), 0, -1)]
            found = next(name for name in [*candidates, words[0]] if name in commands or name == words[0])
            assert runner.invoke(app, [*found.split(), "--help"]).exit_code == 0


def _prose(document: Path) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)


def _commands() -> list[str]:
    main = typer.main.get_command(app)
    context = main.make_context("sothebais", ["verify", "-"], resilient_parsing=True)

    def walk(group: Any, prefix: str) -> list[str]:
        names = []
        for name in group.list_commands(context) if hasattr(group, "list_commands") else []:
            names += [f"{prefix}{name}", *walk(group.get_command(context, name), f"{prefix}{name} ")]
        return names

    return walk(main, "")


def test_no_module_of_the_package_is_longer_than_five_hundred_lines() -> None:
    modules = [path for path in (ROOT / "src").rglob("*.py") if "migrations/versions" not in path.as_posix()]
    long = {path.name: count for path in modules if (count := len(path.read_text(encoding="utf-8").splitlines())) > 500}
    assert not long
