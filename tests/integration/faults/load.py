"""Bidders over HTTP against real role processes, and a record of everything the house told them."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from tests.fakes.house import PATIENCE_S, a_lot, eventually

from sothebais import roles
from sothebais.bootstrap import House, open_house
from sothebais.cli.services import house_roles
from sothebais.config import Settings
from sothebais.rehearsal.faults import Acknowledged, Findings, check_invariants
from sothebais.state.keys import Channel
from sothebais.state.store import StateStore
from sothebais.supervisor import Role, Supervisor

ENGINE, RELAY = roles.AUCTION_ENGINE, roles.EVENT_HANDLER
SECOND_ENGINE = "auction-engine-2"
#: A bid is sent again, with the same key, until it has an answer; longer than any fault of these tests lasts.
ANSWER_PATIENCE_S = 45.0
REQUEST_TIMEOUT_S = 4.0
COMMIT_TIMEOUT_S = 3
#: Longer than a commit may take, as in every house.
GRACE_MS = 5_000
BIDDERS = 6
COMPLAINTS_SHOWN = 20
#: Between two bids of one bidder.
PAUSE_S = (0.02, 0.06)

# amounts that are recognised wherever they turn up
STANDING_MAXIMUM = "987654.321987"
UNMET_RESERVE = "876543.210987"
UNCONFIRMED = "76543210.109876"
LOWER_OWN_MAXIMUM = "654321.098765"
SECRETS = (STANDING_MAXIMUM, UNMET_RESERVE, UNCONFIRMED, LOWER_OWN_MAXIMUM)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Record:
    """What the bidders were told."""

    acknowledged: list[Acknowledged] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    #: Bodies of refusals, and of answers to others than the one whose secret is in it.
    texts: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    #: Keys that were answered twice, differently.
    changed: list[str] = field(default_factory=list)
    sent_again: int = 0
    #: What was said last to be the next valid amount of each lot; people see it on their screens.
    least: dict[UUID, float] = field(default_factory=dict)


class Bidder:
    """Somebody at one of the addresses, who never gives a bid up without an answer."""

    def __init__(self, urls: Sequence[str], handle: str, record: Record, seed: int) -> None:
        self.handle = handle
        self.user = UUID(int=0)
        self._urls = urls
        self._record = record
        self._rng = random.Random(seed)
        self._http = httpx.AsyncClient(timeout=REQUEST_TIMEOUT_S)
        self._sent = 0

    async def sign_in(self) -> None:
        answer = await self._send("POST", "/api/v1/auth/sandbox", json={"handle": self.handle})
        assert answer is not None, "nobody could sign in"
        answer.raise_for_status()
        self.user = UUID(answer.json()["user"]["id"])
        self._http.headers["authorization"] = f"Bearer {answer.json()['token']}"

    async def close(self) -> None:
        await self._http.aclose()

    async def bid_until(self, stop: asyncio.Event, lots: Sequence[UUID]) -> None:
        """Bid now on this lot, now on that, until told to stop; the last bid is waited for."""
        while not stop.is_set():
            lot = self._rng.choice(lots)
            least = self._record.least.get(lot, 1.0)
            amount = f"{least + self._rng.choice((-0.1, 0, 0.1, 0.2, 0.4)):.2f}"
            figures = {"amount": amount}
            if self._rng.random() < 0.25:
                figures["max_amount"] = f"{float(amount) + self._rng.randrange(1, 4):.2f}"
            if self._rng.random() < 0.1:
                figures = {"max_amount": figures.get("max_amount", amount)}
            await self.bid(lot, **figures)
            await asyncio.sleep(self._rng.uniform(*PAUSE_S))

    async def bid(self, lot: UUID, *, confirm: bool = True, **figures: str) -> dict[str, Any]:
        """One bid to its answer; the answer's body."""
        self._sent += 1
        key = f"{self.handle}-{self._sent}"
        body = {"currency": "ETH", "confirm": confirm, **figures}
        path = f"/api/v1/auctions/{lot}/bids"
        answer = await self._send("POST", path, json=body, headers={"idempotency-key": key})
        if answer is None:
            self._record.unanswered.append(key)
            return {}
        told: dict[str, Any] = answer.json()
        self._record.answers[str(told.get("reason") or told.get("code") or "accepted")] += 1
        if answer.status_code == 201:
            self._record.acknowledged.append(Acknowledged(user=self.user, key=key, body=told))
            self._record.texts.append(str(told["auction"]) + str(told["bid"]))
            if self._rng.random() < 0.05:  # the same again must give the same answer
                await self._ask_again(path, body, key, told)
        else:
            self._record.texts.append(answer.text)
        following = told.get("auction", told).get("next_valid_amount")
        if following is not None:
            self._record.least[lot] = float(following)
        return told

    async def _ask_again(self, path: str, body: dict[str, Any], key: str, told: dict[str, Any]) -> None:
        again = await self._send("POST", path, json=body, headers={"idempotency-key": key})
        if again is None or again.status_code != 201 or again.json()["receipt"] != told["receipt"]:
            self._record.changed.append(f"{key}: {None if again is None else again.text[:300]}")

    async def _send(self, method: str, path: str, **more: Any) -> httpx.Response | None:
        """Send until there is an answer that is one; None when the patience is over."""
        deadline = time.monotonic() + ANSWER_PATIENCE_S
        attempt = self._rng.randrange(len(self._urls))
        while time.monotonic() < deadline:
            try:
                answer = await self._http.request(method, self._urls[attempt % len(self._urls)] + path, **more)
                if answer.status_code not in (429, 503):
                    return answer
                self._record.answers[f"{answer.status_code} {answer.json()['code']}"] += 1
            except httpx.TransportError as error:
                self._record.answers[type(error).__name__] += 1
            attempt += 1
            self._record.sent_again += 1
            await asyncio.sleep(0.1 + 0.2 * self._rng.random())
        return None


class Rig:
    """A whole house of real processes with bidders on it."""

    def __init__(self, house: House, store: StateStore, supervisor: Supervisor, urls: Sequence[str]) -> None:
        self.house = house
        self.store = store
        self.supervisor = supervisor
        self.urls = urls
        self.record = Record()
        self.lots: list[UUID] = []
        self.heard: list[str] = []
        self.kills = 0
        self._bidders: list[Bidder] = []

    async def begin(self, *, short: Sequence[int] = ()) -> None:
        """Open the lots and sign everybody in; ``short`` are lengths in milliseconds of lots that end meanwhile."""
        await self.ready()
        lots = [
            await a_lot(self.house, number=1, confirm_multiple="1000", closing_grace=GRACE_MS),
            await a_lot(self.house, number=2, reserve=UNMET_RESERVE, closing_grace=GRACE_MS),
            await a_lot(self.house, number=3, closing_grace=GRACE_MS),
        ]
        lots += [
            await a_lot(
                self.house,
                number=4 + index,
                lasts=length,
                hard_close_after=5_000,
                extension=1_000,
                extension_window=900,
                closing_grace=GRACE_MS,
            )
            for index, length in enumerate(short)
        ]
        self.lots = lots
        await eventually(self._all_open, "the lots open")
        whale = Bidder(self.urls, "whale", self.record, 99)
        self._bidders = [whale, *(Bidder(self.urls, f"bidder{n}", self.record, n) for n in range(BIDDERS))]
        for bidder in self._bidders:
            await bidder.sign_in()
        # secrets: a maximum that stands to the end, one that says how far the leader would not go, a slip of the point
        told = await whale.bid(lots[0], amount="2", max_amount=STANDING_MAXIMUM)
        assert told["bid"]["status"] == "WINNING"
        told = await whale.bid(lots[0], max_amount=LOWER_OWN_MAXIMUM)
        assert told["reason"] == "ALREADY_LEADING"
        told = await self._bidders[1].bid(lots[0], max_amount=UNCONFIRMED, confirm=False)
        assert told["reason"] == "CONFIRMATION_REQUIRED"

    async def _all_open(self) -> bool:
        """Every lot has been opened; a short one may be over again before a slow machine comes to look."""
        async with httpx.AsyncClient(base_url=self.urls[0], timeout=REQUEST_TIMEOUT_S) as http:
            lots = (await http.get("/api/v1/auctions")).json()["items"]
        return len(lots) == len(self.lots) and all(lot["status"] != "SCHEDULED" for lot in lots)

    @contextlib.asynccontextmanager
    async def under_load(self) -> AsyncIterator[None]:
        """Bids go on for as long as the block lasts; afterwards every one of them has had its answer."""
        stop = asyncio.Event()
        bidding = [asyncio.create_task(one.bid_until(stop, self.lots)) for one in self._bidders[1:]]
        async with self.listening():
            try:
                yield
            finally:
                stop.set()
                await asyncio.wait_for(asyncio.gather(*bidding), ANSWER_PATIENCE_S + 10)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Keep what is published, for as long as the block lasts."""
        task = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _listen(self) -> None:
        """Keep what is published; a Redis that goes away is listened to again."""
        while True:
            try:
                async with self.store.subscription() as subscription:
                    await subscription.subscribe(*Channel)
                    async for message in subscription.listen():
                        if message["type"] == "message":
                            self.heard.append(message["data"].decode())
            except Exception:
                await asyncio.sleep(0.1)

    async def acknowledgements(self, more: int) -> None:
        """Wait until so many more bids are acknowledged."""
        wanted = len(self.record.acknowledged) + more

        async def look() -> bool:
            return len(self.record.acknowledged) >= wanted

        await eventually(look, f"{more} more bids are acknowledged", patience_s=ANSWER_PATIENCE_S)

    async def ready(self) -> None:
        """Wait until every address answers that it is ready."""

        async def look() -> bool:
            try:
                async with httpx.AsyncClient(timeout=REQUEST_TIMEOUT_S) as http:
                    answers = [await http.get(f"{url}/readyz") for url in self.urls]
            except httpx.TransportError:
                return False
            return all(answer.status_code == 200 for answer in answers)

        await eventually(look, "the house is ready", patience_s=PATIENCE_S * 2, every_s=0.05)

    async def ready_engine(self, engines: Sequence[str], rng: random.Random) -> str:
        """Wait until one of these roles serves; its name."""
        by_url = dict(zip((ENGINE, SECOND_ENGINE), self.urls, strict=False))

        async def look() -> str:
            for engine in rng.sample(engines, len(engines)):
                with contextlib.suppress(httpx.TransportError):
                    async with httpx.AsyncClient(timeout=REQUEST_TIMEOUT_S) as http:
                        answer = await http.get(f"{by_url[engine]}/readyz")
                    if answer.status_code == 200:
                        return engine
            return ""

        return await eventually(look, "an engine serves", patience_s=PATIENCE_S * 2)

    async def send_signal(self, role: str, number: signal.Signals) -> float:
        """Signal a role's process and wait until it is gone; the seconds that took."""
        pid = self.supervisor.pids[role]
        begun = time.monotonic()
        os.kill(pid, number)
        self.kills += 1

        async def gone() -> bool:
            return self.supervisor.pids.get(role) != pid

        await eventually(gone, f"{role} is gone")
        return time.monotonic() - begun

    async def comes_back(self, role: str) -> None:
        """Wait until a role has a process again."""

        async def look() -> bool:
            return role in self.supervisor.pids

        await eventually(look, f"{role} is started again")

    async def check(self) -> Findings:
        """The invariants, with everything that was told to anybody."""
        await self.ready()
        assert not self.record.unanswered, f"without an answer: {self.record.unanswered}"
        assert not self.record.answers["INTERNAL"], self.record.answers
        assert not self.record.changed, f"answered twice, differently: {self.record.changed}"
        self.record.texts += self.heard
        findings = await check_invariants(
            self.house.database_url,
            self.store,
            self.house.projectors(),
            acknowledged=self.record.acknowledged,
            public_key=self.house.key().public,
            secrets=SECRETS,
            base_url=self.urls[0],
            folders=[self.house.settings.data_dir / "logs", *server_logs(self.house.settings.data_dir)],
            heard=self.record.texts,
        )
        assert not findings.violations, "\n".join(findings.violations)
        return findings

    def say(self, capsys: Any, what: str, findings: Findings) -> None:
        """Print the figures of a test."""
        with capsys.disabled():
            print(
                f"\n{what}: {self.kills} kills, {findings.acknowledged} acknowledged of {findings.bids} bids, "
                f"{findings.events} events, {self.record.sent_again} sent again; {dict(self.record.answers)}"
            )


def complaints(data_dir: Path) -> list[str]:
    """The last errors in the services' logs."""
    lines = [
        f"{path.parent.name}: {line}"
        for path in sorted(data_dir.glob("logs/*/*.log"))
        for line in path.read_text(errors="replace").splitlines()
        if '"level": "error"' in line or '"level": "critical"' in line
    ]
    return lines[-COMPLAINTS_SHOWN:]


def server_logs(data_dir: Path) -> list[Path]:
    """Folders of the embedded servers' logs that do not hold their data."""
    folder = data_dir / "server-logs"
    folder.mkdir(exist_ok=True)
    for path in (data_dir / "embedded").glob("*.log*"):
        (folder / path.name).write_bytes(path.read_bytes())
    return [folder]


@contextlib.asynccontextmanager
async def rig(data_dir: Path, *, engines: int = 1) -> AsyncIterator[Rig]:
    """A house on a data folder of its own: embedded servers, role processes, one supervisor. Nothing is left of it."""
    ports = [free_port() for _ in range(engines + 1)]
    environment = {
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "SOTHEBAIS_DATA_DIR": str(data_dir),
        "SOTHEBAIS_SANDBOX": "true",
        # a machine that runs other tests too may take longer over a commit; that is not what is tested here
        "SOTHEBAIS_COMMIT_TIMEOUT_S": str(COMMIT_TIMEOUT_S),
        "SOTHEBAIS_BIDS_PER_ADDRESS_PER_SECOND": "2000",
        "SOTHEBAIS_BIDS_PER_USER_PER_SECOND": "200",
    }
    children = house_roles(ports[0], ports[-1], environment)
    if engines > 1:
        children.append(Role(SECOND_ENGINE, ["run", ENGINE, "--port", str(ports[1])], environment))
    settings = Settings(data_dir=data_dir, database_url=None, redis_url=None, sandbox=True)
    urls = [f"http://127.0.0.1:{port}" for port in ports[:engines]]
    async with open_house(settings, name="rig", pool_size=2) as house:
        store = house.store()
        try:
            async with Supervisor(children, servers=house.servers, quiet=True) as supervisor:
                made = Rig(house, store, supervisor, urls)
                try:
                    yield made
                except BaseException:
                    print("\n".join(complaints(data_dir)))  # pytest shows it with the failure
                    raise
                finally:
                    for bidder in made._bidders:
                        await bidder.close()
        finally:
            await store.close()
