"""Bad input at every door of the house: what it says, how it exits, and that nothing has changed.

A row of the table: what is done, what comes of it (an exit code, or a status for HTTP), what the message must name (what
is wrong) and what it must advise (what to do). Commands run in this process on a house they share.
"""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
import typer
from tests.fakes.house import a_collection, an_open_lot, running_engine
from typer.testing import CliRunner

from sothebais.api.app import create_app
from sothebais.bootstrap import House
from sothebais.cli.app import app
from sothebais.config import Settings
from sothebais.db import migrations
from sothebais.db.engine import create_engine
from sothebais.embedded import EmbeddedServers
from sothebais.errors import SothebaisError
from sothebais.events import log

NOWHERE = "019d3c5e-0000-7000-8000-000000000000"
USAGE = 2


@dataclass(frozen=True)
class Row:
    """One kind of bad input. ``{tmp}`` in arguments is the folder with ``files``, ``{lot}`` an open lot."""

    name: str
    arguments: list[str]
    code: int
    wrong: str
    advice: str
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Place:
    """The house all rows share."""

    house: House
    lot: UUID
    token: str


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="sb-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        with EmbeddedServers(folder / "servers") as servers:
            assert servers.database_url is not None
            assert servers.redis_url is not None
            settings = Settings(
                data_dir=folder / "data", database_url=servers.database_url, redis_url=servers.redis_url, sandbox=True
            )
            house = House(settings, servers.database_url, servers.redis_url, create_engine(servers.database_url))
            yield asyncio.run(_furnished(house))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _furnished(house: House) -> Place:
    await migrations.upgrade(house.engine)
    async with house.engine.begin() as connection:
        await log.ensure_epoch(connection)
    await a_collection(house, 3, slug="cats")
    async with running_engine(house) as engine:
        lot = await an_open_lot(house, engine)
    parts = house.api_parts(None, house.store())
    _, token = await parts.sessions.sign_in_sandbox("ana")
    await house.engine.dispose()
    return Place(house, lot, token)


async def _row_counts(url: str) -> dict[str, int]:
    connection = await asyncpg.connect(url)
    try:
        names = await connection.fetch(
            "select table_name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'"
        )
        return {
            row["table_name"]: await connection.fetchval(f'select count(*) from "{row["table_name"]}"') for row in names
        }
    finally:
        await connection.close()


def _files(*folders: Path) -> dict[str, str]:
    """Every file's digest, but for logs."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and "logs" not in path.relative_to(folder).parts
    }


def written(folder: Path, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


CAMPAIGN = """\
name: Spring
collection: cats
dates: {start: 2099-03-28}
time_zone: Europe/Berlin
daily: {pre_auction: "18:00", auction: "18:15", lot_duration: 2m, lots_per_day: 2, post_auction: 10m}
rules: {currency: ETH, starting_price: "0.5"}
"""


def campaign(old: str, new: str) -> dict[str, str]:
    assert CAMPAIGN.count(old) == 1
    return {"c.yaml": CAMPAIGN.replace(old, new)}


def create(name: str, files: Mapping[str, str | bytes], wrong: str, advice: str) -> Row:
    return Row(f"YAML: {name}", ["campaign", "create", "{tmp}/c.yaml"], 1, wrong, advice, files)


def imported(name: str, files: Mapping[str, str | bytes], wrong: str, advice: str, *, source: str = "") -> Row:
    return Row(name, ["collection", "import", "{tmp}/in" + source, "--slug", "new"], 1, wrong, advice, files)


def token(**more: Any) -> str:
    return json.dumps({"token_id": "1", "name": "One", "image": "one.png"} | more)


def image(name: str, content: bytes, wrong: str, advice: str) -> Row:
    return imported(f"image: {name}", {"in/1.json": token(), "in/one.png": content}, wrong, advice)


def png(width: int, height: int) -> bytes:
    """The first bytes of a picture that says it is so large."""
    header = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + width.to_bytes(4) + height.to_bytes(4) + b"\x08\x02\x00\x00\x00"
    import zlib

    return header + zlib.crc32(header[12:]).to_bytes(4) + b"\x00\x00\x00\x00IEND\xaeB`\x82"


BIDS = "auction_id,bidder,max_amount,at,starting_price\n"


def past(name: str, content: str | bytes, wrong: str, advice: str, *more: str) -> Row:
    return Row(f"backtest: {name}", ["backtest", "{tmp}/b.csv", *more], 1, wrong, advice, {"b.csv": content})


def setting(name: str, wrong: str, advice: str, **environment: str) -> Row:
    return Row(f"environment: {name}", ["auction", "list"], 1, wrong, advice, environment=environment)


def toml(name: str, text: str, wrong: str, advice: str) -> Row:
    return Row(f"toml: {name}", ["auction", "list"], 1, wrong, advice, {"sothebais.toml": text})


ROWS = [
    # the command line
    Row("CLI: no such command", ["sell"], USAGE, "No such command 'sell'", "--help"),
    Row("CLI: no reason", ["auction", "pause", "{lot}"], USAGE, "Missing option", "--reason"),
    Row("CLI: no such status", ["auction", "list", "--status", "OPEN"], USAGE, "'OPEN'", "ACTIVE"),
    Row("CLI: no id", ["auction", "show", "five"], 1, "'five' is not an auction id", "sothebais auction list"),
    Row("CLI: no such lot", ["auction", "show", NOWHERE], 1, "no auction with this id", ""),
    Row("CLI: no length", ["auction", "extend", "{lot}", "--for", "soon", "--reason", "x"], 1, "--for", "2m"),
    Row("CLI: an empty reason", ["auction", "pause", "{lot}", "--reason", " "], 1, "needs a reason", "reason"),
    Row("CLI: a step on no id", ["auction", "end", "five", "--reason", "x"], 1, "'five' is not an auction id", ""),
    Row("CLI: an exponent", ["bid", "{lot}", "1e3", "--as", "ana"], 1, "'1e3'", '"1.25"'),
    Row("CLI: a negative amount", ["bid", "{lot}", "--as", "ana", "--", "-1"], 1, "'-1'", '"1.25"'),
    Row("CLI: no handle", ["bid", "{lot}", "1", "--as", "a b"], 1, "handle", "letters, digits or underscores"),
    Row("CLI: an unknown operator", ["auction", "pause", "{lot}", "--by", "zed", "--reason", "x"], 1, "@zed", ""),
    Row("CLI: a step out of turn", ["auction", "resume", "{lot}", "--reason", "x"], 1, "ACTIVE", "resumed"),
    Row("CLI: a step on no lot", ["auction", "pause", NOWHERE, "--reason", "x"], 1, "no auction with this id", ""),
    Row("CLI: no campaign to cancel", ["campaign", "cancel", "winter", "--reason", "x"], 1, "winter", ""),
    Row("CLI: no such campaign", ["campaign", "show", "winter"], 1, "winter", "sothebais campaign list"),
    # campaign files
    Row("YAML: no file", ["campaign", "create", "{tmp}/c.yaml"], 1, "c.yaml", "No such file"),
    create("an unquoted amount", campaign('"0.5"', "0.5"), "starting_price", "quote"),
    create("a misspelt field", campaign("time_zone", "timezone"), "timezone", "Did you mean time_zone"),
    create("no zone", campaign("Europe/Berlin", "Europe/Berlln"), "Europe/Berlln", "Europe/Berlin"),
    create("no collection", campaign("collection: cats", "collection: dogs"), "dogs", "Import it first"),
    create("no YAML", {"c.yaml": "name: [Spring"}, "not YAML", "line 1"),
    create("an alias", {"c.yaml": "a: &a [1]\nb: [*a, *a]\n"}, "alias", "write the value out"),
    # collections
    imported("JSON: no JSON", {"in/1.json": "{"}, "1.json", "JSON"),
    imported("JSON: a list of numbers", {"in/1.json": "[1, 2]"}, "1.json", "object"),
    imported("JSON: no name and no picture", {"in/1.json": "{}"}, "1.json", "is missing"),
    imported("JSON: an empty folder", {"in/readme.txt": "hello"}, "in", "json"),
    imported("JSON: NaN", {"in/1.json": '{"name": NaN, "image": "one.png"}'}, "1.json", "JSON"),
    imported("CSV: no header", {"in.csv": "1,One,,one.png\n"}, "in.csv", "token_id", source=".csv"),
    imported("CSV: no UTF-8", {"in.csv": b"token_id,name,image\n1,\xff\xfe,x.png\n"}, "in.csv", "UTF-8", source=".csv"),
    imported("CSV: too many values", {"in.csv": "token_id,name,image\n1,One,x.png,more\n"}, "line 2", "has 4 cells where the first line has 3", source=".csv"),
    imported("source: not there", {}, "in", "not", source="-nowhere"),
    # pictures
    image("text", b"hello", "image", "PNG"),
    image("nothing in it", b"", "image", "empty"),
    image("a bomb", png(60_000, 60_000), "image", "pixels"),
    image("half a picture", png(20, 20), "image", ""),
    image("a vector drawing", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image", "SVG"),
    imported("image: outside the folder", {"in/1.json": token(image="../../etc/passwd")}, "image", "folder"),
    # configuration
    setting("a misspelt name", "SOTHEBAIS_PROT", "sothebais doctor", SOTHEBAIS_PROT="8000"),
    setting("no port", "port", "65535", SOTHEBAIS_PORT="99999"),
    setting("no number", "commit_timeout_s", "number", SOTHEBAIS_COMMIT_TIMEOUT_S="soon"),
    setting("no level", "log_level", "warning", SOTHEBAIS_LOG_LEVEL="loud"),
    setting("no database there", "PostgreSQL", "DATABASE_URL", DATABASE_URL="postgresql://127.0.0.1:1/house"),
    setting("no database address", "postgresql", "Check DATABASE_URL", DATABASE_URL="swordfish"),
    toml("no TOML", "port = = 5", "sothebais.toml", "line 1"),
    toml("an unknown setting", "prot = 8000", "prot", ""),
    toml("a secret", "house_key = \"swordfish\"", "house_key", "environment"),
    # verify
    Row("verify: no file", ["verify", "{tmp}/log.ndjson"], 1, "neither an auction id nor a file", "sothebais auction list"),
    Row("verify: no JSON", ["verify", "{tmp}/l"], 1, "line 2 is not JSON", "", {"l": '{"n": 1}\nhello\n'}),
    Row("verify: empty", ["verify", "{tmp}/l"], 1, "is empty", "", {"l": ""}),
    Row("verify: a list", ["verify", "{tmp}/l"], 1, "line 1 is not a JSON object", "", {"l": "[1]\n"}),
    Row("verify: no log", ["verify", "{tmp}/l"], 1, "Event 1", "", {"l": '{"n": 2}\n'}),
    Row("verify: no key", ["verify", "{lot}", "--public-key", "zz"], 1, "64 hex digits", "GET /api/v1/house-key"),
    Row("verify: no receipt", ["verify", "{lot}", "--receipt", "{tmp}/r"], 1, "There is no file", ""),
    Row("verify: a strange receipt", ["verify", "{lot}", "--receipt", "{tmp}/r"], 1, "receipt", "house's", {"r": "{}"}),
    Row("verify: strange openings", ["verify", "{lot}", "--openings", "{tmp}/o"], 1, "JSON list", '"max_amount"', {"o": "{}"}),
    # backtest
    past("no column", "auction_id,bidder\na,b\n", "line 1: column max_amount is missing", "starting_price"),
    past("no number", BIDS + "a,b,NaN,1,1\n", "line 2, column max_amount", '"1.25"'),
    past("no time", BIDS + "a,b,5,soon,1\n", "line 2, column at", "2.25"),
    past("a value too many", BIDS + "a,b,5,1,1,9\n", "line 2", "5 columns"),
    past("no bids", BIDS, "no bids", "header"),
    past("binary", b"\x00\x01", "NUL byte", "not a CSV file"),
    past("two starting prices", BIDS + "a,b,5,1,1\na,c,6,2,2\n", "Line 3: starting_price", "first bid"),
    past("two policies", BIDS + "a,b,5,1,1\n", "--rules, --increments and --percent", "one of", "--percent", "5", "--increments", "ebay"),
    past("an unknown table", BIDS + "a,b,5,1,1\n", "'amazon'", "ebay", "--increments", "amazon"),
    past("no percentage", BIDS + "a,b,5,1,1\n", "percent", '"1.25"', "--percent", "-5"),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_bad_input_is_named_with_what_to_do_and_changes_nothing(
    place: Place, row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, row.files)
    monkeypatch.chdir(tmp_path)
    data = place.house.settings.data_dir
    own = {
        "DATABASE_URL": place.house.database_url,
        "REDIS_URL": place.house.redis_url,
        "SOTHEBAIS_DATA_DIR": str(data),
        "COLUMNS": "300",
        "NO_COLOR": "1",
        "TERM": "dumb",
    }
    for name, value in (own | dict(row.environment)).items():
        monkeypatch.setenv(name, value)
    before = asyncio.run(_row_counts(place.house.database_url)), _files(data, tmp_path)
    arguments = [one.format(tmp=tmp_path, lot=place.lot) if "{" in one else one for one in row.arguments]
    result = CliRunner().invoke(app, arguments)
    told = " ".join(result.stderr.split())
    error = result.exception
    if isinstance(error, SothebaisError):  # what `main` would say
        told, code = f"{told} {error.message}", 1
    else:
        assert error is None or isinstance(error, SystemExit | typer.Exit), repr(error)
        code = result.exit_code
    assert code == row.code, (code, told, result.stdout)
    assert row.wrong in told
    assert row.advice in told
    assert "Traceback" not in told
    after = asyncio.run(_row_counts(place.house.database_url)), _files(data, tmp_path)
    assert after == before


HTTP_ROWS: list[tuple[str, str, dict[str, Any], int, str, str]] = [
    # method, path, request, status, what is wrong, what to do
    ("GET", "/api/v1/auctions?limit=1000", {}, 422, "limit", "200"),
    ("GET", "/api/v1/auctions?status=OPEN", {}, 422, "status", "ACTIVE"),
    ("GET", "/api/v1/auctions?after=5", {}, 422, "after", "`next`"),
    ("GET", "/api/v1/auctions/five", {}, 404, "no auction", ""),
    ("POST", "/api/v1/auth/sandbox", {"json": {"handle": "a b"}}, 422, "handle", "letters, digits or underscores"),
    ("POST", "/api/v1/auth/sandbox", {"content": b"{"}, 422, "body", "valid"),
    ("POST", "{bids}", {"json": {"amount": "1", "currency": "ETH"}, "anonymous": True}, 401, "session token", "Authorization"),
    ("POST", "{bids}", {"json": {"amount": 1, "currency": "ETH"}}, 422, "amount", "str"),
    ("POST", "{bids}", {"json": {"amount": "1e3", "currency": "ETH"}}, 422, "'1e3'", '"1.25"'),
    ("POST", "{bids}", {"json": {"amount": "1", "currency": "GOLD"}}, 422, "GOLD", "Use one of"),
    ("POST", "{bids}", {"json": {"currency": "ETH"}}, 422, "amount", "needs amount, max_amount or both"),
    ("POST", "{bids}", {"json": {"amount": "2", "max_amount": "1", "currency": "ETH"}}, 422, "max_amount", "not be below"),
    ("POST", "{bids}", {"json": {"amount": "1", "currency": "ETH", "tip": 1}}, 422, "tip", ""),
    ("POST", "{bids}", {"content": b" " * 5_000}, 422, "body", "4096 bytes"),
    ("DELETE", "/api/v1/auctions", {}, 405, "Method", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "request_", "status", "wrong", "advice"), HTTP_ROWS, ids=lambda value: str(value)[:40]
)
def test_a_bad_request_is_a_problem_document_and_changes_nothing(
    place: Place, method: str, path: str, request_: dict[str, Any], status: int, wrong: str, advice: str
) -> None:
    given = dict(request_)
    headers = {} if given.pop("anonymous", False) else {"authorization": f"Bearer {place.token}"}

    async def ask() -> httpx.Response:
        async with running_engine(place.house) as engine:
            store = place.house.store()
            transport = httpx.ASGITransport(app=create_app(place.house.api_parts(engine, store)))
            async with httpx.AsyncClient(transport=transport, base_url="http://house.test") as client:
                address = path.format(bids=f"/api/v1/auctions/{place.lot}/bids")
                answer = await client.request(method, address, headers=headers, **given)
            await store.close()
        await place.house.engine.dispose()
        return answer

    before = asyncio.run(_row_counts(place.house.database_url))
    answer = asyncio.run(ask())
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert wrong in answer.json()["detail"]
    assert advice in answer.json()["detail"]
    assert asyncio.run(_row_counts(place.house.database_url)) == before


def test_the_program_itself_says_it_on_stderr_and_exits_1_without_a_traceback(tmp_path: Path) -> None:
    environment = {**os.environ, "SOTHEBAIS_DATA_DIR": str(tmp_path / "data"), "SOTHEBAIS_LOG_LEVEL": "loud"}
    done = subprocess.run(
        [sys.executable, "-m", "sothebais", "auction", "list"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "log_level" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
