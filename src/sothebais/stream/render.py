"""A lot of the house, or of an exported log, as a clip: what has to be read for it, and the file written."""

import contextlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from msgspec import Struct

from sothebais import ids
from sothebais.catalog import images, metadata, sources
from sothebais.catalog import traits as pieces
from sothebais.errors import Conflict, InvalidInput, NotFound
from sothebais.events.tables import EventLog
from sothebais.instants import Millis, from_datetime, parse_iso, to_datetime
from sothebais.stream import clip_file, direction, snapshot
from sothebais.stream.chronicle import Chronicle
from sothebais.stream.clip_encoding import ClipFormat
from sothebais.stream.facts import DayFacts, LotFacts, Told
from sothebais.stream.lot_course import people_of
from sothebais.stream.rendering import SPEECH_BEFORE_MS, Rendering, SceneRevision, Soundtrack, Stretch
from sothebais.stream.scenes import Scene
from sothebais.stream.show import Artwork
from sothebais.stream.show_pictures import ShowPictures
from sothebais.stream.snapshot import House
from sothebais.stream.tables import Orientation, StreamAsset, StreamScene

log = structlog.get_logger(__name__)

#: Events of a stretch that are held in memory.
EVENTS_MAX: Final = 500_000
#: The log is read so far beyond the end: events of many writers are a little out of order.
BEYOND_MS: Final = 5_000
#: How long the end of a lot is looked at.
AFTER_MS: Final = direction.HOLD_MS
#: A stretch may reach so far beyond the lot on both sides.
AROUND_MS: Final = 600_000
LOG_BYTES_MAX: Final = 1_000_000_000
ITEMS_AT_ONCE: Final = 64
_OFFSET = re.compile(r"([+-]?)(?:(\d{1,4}):([0-5]\d)|(\d{1,6})(?:\.(\d{1,3}))?)", re.ASCII)
_SCENES = f"""
select name, revision, created_at, document::text as document from {StreamScene.__tablename__}
where orientation = $1 order by created_at, revision
"""  # noqa: S608
_ENDS = f"""
select type, timestamp from {EventLog.__tablename__} where subject = $1 and n > 1
  and type in ('auction:start', 'auction:end', 'auction:cancelled', 'auction:reopened') order by n
"""  # noqa: S608
_FOLLOWING = f"""
select min(timestamp) from {EventLog.__tablename__}
where subject = any($1::text[]) and n > 1 and type = 'auction:start' and timestamp > $2
"""  # noqa: S608
_ASSETS = f"select id, type, name, path from {StreamAsset.__tablename__}"  # noqa: S608

type Progress = Callable[[int, int], None]


class Wanted(Struct, frozen=True, kw_only=True):
    """What somebody wants rendered. ``begin`` and ``end`` as they are written on the command line."""

    begin: str | None = None
    end: str | None = None
    width: int = 1280
    height: int = 720
    fps: int = 30


class Material(Struct, kw_only=True):
    """All that a rendering is made of."""

    stretch: Stretch
    chronicle: Chronicle
    events: list[Told]
    speeches: list[Told]
    scenes: list[SceneRevision]
    #: Where the assets lie that stored scenes show, by what scenes call them.
    assets: dict[str, str]


class Made(Struct, frozen=True, kw_only=True):
    """A clip that was written."""

    path: Path
    frames: int
    begin: Millis
    end: Millis
    bytes: int
    speeches: int
    speeches_missing: int


def instant(text: str, name: str, opened: Millis, ended: Millis) -> Millis:
    """The instant ``--from`` or ``--to`` means: ISO 8601, ``1:30`` or ``90`` after the opening, ``-20`` before and ``+6``
    after the end.

    Raises InvalidInput.
    """
    match = _OFFSET.fullmatch(text.strip())
    if match is not None:
        sign, minutes, seconds, whole, part = match.groups()
        length = (
            (int(minutes) * 60 + int(seconds)) * 1_000
            if minutes
            else int(whole) * 1_000 + int((part or "").ljust(3, "0"))
        )
        return {"-": ended - length, "+": ended + length}.get(sign, opened + length)
    try:
        return parse_iso(text)
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"--{name}: {text[:60]!r} is no time; write 2026-03-01T18:00:00Z, 1:30 (after the opening), -20 or +6"
            " (seconds before or after the end).",
            field=name,
        ) from None


async def from_house(connection: Any, auction: UUID, wanted: Wanted, house: House) -> Material:
    """What the database has for a lot's stretch. Raises NotFound, Conflict for one that has not begun, InvalidInput."""
    facts = await snapshot.beginning(connection, auction, house)
    # first only what the lot's own steps say of when
    now = from_datetime(await connection.fetchval("select clock_timestamp()"))
    opened, ended = await _ends(connection, facts, auction, now)
    others = [f"auction:{lot.id}" for lot in facts.lots if lot.id != auction]
    following = await connection.fetchval(_FOLLOWING, others, to_datetime(ended))
    until = min([now, ended + AFTER_MS, *([] if following is None else [from_datetime(following)])])
    stretch = _stretch(wanted, opened, ended, until, now)
    orientation = Orientation.VERTICAL if wanted.height > wanted.width else Orientation.WIDE
    scenes = [
        SceneRevision(row["name"], row["revision"], from_datetime(row["created_at"]), _scene(row["document"]))
        for row in await connection.fetch(_SCENES, str(orientation))
    ]
    rows = await connection.fetch(_ASSETS) if scenes or house.expressions else []
    assets = {f"{row['type']}/{row['name']}": row["path"] for row in rows} | {
        str(row["id"]): row["path"] for row in rows
    }
    material = Material(
        stretch=stretch, chronicle=Chronicle(facts), events=[], speeches=[], scenes=scenes, assets=assets
    )
    gathering = _Gathering(material)
    async with contextlib.aclosing(snapshot.whole(connection, facts)) as events:
        async for told in events:
            if not gathering.take(told):
                break
    return material


def from_log(
    lines: Iterable[bytes], wanted: Wanted, *, collection: Path | None = None
) -> tuple[Material, dict[str, bytes]]:
    """What an exported log has for its lot, and the pictures a collection of metadata beside it has.

    People appear as bidders by number, in the order in which they came. Raises InvalidInput.
    """
    events = _events_of(lines)
    first = events[0]
    pictures: dict[str, bytes] = {}
    artist, artwork = "", Artwork("", snapshot.NO_SIDE, snapshot.NO_SIDE)
    traits: tuple[str, ...] = ()
    if collection is not None:
        artist, traits, artwork, pictures = _piece(collection, first.data["title"])
    lot = LotFacts(
        id=UUID(first.subject.removeprefix("auction:")),
        number=first.data["lot_number"],
        title=first.data["title"],
        artist=artist,
        artwork=artwork,
        traits=traits,
        terms=first.data["terms"],
        starts_at=first.data["starts_at"],
        ends_at=first.data["ends_at"],
    )
    people = dict.fromkeys(user for told in events for user in people_of(told))
    names = {user: f"Bidder {number}" for number, user in enumerate(people, start=1)}
    facts = DayFacts(stage="AUCTION", begins_at=lot.starts_at, lots=(lot,), names=names)
    opened = next((told.at for told in events if told.type == "auction:start"), None)
    if opened is None:
        raise Conflict("This lot had not begun when its log was exported.")
    ended = next((told.at for told in reversed(events) if told.type == "auction:end"), events[-1].at)
    stretch = _stretch(wanted, opened, ended, ended + AFTER_MS)
    material = Material(stretch=stretch, chronicle=Chronicle(facts), events=[], speeches=[], scenes=[], assets={})
    gathering = _Gathering(material)
    for told in events[1:]:
        if not gathering.take(told):
            break
    return material, pictures


def write(
    material: Material,
    out: Path,
    pictures: ShowPictures,
    speech: Callable[[UUID], bytes | None],
    *,
    threads: int = 0,
    progress: Progress | None = None,
) -> Made:
    """Render to a file, which is there under its name only when it is whole. Blocking; raises InvalidInput, Unavailable."""
    stretch = material.stretch
    form = ClipFormat(width=stretch.width, height=stretch.height, fps=stretch.fps, threads=threads)
    clip_file.check(out, form, stretch.frames)
    rendering = Rendering(stretch, material.chronicle, material.events, pictures, material.scenes)
    sound = Soundtrack(stretch, material.speeches, speech)
    with clip_file.ClipFile(out, form) as file, contextlib.closing(rendering.frames()) as frames:
        for rendered in frames:
            file.picture(rendered.buffer)
            file.sound(sound.block(rendered.frame))
            if progress is not None:
                progress(rendered.frame + 1, stretch.frames)
    return Made(
        path=out,
        frames=stretch.frames,
        begin=stretch.begin,
        end=stretch.end,
        bytes=out.stat().st_size,
        speeches=sound.found,
        speeches_missing=sound.missing,
    )


class _Gathering:
    """Events on their way into a material: those up to the begin are taken at once, the others kept."""

    def __init__(self, material: Material) -> None:
        self._material = material
        self._at: Millis = 0

    def take(self, told: Told) -> bool:
        """Take the next event; False when nothing of the stretch can follow."""
        material, stretch = self._material, self._material.stretch
        if told.at > stretch.end + BEYOND_MS:
            return False
        if told.type == "agent:speech":
            heard = told.data["starts_at"], told.data["starts_at"] + told.data["duration"]
            if heard[1] > stretch.begin and stretch.begin - SPEECH_BEFORE_MS <= heard[0] < stretch.end:
                material.speeches.append(told)
        self._at = max(self._at, told.at)
        if self._at <= stretch.begin:
            material.chronicle.apply(told)
        elif len(material.events) >= EVENTS_MAX:
            raise InvalidInput(
                f"More than {EVENTS_MAX:,} things happened in this stretch; render a shorter one.", field="to"
            )
        else:
            material.events.append(told)
        return True


async def _ends(connection: Any, facts: DayFacts, auction: UUID, now: Millis) -> tuple[Millis, Millis]:
    """When a lot opened, and when it was over; while it runs that is now."""
    opened: Millis | None = None
    ended: Millis | None = None
    lot = next(lot for lot in facts.lots if lot.id == auction)
    rows = await connection.fetch(_ENDS, f"auction:{auction}")
    for row in rows:
        at = from_datetime(row["timestamp"])
        match row["type"]:
            case "auction:start":
                opened = at
            case "auction:end" | "auction:cancelled":
                ended = at
            case "auction:reopened":
                ended = None
            case _:
                pass
    if opened is None:
        raise Conflict(f"Lot {lot.number} “{lot.title}” has not begun; there is nothing to render yet.")
    return opened, max(now if ended is None else ended, opened)


def _stretch(wanted: Wanted, opened: Millis, ended: Millis, until: Millis, now: Millis | None = None) -> Stretch:
    begin = opened if wanted.begin is None else instant(wanted.begin, "from", opened, ended)
    if wanted.begin is not None and wanted.begin.startswith("-"):
        begin = max(begin, opened)  # of a short lot all of it
    end = until if wanted.end is None else instant(wanted.end, "to", opened, ended)
    if wanted.end is not None and wanted.end.startswith("+"):
        end = min(end, until)  # the stamp of this lot, nothing of the next one
    stretch = Stretch(begin=begin, end=end, width=wanted.width, height=wanted.height, fps=wanted.fps)
    if now is not None and end > now:
        raise InvalidInput("--to has not come yet.", field="to")
    stretch.check()
    if begin < opened - AROUND_MS or end > ended + AROUND_MS:
        minutes = AROUND_MS // 60_000
        raise InvalidInput(
            f"The stretch may begin {minutes} minutes before the lot and end {minutes} minutes after it."
        )
    return stretch


def _scene(document: str) -> Scene:
    return Scene.model_validate_json(document)


def _events_of(lines: Iterable[bytes]) -> list[Told]:
    found: list[Told] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            event = msgspec.json.decode(line)
            if isinstance(event, dict) and "head" in event:
                continue
            told = Told(
                id=UUID(event["id"]) if event.get("id") else UUID(int=number),
                place=(0, 0, number),
                n=int(event["n"]),
                at=int(event["timestamp"]),
                type=str(event["type"]),
                subject=str(event["subject"]),
                data=dict(event["data"]),
            )
        except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
            raise InvalidInput(f"Line {number} of the log is no event: {error}.") from error
        if told.n != len(found) + 1 or (found and told.subject != found[0].subject):
            raise InvalidInput(f"Line {number}: event {len(found) + 1} of one lot should stand here.")
        found.append(told)
    if not found or found[0].type != "auction:scheduled" or ids.parse_id(found[0].subject[8:]) is None:
        raise InvalidInput("The file holds no auction's log (GET /api/v1/auctions/ID/log).")
    return found


def _piece(collection: Path, title: str) -> tuple[str, tuple[str, ...], Artwork, dict[str, bytes]]:
    """The piece of that name in a collection of metadata."""
    source = sources.open_source(collection)
    for start in range(0, len(source), ITEMS_AT_ONCE):
        for item in source.batch(start, ITEMS_AT_ONCE):
            with contextlib.suppress(InvalidInput):
                parsed = metadata.parse_item(item.value, stem=item.stem, number=item.number)
                if parsed.name != title:
                    continue
                artist, named = pieces.read(parsed.document)
                traits = tuple(value for _, value in named[: snapshot.TRAITS_MAX])
                if source.root is None or "://" in parsed.image_source:
                    return artist, traits, Artwork("", snapshot.NO_SIDE, snapshot.NO_SIDE), {}
                read = sources.read_picture(source.root, parsed.image_source, images.LIMITS.bytes_max)
                picture = images.normalise(read)
                artwork = Artwork("piece", picture.width, picture.height)
                return artist, traits, artwork, {"piece": picture.data}
    raise NotFound(f"The collection {collection} has no piece called {title!r}.", field="collection")


def reading(pictures: dict[str, bytes]) -> Callable[[str], bytes]:
    """Pictures held in memory, as ``ShowPictures`` reads them."""

    def read(ref: str) -> bytes:
        try:
            return pictures[ref]
        except KeyError:
            raise NotFound(f"There is no picture {ref!r}.") from None

    return read
