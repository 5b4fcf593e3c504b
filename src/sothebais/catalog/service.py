"""Importing a collection: from a source to the database and the asset store, again and again with the same outcome."""

import asyncio
import contextlib
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais.catalog import images, metadata, repository, sources
from sothebais.catalog.assets import AssetFolder, AssetStore, KnownPicture
from sothebais.catalog.fetch import Fetcher
from sothebais.catalog.metadata import ItemMetadata
from sothebais.catalog.repository import ItemRow
from sothebais.catalog.sources import RawItem, Source
from sothebais.errors import InvalidInput

#: Items read, fetched and written together, in one short transaction.
BATCH_ITEMS: Final = 64
#: Pictures held in memory at a time, and of these, decoded at a time; one may need a few hundred megabytes.
PICTURES_MAX: Final = 8
DECODERS_MAX: Final = 2
NAME_CHARS_MAX: Final = 200
DESCRIPTION_CHARS_MAX: Final = 10_000
SLUG_CHARS_MAX: Final = 80

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")
_CONTRACT = re.compile(r"0x[0-9a-fA-F]{40}")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_BLOCKCHAIN = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")

#: Called with the items done and the items in all.
type Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ImportFault:
    """Why one item was left out: where it stands, its token id if that could be read, the field, and what to do."""

    file: str
    token_id: str | None
    field: str | None
    message: str


@dataclass(slots=True)
class ImportReport:
    """What an import did. ``absent`` items are in the collection and not in the source; they were left alone."""

    slug: str
    collection_id: UUID | None = None
    #: ``added``, ``changed``, ``unchanged``, or ``none`` when no item was good enough to make one.
    collection: str = "none"
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    absent: int = 0
    files_written: int = 0
    failed: list[ImportFault] = field(default_factory=list)

    @property
    def imported(self) -> int:
        """Items of the source that are in the collection now."""
        return self.added + self.changed + self.unchanged


def slugify(text: str) -> str:
    """The short name, for commands and addresses, that ``text`` makes; may be empty."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:SLUG_CHARS_MAX].strip("-")


async def import_collection(
    engine: AsyncEngine,
    store: AssetStore,
    source_path: str | Path,
    *,
    slug: str | None = None,
    name: str | None = None,
    description: str | None = None,
    seller: UUID | None = None,
    blockchain: str | None = None,
    contract_address: str | None = None,
    fetcher: Fetcher | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Bring the source's items into the collection ``slug``, which is made if it is not there.

    Items are known by their token id. One that cannot be used is reported and the others go in; none is ever deleted.
    What is given as None is left as it is. Raises InvalidInput, with nothing changed, when the source as a whole or a
    parameter cannot be used.
    """
    if _CONTRACT.fullmatch(str(source_path)):
        raise InvalidInput(
            "Reading a collection from its contract is not possible yet. Export its metadata as JSON files and import those.",
            field="source",
        )
    values = _collection_values(name, description, seller, blockchain, contract_address)
    async with contextlib.AsyncExitStack() as stack:
        fetching = await stack.enter_async_context(Fetcher()) if fetcher is None else fetcher
        source = await _opened(source_path, fetching)
        slug = _slug(slug, name, source.name)
        return await _Import(engine, store, source, slug=slug, values=values, fetcher=fetching, progress=progress).run()


async def _opened(path: str | Path, fetcher: Fetcher) -> Source:
    scheme = _SCHEME.match(path) if isinstance(path, str) else None
    if scheme is None or "://" not in str(path):
        return await asyncio.to_thread(sources.open_source, path)
    address = str(path)
    if scheme[1].lower() not in {"http", "https", "ipfs"}:
        raise InvalidInput(
            f"A source is a path, or an address of http, https or ipfs; not {scheme[1]}.", field="source"
        )
    try:
        data = await fetcher.fetch(address)
    except InvalidInput as error:
        raise InvalidInput(f"{address[:200]}: {error.message.removeprefix('image: ')}", field="source") from error
    folder, _, name = address.split("#", 1)[0].split("?", 1)[0].rpartition("/")
    return await asyncio.to_thread(sources.source_of_bytes, data, name or "list.json", None, folder)


def _slug(slug: str | None, name: str | None, source_name: str) -> str:
    if slug is None:
        slug = slugify(name or source_name)
        if not slug:
            raise InvalidInput("The name makes no short name in Latin letters; give one with --slug.", field="slug")
    if not _SLUG.fullmatch(slug):
        raise InvalidInput(
            f"slug: {slug!r:.100} must be 1 to {SLUG_CHARS_MAX} small letters, digits and dashes, and not start with a dash.",
            field="slug",
        )
    return slug


def _collection_values(
    name: str | None, description: str | None, seller: UUID | None, blockchain: str | None, contract: str | None
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if name is not None:
        values["name"] = metadata.clean_text(name, "name", NAME_CHARS_MAX)
        if not values["name"]:
            raise InvalidInput("name: must not be empty", field="name")
    if description is not None:
        values["description"] = metadata.clean_text(description, "description", DESCRIPTION_CHARS_MAX, lines=True)
    if blockchain is not None:
        if not _BLOCKCHAIN.fullmatch(blockchain):
            raise InvalidInput("blockchain: must be a short name such as ethereum or base", field="blockchain")
        values["blockchain"] = blockchain
    if contract is not None:
        if not _CONTRACT.fullmatch(contract):
            raise InvalidInput("contract: must be an address of 0x and 40 hexadecimal digits", field="contract")
        values["contract_address"] = contract
    if seller is not None:
        values["seller_id"] = seller
    return values


class _Import:
    """One run over one source."""

    def __init__(
        self,
        engine: AsyncEngine,
        store: AssetStore,
        source: Source,
        *,
        slug: str,
        values: dict[str, Any],
        fetcher: Fetcher,
        progress: Progress | None,
    ) -> None:
        self._engine = engine
        self._store = store
        self._source = source
        self._values = values
        # a name of its own only when the collection is made: a later import must not take back a better one
        self._first_name = metadata.clean_text(source.name, "source", NAME_CHARS_MAX) or slug
        self._fetcher = fetcher
        self._progress = progress
        self._pictures = asyncio.Semaphore(PICTURES_MAX)
        self._decoders = asyncio.Semaphore(DECODERS_MAX)
        self._labels: dict[str, str] = {}
        self._report = ImportReport(slug)

    async def run(self) -> ImportReport:
        total = len(self._source)
        for start in range(0, total, BATCH_ITEMS):
            raw = await asyncio.to_thread(self._source.batch, start, BATCH_ITEMS)
            items = self._parsed(raw)
            # all of them end before the first error is raised, so that nothing is at work when the caller goes on
            prepared = await asyncio.gather(*(self._prepared(*item) for item in items), return_exceptions=True)
            rows = []
            for row in prepared:
                if isinstance(row, BaseException):
                    raise row
                if row is not None:
                    rows.append(row)
            if rows:
                await self._write(rows)
            if self._progress is not None:
                self._progress(min(start + BATCH_ITEMS, total), total)
        await self._count_absent()
        self._report.failed.sort(key=lambda fault: sources.natural_order(fault.file))
        return self._report

    def _parsed(self, batch: list[RawItem]) -> list[tuple[RawItem, ItemMetadata]]:
        good = []
        for item in batch:
            try:
                if item.fault is not None:
                    raise item.fault
                parsed = metadata.parse_item(item.value, stem=item.stem, number=item.number)
            except InvalidInput as error:
                self._fail(item, None, error)
                continue
            first = self._labels.setdefault(parsed.token_id, item.label)
            if first is not item.label:
                self._fail(
                    item,
                    parsed.token_id,
                    InvalidInput(f"token_id: {parsed.token_id} is also the token id of {first}", field="token_id"),
                )
                continue
            good.append((item, parsed))
        return good

    async def _prepared(self, item: RawItem, parsed: ItemMetadata) -> ItemRow | None:
        async with self._pictures:
            try:
                picture = await self._kept(await self._picture(parsed.image_source))
            except InvalidInput as error:
                self._fail(item, parsed.token_id, error)
                return None
        return ItemRow(
            token_id=parsed.token_id,
            name=parsed.name,
            description=parsed.description,
            image=parsed.image,
            animation_url=parsed.animation_url,
            erc721=parsed.document,
            position=item.number,
            asset_path=picture.key,
            asset_sha256=bytes.fromhex(picture.sha256),
            asset_media_type=picture.media_type,
            asset_width=picture.width,
            asset_height=picture.height,
        )

    async def _kept(self, data: bytes) -> KnownPicture:
        """The picture in the asset store; it is decoded only when these bytes were never seen before."""
        known = await asyncio.to_thread(self._store.recall, data)
        if known is not None:
            return known
        async with self._decoders:
            picture = await asyncio.to_thread(images.normalise, data)
        asset = await asyncio.to_thread(self._store.put, picture.data, picture.extension, AssetFolder.NFTS)
        self._report.files_written += asset.written
        known = KnownPicture(asset.key, asset.sha256.hex(), picture.media_type, picture.width, picture.height)
        await asyncio.to_thread(self._store.remember, data, known)
        return known

    async def _picture(self, address: str) -> bytes:
        if _SCHEME.match(address):
            return await self._fetcher.fetch(address)
        if self._source.root is None:
            return await self._fetcher.fetch(self._source.beside(address))
        return await asyncio.to_thread(sources.read_picture, self._source.root, address, images.LIMITS.bytes_max)

    async def _write(self, rows: list[ItemRow]) -> None:
        async with self._engine.begin() as connection:
            collection, what = await repository.put_collection(
                connection, self._report.slug, self._values, first_name=self._first_name
            )
            written = await repository.put_items(connection, collection, rows)
        if self._report.collection_id is None:
            self._report.collection_id, self._report.collection = collection, what
        self._report.added += written.added
        self._report.changed += written.changed
        self._report.unchanged += written.unchanged

    async def _count_absent(self) -> None:
        if self._report.collection_id is None:
            return
        async with self._engine.connect() as connection:
            count = await repository.count_items(connection, self._report.collection_id)
        self._report.absent = max(0, count - self._report.imported)

    def _fail(self, item: RawItem, token_id: str | None, error: InvalidInput) -> None:
        place = error.fields.get("field")
        message = error.message.removeprefix(f"{place}: ")
        self._report.failed.append(ImportFault(item.label, token_id, place, message))
