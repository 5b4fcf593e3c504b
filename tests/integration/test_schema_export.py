"""What `sothebais schema export` writes, judged by those who read it: PostgreSQL, Prisma, TypeScript, JSON Schema, AsyncAPI."""

import asyncio
import importlib
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import create_async_engine
from tests.fakes.node import NODE, missing, node_program

from sothebais.db.base import Base
from sothebais.embedded import EmbeddedServers
from sothebais.errors import InvalidInput
from sothebais.events.types import CATALOGUE, CHANNELS, ENVELOPES
from sothebais.schema import Format, docs, export, model, typescript
from sothebais.state.models import STATES

ROOT = Path(__file__).parents[2]
ID = "01890a5d-ac96-774b-bcce-b302099a8057"
OTHER_ID = "01890a5d-ac96-774b-bcce-b302099a8058"


def all_metadata() -> sa.MetaData:
    for domain in ("users", "catalog", "campaigns", "auctions", "events", "stream", "agent", "social", "notify"):
        importlib.import_module(f"sothebais.{domain}.tables")
    return docs.import_tables()


METADATA = all_metadata()


def test_a_schema_is_the_same_text_every_time() -> None:
    for format in Format:
        assert export(format, METADATA) == export(format.value, METADATA)


def test_an_unknown_format_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(InvalidInput, match="sql, prisma, jsonschema, asyncapi, typescript"):
        export("xml", METADATA)


def test_every_event_and_state_is_in_every_message_schema() -> None:
    names = {envelope.__name__ for envelope in ENVELOPES.values()} | {state.__name__ for state in STATES.values()}
    defs = json.loads(export(Format.JSONSCHEMA, METADATA))["$defs"]
    assert names <= set(defs)
    document = json.loads(export(Format.ASYNCAPI, METADATA))
    assert names <= set(document["components"]["schemas"])
    interfaces = re.findall(r"^export interface (\w+)", export(Format.TYPESCRIPT, METADATA), re.MULTILINE)
    assert names <= set(interfaces)


@pytest.mark.parametrize("format", [Format.JSONSCHEMA, Format.ASYNCAPI])
def test_no_reference_leads_nowhere(format: Format) -> None:
    document = json.loads(export(format, METADATA))
    references = set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)))
    assert references
    for reference in references:
        place = document
        for part in reference.split("/"):
            place = place[part]


def test_the_channels_of_the_asyncapi_document_carry_the_types_of_the_catalogue() -> None:
    document = json.loads(export(Format.ASYNCAPI, METADATA))
    messages = document["components"]["messages"]
    found = {
        messages[message["$ref"].rpartition("/")[2]]["name"]: channel["address"]
        for channel in document["channels"].values()
        for message in channel["messages"].values()
        if channel["address"].startswith("events:")
    }
    assert found == dict(CHANNELS)


def test_docs_schema_md_is_what_the_models_say() -> None:
    written = (ROOT / "docs" / "schema.md").read_text("utf-8")
    assert written == docs.render(METADATA), "run: python -m sothebais.schema.docs > docs/schema.md"


def test_the_documentation_names_every_table_key_channel_and_type() -> None:
    text = docs.render(METADATA)
    for table in METADATA.tables.values():
        assert f"{model.class_of(table).__name__} (`{table.name}`)" in text
    for name in [*STATES, *CATALOGUE, *CHANNELS.values()]:
        assert f"`{name}`" in text
    assert "{{" not in text
    links = set(re.findall(r"\]\(#([^)]+)\)", text))
    headings = {line.lstrip("# ").lower() for line in text.splitlines() if line.startswith("#")}
    assert links <= headings


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="schema-"))
    folder.chmod(0o755)  # the embedded server may run under an account of its own
    try:
        with EmbeddedServers(folder, valkey=False) as servers:
            assert servers.database_url is not None
            yield servers.database_url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def in_new_database[T](server_url: str, name: str, work: Callable[[str, asyncpg.Connection], Awaitable[T]]) -> T:
    admin = await asyncpg.connect(server_url)
    try:
        await admin.execute(f"CREATE DATABASE {name}")
    finally:
        await admin.close()
    url = sa.make_url(server_url).set(database=name).render_as_string(hide_password=False)
    connection = await asyncpg.connect(url)
    try:
        return await work(url, connection)
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def exported_url(server_url: str) -> str:
    """A database made by nothing but the exported text."""

    async def make(url: str, connection: asyncpg.Connection) -> str:
        await connection.execute(export(Format.SQL, METADATA))
        return url

    return asyncio.run(in_new_database(server_url, "exported", make))


@pytest.mark.filterwarnings("ignore:Did not recognize type 'xid8'")
async def test_the_sql_text_makes_the_tables_of_the_models(exported_url: str) -> None:
    def differences(connection: sa.Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, METADATA))

    engine = create_async_engine(sa.make_url(exported_url).set(drivername="postgresql+asyncpg"))
    try:
        async with engine.connect() as connection:
            assert await connection.run_sync(differences) == []
            names = await connection.scalars(
                sa.text(
                    "select conname from pg_constraint where contype = 'c' and connamespace = 'public'::regnamespace"
                )
            )
            expected = {
                model.name_of(constraint)
                for table in METADATA.tables.values()
                for constraint in table.constraints
                if isinstance(constraint, sa.CheckConstraint)
            }
            assert set(names) == expected
    finally:
        await engine.dispose()


async def test_sql_text_that_was_tampered_with_is_refused_by_postgresql(server_url: str) -> None:
    text = export(Format.SQL, METADATA)
    assert "REFERENCES users (id)" in text

    async def run(_: str, connection: asyncpg.Connection) -> None:
        with pytest.raises(asyncpg.UndefinedTableError):
            await connection.execute(text.replace("REFERENCES users (id)", "REFERENCES nobody (id)", 1))

    await in_new_database(server_url, "tampered", run)


USER = f"insert into users (id, name) values ('{ID}', 'Ana')"
CHARACTER = "insert into characters (id, name, expressions) values ('{}', '{}', '{{\"neutral\": {{}}}}')"
STREAM = "insert into streams (id, width, height, fps, scene{}) values ('{}', {}, 720, 30, '{{}}'{})"
POST = (
    "insert into posts (id, platform, direction, text, kind, result{}) values ('{}', 'x', 'SENT', 't', 'REPLY', '{}'{})"
)

ASSET = (
    "insert into stream_assets (id, name, type, path, sha256, size, media_type) values "
    f"('{ID}', 'a', 'PROP', '../../etc/passwd', decode(repeat('00', 32), 'hex'), 1, 'image/png')"
)
WEBHOOK = (
    "insert into webhooks (id, user_id, name, url, secret) values "
    f"('{ID}', '{ID}', 'a', 'file:///etc/passwd', decode(repeat('00', 32), 'hex'))"
)


@pytest.mark.parametrize(
    ("statements", "constraint"),
    [
        ([f"insert into follows (id, user_id) values ('{ID}', '{ID}')"], "ck_follows_follows_one_thing"),
        ([CHARACTER.format(ID, "")], "ck_characters_name_length"),
        ([CHARACTER.format(ID, "Sable").replace("neutral", "happy")], "ck_characters_default_expression_known"),
        (
            [
                CHARACTER.format(ID, "Sable"),
                CHARACTER.format(OTHER_ID, "Rook"),
                "update characters set is_default = true",
            ],
            "uq_characters_is_default",
        ),
        ([STREAM.format("", ID, 1281, "")], "ck_streams_canvas_even"),
        ([STREAM.format(", status", ID, 1280, ", 'ENDED'")], "ck_streams_end_when_over"),
        ([STREAM.format(", status", ID, 1280, ", 'PARTY'")], "ck_streams_streamstatus"),
        ([POST.format("", ID, "QUEUED", "")], "ck_posts_sent_once"),
        ([POST.format(", idempotency_key", ID, "SENT", ", 'k'")], "ck_posts_sent_has_id"),
        (
            [
                POST.format(", idempotency_key", ID, "QUEUED", ", 'k'"),
                POST.format(", idempotency_key", OTHER_ID, "QUEUED", ", 'k'"),
            ],
            "uq_posts_idempotency_key",
        ),
        (
            [
                CHARACTER.format(ID, "Sable"),
                f"insert into memories (id, character_id, kind, text) values ('{ID}', '{ID}', 'LONG_TERM', 't')",
            ],
            "ck_memories_about_somebody_or_something",
        ),
        (
            [ASSET],
            "ck_stream_assets_path_inside_store",
        ),
        (
            [WEBHOOK],
            "ck_webhooks_url_http",
        ),
    ],
)
async def test_the_database_refuses_what_must_never_be(
    exported_url: str, statements: list[str], constraint: str
) -> None:
    connection = await asyncpg.connect(exported_url)
    transaction = connection.transaction()
    await transaction.start()
    try:
        for statement in [USER, *statements[:-1]]:
            await connection.execute(statement)
        with pytest.raises(asyncpg.IntegrityConstraintViolationError) as refused:
            await connection.execute(statements[-1])
        assert refused.value.constraint_name == constraint
    finally:
        await transaction.rollback()
        await connection.close()


@pytest.fixture(scope="module")
def node() -> str:
    """The node program, with the packages of ``tests/node`` beside the scripts."""
    return node_program()


def check(node: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [node, str(NODE / "check.cjs"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def compiled(folder: Path, **files: str) -> subprocess.CompletedProcess[str]:
    for name, text in files.items():
        (folder / f"{name}.ts").write_text(text)
    tsc = NODE / "node_modules" / ".bin" / "tsc"
    options = ["--noEmit", "--strict", "--noImplicitAny", "--target", "es2022", "--module", "esnext"]
    command = [str(tsc), *options, "--moduleResolution", "bundler", *(f"{name}.ts" for name in files)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.node
def test_prisma_understands_every_table_column_and_relation(node: str, tmp_path: Path) -> None:
    file = tmp_path / "schema.prisma"
    file.write_text(export(Format.PRISMA, METADATA))
    result = check(node, "prisma", file)
    assert result.returncode == 0, result.stderr
    understood = json.loads(result.stdout)
    models = {found["dbName"]: found for found in understood["models"]}
    assert set(models) == set(METADATA.tables)
    assert {enum["name"] for enum in understood["enums"]} == set(model.enums(METADATA))
    for table in METADATA.tables.values():
        fields = models[table.name]["fields"]
        scalars = {field.get("dbName") or field["name"] for field in fields if field["kind"] != "object"}
        # Prisma leaves columns of types it does not know out of what its clients see
        known = {column.name for column in table.columns if "xid8" not in model.sql_type(column.type)}
        assert scalars == known
        ours = {tuple(f["relationFromFields"]) for f in fields if f["kind"] == "object" and f["relationFromFields"]}
        assert len(ours) == len(model.foreign_keys(table))
        for field in fields:
            if field["kind"] != "object" and not field["isList"]:
                column = table.columns[field.get("dbName") or field["name"]]
                assert field["isRequired"] is not column.nullable, f"{table.name}.{column.name}"


@pytest.mark.node
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("@db.Decimal(38, 18)", "@db.Timestamptz(6)"),
        ('@relation("Bid_auction")', '@relation("Bid_nothing")'),
        ("references: [id]", "references: [nothing]"),
        ("model User {", "model Bid {"),
        ('provider = "postgresql"', 'provider = "parchment"'),
    ],
)
def test_prisma_refuses_a_schema_that_was_tampered_with(node: str, tmp_path: Path, old: str, new: str) -> None:
    text = export(Format.PRISMA, METADATA)
    assert old in text
    file = tmp_path / "schema.prisma"
    file.write_text(text.replace(old, new, 1))
    assert check(node, "prisma", file).returncode == 1


USAGE = """\
import type { Amount, AuctionState, Event, EventOf, EventType, PlaceBidBody, Step, ApiStep, RedisStates } from "./schema";
import { CHANNELS } from "./schema";

export function price(event: Event): Amount | null {
  switch (event.type) {
    case "auction:bid:accepted":
      return event.data.price;
    case "auction:winner":
      return event.data.price;
    default:
      return null;
  }
}

export function leader(event: EventOf<"auction:bid:accepted">): string | null {
  return event.data.leader;
}

export const seen: EventType = "chat:message";
export const bid: PlaceBidBody = { amount: "1.5" };
export const answer: ApiStep = { done: true, note: "" };
export const state = (states: RedisStates): AuctionState => states["auction:{id}"];
export const channel: "events:auction" = CHANNELS.auction;
export const until = (step: Step): number => step.ends_at;
"""


class PlaceBid(BaseModel):
    """A bid as a client sends it."""

    amount: str
    max_amount: str | None = None
    confirm: bool = False


class Step(BaseModel):
    """Named like a part of the events, and something else."""

    done: bool
    note: str = ""


def typescript_module() -> str:
    return export(Format.TYPESCRIPT, METADATA, requests={"PlaceBidBody": PlaceBid}, answers={"Step": Step})


@pytest.mark.node
def test_typescript_compiles_in_strict_mode_and_narrows_events_by_type(node: str, tmp_path: Path) -> None:
    result = compiled(tmp_path, schema=typescript_module(), usage=USAGE)
    assert result.returncode == 0, result.stdout


@pytest.mark.node
@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("usage", "event.data.leader", "event.data.hidden_maximum"),
        ("usage", '"chat:message"', '"chat:party"'),
        ("usage", 'case "auction:winner"', 'case "auction:party"'),
        ("usage", 'amount: "1.5"', "amount: 1.5"),
        ("usage", 'done: true, note: ""', "done: true"),
        ("usage", "step.ends_at", "step.done"),
        ("schema", "export type Amount = string;", ""),
        ("schema", "readonly leader: EventId | null;", "readonly leader: number;"),
    ],
)
def test_typescript_that_was_tampered_with_does_not_compile(
    node: str, tmp_path: Path, file: str, old: str, new: str
) -> None:
    files = {"schema": typescript_module(), "usage": USAGE}
    assert old in files[file]
    files[file] = files[file].replace(old, new)
    result = compiled(tmp_path, **files)
    assert result.returncode != 0
    assert "error TS" in result.stdout


def test_typescript_has_no_any() -> None:
    code = re.sub(r"/\*\*.*?\*/|//[^\n]*", "", typescript_module(), flags=re.DOTALL)
    assert not re.search(r"\bany\b|\bunknown\b", code)


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "null"}]}}, "readonly (string | null)[]"),
        ({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]}, "readonly [number, string]"),
        ({"type": ["integer", "number", "null"]}, "number | null"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "{ readonly [key: string]: number }"),
        ({"type": "object"}, "{ readonly [key: string]: JsonValue }"),
        ({"enum": ["a", 1, None]}, '"a" | 1 | null'),
        ({"type": "object", "properties": {"a-b": {"type": "boolean"}}}, '{\n  readonly "a-b"?: boolean;\n}'),
        ({}, "JsonValue"),
        (False, "never"),
    ],
)
def test_typescript_types_of_json_schemas(schema: Any, text: str) -> None:
    assert typescript.type_of(schema) == text


@pytest.mark.node
def test_the_json_schema_judges_events_and_states_as_the_models_do(node: str, tmp_path: Path) -> None:
    schema, values = tmp_path / "schema.json", tmp_path / "values.json"
    schema.write_text(export(Format.JSONSCHEMA, METADATA))
    event = {
        "id": ID,
        "timestamp": 1_767_225_600_000,
        "source": "auction-engine",
        "subject": f"auction:{ID}",
        "type": "auction:reserve:met",
        "data": {"reserve": "1.5", "salt": "0" * 64},
    }
    state = {
        "id": ID,
        "name": "Spring",
        "status": "ACTIVE",
        "current_day": 1,
        "total_days": 7,
        "current_session": None,
        "n": 3,
    }
    untyped = {name: value for name, value in event.items() if name != "type"}
    cases = [
        (event, True),
        (state, True),
        ({**event, "surprise": 1}, False),
        ({**event, "type": "auction:party"}, False),
        ({**event, "data": {**event["data"], "reserve": 1.5}}, False),
        (untyped, False),
        ({**state, "status": "SOMEHOW"}, False),
        ({}, False),
    ]
    values.write_text(json.dumps([value for value, _ in cases]))
    result = check(node, "jsonschema", schema, values)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == [expected for _, expected in cases]


@pytest.mark.node
def test_the_asyncapi_document_is_valid_by_its_specification(node: str, tmp_path: Path) -> None:
    file = tmp_path / "asyncapi.json"
    file.write_text(export(Format.ASYNCAPI, METADATA))
    result = check(node, "asyncapi", file)
    assert result.returncode == 0, result.stderr


@pytest.mark.node
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"asyncapi": "3.0.0"', '"asyncapi": "1.0.0"'),
        ('"action": "send"', '"action": "shout"'),
        ('"protocol": "redis"', '"protocol": 7'),
        ('"channels": {', '"canals": {'),
    ],
)
def test_an_asyncapi_document_that_was_tampered_with_is_refused(node: str, tmp_path: Path, old: str, new: str) -> None:
    text = export(Format.ASYNCAPI, METADATA)
    assert old in text
    file = tmp_path / "asyncapi.json"
    file.write_text(text.replace(old, new, 1))
    assert check(node, "asyncapi", file).returncode == 1


def test_a_machine_without_node_skips_and_ci_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no node here"):
        missing("there is no node here")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="CI must have it"):
        missing("there is no node here")


def test_all_tables_belong_to_one_metadata() -> None:
    assert METADATA is Base.metadata
    assert len({model.class_of(table) for table in METADATA.tables.values()}) == len(METADATA.tables)
