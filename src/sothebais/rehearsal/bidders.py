"""Simulated bidders: people with temperaments who bid over HTTP like anybody else."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import httpx

from sothebais import money
from sothebais.clock import parse_iso

REQUEST_TIMEOUT_S = 5.0
#: A request that got no answer, 429 or 503 is sent again so often, with the same idempotency key.
ATTEMPTS_MAX = 5
RETRY_S = 0.1


class Temperament(StrEnum):
    """How somebody bids."""

    EARLY_BIRD = "early bird"
    NIBBLER = "nibbler"
    PATIENT = "patient"
    SNIPER = "sniper"
    JUMPER = "jumper"
    DUELLIST = "duellist"
    COLLECTOR = "collector"
    TOURIST = "tourist"
    CLUMSY = "clumsy"


#: Handle and temperament of the regulars.
REGULARS = (
    ("ana", Temperament.EARLY_BIRD),
    ("boris", Temperament.NIBBLER),
    ("chen", Temperament.PATIENT),
    ("dimitra", Temperament.SNIPER),
    ("emeka", Temperament.JUMPER),
    ("freya", Temperament.DUELLIST),
    ("gaspard", Temperament.COLLECTOR),
    ("hina", Temperament.TOURIST),
    ("ines", Temperament.CLUMSY),
    ("jonas", Temperament.NIBBLER),
)

#: Those who now and then ask the host something; of one lot, one of them does.
CURIOUS = ("chen", "freya", "hina")
#: What they ask, in the room, and the share of the lot's time after which they do.
QUESTIONS = (
    "Sable, who made this one?",
    "Sable, what is the story of this piece?",
    "Sable, what happens with late bids?",
    "Sable, how many bids do we have?",
    "Sable, are you really an AI?",
    "Sable, how do I bid?",
    "Sable, what comes next tonight?",
    "Sable, how can I verify the result?",
    "Sable, who are you?",
)
ASKS_FROM, ASKS_UNTIL = 0.2, 0.5

#: What a piece is worth to each temperament, as a range around the house's estimate.
_TASTE = {
    Temperament.EARLY_BIRD: (0.5, 1.0),
    Temperament.NIBBLER: (0.6, 1.2),
    Temperament.PATIENT: (0.8, 1.5),
    Temperament.SNIPER: (0.8, 1.6),
    Temperament.JUMPER: (0.7, 1.4),
    Temperament.DUELLIST: (0.7, 1.5),
    Temperament.COLLECTOR: (0.9, 1.5),
    Temperament.TOURIST: (0.3, 0.6),
    Temperament.CLUMSY: (0.5, 1.1),
}


@dataclass(frozen=True)
class Offer:
    """What somebody wants to bid now."""

    amount: Decimal | None
    maximum: Decimal | None = None
    confirm: bool = False


@dataclass
class Tally:
    """What came of somebody's bids."""

    accepted: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    retried: int = 0
    receipts: list[dict[str, Any]] = field(default_factory=list)


class Mind:
    """Decides, without any I/O: from a snapshot and the share of the lot's time that has passed to an offer or none."""

    def __init__(self, temperament: Temperament, rng: random.Random) -> None:
        self.temperament = temperament
        self._rng = rng
        self._worth: dict[str, Decimal] = {}
        self._said: dict[str, int] = {}

    def worth(self, auction: str, estimate: Decimal) -> Decimal:
        """What this piece is worth to this person; the same each time it is asked."""
        if auction not in self._worth:
            low, high = _TASTE[self.temperament]
            factor = Decimal(str(round(self._rng.uniform(low, high), 2)))
            self._worth[auction] = money.quantized(money.multiply(estimate, factor), 2)
        return self._worth[auction]

    def offer(self, lot: dict[str, Any], me: str, estimate: Decimal, passed: float) -> Offer | None:
        """What to bid now, if anything."""
        auction = lot["id"]
        least = None if lot["next_valid_amount"] is None else Decimal(lot["next_valid_amount"])
        worth = self.worth(auction, estimate)
        leads = lot["leader"] is not None and lot["leader"]["id"] == me
        if least is None or least > worth:
            return None
        said = self._said.get(auction, 0)
        made = self._decide(least, worth, leads=leads, said=said, passed=passed)
        if made is not None:
            self._said[auction] = said + 1
        return made

    def _decide(self, least: Decimal, worth: Decimal, *, leads: bool, said: int, passed: float) -> Offer | None:
        match self.temperament:
            case Temperament.COLLECTOR:
                if leads:  # now and then makes sure
                    return Offer(None, worth) if said == 1 and passed > 0.7 else None
                cautious = money.quantized(money.multiply(worth, Decimal("0.8")), 2)
                return Offer(least, max(least, cautious if said == 0 else worth))
            case _ if leads:
                return None
            case Temperament.EARLY_BIRD:
                return Offer(least) if passed < 0.5 else None
            case Temperament.NIBBLER | Temperament.DUELLIST:
                return Offer(least)
            case Temperament.PATIENT:
                return Offer(None, worth) if passed > 0.4 and said == 0 else None
            case Temperament.SNIPER:
                return Offer(least, worth) if passed > 0.88 else None
            case Temperament.JUMPER:
                jump = money.quantized(money.multiply(least, Decimal("1.25")), 2)
                return Offer(min(worth, jump))
            case Temperament.TOURIST:
                return Offer(least) if said < 2 else None
            case Temperament.CLUMSY:
                # a slip of the point; the house asks whether it was meant
                slip = money.multiply(least, Decimal(100))
                return Offer(slip) if said == 0 else Offer(least)


class Curiosity:
    """What somebody wants to know of the host: one thing of every third lot, each of their own before one again."""

    def __init__(self, handle: str, rng: random.Random) -> None:
        self._turn = CURIOUS.index(handle) if handle in CURIOUS else None
        self._rng = rng
        self._left: list[str] = []
        self._after: dict[str, float] = {}

    def question(self, lot: dict[str, Any], passed: float) -> str | None:
        """What they ask now, if anything."""
        auction = lot["id"]
        if self._turn is None or lot["lot_number"] % len(CURIOUS) != self._turn:
            return None
        after = self._after.setdefault(auction, self._rng.uniform(ASKS_FROM, ASKS_UNTIL))
        if passed < after:
            return None
        self._after[auction] = float("inf")
        if not self._left:
            # each has questions of their own, so that nobody asks what another did
            own = QUESTIONS[self._turn :: len(CURIOUS)]
            self._left = self._rng.sample(own, len(own))
        return self._left.pop()


class SimulatedBidder:
    """One person at a keyboard. ``watch`` bids on a lot until it is over."""

    def __init__(
        self, base_url: str, handle: str, temperament: Temperament, rng: random.Random, *, speed: float
    ) -> None:
        self.handle = handle
        self.tally = Tally()
        self.user: UUID | None = None
        self._mind = Mind(temperament, rng)
        # a chance of its own: what is asked changes nothing of what is bid
        self._curiosity = Curiosity(handle, random.Random(f"curiosity:{handle}:{rng.getstate()[1][0]}"))  # noqa: S311
        self._rng = rng
        self._speed = speed
        self._http = httpx.AsyncClient(base_url=base_url, timeout=REQUEST_TIMEOUT_S)

    async def sign_in(self) -> None:
        """A session by sandbox handle."""
        answer = await self._http.post("/api/v1/auth/sandbox", json={"handle": self.handle})
        answer.raise_for_status()
        body = answer.json()
        self.user = UUID(body["user"]["id"])
        self._http.headers["authorization"] = f"Bearer {body['token']}"

    async def close(self) -> None:
        """Leave."""
        await self._http.aclose()

    async def watch(self, auction: str, estimate: Decimal) -> None:
        """Look, think, bid, until the lot is over."""
        lot: dict[str, Any] = {}
        while True:
            if lot:
                await self._pause(lot)
            lot = (await self._send(lambda: self._http.get(f"/api/v1/auctions/{auction}"))).json()
            if lot["status"] in ("ENDED", "SETTLED", "CANCELLED"):
                return
            if lot["status"] != "ACTIVE":
                continue
            starts, ends, now = (parse_iso(lot[name]) for name in ("starts_at", "ends_at", "server_time"))
            passed = (now - starts) / max(1, ends - starts)
            question = self._curiosity.question(lot, passed)
            if question is not None:
                await self.say(auction, question)
            offer = self._mind.offer(lot, str(self.user), estimate, passed)
            if offer is not None:
                await self.bid(auction, offer, lot["currency"])

    async def bid(self, auction: str, offer: Offer, currency: str) -> dict[str, Any]:
        """Send one bid; sent again with the same key while the house asks for that. The answer's body."""
        body: dict[str, Any] = {"currency": currency, "confirm": offer.confirm}
        if offer.amount is not None:
            body["amount"] = money.text(offer.amount)
        if offer.maximum is not None:
            body["max_amount"] = money.text(offer.maximum)
        headers = {"idempotency-key": f"{self.handle}-{self._rng.getrandbits(64):016x}"}
        answer = await self._send(
            lambda: self._http.post(f"/api/v1/auctions/{auction}/bids", json=body, headers=headers)
        )
        told: dict[str, Any] = answer.json()
        if answer.status_code == 201:
            self.tally.accepted += 1
            self.tally.receipts.append(told["receipt"])
        else:
            reason = str(told.get("reason") or told.get("code"))
            self.tally.refused[reason] = self.tally.refused.get(reason, 0) + 1
        return told

    async def say(self, auction: str, text: str) -> None:
        """Write a line in the lot's room. One that the room does not take is not said again."""
        await self._send(lambda: self._http.post(f"/api/v1/auctions/{auction}/chat", json={"text": text}))

    async def _send(self, request: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                answer = await request()
                if answer.status_code not in (429, 503):
                    return answer
            except httpx.TransportError:
                if attempt == ATTEMPTS_MAX:
                    raise
            self.tally.retried += 1
            await asyncio.sleep(RETRY_S * attempt * (0.5 + self._rng.random()))
        return answer

    async def _pause(self, lot: dict[str, Any]) -> None:
        """People look every few seconds; a duellist sooner, everybody sooner near the end."""
        left_s = (parse_iso(lot["ends_at"]) - parse_iso(lot["server_time"])) / 1000
        slow, quick = (8.0, 2.0) if self._mind.temperament is not Temperament.DUELLIST else (3.0, 1.0)
        nominal = quick if left_s * self._speed < 20 else slow
        await asyncio.sleep(max(0.05, nominal * (0.4 + 1.2 * self._rng.random()) / self._speed))
