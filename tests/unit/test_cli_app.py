"""The main command: what it lists is what there is, and a list costs nothing."""

import subprocess
import sys

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from sothebais.cli.app import COMMANDS, GROUPS, app

#: What half a house is made of; a list of commands needs none of it.
HEAVY = ("sqlalchemy", "fastapi", "numpy", "av", "pydantic")


def test_the_list_names_every_command_in_order_and_imports_none() -> None:
    program = (
        "import sys; from typer.testing import CliRunner; from sothebais.cli.app import app\n"
        "print(CliRunner().invoke(app, ['--help']).output)\n"
        f"print('imported', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    listed = [line.split()[1] for line in shown.stdout.splitlines() if line.startswith("│ ") and line[2] not in " -"]
    assert listed == [*COMMANDS, *GROUPS]
    assert "imported []" in shown.stdout


@pytest.mark.parametrize("name", [*COMMANDS, *GROUPS])
def test_a_command_is_there_and_says_of_itself_what_the_list_says(name: str) -> None:
    main = typer.main.get_command(app)
    assert isinstance(main, TyperGroup)
    context = main.make_context("sothebais", [name], resilient_parsing=True)
    command = main.get_command(context, name)
    assert command is not None
    assert command.name == name
    about = COMMANDS[name][1] if name in COMMANDS else GROUPS[name][2]
    said = " ".join((command.help or "").split("\n\n")[0].split())
    assert said == about
    assert CliRunner().invoke(app, [name, "--help"]).exit_code == 0


def test_a_name_that_is_no_command_is_refused() -> None:
    result = CliRunner().invoke(app, ["demoo"])
    assert result.exit_code == 2
    assert "No such command 'demoo'" in result.output
