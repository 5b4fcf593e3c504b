"""``sothebais character`` as somebody types it, and the tables of characters there and back."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from sothebais.bootstrap import metadata
from sothebais.cli.app import app
from sothebais.config import Settings
from sothebais.db import migrations
from sothebais.db.engine import create_engine

FILES = Path(__file__).parent.parent / "data" / "characters"

type Typed = Callable[..., Result]


@pytest.fixture
def typed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Typed:
    assert settings.database_url is not None
    assert settings.redis_url is not None
    monkeypatch.setenv("SOTHEBAIS_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("REDIS_URL", settings.redis_url.get_secret_value())
    runner = CliRunner()
    return lambda *words: runner.invoke(app, ["character", *map(str, words)])


def test_sable_hosts_until_somebody_else_is_imported_and_exported(typed: Typed, tmp_path: Path) -> None:
    shown = typed("show")
    assert shown.exit_code == 0, shown.output
    assert "Sable, version 1" in shown.stdout
    checked = typed("import", FILES / "odile-1.json", "--reason", "x", "--check")
    assert "Odile can host. Nothing was changed." in checked.stdout
    assert json.loads(typed("show", "--json").stdout)["version"] == 1
    imported = typed("import", FILES / "odile-1.json", "--reason", "a guest")
    assert imported.exit_code == 0, imported.output
    assert "dropped secrets" in imported.stdout
    assert "Odile hosts from now on (version 2)." in imported.stdout
    target = tmp_path / "odile.json"
    assert typed("export", target).exit_code == 0
    expected = json.loads((FILES / "odile-1.json").read_text())
    del expected["secrets"]
    assert json.loads(target.read_text()) == expected
    own = tmp_path / "own.json"
    assert typed("export", own, "--format", "own").exit_code == 0
    again = typed("import", own, "--reason", "x", "--format", "own")
    assert "version 2" in again.stdout, "the same once more is no change"


def test_a_bad_file_is_told_place_by_place_and_changes_nothing(typed: Typed, tmp_path: Path) -> None:
    assert typed("show").exit_code == 0
    refused = typed("import", FILES / "broken.json", "--reason", "x")
    assert refused.exit_code == 1
    assert "messageExamples[1] must be a list of lines" in refused.stderr
    for words in (
        ("import", tmp_path / "missing.json", "--reason", "x"),
        ("import", FILES / "odile-1.json", "--reason", " "),
        ("import", FILES / "odile-1.json", "--reason", "x", "--format", "toml"),
        ("import", FILES / "odile-1.json", "--reason", "x", "--by", "nobody"),
        ("export", tmp_path / "no" / "folder.json"),
    ):
        refused = typed(*words)
        assert refused.exit_code == 1, words
        assert refused.stderr.startswith("error:"), words
    assert json.loads(typed("show", "--json").stdout)["version"] == 1


@pytest.mark.filterwarnings("ignore:Did not recognize type 'xid8'")
def test_the_migration_goes_up_and_down_and_leaves_what_was_there(empty_database: str) -> None:
    async def go() -> None:
        engine = create_engine(empty_database, pool_size=1)
        try:
            await migrations.upgrade(engine, "0007")
            async with engine.begin() as connection:
                await connection.execute(
                    sa.text(
                        "insert into characters (id, name, expressions) values (gen_random_uuid(), 'Quill', '{\"neutral\": {}}')"
                    )
                )
            await migrations.upgrade(engine)
            assert await migrations.differences(engine, metadata()) == []
            async with engine.connect() as connection:
                assert (await connection.execute(sa.text("select aside from characters"))).scalar_one() == {}
            await migrations.downgrade(engine, "0007")
            async with engine.connect() as connection:
                kept = (await connection.execute(sa.text("select * from characters"))).one()
                gone = await connection.execute(sa.text("select to_regclass('character_versions')"))
            assert kept.name == "Quill"
            assert "aside" not in kept._fields
            assert gone.scalar_one() is None
            await migrations.upgrade(engine)
            assert await migrations.differences(engine, metadata()) == []
        finally:
            await engine.dispose()

    asyncio.run(go())
