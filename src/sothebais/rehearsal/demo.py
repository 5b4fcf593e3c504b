"""The demo's show: bidders over HTTP, a watcher for the screen, and every lot verified from its exported log."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import msgspec

from sothebais import money
from sothebais.auctions import audit, receipts
from sothebais.campaigns import schedule
from sothebais.campaigns.model import CampaignPlan, LotRules
from sothebais.clock import Millis
from sothebais.errors import SothebaisError, Unavailable, VerificationFailed
from sothebais.rehearsal.bidders import REGULARS, SimulatedBidder

#: Nominal lengths; all of them shrink with the speed.
PRE_AUCTION_MS = 60_000
LOT_MS = 120_000
GAP_MS = 8_000
POST_AUCTION_MS = 20_000
#: However fast the demo runs, the host speaks no faster: so long it needs to say goodbye.
POST_AUCTION_MS_MIN = 12_000
EXTENSION_WINDOW_MS = 15_000
EXTENSION_MS = 15_000
HARD_CLOSE_AFTER_MS = 60_000
CLOSING_GRACE_MS = 10_000
#: However fast the demo runs, a bid has this long to be committed after its lot closes.
CLOSING_GRACE_MS_MIN = 1_000
COMMIT_TIMEOUT_S_MAX = 1.5

LOTS_MAX = 200
SPEED_MAX = 60.0
READY_S = 60.0
WATCH_S = 0.25
CURRENCY = "ETH"
INCREMENTS = [
    {"from": "0", "step": "0.02"},
    {"from": "0.5", "step": "0.05"},
    {"from": "2", "step": "0.1"},
    {"from": "5", "step": "0.25"},
]


@dataclass(frozen=True)
class Pace:
    """The demo's lengths at a speed."""

    speed: float

    def length(self, nominal: Millis) -> Millis:
        """A nominal length at this speed."""
        return max(1, round(nominal / self.speed))

    @property
    def closing_grace(self) -> Millis:
        """Scaled, but never below what a commit may take."""
        return max(CLOSING_GRACE_MS_MIN, self.length(CLOSING_GRACE_MS))

    @property
    def post_auction(self) -> Millis:
        """Scaled, but long enough for a goodbye."""
        return max(POST_AUCTION_MS_MIN, self.length(POST_AUCTION_MS))

    @property
    def commit_timeout_s(self) -> float:
        """Always below the grace."""
        return min(COMMIT_TIMEOUT_S_MAX, self.closing_grace * 0.75 / 1000)


def estimate(number: int, seed: int) -> Decimal:
    """What the house thinks a piece is worth, in the demo's currency."""
    rng = random.Random(f"estimate:{seed}:{number}")  # noqa: S311 - a repeatable show, nothing secret
    return Decimal(rng.randrange(40, 400)) / 100


def plan(
    token_ids: Sequence[str], collection: str, slug: str, *, now: Millis, pace: Pace, seed: int
) -> tuple[CampaignPlan, list[Decimal]]:
    """One campaign day that begins at ``now`` with these items in order, and the house's estimate of each."""
    days = schedule.immediate(
        now,
        pre_auction_ms=pace.length(PRE_AUCTION_MS),
        lot_ms=pace.length(LOT_MS),
        gap_ms=pace.length(GAP_MS),
        lots=len(token_ids),
        post_ms=pace.post_auction,
    )
    estimates = [estimate(number, seed) for number in range(1, len(token_ids) + 1)]
    items = {token: _rules(worth, pace) for token, worth in zip(token_ids, estimates, strict=True)}
    campaign = CampaignPlan(
        name="An evening at the house",
        slug=slug,
        collection=collection,
        days=days,
        rules=_rules(estimates[0], pace),
        description="A campaign day sped up, with simulated bidders.",
        items=items,
        premium_percent=Decimal(5),
    )
    return campaign, estimates


def _rules(worth: Decimal, pace: Pace) -> LotRules:
    def share(of: str) -> Decimal:
        return money.quantized(money.multiply(worth, Decimal(of)), 2)

    return LotRules(
        currency=CURRENCY,
        starting_price=share("0.25"),
        increment=INCREMENTS,
        # below what the collector among the regulars always goes to
        reserve=share("0.6"),
        extension_window=pace.length(EXTENSION_WINDOW_MS),
        extension=pace.length(EXTENSION_MS),
        hard_close_after=pace.length(HARD_CLOSE_AFTER_MS),
        closing_grace=pace.closing_grace,
    )


@dataclass
class LotResult:
    """A lot as the demo ends with it."""

    lot: int
    auction: str
    art_item: str
    outcome: str
    winner: str | None
    price: str | None
    currency: str
    bids: int
    verified: bool
    log: Path | None = None
    fault: str | None = None

    def public(self) -> dict[str, Any]:
        """As ``demo --json`` has it."""
        names = ("lot", "art_item", "outcome", "winner", "price", "currency", "bids", "verified")
        return {name: getattr(self, name) for name in names}


@dataclass
class Screen:
    """What the watcher saw last: the lots, the one that is on, its last bids."""

    lots: list[dict[str, Any]] = field(default_factory=list)
    bids: list[dict[str, Any]] = field(default_factory=list)
    server_time: str = ""

    @property
    def current(self) -> dict[str, Any] | None:
        """The lot people are bidding on, else the next one."""
        for wanted in (("ACTIVE", "CLOSING", "PAUSED"), ("SCHEDULED",)):
            for lot in self.lots:
                if lot["status"] in wanted:
                    return lot
        return None


class Show:
    """One campaign day on a running house at ``base_url``."""

    def __init__(
        self, base_url: str, campaign: str, estimates: Sequence[Decimal], *, pace: Pace, seed: int, exports: Path
    ) -> None:
        self._http = httpx.AsyncClient(base_url=base_url, timeout=10.0)
        self._base_url = base_url
        self._campaign = campaign
        self._estimates = estimates
        self._pace = pace
        self._seed = seed
        self._exports = exports
        self.screen = Screen()
        self.bidders: list[SimulatedBidder] = []
        self.results: list[LotResult] = []

    async def run(
        self, *, on_change: Callable[[Screen], None], on_result: Callable[[LotResult], None]
    ) -> list[LotResult]:
        """Bid on every lot until all are over; each is exported and verified as it ends."""
        await self.wait_until_ready()
        self._exports.mkdir(parents=True, exist_ok=True)
        self.bidders = [
            SimulatedBidder(
                self._base_url,
                handle,
                temperament,
                random.Random(f"{self._seed}:{handle}"),  # noqa: S311 - a repeatable show, nothing secret
                speed=self._pace.speed,
            )
            for handle, temperament in REGULARS
        ]
        try:
            for bidder in self.bidders:
                await bidder.sign_in()
            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(self._watch(on_change))
                tasks.create_task(self._bid_and_verify(on_result, watching))
        finally:
            for bidder in self.bidders:
                await bidder.close()
            await self._http.aclose()
        return self.results

    async def wait_until_ready(self) -> None:
        """Wait for the house to answer. Raises Unavailable after ``READY_S``."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + READY_S
        told = "no answer"
        while loop.time() < deadline:
            try:
                answer = await self._http.get("/readyz")
                if answer.status_code == 200:
                    return
                told = answer.text[:300]
            except httpx.TransportError as error:
                told = repr(error)
            await asyncio.sleep(0.1)
        raise Unavailable(f"The house did not open within {READY_S:.0f} s: {told}")

    async def _bid_and_verify(self, on_result: Callable[[LotResult], None], watching: "asyncio.Task[None]") -> None:
        lots = await self._lots()
        for lot, worth in zip(lots, self._estimates, strict=True):
            await asyncio.gather(*(bidder.watch(lot["id"], worth) for bidder in self.bidders))
            result = await self._result(lot["id"])
            self.results.append(result)
            on_result(result)
        watching.cancel()

    async def _watch(self, on_change: Callable[[Screen], None]) -> None:
        while True:
            try:
                self.screen.lots = await self._lots()
                current = self.screen.current
                if current is not None:
                    answer = await self._http.get(f"/api/v1/auctions/{current['id']}/bids", params={"limit": 6})
                    self.screen.bids = answer.json().get("items", [])
                    self.screen.server_time = current["server_time"]
                on_change(self.screen)
            except httpx.TransportError:
                pass  # the picture stands still for a moment; the bids do not depend on it
            await asyncio.sleep(WATCH_S)

    async def _lots(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        after = None
        while True:
            params: dict[str, str | int] = {"campaign_id": self._campaign, "limit": 200}
            if after:
                params["after"] = after
            answer = await self._http.get("/api/v1/auctions", params=params)
            if answer.status_code != 200:
                raise Unavailable(f"The house does not list its lots: {answer.text[:300]}")
            page = answer.json()
            items += page["items"]
            after = page["next"]
            if after is None:
                return sorted(items, key=lambda lot: lot["lot_number"])

    async def _result(self, auction: str) -> LotResult:
        lot = (await self._http.get(f"/api/v1/auctions/{auction}")).json()
        path, fault = self._exports / f"lot-{lot['lot_number']:03d}.ndjson", None
        try:
            path.write_bytes((await self._http.get(f"/api/v1/auctions/{auction}/log")).content)
            report = await asyncio.to_thread(self._verify, path, auction)
            if report.price != lot["price"] or report.outcome != lot["outcome"]:
                fault = f"the log proves {report.outcome} at {report.price}, the house says {lot['outcome']} at {lot['price']}"
        except SothebaisError as error:
            fault = error.message
        leader = lot["leader"]["handle"] if lot["leader"] and lot["outcome"] == "SOLD" else None
        return LotResult(
            lot=lot["lot_number"],
            auction=auction,
            art_item=lot["title"],
            outcome=lot["outcome"] or lot["status"],
            winner=leader,
            price=lot["price"],
            currency=lot["currency"],
            bids=lot["bid_count"],
            verified=fault is None,
            log=path,
            fault=fault,
        )

    def _verify(self, path: Path, auction: str) -> audit.Report:
        """Offline: nothing but the file, its signed head and every receipt the bidders were given."""
        lines = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
        head = lines[-1].get("head")
        if head is None:
            raise VerificationFailed("The exported log has no signed head.", n=len(lines))
        key = bytes.fromhex(head["public_key"])
        receipts.check_signature(head, key, what="head")
        given = [
            receipt for bidder in self.bidders for receipt in bidder.tally.receipts if receipt["auction"] == auction
        ]
        for receipt in given:
            receipts.check_signature(receipt, key, what="receipt")
        return audit.verify(lines[:-1], head=(head["n"], head["hash"]), receipts=given)
