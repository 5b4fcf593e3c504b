"""What must be true of a house whatever was done to it: checked from outside, by reading only.

Run it when nobody bids (what they were told is held against what is there), with every answer the bidders were given.
The clock and the consumers of the log may be at work. It changes nothing and may be run against any house.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import msgspec

from sothebais import money
from sothebais.auctions import audit, receipts
from sothebais.auctions.tables import Auction, Bid, Settlement
from sothebais.db.engine import connect
from sothebais.errors import SothebaisError
from sothebais.events import relay
from sothebais.events.ports import Projector
from sothebais.events.tables import DeadLetter, EventLog
from sothebais.rehearsal import log_reading
from sothebais.state.store import StateStore

#: The relay has so long to bring Redis up to the log.
REDIS_PATIENCE_S = 15.0
LOOK_AGAIN_S = 0.1
#: Lots that go on moving are read again for so long.
BOOKS_PATIENCE_S = 30.0
VIOLATIONS_MAX = 50
API_PAGE = 200

_A, _B, _E, _S, _D = (table.__tablename__ for table in (Auction, Bid, EventLog, Settlement, DeadLetter))
_LOTS = f"""
select a.id, a.status, a.outcome, a.price, a.leader_id, a.leading_bid_id, a.bid_count, a.last_number, a.log_n, a.log_hash,
  (select count(*) from {_B} b where b.auction_id = a.id) as bids,
  (select coalesce(max(b.number), 0) from {_B} b where b.auction_id = a.id) as highest
from {_A} a order by a.id
"""  # noqa: S608
_KEPT = f"""
select b.id, b.auction_id, b.user_id, b.idempotency_key, b.number, b.event_n, b.status, e.hash, e.data ->> 'bid' as told
from {_B} b left join {_E} e on e.subject = 'auction:' || b.auction_id and e.n = b.event_n
where b.source <> 'PROXY'
"""  # noqa: S608
_TWICE = {
    "an idempotency key counts twice": f"""
select user_id || ' ' || idempotency_key from {_B} where idempotency_key is not null
group by user_id, idempotency_key having count(*) > 1""",  # noqa: S608
    "a bid was told twice": f"""
select data ->> 'bid' from {_E} where type in ('auction:bid:accepted', 'auction:bid:rejected')
group by data ->> 'bid' having count(*) > 1""",  # noqa: S608
    "a lot ended more often than it was opened": f"""
select subject from {_E} group by subject having count(*) filter (where type = 'auction:end') >
1 + count(*) filter (where type = 'auction:reopened')""",  # noqa: S608
    "a lot has more than one winner of one end": f"""
select subject from {_E} group by subject having count(*) filter (where type = 'auction:winner') >
count(*) filter (where type = 'auction:end')""",  # noqa: S608
    "a bid was settled twice": f"select bid_id::text from {_S} group by bid_id having count(*) > 1",  # noqa: S608
}
#: Every text that readers may see; the tables that hold the secrets themselves are the only ones left out.
_TEXTS = {
    _E: f"select id::text as place, data::text as text from {_E}",  # noqa: S608
    _B: f"select id::text as place, to_jsonb(b)::text as text from {_B} b",  # noqa: S608
    _A: f"select id::text as place, to_jsonb(a)::text as text from {_A} a",  # noqa: S608
    _D: f"select id::text as place, error as text from {_D}",  # noqa: S608
}


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """A bid the house said it has: the body of one 201, and the key under which it was sent."""

    user: UUID
    key: str
    body: Mapping[str, Any]

    @property
    def receipt(self) -> Mapping[str, Any]:
        """The receipt in it."""
        receipt: Mapping[str, Any] = self.body["receipt"]
        return receipt


class Findings(msgspec.Struct, kw_only=True):
    """What was looked at, and what is wrong."""

    violations: list[str] = msgspec.field(default_factory=list)
    acknowledged: int = 0
    bids: int = 0
    events: int = 0
    lots: int = 0
    texts: int = 0

    def say(self, violation: str) -> None:
        """Note a violation; after ``VIOLATIONS_MAX`` only that there are more."""
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(violation)
        elif len(self.violations) == VIOLATIONS_MAX:
            self.violations.append("and more")


async def check_invariants(
    database_url: str,
    store: StateStore,
    projectors: Sequence[Projector],
    *,
    acknowledged: Sequence[Acknowledged] = (),
    public_key: bytes | None = None,
    secrets: Sequence[str] = (),
    base_url: str | None = None,
    folders: Iterable[Path] = (),
    heard: Iterable[str] = (),
) -> Findings:
    """Check everything; ``violations`` is empty when the house kept its promises.

    ``secrets`` are amounts as text that must be nowhere: maxima that stand, reserves that are not met. ``heard`` is
    whatever others were told (answers, published messages), ``folders`` are searched for them too.
    """
    findings = Findings(acknowledged=len(acknowledged))
    connection = await connect(database_url, name="invariants")
    try:
        rows, logs = await _books(connection, findings)
        await _acknowledged(connection, acknowledged, public_key, findings)
        await _lots(rows, logs, acknowledged, findings)
        for what, query in _TWICE.items():
            for row in await connection.fetch(query):
                findings.say(f"{what}: {row[0]}")
        await _redis(connection, store, projectors, findings)
        if secrets:
            search = _Search(secrets, findings)
            for table, query in _TEXTS.items():
                for row in await connection.fetch(query):
                    search.look(f"{table} {row['place']}", row["text"])
            await _search_redis(store, search)
            for folder in folders:
                await asyncio.to_thread(_search_folder, folder, search)
            for text in heard:
                search.look("what others were told", text)
            if base_url is not None:
                await _search_api(base_url, search)
    finally:
        await connection.close()
    return findings


async def _books(connection: Any, findings: Findings) -> tuple[list[Any], Mapping[str, Sequence[Mapping[str, Any]]]]:
    """The lots' rows and the log they belong to. The clock may end a lot in between: then both are read again."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + BOOKS_PATIENCE_S
    while True:
        rows = await connection.fetch(_LOTS)
        reading = await log_reading.read_whole(connection)
        for fault in reading.faults:
            findings.say(fault)
        if rows == await connection.fetch(_LOTS) or loop.time() > deadline:
            findings.events = reading.events
            return rows, reading.logs


async def _acknowledged(
    connection: Any, acknowledged: Sequence[Acknowledged], public_key: bytes | None, findings: Findings
) -> None:
    """Every acknowledged bid is there once, under its key, at the place its receipt names."""
    by_key = defaultdict(list)
    rows = await connection.fetch(_KEPT)
    findings.bids = len(rows)
    for row in rows:
        by_key[row["user_id"], row["idempotency_key"]].append(row)
    for one in acknowledged:
        what = f"acknowledged bid {one.body['bid']['id']}"
        if public_key is not None:
            try:
                receipts.check_signature(dict(one.receipt), public_key, what="receipt")
            except SothebaisError as error:
                findings.say(f"{what}: {error.message}")
        kept = by_key[one.user, one.key]
        if len(kept) != 1:
            findings.say(f"{what} is in the database {len(kept)} times")
            continue
        row = kept[0]
        said = (one.body["bid"]["id"], one.body["bid"]["number"], one.receipt["n"], one.receipt["hash"])
        found = (str(row["id"]), row["number"], row["event_n"], None if row["hash"] is None else row["hash"].hex())
        if said != found or row["told"] != said[0] or str(row["auction_id"]) != one.receipt["auction"]:
            findings.say(f"{what} was changed: {said} was acknowledged, {found} is there")
        if row["status"] == "REJECTED":
            findings.say(f"{what} is there as refused")


async def _lots(
    rows: Sequence[Any],
    logs: Mapping[str, Sequence[Mapping[str, Any]]],
    acknowledged: Sequence[Acknowledged],
    findings: Findings,
) -> None:
    """Numbers without gaps, and every lot's log played again comes to what its row says."""
    given = defaultdict(list)
    for one in acknowledged:
        given[one.receipt["auction"]].append(one.receipt)
    for row in rows:
        findings.lots += 1
        lot, events = f"lot {row['id']}", logs.get(f"auction:{row['id']}", [])
        if not row["bids"] == row["highest"] == row["last_number"]:
            findings.say(
                f"{lot} has {row['bids']} bids, numbered to {row['highest']}, its row says {row['last_number']}"
            )
        if len(events) != row["log_n"]:
            findings.say(f"{lot} has {len(events)} events, its row says {row['log_n']}")
        try:
            report = await asyncio.to_thread(
                audit.verify, events, head=(row["log_n"], row["log_hash"].hex()), receipts=given[str(row["id"])]
            )
        except SothebaisError as error:
            findings.say(f"{lot} does not verify: {error.message}")
            continue
        proved = (report.status, report.outcome, report.price, report.bids)
        price = None if row["price"] is None else money.text(row["price"])
        if proved != (row["status"], row["outcome"], price, row["bid_count"]):
            findings.say(f"{lot}: its log proves {proved}, its row says otherwise")


async def _redis(connection: Any, store: StateStore, projectors: Sequence[Projector], findings: Findings) -> None:
    """Redis holds what a rebuild would write, once the relay has had its time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + REDIS_PATIENCE_S
    while True:
        try:
            differences = await relay.differences(connection, store, projectors)
        except SothebaisError as error:
            differences = [error.message]
        if not differences:
            return
        if loop.time() > deadline:
            for difference in differences:
                findings.say(f"Redis: {difference}")
            return
        await asyncio.sleep(LOOK_AGAIN_S)


class _Search:
    """Looks for the digits of amounts, with and without their point."""

    def __init__(self, secrets: Sequence[str], findings: Findings) -> None:
        self._needles = tuple({form for secret in secrets for form in (secret, secret.replace(".", ""))})
        self._findings = findings

    def look(self, where: str, text: str) -> None:
        self._findings.texts += 1
        for needle in self._needles:
            if needle in text:
                # the place, not the text: this line may be logged
                self._findings.say(f"a secret amount stands in {where}")


async def _search_redis(store: StateStore, search: _Search) -> None:
    names = await store.keys("*")
    for name, value in zip(names, await store.get_many(names), strict=True):
        search.look(f"Redis {name}", (value or b"").decode(errors="replace"))


def _search_folder(folder: Path, search: _Search) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            search.look(str(path), path.read_text(encoding="utf-8", errors="replace"))


async def _search_api(base_url: str, search: _Search) -> None:
    async with httpx.AsyncClient(base_url=base_url, timeout=30) as http:
        after: str | None = None
        while True:
            listed = await http.get(
                "/api/v1/auctions", params={"limit": API_PAGE} | ({"after": after} if after else {})
            )
            listed.raise_for_status()
            search.look("GET auctions", listed.text)
            for lot in listed.json()["items"]:
                for path in ("", "/bids", "/log"):
                    answer = await http.get(f"/api/v1/auctions/{lot['id']}{path}")
                    answer.raise_for_status()
                    search.look(f"GET auctions/{lot['id']}{path}", answer.text)
            after = listed.json()["next"]
            if after is None:
                return
