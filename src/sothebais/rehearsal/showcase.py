"""A rehearsed show: a state for every scene, with pictures of the generated collection. The same seed, the same show."""

import io
from collections.abc import Iterator
from typing import Final

from msgspec import structs

from sothebais.instants import Millis, parse_iso
from sothebais.rehearsal import artworks
from sothebais.stream.pictures import HeldPictures
from sothebais.stream.show import (
    Artwork,
    Bid,
    Caption,
    HostLook,
    Lot,
    LotStatus,
    Mouth,
    Notice,
    OnAir,
    Post,
    Result,
    ShowState,
    Upcoming,
    WallClock,
)

SEED: Final = 7
#: When the lot of the show opens, and for how long it runs.
OPENS: Final[Millis] = parse_iso("2026-05-14T18:12:00Z")
RUNS_MS: Final = 180_000
CAMPAIGN: Final = "Rooms of Light"
DAY: Final = "Day 2 of 5"
PIECES: Final = 8
_SAYINGS: Final = (
    "A new bid, and a thoughtful one. The room may take its time; the clock will not.",
    "One follows the light from the left edge, and then one is inside.",
    "Good provenance is a short sentence. This piece has a very short one.",
)
#: How the host looks in each scene, and how strongly.
_LOOKS: Final = {
    "pre-auction": ("happy", 70),
    "auction": ("curious", 80),
    "closing": ("excited", 80),
    "sold": ("happy", 100),
    "passed": ("disappointed", 80),
    "intermission": ("neutral", 0),
    "post-auction": ("happy", 80),
}
#: How far the beak opens, syllable by syllable, while something is said.
_SYLLABLES: Final = (1, 3, 2, 0, 2, 1, 3, 0, 1, 2, 0, 3, 1)
SYLLABLE_MS: Final = 120
#: What the host is like from one saying to the next.
_TURNS: Final = (
    HostLook(mood="CURIOUS", expression="curious", intensity=80, was="happy", was_intensity=60),
    HostLook(mood="EXCITED", expression="excited", intensity=90, was="curious", was_intensity=80),
    HostLook(mood="HAPPY", expression="happy", intensity=60, was="excited", was_intensity=90),
)
_PEOPLE: Final = ("ana", "gaspard", "mira.eth", "oduya", "the_long_room", "yuki")


def pictures(count: int = PIECES, seed: int = SEED, side: int = 1200) -> HeldPictures:
    """The pieces drawn and held by ``piece-1`` …"""
    held = HeldPictures()
    for number, piece in enumerate(artworks.catalogue(count, seed), 1):
        image = artworks.draw(piece["form"], piece["palette"], seed, number)
        encoded = io.BytesIO()
        (image if side == image.width else image.resize((side, side))).save(encoded, "PNG", compress_level=1)
        held.put(f"piece-{number}", encoded.getvalue())
    return held


def lots(count: int = PIECES, seed: int = SEED) -> tuple[Upcoming, ...]:
    """The session's lots in their order, five minutes apart."""
    return tuple(
        Upcoming(
            number=number,
            title=piece["metadata"]["name"],
            artist=artworks.ARTIST,
            artwork=Artwork(f"piece-{number}", 1200, 1200),
            starts_at=OPENS + (number - 1) * 300_000,
        )
        for number, piece in enumerate(artworks.catalogue(count, seed), 1)
    )


def lot(bids: int = 7, *, seed: int = SEED, every_ms: int = 9_000) -> Lot:
    """The first lot after so many bids, one each nine seconds, every third raised by the house."""
    piece = lots(seed=seed)[0]
    made = tuple(
        Bid(
            number=number,
            handle=_PEOPLE[number * 5 % len(_PEOPLE)],
            amount=_amount(number),
            at=OPENS + 6_000 + number * every_ms,
            proxy=number % 3 == 0,
        )
        for number in range(1, bids + 1)
    )
    return Lot(
        number=piece.number,
        title=piece.title,
        artist=piece.artist,
        artwork=piece.artwork,
        traits=("Generative drawing", "2025"),
        starting_price="0.5",
        price=made[-1].amount if made else None,
        previous_price=made[-2].amount if bids > 1 else None,
        price_at=made[-1].at if made else 0,
        leader=made[-1].handle if made else None,
        next_valid=_amount(bids + 1),
        has_reserve=True,
        reserve_met=bids >= 5,
        bid_count=bids,
        bids=tuple(reversed(made))[:12],
        opened_at=OPENS,
        ends_at=OPENS + RUNS_MS,
    )


def state(scene: str, *, bids: int = 7, seed: int = SEED) -> tuple[ShowState, Millis]:
    """What a scene shows, and an instant at which it is worth looking at."""
    piece = lot(bids, seed=seed)
    upcoming = lots(seed=seed)
    t = OPENS + 75_000
    since = OPENS
    caption: Caption | None = Caption(
        "We stand at 1.55 ether with @yuki. Four vessels on a ledge, and the light does the talking.",
        "Sable",
        OPENS,
        OPENS + 10_000_000,
    )
    next_at: Millis | None = None
    notice = Notice(
        "We will be right back.", "The picture was interrupted. Bids are still taken on the web and by the API."
    )
    match scene:
        case "closing":
            t = piece.ends_at - 8_200
        case "sold" | "passed":
            status = LotStatus.SOLD if scene == "sold" else LotStatus.PASSED
            since = piece.ends_at + 2_000
            changed = {"status": status, "closed_at": since}
            if scene == "passed":
                changed |= {"leader": None, "reserve_met": False}
            piece = _changed(piece, **changed)
            t = since + 4_000
            caption = Caption(
                "Sold. Warmly, and without a wobble." if scene == "sold" else "It goes home, its dignity intact.",
                "Sable", since, since + 10_000_000,
            )  # fmt: skip
        case "pre-auction":
            t, since, next_at = OPENS - 272_000, OPENS - 300_000, OPENS
            caption = Caption(
                "Good evening. Eight pieces tonight, one wall, and no hurry at all.", "Sable", since, OPENS
            )
        case "intermission":
            t, since, next_at = OPENS + 240_000, OPENS + 200_000, upcoming[1].starts_at
            upcoming = upcoming[1:]
            caption = Caption("A moment to breathe. The next one rewards a long look.", "Sable", since, next_at)
        case "post-auction":
            t, since = OPENS + 2_400_000, OPENS + 2_390_000
            caption = Caption("Seven of eight found walls tonight. Sleep well, all of you.", "Sable", since, t + 60_000)
        case "pause":
            notice = Notice(
                "Bidding is paused.",
                "The stream's line was lost. No bid is lost; the clock stands and its time is given back.",
            )
        case _:
            pass
    return (
        ShowState(
            on_air=OnAir(scene, since=since),
            campaign=CAMPAIGN,
            day=DAY,
            lot=piece if scene in ("auction", "closing", "sold", "passed", "pause") else None,
            upcoming=upcoming,
            results=_results(seed) if scene == "post-auction" else (),
            next_at=next_at,
            tomorrow="Tomorrow at 20:00: twelve more pieces, among them the Enfilades.",
            caption=caption,
            host=look(scene, since),
            viewers=1284,
            notice=notice,
            clock=WallClock(120, "CEST"),
            bid_url="https://sothebais.example/a/12",
            bid_hint="Scan, or reply with your amount",
            position="1.48213.90817",
        ),
        t,
    )


def look(scene: str, since: Millis) -> HostLook:
    """How the host takes a scene."""
    expression, intensity = _LOOKS.get(scene, ("neutral", 0))
    return HostLook(mood=expression.upper(), expression=expression, intensity=intensity, since=since)


def speech(t: Millis, lasts_ms: int) -> tuple[Mouth, ...]:
    """A beak that speaks for so long."""
    beats = range(lasts_ms // SYLLABLE_MS)
    said = (Mouth(t + beat * SYLLABLE_MS, _SYLLABLES[beat % len(_SYLLABLES)]) for beat in beats)
    return (*said, Mouth(t + lasts_ms, 0))


def script(fps: int, frames: int, *, start_ms: int = 60_000) -> Iterator[tuple[ShowState, Millis]]:
    """An auction as it goes, frame by frame: a bid each two to four seconds, something said each six."""
    first, _ = state("auction", bids=0)
    made = 0
    current = first
    said = -1
    for frame in range(frames):
        at = start_ms + frame * 1000 // fps
        t = OPENS + at
        due = 1 + (at - start_ms) // 3_000
        if due != made:
            made = due
            shown = lot(made + 1, every_ms=3_000)
            moved = [structs.replace(bid, at=bid.at + start_ms - 12_000) for bid in shown.bids]
            current = structs.replace(
                current, lot=structs.replace(shown, bids=tuple(moved), price_at=moved[0].at, ends_at=OPENS + RUNS_MS)
            )
        if said != at // 6_000:
            said = at // 6_000
            words = _SAYINGS[said % len(_SAYINGS)]
            current = structs.replace(
                current,
                caption=Caption(words, "Sable", t, t + 5_000),
                host=structs.replace(_TURNS[said % len(_TURNS)], since=t, mouth=speech(t, 4_500)),
                viewers=1_250 + said,
            )
        yield current, t


def post() -> Post:
    """A post as it may come on air."""
    return Post(
        "Ana Beltrán", "@ana", "Bidding 1.6 ETH on lot 1. That ridge has followed me home twice already.", "X", OPENS
    )


def _amount(number: int) -> str:
    hundredths = 50 + number * 15
    return f"{hundredths // 100}.{hundredths % 100:02}".rstrip("0").rstrip(".")


def _results(seed: int) -> tuple[Result, ...]:
    prices = ("4.12", "1.9", None, "2.75", "0.85", "6.4", "3.3", "1.15")
    return tuple(
        Result(piece.number, piece.title, piece.artist, price, "ETH", _PEOPLE[index % len(_PEOPLE)] if price else None)
        for index, (piece, price) in enumerate(zip(lots(seed=seed), prices, strict=True))
    )


def _changed(piece: Lot, **fields: object) -> Lot:
    return structs.replace(piece, **fields)
