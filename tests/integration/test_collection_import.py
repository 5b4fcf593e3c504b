"""Collections into a real PostgreSQL and a real asset store: once, again, broken and hostile."""

import asyncio
import base64
import contextlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from PIL import Image
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner

from sothebais import ids
from sothebais.catalog import service, sources
from sothebais.catalog.assets import AssetStore
from sothebais.catalog.fetch import Fetcher, FetchLimits, is_public
from sothebais.catalog.service import ImportReport, import_collection
from sothebais.catalog.tables import ArtItem, Collection
from sothebais.cli import collection as cli
from sothebais.cli import house
from sothebais.config import Settings
from sothebais.db import migrations
from sothebais.db.engine import create_engine
from sothebais.embedded import EmbeddedServers
from sothebais.errors import ConfigurationError, InvalidInput, NotFound
from sothebais.users.tables import SocialAccount, User

NOUNS = Path(__file__).parents[1] / "data" / "nouns"
QUICK = FetchLimits(connect_s=1, silence_s=1, total_s=2, tries_max=2, pause_s=0.01, bytes_max=200_000)


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="sci-"))
    folder.chmod(0o755)
    with EmbeddedServers(folder / "data", valkey=False) as servers:
        assert servers.database_url is not None

        async def prepare(url: str) -> None:
            engine = create_engine(url)
            await migrations.upgrade(engine)
            await engine.dispose()

        asyncio.run(prepare(servers.database_url))
        yield servers.database_url
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    made = create_engine(database)
    async with made.begin() as connection:
        await connection.execute(sa.delete(Collection))
    yield made
    await made.dispose()


@pytest.fixture
def store(tmp_path: Path) -> AssetStore:
    return AssetStore.in_data_dir(tmp_path / "data")


def png(colour: str = "red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(out, "PNG")
    return out.getvalue()


def item(number: int, **changes: Any) -> dict[str, Any]:
    return {"name": f"Piece {number}", "description": "", "image": "1.png", **changes}


def folder(root: Path, items: dict[str, Any]) -> Path:
    """A source: file names and their contents, JSON unless bytes; always with a picture ``1.png``."""
    root.mkdir(exist_ok=True)
    (root / "1.png").write_bytes(png())
    for name, content in items.items():
        (root / name).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return root


async def rows(engine: AsyncEngine) -> list[tuple[Any, ...]]:
    """Every row with its ``xmin``, which changes with each update."""
    async with engine.connect() as connection:
        found = await connection.execute(
            sa.text(
                "select c.xmin::text, c.*, a.xmin::text, a.* from collections c left join art_items a on a.collection_id = c.id order by a.position, a.id"
            )
        )
        return [tuple(row) for row in found]


async def items(engine: AsyncEngine) -> list[Any]:
    async with engine.connect() as connection:
        return list(await connection.execute(sa.select(ArtItem.__table__).order_by(ArtItem.position)))


def files(root: Path) -> dict[str, tuple[int, int, bytes]]:
    return {
        str(path.relative_to(root)): (path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes())
        for path in root.rglob("*")
        if path.is_file()
    }


def counts(report: ImportReport) -> tuple[int, int, int, int]:
    return report.added, report.changed, report.unchanged, len(report.failed)


# --- what goes in ---


async def test_real_nouns_go_in_whole_and_in_order(engine: AsyncEngine, store: AssetStore) -> None:
    seen: list[tuple[int, int]] = []
    report = await import_collection(
        engine, store, NOUNS, name="Nouns", progress=lambda done, total: seen.append((done, total))
    )
    assert counts(report) == (12, 0, 0, 0)
    assert (report.slug, report.collection, seen[-1]) == ("nouns", "added", (12, 12))
    found = await items(engine)
    assert [row.token_id for row in found] == [str(number) for number in range(1, 13)]
    first = found[0]
    assert (first.name, first.asset_width, first.asset_height, first.asset_media_type) == (
        "Noun 1",
        640,
        640,
        "image/png",
    )
    assert first.metadata == json.loads((NOUNS / "1.json").read_text())
    picture = Image.open(io.BytesIO(store.get(first.asset_path)))
    original = Image.open(NOUNS / "images" / "1.png")
    assert picture.convert("RGBA").tobytes() == original.convert("RGBA").tobytes()


async def test_a_second_import_changes_nothing(engine: AsyncEngine, store: AssetStore, tmp_path: Path) -> None:
    await import_collection(engine, store, NOUNS, slug="nouns")
    before, kept = await rows(engine), files(tmp_path / "data")
    report = await import_collection(engine, store, NOUNS, slug="nouns")
    assert counts(report) == (0, 0, 12, 0)
    assert (report.collection, report.files_written) == ("unchanged", 0)
    assert await rows(engine) == before
    assert files(tmp_path / "data") == kept


async def test_only_what_changed_is_changed_and_nothing_is_deleted(
    engine: AsyncEngine, store: AssetStore, tmp_path: Path
) -> None:
    source = folder(tmp_path / "s", {f"{number}.json": item(number) for number in range(1, 5)})
    await import_collection(engine, store, source, name="Four")
    ids_before = {row.token_id: row.id for row in await items(engine)}
    (source / "2.json").write_text(json.dumps(item(2, name="Renamed")))
    (source / "3.json").unlink()
    (source / "4.json").write_bytes(b"{")
    (source / "5.json").write_text(json.dumps(item(5)))
    report = await import_collection(engine, store, source, name="Four")
    assert counts(report) == (1, 1, 1, 1)
    assert report.absent == 2
    found = {row.token_id: row for row in await items(engine)}
    assert {token: found[token].id for token in ids_before} == ids_before
    assert found["2"].name == "Renamed"
    assert found["4"].name == "Piece 4"


async def test_a_picture_lost_from_the_store_is_put_back(
    engine: AsyncEngine, store: AssetStore, tmp_path: Path
) -> None:
    source = folder(tmp_path / "s", {"1.json": item(1)})
    await import_collection(engine, store, source)
    key = (await items(engine))[0].asset_path
    path = store.local_path(key)
    assert path is not None
    path.unlink()
    report = await import_collection(engine, store, source)
    assert (counts(report), report.files_written) == ((0, 0, 1, 0), 1)
    assert store.get(key)


async def test_a_picture_seen_before_is_not_decoded_again(
    engine: AsyncEngine, store: AssetStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = folder(tmp_path / "s", {"1.json": item(1)})
    await import_collection(engine, store, source)
    before = await rows(engine)
    with monkeypatch.context() as patch:
        patch.setattr(service.images, "normalise", None)  # type: ignore[attr-defined]
        assert counts(await import_collection(engine, store, source)) == (0, 0, 1, 0)
    for note in (tmp_path / "data" / "assets" / "known").rglob("*.json"):
        note.write_bytes(b'{"key": "../../etc/passwd"}')
    assert counts(await import_collection(engine, store, source)) == (0, 0, 1, 0)
    assert await rows(engine) == before


async def test_order_is_natural_and_the_readme_is_no_item(
    engine: AsyncEngine, store: AssetStore, tmp_path: Path
) -> None:
    names = ("1.json", "2.json", "10.json", "9", "README.md", "_metadata.json", ".hidden.json", "notes.txt")
    source = folder(tmp_path / "s", {name: item(1) for name in names})
    (source / "images.json").mkdir()
    report = await import_collection(engine, store, source)
    assert counts(report) == (4, 0, 0, 0)
    assert [row.token_id for row in await items(engine)] == ["1", "2", "9", "10"]


async def test_more_items_than_a_batch_go_in(engine: AsyncEngine, store: AssetStore, tmp_path: Path) -> None:
    count = service.BATCH_ITEMS * 2 + 3
    source = tmp_path / "all.json"
    source.write_text(json.dumps([item(number) for number in range(count)]))
    (tmp_path / "1.png").write_bytes(png())
    for expected in ((count, 0, 0, 0), (0, 0, count, 0)):
        assert counts(await import_collection(engine, store, source)) == expected
    assert [row.position for row in await items(engine)] == list(range(1, count + 1))


async def test_two_imports_at_once_make_one_collection(engine: AsyncEngine, store: AssetStore) -> None:
    reports = await asyncio.gather(*(import_collection(engine, store, NOUNS, name="Nouns") for _ in range(3)))
    assert sum(report.added for report in reports) == 12
    assert sum(report.unchanged for report in reports) == 24
    assert len(await items(engine)) == 12


async def test_a_table_goes_in(engine: AsyncEngine, store: AssetStore, tmp_path: Path) -> None:
    folder(tmp_path, {})
    source = tmp_path / "pieces.csv"
    source.write_bytes(
        '\ufefftoken_id,name,description,image,Hat,Größe\r\n7,"Sieben, rot","zwei\r\nZeilen",1.png,red,\r\n\r\n8,Acht,,1.png,,groß\r\n'.encode()
    )
    assert counts(await import_collection(engine, store, source)) == (2, 0, 0, 0)
    seven, eight = await items(engine)
    assert (seven.token_id, seven.name, seven.description) == ("7", "Sieben, rot", "zwei\nZeilen")
    assert seven.metadata["attributes"] == [{"trait_type": "Hat", "value": "red"}]
    assert eight.metadata["attributes"] == [{"trait_type": "Größe", "value": "groß"}]


async def test_names_with_spaces_and_links_inside_the_folder_are_found(
    engine: AsyncEngine, store: AssetStore, tmp_path: Path
) -> None:
    source = folder(
        tmp_path / "s",
        {
            "1.json": item(1, image="my%20art.png"),
            "2.json": item(2, image="./a%20b.png"),
            "3.json": item(3, image="link.png"),
        },
    )
    (source / "my art.png").write_bytes(png("blue"))
    (source / "a%20b.png").write_bytes(png("green"))
    (source / "link.png").symlink_to("1.png")
    assert counts(await import_collection(engine, store, source)) == (3, 0, 0, 0)


async def test_what_is_not_given_again_stays(engine: AsyncEngine, store: AssetStore, tmp_path: Path) -> None:
    source = folder(tmp_path / "s", {"1.json": item(1)})
    user = ids.new_id()
    async with engine.begin() as connection:
        await connection.execute(sa.insert(User).values(id=user, name="Ana"))
    await import_collection(
        engine,
        store,
        source,
        slug="x",
        name="Ex",
        description="d",
        seller=user,
        blockchain="base",
        contract_address="0x" + "a" * 40,
    )
    report = await import_collection(engine, store, source, slug="x")
    assert report.collection == "unchanged"
    report = await import_collection(engine, store, source, slug="x", name="Why")
    assert report.collection == "changed"
    async with engine.connect() as connection:
        row = (await connection.execute(sa.select(Collection.__table__))).one()
    assert (row.name, row.description, row.seller_id, row.blockchain) == ("Why", "d", user, "base")


async def test_an_asset_store_of_another_kind_works(engine: AsyncEngine) -> None:
    memory = AssetStore("memory://house/assets")
    assert counts(await import_collection(engine, memory, NOUNS)) == (12, 0, 0, 0)
    report = await import_collection(engine, memory, NOUNS)
    assert (counts(report), report.files_written) == ((0, 0, 12, 0), 0)
    key = (await items(engine))[0].asset_path
    assert memory.get(key).startswith(b"\x89PNG")
    assert memory.local_path(key) is None


def test_an_asset_has_no_other_name_than_its_hash(store: AssetStore, tmp_path: Path) -> None:
    kept = store.put(b"abc", "png")
    assert kept.key == f"stream/nfts/{kept.sha256.hex()[:2]}/{kept.sha256.hex()}.png"
    assert not store.put(b"abc", "png").written
    for key in (
        "../../etc/passwd",
        "/etc/passwd",
        kept.key.replace("nfts", "nfts/.."),
        kept.key + "/..",
        f"stream/nfts/00/{kept.sha256.hex()}.png",
        "",
    ):
        with pytest.raises(NotFound):
            store.get(key)
    with pytest.raises(ValueError, match="extension"):
        store.put(b"abc", "../x")
    with pytest.raises(ConfigurationError):
        AssetStore("nosuchscheme://bucket")
    assert [path.name for path in (tmp_path / "data").rglob("*") if path.is_file()] == [f"{kept.sha256.hex()}.png"]


# --- what is left out ---


async def test_bad_items_are_named_and_the_rest_goes_in(engine: AsyncEngine, store: AssetStore, tmp_path: Path) -> None:
    source = folder(
        tmp_path / "s",
        {
            "1.json": item(1),
            "2.json": b"{not json",
            "3.json": b"",
            "4.json": item(4, name=None),
            "5.json": item(5, image="none.png"),
            "6.json": item(6, image="6.svg"),
            "6.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            "7.json": item(7, attributes=[{"trait_type": "x"}]),
            "8.json": b"[" * 50_000,
            "9.json": item(9, description="nul \u0000 inside"),
            "10.json": item(10, image="cut.png"),
            "cut.png": png()[:40],
            "11.json": ["a list"],
            "12.json": b'\xef\xbb\xbf{"name": "Twelve", "image": "1.png"}',
            "007.json": item(7, name="Bond"),
        },
    )
    report = await import_collection(engine, store, source)
    assert [row.token_id for row in await items(engine)] == ["1", "7", "9", "12"]
    assert {(fault.file, fault.token_id, fault.field) for fault in report.failed} == {
        ("2.json", None, None),
        ("3.json", None, None),
        ("4.json", None, "name"),
        ("5.json", "5", "image"),
        ("6.json", "6", "image"),
        ("7.json", None, "attributes[0].value"),
        ("8.json", None, None),
        ("10.json", "10", "image"),
        ("11.json", None, None),
    }
    assert counts(report) == (4, 0, 0, 9)
    assert all(fault.message for fault in report.failed)


async def test_the_second_item_with_a_token_id_is_a_fault(
    engine: AsyncEngine, store: AssetStore, tmp_path: Path
) -> None:
    folder(tmp_path, {})
    source = tmp_path / "all.json"
    source.write_text(json.dumps([item(1, token_id=5), item(2, token_id="005"), item(3, token_id=6)]))
    report = await import_collection(engine, store, source)
    assert counts(report) == (2, 0, 0, 1)
    assert (report.failed[0].file, report.failed[0].field) == ("all.json[1]", "token_id")
    assert "all.json[0]" in report.failed[0].message
    assert [row.name for row in await items(engine)] == ["Piece 1", "Piece 3"]


@pytest.mark.parametrize(
    "image",
    [
        "../secret.png",
        "/etc/passwd",
        "a/../../secret.png",
        "%2e%2e/secret.png",
        "%2Fetc%2Fpasswd",
        "..\\secret.png",
        "out.png",
        "outdir/secret.png",
        "fifo.png",
        "device.png",
        "sub",
        "1.png/x",
        "x" * 300,
        "nul\u0000.png",
        "loop.png",
        "http:1.png",
        "file:///etc/passwd",
    ],
)
async def test_nothing_outside_the_folder_and_no_special_file_is_read(
    engine: AsyncEngine, store: AssetStore, tmp_path: Path, image: str
) -> None:
    (tmp_path / "secret.png").write_bytes(png())
    source = folder(tmp_path / "s", {"1.json": item(1, image=image)})
    (source / "out.png").symlink_to("../secret.png")
    (source / "outdir").symlink_to("..")
    (source / "device.png").symlink_to("/dev/zero")
    (source / "loop.png").symlink_to("loop.png")
    (source / "sub").mkdir()
    os.mkfifo(source / "fifo.png")
    report = await asyncio.wait_for(import_collection(engine, store, source), 10)
    assert counts(report) == (0, 0, 0, 1)
    assert report.failed[0].field == "image"
    assert "root:" not in report.failed[0].message
    assert await rows(engine) == []


async def test_special_files_among_the_items_are_faults(engine: AsyncEngine, store: AssetStore, tmp_path: Path) -> None:
    (tmp_path / "outside.json").write_text(json.dumps(item(3)))
    source = folder(tmp_path / "s", {"1.json": item(1)})
    os.mkfifo(source / "2.json")
    (source / "3.json").symlink_to("../outside.json")
    (source / "4.json").symlink_to("/dev/zero")
    (source / "5.json").symlink_to("nowhere")
    report = await asyncio.wait_for(import_collection(engine, store, source), 10)
    assert counts(report) == (1, 0, 0, 4)
    assert [fault.file for fault in report.failed] == ["2.json", "3.json", "4.json", "5.json"]


def bad_sources(root: Path) -> dict[str, Path]:
    plain: dict[str, bytes] = {
        "empty.json": b"",
        "not.json": b"hello",
        "object.json": b'{"name": "one"}',
        "none.json": b"[]",
        "deep.json": b"[" * 100_000,
        "utf16.json": "[]".encode("utf-16"),
        "empty.csv": b"",
        "header.csv": b"token_id,name,description,image\n",
        "columns.csv": b"id,title\n1,x\n",
        "twice.csv": b"name,image,name\nx,1.png,y\n",
        "unnamed.csv": b"name,image,\nx,1.png,y\n",
        "nul.csv": b"name,image\nx\x00,1.png\n",
        "latin.csv": b"name,image\n\xe9,1.png\n",
        "quote.csv": b'name,image\n"x,1.png\n',
        "wide.csv": ("name,image," + ",".join(f"t{i}" for i in range(200)) + "\nx,1.png\n").encode(),
    }
    for name, data in plain.items():
        (root / name).write_bytes(data)
    (root / "hollow").mkdir()
    os.mkfifo(root / "pipe.json")
    return {name: root / name for name in (*plain, "hollow", "pipe.json", "missing", "object.json/x", "a\x00b")} | {
        "device": Path("/dev/zero")
    }


async def test_a_source_that_cannot_be_used_changes_nothing(
    engine: AsyncEngine, store: AssetStore, tmp_path: Path
) -> None:
    for name, path in bad_sources(tmp_path).items():
        with pytest.raises(InvalidInput) as caught:
            await asyncio.wait_for(import_collection(engine, store, path, slug="x"), 10)
        assert caught.value.fields.get("field") == "source", name
    assert await rows(engine) == []


async def test_rows_of_a_table_that_do_not_fit_are_faults(
    engine: AsyncEngine, store: AssetStore, tmp_path: Path
) -> None:
    folder(tmp_path, {})
    source = tmp_path / "t.csv"
    long = "x" * (sources.CSV_CELL_CHARS_MAX + 1)
    source.write_text(f"token_id,name,image\n1,One,1.png\n2,Two\n3,Three,1.png,more\n4,{long},1.png\n5,Five,1.png\n")
    report = await import_collection(engine, store, source)
    assert counts(report) == (2, 0, 0, 3)
    assert [(fault.file, fault.field) for fault in report.failed] == [
        ("t.csv line 3", "row"),
        ("t.csv line 4", "row"),
        ("t.csv line 5", "name"),
    ]


async def test_limits_of_size_are_held(
    engine: AsyncEngine, store: AssetStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = folder(tmp_path / "s", {"1.json": item(1), "2.json": item(2, filler="x" * 2_000)})
    monkeypatch.setattr(sources, "ITEM_FILE_BYTES_MAX", 1_000)
    report = await import_collection(engine, store, source)
    assert [fault.file for fault in report.failed] == ["2.json"]
    monkeypatch.setattr(sources, "ITEMS_MAX", 1)
    with pytest.raises(InvalidInput, match="at most 1"):
        await import_collection(engine, store, source)


@pytest.mark.parametrize(
    "options",
    [
        {"slug": "Not A Slug"},
        {"slug": ""},
        {"slug": "-x"},
        {"slug": "x" * 81},
        {"name": " \u0000"},
        {"name": "n" * 201},
        {"name": "日本"},
        {"slug": "x", "contract_address": "0x12"},
        {"slug": "x", "blockchain": "Main Net"},
    ],
)
async def test_wrong_parameters_change_nothing(engine: AsyncEngine, store: AssetStore, options: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        await import_collection(engine, store, NOUNS, **options)  # type: ignore[arg-type]
    assert await rows(engine) == []


async def test_a_contract_address_says_that_it_cannot_be_read_yet(engine: AsyncEngine, store: AssetStore) -> None:
    with pytest.raises(InvalidInput, match="not possible yet"):
        await import_collection(engine, store, "0x" + "ab" * 20)


# --- pictures from addresses ---


async def test_a_picture_inside_the_metadata_goes_in(engine: AsyncEngine, store: AssetStore, tmp_path: Path) -> None:
    address = "data:image/png;base64," + base64.b64encode(png("blue")).decode()
    source = folder(
        tmp_path / "s",
        {
            "1.json": item(1, image=address),
            "2.json": item(2, image="data:image/png;base64,@@"),
            "3.json": item(3, image="data:nothing"),
            "4.json": item(4, image="data:image/svg+xml,%3Csvg%2F%3E"),
        },
    )
    for expected in ((1, 0, 0, 3), (0, 0, 1, 3)):
        report = await import_collection(engine, store, source)
        assert counts(report) == expected
    row = (await items(engine))[0]
    assert (row.image, row.metadata["image"], row.asset_width) == (None, "data:image/png,", 8)


type Answer = Callable[[str], tuple[str, dict[str, str], bytes]]


@contextlib.asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[tuple[str, list[str]]]:
    """A bare HTTP server on loopback; its address and the paths it was asked for."""
    asked: list[str] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
            asked.append(path)
            status, headers, body = answer(path)
            head = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
            length = "" if "content-length" in headers else f"content-length: {len(body)}\r\n"
            writer.write(f"HTTP/1.1 {status}\r\n{head}{length}connection: close\r\n\r\n".encode() + body)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{listening.sockets[0].getsockname()[1]}", asked
    finally:
        listening.close()
        await listening.wait_closed()


def fetcher(*trusted: str, **options: Any) -> Fetcher:
    return Fetcher(limits=QUICK, trusted=frozenset(trusted), **options)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2606:4700:4700::1111", True), ("127.0.0.1", False), ("10.1.2.3", False), ("172.16.0.1", False),
        ("192.168.1.1", False), ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False), ("224.0.0.1", False),
        ("255.255.255.255", False), ("::1", False), ("::", False), ("fe80::1%eth0", False), ("fc00::1", False), ("ff02::1", False),
        ("::ffff:127.0.0.1", False), ("::ffff:10.0.0.1", False), ("64:ff9b::7f00:1", False), ("64:ff9b::808:808", True),
        ("2002:7f00:1::", False), ("2001:0:7f00:1::", False), ("198.18.0.1", False), ("192.0.2.1", False),
    ],
)  # fmt: skip
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "169.254.169.254",
        "10.0.0.1",
    ],
)
async def test_no_private_address_is_ever_asked(host: str) -> None:
    async with server(lambda _: ("200 OK", {}, png())) as (address, asked), fetcher() as fetch:
        port = address.split(":")[1]
        with pytest.raises(InvalidInput):
            await fetch.fetch(f"http://{host}:{port}/1.png")
    assert asked == []


async def test_a_name_that_leads_to_loopback_is_refused_even_beside_a_public_one() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["93.184.216.34", "127.0.0.1"]

    async with fetcher(resolve=resolve) as fetch:
        with pytest.raises(InvalidInput, match="not on the public internet"):
            await fetch.fetch("https://pictures.example/1.png")


async def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([["8.8.8.8"], ["127.0.0.1"]])
    asked_for: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        return next(answers)

    async with server(lambda _: ("200 OK", {}, png())) as (address, asked), fetcher(resolve=resolve) as fetch:
        transport = fetch._client._transport  # the only way to see where it connects

        async def inner(request: Any) -> Any:
            asked_for.append(f"{request.url.host} {request.headers['host']} {request.extensions['sni_hostname']}")
            raise InvalidInput("seen")

        monkeypatch.setattr(transport._inner, "handle_async_request", inner)  # type: ignore[attr-defined]
        with pytest.raises(InvalidInput, match="seen"):
            await fetch.fetch(f"http://pictures.example:{address.split(':')[1]}/1.png")
    assert asked_for == [f"8.8.8.8 pictures.example:{address.split(':')[1]} pictures.example"]
    assert asked == []


async def test_a_redirect_to_a_private_address_is_refused() -> None:
    async with server(lambda _: ("200 OK", {}, png())) as (inside, asked_inside):
        for target in (
            f"http://{inside}/1.png",
            f"//{inside}/1.png",
            "http://169.254.169.254/",
            "file:///etc/passwd",
            "ftp://x/1",
        ):
            async with (
                server(lambda _, to=target: ("302 Found", {"location": to}, b"")) as (address, asked),
                fetcher(address) as fetch,
            ):  # type: ignore[misc]
                with pytest.raises(InvalidInput):
                    await fetch.fetch(f"http://{address}/1.png")
                assert asked == ["/1.png"]
        assert asked_inside == []


async def test_fetching_is_bounded_in_every_way() -> None:
    def answer(path: str) -> tuple[str, dict[str, str], bytes]:
        return {
            "/ok.png": ("200 OK", {"content-type": "text/html"}, png()),
            "/moved": ("301 Moved", {"location": "/ok.png"}, b""),
            "/loop": ("302 Found", {"location": "/loop"}, b""),
            "/big": ("200 OK", {}, bytes(300_000)),
            "/gone": ("404 Not Found", {}, b""),
            "/packed": ("200 OK", {"content-encoding": "gzip"}, b"\x1f\x8b"),
            "/busy": ("503 Busy", {}, b""),
            "/short": ("200 OK", {"content-length": "999"}, b"x"),
        }[path]

    async with server(answer) as (address, asked), fetcher(address) as fetch:
        assert await fetch.fetch(f"http://{address}/ok.png") == png()
        assert await fetch.fetch(f"http://{address}/moved") == png()
        for path, says in (
            ("loop", "redirects"),
            ("big", "bytes"),
            ("gone", "404"),
            ("packed", "compressed"),
            ("busy", "503"),
            ("short", "2 tries"),
        ):
            asked.clear()
            with pytest.raises(InvalidInput, match=says):
                await fetch.fetch(f"http://{address}/{path}")
            assert len(asked) == {"loop": 6, "busy": 2, "short": 2}.get(path, 1)
        for malformed in ("http://", "https:///x", "http://user:pass@host/", "http://[::1", "gopher://x/"):
            with pytest.raises(InvalidInput):
                await fetch.fetch(malformed)


async def test_a_server_that_says_nothing_is_given_up() -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listening = await asyncio.start_server(mute, "127.0.0.1", 0)
    address = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    limits = FetchLimits(silence_s=0.1, total_s=0.3, tries_max=2, pause_s=0.01)
    async with Fetcher(limits=limits, trusted=frozenset({address})) as fetch:
        with pytest.raises(InvalidInput, match="2 tries"):
            await fetch.fetch(f"http://{address}/1.png")
    listening.close()


async def test_ipfs_goes_through_the_gateways_in_order(engine: AsyncEngine, store: AssetStore, tmp_path: Path) -> None:
    cid = "Qm" + "a" * 44
    source = folder(
        tmp_path / "s",
        {
            "1.json": item(1, image=f"ipfs://{cid}/a b.png"),
            "2.json": item(2, image=f"ipfs://ipfs/{cid}/c%20d.png"),
            "3.json": item(3, image="ipfs://short/1.png"),
            "4.json": item(4, image=f"ipfs://{cid}/%2e%2e/..%2fadmin"),
        },
    )
    report = await import_collection(engine, store, source)
    assert counts(report) == (0, 0, 0, 4)
    assert "--ipfs-gateway" in report.failed[0].message
    async with (
        server(lambda _: ("404 Not Found", {}, b"")) as (empty, asked_empty),
        server(lambda _: ("200 OK", {}, png())) as (full, asked),
        fetcher(ipfs_gateways=[f"http://{empty}/", f"http://{full}/gate"]) as fetch,
    ):
        report = await import_collection(engine, store, source, fetcher=fetch)
    assert counts(report) == (2, 0, 0, 2)
    assert sorted(asked) == [f"/gate/ipfs/{cid}/a%20b.png", f"/gate/ipfs/{cid}/c%20d.png"]
    assert len(asked_empty) == 2
    with pytest.raises(InvalidInput, match="gateway"):
        Fetcher(ipfs_gateways=["ipfs.example"])


async def test_a_list_at_an_address_goes_in_with_the_pictures_beside_it(engine: AsyncEngine, store: AssetStore) -> None:
    images = ("images/1.png", "../1.png", "/1.png", "a/%2e%2e/%2e%2e/1.png", "none.png")
    listed = json.dumps([item(number, image=image) for number, image in enumerate(images)]).encode()
    known = {"/nft/all.json": listed, "/nft/images/1.png": png(), "/nft/page": b"<html></html>"}

    def answer(path: str) -> tuple[str, dict[str, str], bytes]:
        return ("200 OK", {}, known[path]) if path in known else ("404 Not Found", {}, b"")

    async with server(answer) as (address, asked), fetcher(address) as fetch:
        report = await import_collection(engine, store, f"http://{address}/nft/all.json", fetcher=fetch)
        assert counts(report) == (1, 0, 0, 4)
        assert (report.slug, sorted(asked)) == ("all", ["/nft/all.json", "/nft/images/1.png", "/nft/none.png"])
        before = await rows(engine)
        for bad in (
            f"http://{address}/nft/gone",
            f"http://{address}/nft/page",
            "http://127.0.0.1:1/x.json",
            "ftp://x/y",
            "data://x",
        ):
            with pytest.raises(InvalidInput) as caught:
                await import_collection(engine, store, bad, fetcher=fetch)
            assert caught.value.fields["field"] == "source"
    assert await rows(engine) == before


# --- the command ---


@pytest.fixture
def command(
    database: str, engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Awaitable[Any]]:
    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[Any]:
        made = create_engine(database)
        yield SimpleNamespace(engine=made, settings=Settings(data_dir=tmp_path / "data"))
        await made.dispose()

    monkeypatch.setattr(house, "opened", opened)

    async def run(*arguments: str) -> Any:
        return await asyncio.to_thread(CliRunner().invoke, cli.app, ["import", *arguments])

    return run


async def test_the_command_reports_and_repeats(command: Callable[..., Awaitable[Any]], engine: AsyncEngine) -> None:
    first = await command(str(NOUNS), "--name", "Nouns")
    assert (first.exit_code, "12" in first.stdout) == (0, True)
    again = await command(str(NOUNS), "--name", "Nouns", "--json")
    report = json.loads(again.stdout)
    assert (again.exit_code, report["unchanged"], report["failed"]) == (0, 12, [])


async def test_the_command_lists_every_bad_item(command: Callable[..., Awaitable[Any]], tmp_path: Path) -> None:
    source = folder(tmp_path / "s", {"1.json": item(1), "2.json": item(2, name=None), "[bold]3\x1b[31m.json": b"{"})
    some = await command(str(source))
    assert some.exit_code == 0
    assert "2.json" in some.stderr
    assert "[bold]3" in some.stderr
    assert "\x1b[31m" not in some.stderr
    (source / "1.json").unlink()
    none = await command(str(source), "--slug", "other")
    assert (none.exit_code, "nothing was changed" in none.stderr) == (1, True)
    missing = await command(str(tmp_path / "missing"))
    assert (missing.exit_code, "nothing at" in missing.stderr, missing.stdout) == (1, True, "")


async def test_the_command_finds_the_seller(command: Callable[..., Awaitable[Any]], engine: AsyncEngine) -> None:
    user, twin = ids.new_id(), ids.new_id()
    async with engine.begin() as connection:
        for number, who in enumerate((user, twin)):
            await connection.execute(sa.insert(User).values(id=who, name="Bo Twin"))
            await connection.execute(
                sa.insert(SocialAccount).values(
                    id=ids.new_id(), user_id=who, platform="x", platform_user_id=str(number), handle=f"@Seller{number}"
                )
            )
    assert (await command(str(NOUNS), "--seller", "@seller0")).exit_code == 0
    for wrong, says in (("nobody", "nobody here"), ("bo twin", "2 users")):
        result = await command(str(NOUNS), "--seller", wrong)
        assert (result.exit_code, says in result.stderr) == (1, True)
    async with engine.connect() as connection:
        assert (await connection.scalars(sa.select(Collection.seller_id))).all() == [user]
