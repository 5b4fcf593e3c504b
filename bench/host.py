"""``python -m bench.host``: from what happens in the auction to the first sound of the host's line about it.

A real house (PostgreSQL, Valkey, auction-engine, event-handler, stream-manager with its media process, agent-service
with the embedded voice, as the demo starts them) sells short lots. Openings, bids and sales are spoken of. A line counts
from the timestamp of the event that caused it to the instant at which the mixer began its first part, as the media
process reports it (``stream.speech_began`` in the stream-manager's log). What encoding, network and players add after
that is the same for picture and sound, and not in it.

``first_sound`` are the lines for which the host was free, or which cut off what was on air; those that waited for their
turn (one thing is said at a time) are counted beside them.
"""

import asyncio
import contextlib
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import httpx
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from bench.common import BenchFailed, measured, percentile
from bench.pixel import _ports as free_ports
from bench.pixel import signed_in
from sothebais.agent import intents
from sothebais.agent.queue import quiet_before
from sothebais.bootstrap import House, open_house
from sothebais.campaigns import schedule
from sothebais.campaigns import service as campaigns
from sothebais.campaigns.model import CampaignPlan, LotRules
from sothebais.catalog.assets import AssetStore
from sothebais.catalog.service import import_collection
from sothebais.catalog.tables import ArtItem
from sothebais.cli.services import house_roles
from sothebais.clock import from_datetime
from sothebais.config import Settings
from sothebais.events.tables import EventLog
from sothebais.rehearsal import artworks
from sothebais.supervisor import Supervisor

LOTS, LOTS_QUICK = 10, 2
PRE_MS, LOT_MS, GAP_MS, POST_MS = 14_000, 40_000, 7_000, 10_000
#: A lot is over so long after its time at the latest, or something is wrong.
OVER_S: Final = 20.0
#: When in a lot somebody bids: the line before it is over then.
BIDS_AT_S: Final = (9.0, 16.0, 24.0)
READY_S: Final = 60.0
P50_MS_MAX: Final = 800.0
_CUTS_OFF: Final = frozenset(plan.priority for plan in intents.PLANS.values() if plan.interrupts)
_MEASURED: Final = {"auction:start": "opening", "auction:bid:accepted": "bid", "auction:end": "result"}


@dataclass
class Line:
    """A line that was heard, all instants in server time."""

    kind: str
    caused_at: int
    written_at: int
    told_at: int
    starts_at: int
    began_at: int
    waited: bool

    @property
    def first_sound(self) -> int:
        """From the event to the mixer."""
        return self.began_at - self.caused_at


@contextlib.asynccontextmanager
async def on_air(folder: Path, lots: int) -> AsyncIterator[tuple[House, str, str]]:
    """A house with a campaign day of short lots: its API's address and the campaign."""
    port, events_port, stream_port, agent_port = free_ports(4)
    settings = Settings(data_dir=folder, database_url=None, redis_url=None, sandbox=True, port=port)
    environment = {
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "SOTHEBAIS_DATA_DIR": str(folder),
        "SOTHEBAIS_SANDBOX": "true",
        "SOTHEBAIS_CLIPS": "false",
    }
    await asyncio.to_thread(artworks.generate, folder / "collection", lots, 7)
    async with open_house(settings, name="bench") as house:
        store = AssetStore.in_data_dir(folder)
        imported = await import_collection(house.engine, store, folder / "collection", slug="bench", name="Bench")
        async with house.engine.connect() as connection:
            statement = sa.select(ArtItem.token_id).where(ArtItem.collection_id == imported.collection_id)
            tokens = list((await connection.execute(statement.order_by(ArtItem.position))).scalars())
        rules = LotRules(
            currency="ETH",
            starting_price=Decimal(1),
            increment=[{"from": "0", "step": "0.05"}],
            extension_window=0,
            extension=0,
            hard_close_after=0,
            closing_grace=2_000,
        )
        days = schedule.immediate(
            house.now() + 5_000, pre_auction_ms=PRE_MS, lot_ms=LOT_MS, gap_ms=GAP_MS, lots=lots, post_ms=POST_MS
        )
        plan = CampaignPlan(
            name="An Evening", slug="host", collection="bench", days=days, rules=rules,
            items=dict.fromkeys(tokens, rules),
        )  # fmt: skip
        campaign = await campaigns.create(house.engine, plan, house.lot_scheduler, house.now())
        await campaigns.start(house.engine, campaign, house.now())
        roles = house_roles(port, events_port, environment, stream_port=stream_port, agent_port=agent_port)
        async with Supervisor(roles, servers=house.servers, quiet=True):
            yield house, f"http://127.0.0.1:{port}", str(campaign)


async def lots_of(http: httpx.AsyncClient, campaign: str) -> list[dict[str, Any]]:
    """The lots in their order, as soon as the house answers."""
    async with asyncio.timeout(READY_S):
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer = await http.get("/api/v1/auctions", params={"campaign_id": campaign, "limit": 200})
                if answer.status_code == 200:
                    return sorted(answer.json()["items"], key=lambda lot: lot["lot_number"])
            await asyncio.sleep(0.1)


async def status_of(http: httpx.AsyncClient, lot: str) -> dict[str, Any]:
    """A lot as it is."""
    answer = await http.get(f"/api/v1/auctions/{lot}")
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


async def bid_on(http: httpx.AsyncClient, people: Sequence[httpx.AsyncClient], lot: str) -> None:
    """Two people outbid each other at their times, until the lot is over."""
    while (await status_of(http, lot))["status"] == "SCHEDULED":
        await asyncio.sleep(0.1)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for number, at_s in enumerate(BIDS_AT_S):
        await asyncio.sleep(max(0.0, begun + at_s - loop.time()))
        amount = (await status_of(http, lot))["next_valid_amount"]
        body = {"amount": amount, "currency": "ETH"}
        answer = await people[number % len(people)].post(f"/api/v1/auctions/{lot}/bids", json=body)
        if answer.status_code != 201:
            raise BenchFailed(f"A bid of {amount} was answered with {answer.status_code}: {answer.text[:300]}")
    async with asyncio.timeout(LOT_MS / 1_000 - BIDS_AT_S[-1] + OVER_S):
        while (await status_of(http, lot))["status"] not in ("ENDED", "SETTLED"):
            await asyncio.sleep(0.2)


def began(folder: Path) -> dict[str, int]:
    """When the mixer began each speech, from the stream-manager's log."""
    found = {}
    for path in sorted((folder / "logs" / "stream-manager").glob("*.log*")):
        for line in path.read_text("utf-8").splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                entry = json.loads(line)
                if entry.get("event") == "stream.speech_began":
                    found[entry["speech"]] = entry["at"]
    return found


async def lines_of(house: House, sounds: dict[str, int]) -> list[Line]:
    """The lines about openings, bids and results that were heard."""
    statement = sa.select(EventLog.id, EventLog.type, EventLog.timestamp, EventLog.causation_id, EventLog.data)
    async with house.engine.connect() as connection:
        rows = (await connection.execute(statement.order_by(EventLog.epoch, EventLog.xid, EventLog.seq))).all()
    events = {row.id: row for row in rows}
    messages = {str(row.id): row for row in rows if row.type == "agent:message"}
    found, free_at, heard = [], 0, set()
    for row in rows:
        if row.type != "agent:speech":
            continue
        message = messages.get(row.data["message"])
        cause = None if message is None else events.get(message.causation_id)
        busy_until, free_at = free_at, row.data["starts_at"] + row.data["duration"]
        first = row.data["message"] not in heard
        heard.add(row.data["message"])
        if message is None or cause is None or cause.type not in _MEASURED or not first or str(row.id) not in sounds:
            continue
        caused_at, priority = from_datetime(cause.timestamp), message.data["priority"]
        waited = busy_until + quiet_before(priority) > caused_at and priority not in _CUTS_OFF
        # an opening waits for the sale before it to be told
        if message.data["intent"] == "LOT_OPENING" and busy_until > caused_at:
            waited = True
        found.append(
            Line(
                kind=_MEASURED[cause.type],
                caused_at=caused_at,
                written_at=caused_at + message.data["latency"],
                told_at=from_datetime(row.timestamp),
                starts_at=row.data["starts_at"],
                began_at=sounds[str(row.id)],
                waited=waited,
            )
        )
    return found


async def run(quick: bool) -> dict[str, Any]:
    """The whole bench."""
    folder = Path(tempfile.mkdtemp(prefix="sb-host-"))
    folder.chmod(0o755)  # PostgreSQL runs as another user when this one is root
    try:
        return await _run(folder / "data", LOTS_QUICK if quick else LOTS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _run(folder: Path, lots: int) -> dict[str, Any]:
    async with on_air(folder, lots) as (house, url, campaign), httpx.AsyncClient(base_url=url) as http:
        known = await lots_of(http, campaign)
        people = [await signed_in(url, handle) for handle in ("ana", "boris")]
        for lot in known:
            await bid_on(http, people, lot["id"])
        await asyncio.sleep(4.0)  # the last line, and what the media process says of it
        for person in people:
            await person.aclose()
        found = await lines_of(house, await asyncio.to_thread(began, folder))
    free = [line for line in found if not line.waited]
    if len(free) < lots:
        raise BenchFailed(f"Only {len(free)} lines were heard of {lots} lots.")
    return report(lots, found, free)


def report(lots: int, found: Sequence[Line], free: Sequence[Line]) -> dict[str, Any]:
    """The figures, in milliseconds."""

    def middle(values: Sequence[int], share: float = 0.5) -> float:
        return round(percentile(sorted(values), share), 1)

    kinds = sorted({line.kind for line in free})
    return {
        "lots": lots,
        "lines": len(free),
        "first_sound_ms_p50": middle([line.first_sound for line in free]),
        "first_sound_ms_p90": middle([line.first_sound for line in free], 0.9),
        "first_sound_ms_p99": middle([line.first_sound for line in free], 0.99),
        "starts_at_ms_p50": middle([line.starts_at - line.caused_at for line in free]),
        "waited_for_their_turn": len(found) - len(free),
        "by_kind_ms_p50": {kind: middle([line.first_sound for line in free if line.kind == kind]) for kind in kinds},
        "stages_ms_p50": {
            "event_to_words": middle([line.written_at - line.caused_at for line in free]),
            "words_to_sound_told": middle([line.told_at - line.written_at for line in free]),
            "told_to_start": middle([line.starts_at - line.told_at for line in free]),
            "start_to_heard": middle([line.began_at - line.starts_at for line in free]),
        },
        "targets": {"first_sound_ms_p50": P50_MS_MAX},
    }


def main() -> None:
    """Run with ``--json`` and ``--quick``."""
    found = measured(run)
    if found is None:
        return
    table = Table("", "ms", "target", title="From an event to the host's first sound")
    for name in ("first_sound_ms_p50", "first_sound_ms_p90", "first_sound_ms_p99", "starts_at_ms_p50"):
        target = found["targets"].get(name)
        table.add_row(name, str(found[name]), "" if target is None else f"< {target:g}")
    for group in ("by_kind_ms_p50", "stages_ms_p50"):
        for name, value in found[group].items():
            table.add_row(f"  {name}", str(value), "")
    Console().print(table)
    Console().print(f"  {found['lines']} lines, {found['waited_for_their_turn']} more waited for their turn")


if __name__ == "__main__":
    main()
