"""``verify`` on logs the real engine wrote: every format, every step, every forgery, by function and by command."""

import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal as D
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from tests.fakes.house import a_lot, a_user
from tests.fakes.logs import forged, rehashed
from tests.fakes.trials import HouseTime, bid_of, events_of, looked_at, openings_of, row_of, step_of, verified
from typer.testing import CliRunner

from sothebais.auctions import audit, receipts, repository
from sothebais.auctions.answers import Answer
from sothebais.auctions.engine import AuctionEngine
from sothebais.auctions.model import FixedIncrement
from sothebais.bootstrap import House
from sothebais.cli.app import app
from sothebais.errors import SothebaisError, VerificationFailed

LENGTH = 10_000
GRACE = 2_000


@pytest.fixture(autouse=True)
async def now(house: House) -> AsyncIterator[HouseTime]:
    made = await HouseTime.of(house)
    yield made
    await made.close()


class Room:
    """One lot, the people in the room, and an operator."""

    def __init__(self, house: House, engine: AuctionEngine, now: HouseTime, lot: UUID, people: dict[str, UUID]) -> None:
        self.house, self.engine, self.now, self.lot, self.people = house, engine, now, lot, people
        self.receipts: list[dict[str, Any]] = []

    @classmethod
    async def opened(cls, house: House, engine: AuctionEngine, now: HouseTime, **terms: Any) -> "Room":
        people = {name: await a_user(house, name) for name in ("ana", "bo", "cy", "op")}
        euros = {"currency": "EUR", "decimals": 2, "starting_price": "10", "increment": FixedIncrement(D(1))}
        soft = {"extension_window": 1_000, "extension": 1_000}
        lot = await a_lot(house, opens_in=0, lasts=LENGTH, **euros | soft | terms)
        await looked_at(engine, [lot])
        return cls(house, engine, now, lot, people)

    async def bid(self, who: str, amount: Any = None, maximum: Any = None, *, ago: int = 0) -> Answer:
        made = self.now.now() - ago
        amounts = [None if one is None else D(one) for one in (amount, maximum)]
        answer = await self.engine.place(bid_of(self.lot, self.people[who], *amounts, at=made))
        if answer.accepted:
            self.receipts.append(receipts.receipt(self.house.key(), answer))
        return answer

    async def step(self, kind: str, **more: Any) -> Answer:
        return await self.engine.override(step_of(self.lot, self.people["op"], kind, **more))

    async def look(self, by: int = 0, outage: Any = None) -> None:
        await self.now.on(by)
        await looked_at(self.engine, [self.lot], outage)

    async def to_the_end(self) -> audit.Report:
        await self.now.to(int((await row_of(self.house, self.lot))["ends_at"].timestamp() * 1000))
        for by in (0, 1, GRACE):
            await self.look(by)
        assert (await row_of(self.house, self.lot))["status"] == "ENDED"
        return await verified(self.house, self.lot)


@pytest.fixture
async def room(house: House, now: HouseTime, engine: AuctionEngine) -> Room:
    return await Room.opened(house, engine, now)


async def test_an_english_lot_with_everything_in_it_verifies(
    house: House, now: HouseTime, engine: AuctionEngine
) -> None:
    room = await Room.opened(house, engine, now, reserve="15")
    await room.bid("ana", 10, 12)
    await room.bid("bo", 11, 20)
    await room.bid("ana", None, 18)
    await room.bid("bo", None, 40)
    assert not (await room.bid("cy", 1)).accepted
    await now.on(100)
    await room.step("PAUSE")
    await now.on(500)
    assert not (await room.bid("ana", 90)).accepted
    assert (await room.bid("ana", 25, ago=501)).accepted
    await now.on(500)
    await room.step("RESUME")
    first = next(event for event in await events_of(house, room.lot) if event["type"] == "auction:bid:accepted")
    await room.step("VOID_BID", bid=UUID(first["data"]["bid"]))
    await now.to(int((await row_of(house, room.lot))["ends_at"].timestamp() * 1000) - 10)
    assert (await room.bid("cy", 30, 35)).data["extension_count"] == 1
    end = int((await row_of(house, room.lot))["ends_at"].timestamp() * 1000)
    await room.step("EXTEND", ends_at=end + 5_000)
    report = await room.to_the_end()
    assert (report.outcome, report.winner, report.price) == ("SOLD", str(room.people["bo"]), "36")


async def test_a_lot_that_was_bought_and_re_opened_verifies(
    house: House, now: HouseTime, engine: AuctionEngine
) -> None:
    room = await Room.opened(house, engine, now, buy_now="100")
    await room.bid("ana", 120)
    assert (await verified(house, room.lot)).price == "100"
    await now.on(100)
    await room.step("REOPEN", ends_at=now.now() + 5_000)
    await room.bid("bo", 150)
    report = await room.to_the_end()
    assert (report.winner, report.price) == (str(room.people["bo"]), "150")


async def test_a_lot_re_opened_above_own_raises_verifies(room: Room) -> None:
    await room.bid("ana", 10, 20)
    await room.bid("ana", None, 40)
    await room.bid("bo", 30)
    await room.step("END")
    await verified(room.house, room.lot)
    await room.now.on(100)
    await room.step("REOPEN", ends_at=room.now.now() + 5_000)
    await room.bid("bo", 60)
    assert (await room.to_the_end()).price == "60"


@pytest.mark.parametrize("bids", [0, 2])
async def test_a_lot_that_passes_opens_its_reserve(
    house: House, now: HouseTime, engine: AuctionEngine, bids: int
) -> None:
    room = await Room.opened(house, engine, now, reserve="500")
    for who in ("ana", "bo")[:bids]:
        await room.bid(who, None, 100)
    assert (await room.to_the_end()).outcome == "PASSED"
    ended = (await events_of(house, room.lot))[-1]
    assert ended["data"]["reserve"]["reserve"] == "500"


@pytest.mark.parametrize("late", [0, 70, 900])
async def test_an_outage_over_the_end_is_given_back_and_verifies_however_late_it_is_decided(
    room: Room, late: int
) -> None:
    await room.bid("ana", 10, 30)
    begins = room.now.now() + LENGTH - 50
    until = await room.now.to(begins + 6_000)
    await room.now.on(late)
    await room.look(outage=(begins, until))
    row = await row_of(room.house, room.lot)
    assert (row["status"], row["ends_at"].timestamp() * 1000) == ("ACTIVE", until + 50)
    await verified(room.house, room.lot)
    await room.bid("bo", 20, ago=late)
    assert (await room.to_the_end()).price == "21"


async def test_a_dutch_lot_verifies(house: House, now: HouseTime, engine: AuctionEngine) -> None:
    dutch = {"format": "DUTCH", "starting_price": "60", "step": "5", "interval": 100, "floor": "10"}
    room = await Room.opened(house, engine, now, **dutch)
    await now.on(250)
    assert not (await room.bid("ana", 45)).accepted
    await room.step("PAUSE")
    await now.on(1_000)
    await room.step("RESUME")
    await now.on(100)
    assert (await room.bid("bo", 99)).accepted
    report = await verified(house, room.lot)
    assert (report.outcome, report.winner, report.price) == ("SOLD", str(room.people["bo"]), "45")


@pytest.mark.parametrize(
    ("kind", "reserve", "expected"),
    [
        ("SEALED_FIRST_PRICE", None, ("SOLD", "50")),
        ("SEALED_SECOND_PRICE", None, ("SOLD", "30")),
        ("SEALED_FIRST_PRICE", "45", ("SOLD", "50")),
        ("SEALED_SECOND_PRICE", "45", ("SOLD", "45")),
        ("SEALED_SECOND_PRICE", "60", ("PASSED", "50")),
    ],
)
async def test_sealed_lots_verify(
    house: House, now: HouseTime, engine: AuctionEngine, kind: str, reserve: str | None, expected: Any
) -> None:
    room = await Room.opened(house, engine, now, format=kind, reserve=reserve)
    for who, amount in (("ana", 20), ("bo", 30), ("ana", 50), ("cy", 90), ("cy", 5)):
        last = await room.bid(who, amount)
    assert not last.accepted
    highest = next(one for one in room.receipts if one["opening"]["max_amount"] == "90")
    await room.step("VOID_BID", bid=UUID(highest["opening"]["bid"]))
    report = await room.to_the_end()
    assert (report.outcome, report.price) == expected


async def test_a_sealed_bid_that_is_decided_in_the_same_commit_as_the_end_is_opened_too(
    house: House, now: HouseTime, engine: AuctionEngine
) -> None:
    room = await Room.opened(house, engine, now, format="SEALED_FIRST_PRICE")
    await room.bid("ana", 20)
    await room.look(LENGTH)
    await room.look(1)
    await now.on(GRACE)
    assert (await room.bid("bo", 30, ago=GRACE + 2)).accepted
    report = await verified(house, room.lot)
    assert (report.outcome, report.price) == ("SOLD", "30")
    rows = await openings_of(house, room.lot)
    assert len(rows) == 2
    shown, _ = await repository.bids(house.engine, room.lot)
    assert sorted(str(bid["amount"]) for bid in shown) == ["20", "30"]


async def test_a_cancelled_lot_a_held_back_end_and_a_settled_one_verify(room: Room) -> None:
    await room.bid("ana", 10, 30)
    await room.to_the_end()
    await room.step("SETTLE")
    assert (await verified(room.house, room.lot)).status == "SETTLED"


async def test_a_cancelled_lot_keeps_its_secrets_and_verifies(
    house: House, now: HouseTime, engine: AuctionEngine
) -> None:
    room = await Room.opened(house, engine, now, reserve="50")
    await room.bid("ana", 10, 30)
    await room.step("CANCEL")
    assert not (await room.bid("bo", 20)).accepted
    assert (await verified(house, room.lot)).status == "CANCELLED"


# What is in the database can be changed by whoever owns it; the audit finds it


async def tampered(room: Room, statement: str, *arguments: Any) -> None:
    """Change the log behind the house's back."""
    connection = await asyncpg.connect(room.house.database_url)
    try:
        async with connection.transaction():
            await connection.execute("alter table event_logs disable trigger all")
            await connection.execute(statement, f"auction:{room.lot}", *arguments)
            await connection.execute("alter table event_logs enable trigger all")
    finally:
        await connection.close()


@pytest.fixture
async def sold(room: Room) -> Room:
    await room.bid("ana", 10, 30)
    await room.bid("bo", 20)
    await room.bid("bo", 40)
    await room.to_the_end()
    return room


def head_of(row: Any) -> tuple[int, str]:
    return row["log_n"], row["log_hash"].hex()


@pytest.mark.parametrize(
    ("statement", "n"),
    [
        ("update event_logs set data = jsonb_set(data, '{price}', '\"11\"') where subject = $1 and n = 4", 4),
        ("update event_logs set timestamp = timestamp + interval '1 ms' where subject = $1 and n = 3", 3),
        ("update event_logs set type = 'auction:bid:rejected' where subject = $1 and n = 3", 3),
        ("delete from event_logs where subject = $1 and n = 3", 3),
        ("update event_logs set n = case n when 3 then 1003 when 4 then 1004 else n end where subject = $1", 3),
        ("delete from event_logs where subject = $1 and n > 6", 7),
    ],
)
async def test_a_log_that_was_changed_in_the_database_is_found(sold: Room, statement: str, n: int) -> None:
    await tampered(sold, statement)
    if "1003" in statement:
        await tampered(
            sold, "update event_logs set n = case n when 1003 then 4 else 3 end where subject = $1 and n > 1000"
        )
    events = [event async for event in _raw(sold)]
    with pytest.raises(VerificationFailed) as found:
        audit.verify(events, head=head_of(await row_of(sold.house, sold.lot)))
    assert found.value.fields["n"] == n


async def _raw(room: Room) -> AsyncIterator[dict[str, Any]]:
    async for event in repository.log(room.house.engine, room.lot):
        yield event


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("auction:winner", lambda data: data.update(price="29")),
        ("auction:end", lambda data: data.update(winner=None, outcome="PASSED", winning_bid=None)),
        ("auction:bid:accepted", lambda data: data.update(raises=[{"number": 9}])),
        ("auction:bid:accepted", lambda data: data.update(leader=data["user"][::-1])),
    ],
)
async def test_a_wrong_decision_is_found_though_the_house_made_the_whole_chain_anew(
    sold: Room, kind: str, change: Any
) -> None:
    events, n = forged(await events_of(sold.house, sold.lot), kind, change, which=0)
    with pytest.raises(VerificationFailed) as found:
        audit.verify(events)
    assert found.value.fields["n"] == n


async def test_every_receipt_holds_and_none_of_another_key_or_figure_does(sold: Room) -> None:
    events = await events_of(sold.house, sold.lot)
    audit.verify(events, receipts=sold.receipts)
    public = sold.house.key().public
    stranger, _ = receipts.HouseKey.generate()
    for receipt in sold.receipts:
        receipts.check_signature(receipt, public, what="receipt")
        with pytest.raises(VerificationFailed):
            receipts.check_signature(receipt, stranger.public, what="receipt")
        for change in ({"n": 1}, {"hash": "00" * 32}, {"opening": receipt["opening"] | {"max_amount": "9"}}):
            with pytest.raises(VerificationFailed):
                receipts.check_signature(receipt | change, public, what="receipt")
    shorter = rehashed(events[: sold.receipts[-1]["n"] - 1])
    with pytest.raises(VerificationFailed, match="cut off"):
        audit.verify(shorter, receipts=[sold.receipts[-1]])


# The command


async def exported(room: Room, client: httpx.AsyncClient, folder: Path) -> Path:
    """The log as GET …/log gives it."""
    answer = await client.get(f"/api/v1/auctions/{room.lot}/log")
    path = folder / "lot.ndjson"
    path.write_bytes(answer.content)
    return path


def command(room: Room, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, Any, str]:
    """``sothebais verify … --json``: exit code, JSON on stdout, stderr."""
    code, said, told = spoken(room, monkeypatch, *arguments, "--json")
    return code, json.loads(said) if said else None, told


def spoken(room: Room, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str, str]:
    """``sothebais verify …`` in a thread of its own: exit code, stdout, stderr."""
    monkeypatch.setenv("DATABASE_URL", room.house.database_url)
    monkeypatch.setenv("REDIS_URL", room.house.redis_url)
    monkeypatch.setenv("SOTHEBAIS_DATA_DIR", str(room.house.settings.data_dir))
    with ThreadPoolExecutor(1) as thread:
        result = thread.submit(CliRunner().invoke, app, ["verify", *arguments]).result()
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


async def test_the_command_verifies_a_lot_of_this_house_with_receipts_and_openings(
    sold: Room, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code, said, _ = command(sold, monkeypatch, str(sold.lot))
    assert (code, said["verified"], said["outcome"], said["price"]) == (0, True, "SOLD", "40")
    assert (said["unknown_maxima"], said["exact"]) == (1, False)
    last, openings = tmp_path / "receipt.json", tmp_path / "openings.json"
    last.write_text(json.dumps({"receipt": sold.receipts[-1]}))
    openings.write_text(json.dumps([receipt["opening"] for receipt in sold.receipts]))
    code, said, _ = command(sold, monkeypatch, str(sold.lot), "--receipt", str(last), "--openings", str(openings))
    assert (code, said["verified"], said["exact"]) == (0, True, True)
    openings.write_text(json.dumps([sold.receipts[-1]["opening"] | {"max_amount": "41"}]))
    code, said, _ = command(sold, monkeypatch, str(sold.lot), "--openings", str(openings))
    assert (code, said["verified"], said["n"]) == (1, False, sold.receipts[-1]["n"])
    await tampered(
        sold, "update event_logs set data = jsonb_set(data, '{price}', '\"11\"') where subject = $1 and n = 4"
    )
    code, said, _ = command(sold, monkeypatch, str(sold.lot))
    assert (code, said["verified"], said["n"]) == (1, False, 4)
    assert "Event 4" in said["error"]


async def test_the_command_verifies_an_exported_file_without_the_house(
    sold: Room, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = await exported(sold, client, tmp_path)
    key = (await client.get("/api/v1/house-key")).json()["public_key"]
    key_file = tmp_path / "house.pub"
    key_file.write_text(key + "\n")
    receipt = tmp_path / "receipt.json"
    receipt.write_text(json.dumps(sold.receipts[-1]))
    for given in ([], ["--public-key", key], ["--public-key", str(key_file), "--receipt", str(receipt)]):
        code, said, _ = command(sold, monkeypatch, str(path), *given)
        assert (code, said["verified"], said["price"]) == (0, True, "40"), given
    stranger, _ = receipts.HouseKey.generate()
    code, said, _ = command(sold, monkeypatch, str(path), "--public-key", stranger.public.hex())
    assert (code, said["verified"]) == (1, False)
    assert "head" in said["error"]
    unsigned = {name: sold.receipts[-1][name] for name in ("auction", "n", "hash", "opening")}
    receipt.write_text(json.dumps(unsigned | {"signature": stranger.sign(unsigned)}))
    code, said, _ = command(sold, monkeypatch, str(path), "--receipt", str(receipt))
    assert (code, said["verified"]) == (1, False)


async def test_a_file_whose_own_key_is_trusted_says_so_and_which_key_that_is(
    sold: Room, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = await exported(sold, client, tmp_path)
    lines = path.read_bytes().splitlines()
    key = sold.house.key().public.hex()
    stranger, _ = receipts.HouseKey.generate()
    last = json.loads(lines[-2])
    forged_head = receipts.head(stranger, sold.lot, last["n"], bytes.fromhex(last["hash"]), 0)
    by_a_stranger, unsigned = tmp_path / "stranger.ndjson", tmp_path / "unsigned.ndjson"
    by_a_stranger.write_bytes(b"\n".join([*lines[:-1], json.dumps({"head": forged_head}).encode()]))
    unsigned.write_bytes(b"\n".join(lines[:-1]))
    for file, own_key in ((path, key), (by_a_stranger, stranger.public.hex())):
        code, said, _ = spoken(sold, monkeypatch, str(file))
        assert code == 0
        assert f"signed with the key in the file, {own_key}" in said
        assert "--public-key" in said
        assert command(sold, monkeypatch, str(file))[1]["signed_by"] == own_key
    # what was checked with a key that somebody brought, or against the house itself, needs no warning
    for arguments in ([str(path), "--public-key", key], [str(sold.lot)]):
        code, said, _ = spoken(sold, monkeypatch, *arguments)
        assert code == 0
        assert "key" not in said
    assert spoken(sold, monkeypatch, str(by_a_stranger), "--public-key", key)[0] == 1
    code, said, _ = spoken(sold, monkeypatch, str(unsigned))
    assert (code, "Nobody has signed this file" in said) == (0, True)
    assert command(sold, monkeypatch, str(unsigned))[1]["signed_by"] is None


async def test_the_command_finds_every_kind_of_forged_file(
    sold: Room, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = await exported(sold, client, tmp_path)
    lines = path.read_bytes().splitlines()
    key = sold.house.key().public.hex()
    stranger, _ = receipts.HouseKey.generate()
    cut = [json.loads(line) for line in lines[:3]]
    own_head = receipts.head(stranger, sold.lot, 3, bytes.fromhex(cut[-1]["hash"]), 0)
    forgeries: dict[str, list[bytes]] = {
        "changed": [lines[0], lines[1], lines[2].replace(b'"10"', b'"11"'), *lines[3:]],
        "dropped": [*lines[:2], *lines[3:]],
        "reordered": [*lines[:2], lines[3], lines[2], *lines[4:]],
        "cut off": [*lines[:4], lines[-1]],
        "cut off and signed by somebody else": [*lines[:3], json.dumps({"head": own_head}).encode()],
        "head of another number": [*lines[:-1], lines[-1].replace(b'"n":', b'"n":1')],
    }
    for name, forgery in forgeries.items():
        path.write_bytes(b"\n".join(forgery))
        code, said, _ = command(sold, monkeypatch, str(path), "--public-key", key)
        assert (code, said["verified"]) == (1, False), name
        assert said["error"], name
    # without the head nobody knows where the log ended, but a receipt does
    path.write_bytes(b"\n".join(lines[:3]))
    receipt = tmp_path / "receipt.json"
    receipt.write_text(json.dumps(sold.receipts[-1]))
    assert command(sold, monkeypatch, str(path))[0] == 0
    code, said, _ = command(sold, monkeypatch, str(path), "--public-key", key, "--receipt", str(receipt))
    assert (code, said["verified"]) == (1, False)
    code, _, told = command(sold, monkeypatch, str(path), "--receipt", str(receipt))
    assert code == 1
    assert "--public-key" in told


@pytest.mark.parametrize(
    "last",
    [{"head": 5}, {"head": {}}, {"head": {"public_key": 5}}, {"head": None}, {"n": 1}],
    ids=json.dumps,
)
async def test_a_file_with_a_strange_last_line_is_a_sentence_and_not_a_traceback(
    sold: Room, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, last: Any
) -> None:
    path = await exported(sold, client, tmp_path)
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines[:-1], json.dumps(last).encode()]))
    code, said, told = command(sold, monkeypatch, str(path))
    assert code == 1
    assert told or said["error"]


async def test_a_head_somebody_signed_without_its_figures_is_refused(
    sold: Room, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = await exported(sold, client, tmp_path)
    lines = path.read_bytes().splitlines()
    stranger, _ = receipts.HouseKey.generate()
    for statement in ({}, {"n": "x", "hash": 5, "auction": None}, {"n": None, "hash": "00", "auction": str(sold.lot)}):
        signed = statement | {"public_key": stranger.public.hex(), "signature": stranger.sign(statement)}
        path.write_bytes(b"\n".join([*lines[:-1], json.dumps({"head": signed}).encode()]))
        code, said, told = command(sold, monkeypatch, str(path))
        assert code == 1, statement
        assert told or said["error"]


async def test_garbage_for_a_receipt_is_a_sentence(
    sold: Room, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path, receipt = await exported(sold, client, tmp_path), tmp_path / "receipt.json"
    for garbage in ("", "[]", "5", '{"receipt": 5}', '{"receipt": null}', "{", '{"signature": 5}'):
        receipt.write_text(garbage)
        code, said, told = command(sold, monkeypatch, str(path), "--receipt", str(receipt))
        assert code == 1, garbage
        assert told or said["error"]


def test_the_errors_of_verifying_are_errors_of_the_house() -> None:
    assert issubclass(VerificationFailed, SothebaisError)
