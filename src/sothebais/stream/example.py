"""A state to look at scenes by, when nothing is on: a lot with bids, lots to come, results. Pure."""

from collections.abc import Sequence
from typing import Final

from sothebais.instants import Millis
from sothebais.stream.show import (
    Artwork,
    Bid,
    Caption,
    Lot,
    LotStatus,
    Notice,
    OnAir,
    Post,
    Result,
    ShowState,
    Upcoming,
    WallClock,
)

#: A picture to be drawn for the example where the house has none.
ARTWORK: Final = Artwork("example", 1200, 1200)
_PEOPLE: Final = ("ana", "gaspard", "mira.eth", "oduya")
_OPENED_MS, _RUNS_MS = 75_000, 180_000


def state(scene: str, t: Millis, artworks: Sequence[Artwork] = ()) -> ShowState:
    """The house in the middle of an auction, as a scene called ``scene`` would show it at ``t``."""
    art = tuple(artworks) or (ARTWORK,)
    over = {"sold": LotStatus.SOLD, "passed": LotStatus.PASSED}.get(scene)
    warned = scene == "closing"
    opened = t - _RUNS_MS + 8_200 if warned else t - _OPENED_MS
    upcoming = tuple(
        Upcoming(number, f"Interior with window {number}", "A. Painter", art[number % len(art)], t + number * 240_000)
        for number in range(2, 8)
    )
    return ShowState(
        on_air=OnAir(scene, since=t - 8_000),
        campaign="Rooms of Light",
        day="Day 2 of 5",
        lot=_lot(art[0], opened, t, over),
        upcoming=upcoming,
        results=tuple(
            Result(number, f"Interior with window {number}", "A. Painter", price, "ETH", winner)
            for number, (price, winner) in enumerate((("4.12", "ana"), ("1.9", "oduya"), (None, None)), 1)
        ),
        next_at=t + 272_000,
        tomorrow="Tomorrow at 20:00: twelve more lots.",
        caption=Caption("A new bid, and a thoughtful one. The room may take its time.", "Sable", t - 2_000, t + 60_000),
        post=Post("Ana Beltrán", "@ana", "Bidding 1.6 ETH on lot 1.", "X", t - 4_000) if scene == "post" else None,
        viewers=1_284,
        notice=Notice("We will be right back.", "Bids are still taken on the web and by the API."),
        clock=WallClock(),
        bid_url="https://sothebais.example/a/1",
        bid_hint="Scan, or reply with your amount",
    )


def _lot(artwork: Artwork, opened: Millis, t: Millis, over: LotStatus | None) -> Lot:
    bids = tuple(
        Bid(number, _PEOPLE[number % len(_PEOPLE)], f"1.{number}5", opened + 6_000 + number * 9_000, proxy=number == 3)
        for number in range(6, 0, -1)
    )
    return Lot(
        number=1,
        title="Interior with two windows",
        artist="A. Painter",
        artwork=artwork,
        traits=("Generative drawing", "2025"),
        status=over or LotStatus.ACTIVE,
        starting_price="1",
        price=bids[0].amount,
        previous_price=bids[1].amount,
        price_at=bids[0].at,
        leader=None if over is LotStatus.PASSED else bids[0].handle,
        next_valid="1.75",
        has_reserve=True,
        reserve_met=over is not LotStatus.PASSED,
        bid_count=len(bids),
        bids=bids,
        opened_at=opened,
        ends_at=t - 6_000 if over else opened + _RUNS_MS,
        closed_at=t - 4_000 if over else None,
    )
