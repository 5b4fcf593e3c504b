"""``python -m bench.pixel``: from a bid's answer to the first frame of the live picture that shows it.

A real house (PostgreSQL, Valkey, auction-engine, event-handler, stream-manager with its media process, as the demo
starts them) has one lot open. Two people outbid each other over HTTP, every 0.7 s and a little more, so that a bid may
come at any instant of a frame. Somebody watches the preview (WebSocket, packets). A bid is shown by the first packet
with a picture at or after the ``position`` that has reached the bid's place in the log; it counts as it arrives.

That the position does not lie is checked on the decoded picture: the first frame that is said to show a bid must differ
from the one before it where the price and the bids stand, and once the roll is over the price in the picture must be
the new one and not the old.
"""

import asyncio
import contextlib
import json
import random
import shutil
import socket
import struct
import tempfile
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import av
import httpx
import numpy as np
import sqlalchemy as sa
import websockets
from msgspec import structs
from rich.console import Console
from rich.table import Table

from bench.common import BenchFailed, measured, percentile
from sothebais.bootstrap import House, open_house
from sothebais.campaigns import schedule
from sothebais.campaigns import service as campaigns
from sothebais.campaigns.model import CampaignPlan, LotRules
from sothebais.catalog.assets import AssetStore
from sothebais.catalog.service import import_collection
from sothebais.catalog.tables import ArtItem
from sothebais.cli.services import house_roles
from sothebais.config import Settings
from sothebais.events.tables import EventLog
from sothebais.media import PRICE_ROLL_MS
from sothebais.rehearsal import artworks
from sothebais.stream import example
from sothebais.stream.compositor import full
from sothebais.stream.layers import Rect
from sothebais.stream.pictures import HeldPictures
from sothebais.stream.scenes.builtin import scenes_for
from sothebais.stream.stage import Programme
from sothebais.supervisor import Supervisor

ROUNDS, ROUNDS_QUICK = 3, 1
BIDS, BIDS_QUICK = 50, 30
EVERY_S, JITTER_S = 0.7, 0.1
#: The house and its picture may take so long to be there, and a bid to be seen.
READY_S, SEEN_S = 60.0, 5.0
#: The first seconds of the picture warm everything up.
SETTLE_S = 3.0
P99_MS_MAX = 150.0
WIDTH, HEIGHT = 1280, 720
LOT_MS = 1_800_000
#: So many bids of each round are looked for in the decoded picture.
CHECKED = 10
#: Levels of 255 by which the encoder alone may change a still part of the picture, on average.
STILL_LEVELS_MAX = 0.6
#: The roll is over so long after a bid's first frame.
ROLLED_US: Final = (PRICE_ROLL_MS + 100) * 1_000
_HEAD: Final = struct.Struct("<BBHIQQ")

type Place = tuple[int, ...]


@dataclass
class Bid:
    """One that was acknowledged: when, with which place in its lot's log, and the price it made."""

    asked: float
    answered: float
    n: int
    price: str
    before: str | None


@dataclass
class Watch:
    """What the watcher got: packets with pictures as ``(pts_us, arrived, shown since, data)``."""

    description: bytes = b""
    fps: int = 30
    pictures: list[tuple[int, float, Place, bytes]] = field(default_factory=list)
    told: list[tuple[int, Place]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    restarted: bool = False

    async def run(self, url: str) -> None:
        """Until cancelled."""
        place: Place = ()
        waiting: list[tuple[int, Place]] = []
        async with websockets.connect(url, max_size=None, compression=None, ping_interval=None) as connection:
            async for message in connection:
                arrived = time.perf_counter()
                if isinstance(message, str):
                    said = json.loads(message)
                    if said["op"] == "hello":
                        self.restarted = bool(self.description)
                        self.description = b64decode(said["video"]["description"])
                        self.fps = said["video"]["fps"]
                    elif said["op"] == "position" and said["position"] is not None:
                        told = (said["pts_us"], tuple(map(int, said["position"].split("."))))
                        waiting.append(told)
                        self.told.append(told)
                    continue
                kind, _, _, _, pts_us, _ = _HEAD.unpack_from(message)
                if kind != 1:
                    continue
                while waiting and waiting[0][0] <= pts_us:
                    place = waiting.pop(0)[1]
                self.pictures.append((pts_us, arrived, place, message[_HEAD.size :]))
                self.news.set()

    async def seen(self, place: Place) -> int:
        """The first picture that shows a place of the log. Raises TimeoutError."""
        start = len(self.pictures)
        while start and self.pictures[start - 1][2] >= place:
            start -= 1
        async with asyncio.timeout(SEEN_S):
            while True:
                for index in range(start, len(self.pictures)):
                    if self.pictures[index][2] >= place:
                        return index
                start = len(self.pictures)
                self.news.clear()
                await self.news.wait()


@contextlib.asynccontextmanager
async def on_air(folder: Path) -> AsyncIterator[tuple[House, str, str]]:
    """A house with one lot open and its picture on air: its API's address and the preview's."""
    port, events_port, stream_port = _ports(3)
    settings = Settings(data_dir=folder, database_url=None, redis_url=None, sandbox=True, port=port)
    environment = {
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "SOTHEBAIS_DATA_DIR": str(folder),
        "SOTHEBAIS_SANDBOX": "true",
        "SOTHEBAIS_STREAM_CANVAS": f"{WIDTH}x{HEIGHT}",
    }
    await asyncio.to_thread(artworks.generate, folder / "collection", 1, 7)
    async with open_house(settings, name="bench") as house:
        store = AssetStore.in_data_dir(folder)
        imported = await import_collection(house.engine, store, folder / "collection", slug="bench", name="Bench")
        async with house.engine.connect() as connection:
            statement = sa.select(ArtItem.token_id).where(ArtItem.collection_id == imported.collection_id)
            token = (await connection.execute(statement)).scalar_one()
        rules = LotRules(
            currency="ETH", starting_price=Decimal(1), increment=[{"from": "0", "step": "0.05"}], reserve=Decimal("1.5")
        )
        days = schedule.immediate(
            house.now() + 1_000, pre_auction_ms=2_000, lot_ms=LOT_MS, gap_ms=0, lots=1, post_ms=1_000
        )
        plan = CampaignPlan(
            name="Bench", slug="pixel", collection="bench", days=days, rules=rules, items={token: rules}
        )
        campaign = await campaigns.create(house.engine, plan, house.lot_scheduler, house.now())
        await campaigns.start(house.engine, campaign, house.now())
        roles = house_roles(port, events_port, environment, stream_port=stream_port)
        async with Supervisor(roles, servers=house.servers, quiet=True):
            yield house, f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{stream_port}/api/v1/stream/preview"


def _ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


async def open_lot(http: httpx.AsyncClient) -> dict[str, Any]:
    """The lot, as soon as it runs."""
    async with asyncio.timeout(READY_S):
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer = await http.get("/api/v1/auctions", params={"limit": 1})
                if answer.status_code == 200 and answer.json()["items"]:
                    lot: dict[str, Any] = answer.json()["items"][0]
                    if lot["status"] == "ACTIVE":
                        return lot
            await asyncio.sleep(0.1)


async def signed_in(url: str, handle: str) -> httpx.AsyncClient:
    """Somebody's connection."""
    http = httpx.AsyncClient(base_url=url, timeout=10.0)
    body = (await http.post("/api/v1/auth/sandbox", json={"handle": handle})).raise_for_status().json()
    http.headers["authorization"] = f"Bearer {body['token']}"
    return http


async def watching(watch: Watch, url: str) -> "asyncio.Task[None]":
    """Look at the picture as soon as there is one, until the first of it was seen."""
    async with asyncio.timeout(READY_S):
        while True:
            task = asyncio.create_task(watch.run(url))
            while not task.done() and not watch.pictures:
                await asyncio.sleep(0.05)
            if watch.pictures:
                return task
            await asyncio.gather(task, return_exceptions=True)


class Bidding:
    """Two people who outbid each other."""

    def __init__(self, lot: dict[str, Any], people: Sequence[httpx.AsyncClient], rng: random.Random) -> None:
        self._path = f"/api/v1/auctions/{lot['id']}/bids"
        self._amount: str = lot["next_valid_amount"]
        self._price: str | None = None
        self._people = people
        self._turn = 0
        self._rng = rng
        self.subject = f"auction:{lot['id']}"

    async def round(self, bids: int) -> list[Bid]:
        """So many bids, evenly apart but for a little chance."""
        made = []
        for _ in range(bids):
            await asyncio.sleep(EVERY_S + JITTER_S * self._rng.random())
            made.append(await self._bid())
        return made

    async def _bid(self) -> Bid:
        self._turn += 1
        http = self._people[self._turn % len(self._people)]
        asked = time.perf_counter()
        answer = await http.post(self._path, json={"amount": self._amount, "currency": "ETH"})
        answered = time.perf_counter()
        if answer.status_code != 201:
            raise BenchFailed(f"A bid of {self._amount} was answered with {answer.status_code}: {answer.text[:300]}")
        body = answer.json()
        bid = Bid(asked, answered, body["receipt"]["n"], body["auction"]["price"], self._price)
        self._price, self._amount = bid.price, body["auction"]["next_valid_amount"]
        return bid


async def places(house: House, subject: str) -> dict[int, Place]:
    """Where in the log each event of a lot stands."""
    table = EventLog
    statement = sa.select(table.n, table.epoch, sa.cast(sa.cast(table.xid, sa.Text), sa.BigInteger), table.seq)
    async with house.engine.connect() as connection:
        rows = (await connection.execute(statement.where(table.subject == subject))).all()
    return {n: (epoch, xid, seq) for n, epoch, xid, seq in rows}


class Decoded:
    """The luma of the price and of the bids, of the frames that are asked for."""

    def __init__(self, watch: Watch) -> None:
        stage = next(
            stage
            for name, stage in Programme(scenes_for(WIDTH, HEIGHT), WIDTH, HEIGHT).stages.items()
            if name == "auction"
        )
        boxes = {placed.element.id: placed.box for placed in stage.placed}
        self.price, self.bids = boxes["price"], boxes["ticker"]
        self._frames: dict[int, Any] = {}
        self._watch = watch

    def decode(self, wanted: set[int]) -> None:
        """Everything from the first key frame on; what is wanted (by ``pts_us``) is kept."""
        context = av.CodecContext.create("h264", "r")
        context.extradata = self._watch.description
        number_of = {}
        for number, (pts_us, _, _, data) in enumerate(self._watch.pictures):
            number_of[number] = pts_us
            packet = av.Packet(data)
            packet.pts = packet.dts = number
            for frame in context.decode(packet):
                self._keep(frame, number_of, wanted)
        for frame in context.decode(None):
            self._keep(frame, number_of, wanted)

    def _keep(self, frame: Any, number_of: dict[int, int], wanted: set[int]) -> None:
        pts_us = number_of[frame.pts]
        if pts_us in wanted:
            luma = frame.to_ndarray()[:HEIGHT].astype(np.float32)
            self._frames[pts_us] = (cut(luma, self.price), cut(luma, self.bids))

    def apart(self, one: int, other: int) -> float:
        """How far two frames differ where the price and the bids stand: levels of 255, the larger of both."""
        pairs = zip(self._frames[one], self._frames[other], strict=True)
        return max(float(np.abs(a - b).mean()) for a, b in pairs)

    def reads(self, pts_us: int, bid: Bid) -> bool:
        """Whether the frame's price is the bid's rather than the one before it."""
        seen = self._frames[pts_us][0]
        assert bid.before is not None
        new, old = (float(np.abs(seen - self._drawn(price)).mean()) for price in (bid.price, bid.before))
        return new < old / 2

    def _drawn(self, price: str) -> Any:
        """The price as the house draws it."""
        t = 1_700_000_000_000
        state = example.state("auction", t)
        assert state.lot is not None
        lot = structs.replace(state.lot, price=price, previous_price=None, price_at=0)
        programme = Programme(scenes_for(WIDTH, HEIGHT), WIDTH, HEIGHT)
        pixels = full(programme.shown(structs.replace(state, lot=lot), t).layers, WIDTH, HEIGHT, HeldPictures())
        b, g, r = (cut(pixels[..., channel].astype(np.float32), self.price) for channel in range(3))
        # BT.601, limited range
        return 16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255


def cut(picture: Any, box: Rect) -> Any:
    """The part of a picture that lies in a box."""
    return picture[box.y : box.bottom, box.x : box.right]


def check(watch: Watch, shown: Sequence[tuple[Bid, int]], rng: random.Random) -> tuple[int, list[float]]:
    """Look for some bids in the decoded picture: how many were found, and by how much their first frames differ.

    Raises BenchFailed when a position said that a bid is shown and the pixels do not.
    """
    times = [pts_us for pts_us, *_ in watch.pictures]
    step = 1_000_000 // watch.fps
    # where a frame was left out just before, there is nothing to compare with
    able = [
        (bid, index)
        for bid, index in shown
        if bid.before is not None and index >= 2 and times[index] - times[index - 2] < 3 * step
    ]
    if not able:
        raise BenchFailed("Before every bid a frame is missing: nothing can be compared on a machine as busy as this.")
    chosen = rng.sample(able, min(len(able), CHECKED))
    rolled = {
        index: next((t for t in times[index:] if t >= times[index] + ROLLED_US), times[-1]) for _, index in chosen
    }
    decoded = Decoded(watch)
    decoded.decode({times[at] for _, index in chosen for at in (index - 2, index - 1, index)} | set(rolled.values()))
    differ = []
    for bid, index in chosen:
        still, moved = decoded.apart(times[index - 2], times[index - 1]), decoded.apart(times[index - 1], times[index])
        if still > STILL_LEVELS_MAX or moved < max(STILL_LEVELS_MAX, 3 * still):
            raise BenchFailed(
                f"The frame that is said to show {bid.price} differs by {moved:.2f} levels from the one before it,"
                f" and that by {still:.2f} from the one before."
            )
        if not decoded.reads(rolled[index], bid):
            raise BenchFailed(f"The picture that is said to show {bid.price} has another price.")
        differ.append(moved)
    return len(chosen), differ


async def run(quick: bool) -> dict[str, Any]:
    """The whole bench."""
    folder = Path(tempfile.mkdtemp(prefix="sb-pixel-"))
    folder.chmod(0o755)  # PostgreSQL runs as another user when this one is root
    try:
        return await _run(folder / "data", quick)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _run(folder: Path, quick: bool) -> dict[str, Any]:
    rounds, bids = (ROUNDS_QUICK, BIDS_QUICK) if quick else (ROUNDS, BIDS)
    rng = random.Random(7)
    watch = Watch()
    async with on_air(folder) as (house, url, preview), httpx.AsyncClient(base_url=url) as http:
        lot = await open_lot(http)
        people = [await signed_in(url, handle) for handle in ("ana", "boris")]
        looking = await watching(watch, preview)
        bidding = Bidding(lot, people, rng)
        await asyncio.sleep(SETTLE_S)
        await bidding.round(3)  # the first bids find everything cold
        made = [await bidding.round(bids) for _ in range(rounds)]
        known = await places(house, bidding.subject)
        shown = [[(bid, await watch.seen(known[bid.n])) for bid in one] for one in made]
        await asyncio.sleep(1.0)
        looking.cancel()
        for person in people:
            await person.aclose()
    if watch.restarted:
        raise BenchFailed("The encoder was restarted meanwhile.")
    checked, differ = await asyncio.to_thread(check, watch, [pair for one in shown for pair in one], rng)
    return report(watch, shown, checked, differ)


def report(
    watch: Watch, rounds: Sequence[Sequence[tuple[Bid, int]]], checked: int, differ: Sequence[float]
) -> dict[str, Any]:
    """The figures."""
    each = [sorted((watch.pictures[index][1] - bid.answered) * 1e3 for bid, index in one) for one in rounds]
    waits = sorted(wait for one in each for wait in one)
    answers = sorted((bid.answered - bid.asked) * 1e3 for one in rounds for bid, _ in one)
    arrivals = [arrived for _, arrived, _, _ in watch.pictures]
    apart = sorted((later - earlier) * 1e3 for earlier, later in pairwise(arrivals))
    return {
        "rounds": len(each),
        "bids": len(waits),
        "size": f"{WIDTH}x{HEIGHT}",
        "fps": watch.fps,
        "results": {
            "bid_to_frame_ms_p50": round(percentile(waits, 0.5), 1),
            "bid_to_frame_ms_p90": round(percentile(waits, 0.9), 1),
            "bid_to_frame_ms_p99": round(percentile(waits, 0.99), 1),
            "bid_to_frame_ms_p99_best_round": round(min(percentile(one, 0.99) for one in each), 1),
            "bid_answered_ms_p50": round(percentile(answers, 0.5), 1),
            "frames_apart_ms_p99": round(percentile(apart, 0.99), 1),
            "position_to_pixels_checked": checked,
            "first_frame_levels_least": round(min(differ, default=0.0), 2),
        },
        "targets": {"bid_to_frame_ms_p99": P99_MS_MAX},
    }


def main() -> None:
    """Run with ``--json`` and ``--quick``; exits with 1 when the picture does not show what it says."""
    found = measured(run)
    if found is None:
        return
    table = Table("", "", "target", title="From a bid to the picture")
    for name, value in found["results"].items():
        target = found["targets"].get(name)
        table.add_row(name, str(value), "" if target is None else f"< {target:g}")
    Console().print(table)
    Console().print(
        f"  {found['bids']} bids in {found['rounds']} rounds, {found['size']} at {found['fps']} frames a second"
    )


if __name__ == "__main__":
    main()
