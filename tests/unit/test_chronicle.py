"""What the show makes of events: the same whatever the batches, and right at every step."""

import random
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sothebais.instants import parse_iso
from sothebais.stream import direction
from sothebais.stream.chronicle import FADE_MS, NAMES_MAX, Chronicle, Gap
from sothebais.stream.facts import DayFacts, LotFacts, NextSession, Told, faces, spoken_date
from sothebais.stream.lot_course import BIDS_KEPT_MAX, FAIR_WARNING_MS, people_of
from sothebais.stream.show import BIDS_MAX, Artwork, LotStatus, ShowState
from sothebais.stream.speaking import MESSAGES_KEPT_MAX, UNSPOKEN_AFTER_MS

NAMES = UUID("00000000-0000-5000-8000-000000000000")
BEGINS = parse_iso("2026-05-14T17:00:00Z")
OPENS = BEGINS + 600_000
RUNS = 180_000
CAMPAIGN, DAY, BOSS = (uuid5(NAMES, name) for name in ("campaign", "day", "boss"))
LOTS = tuple(uuid5(NAMES, f"lot {number}") for number in (1, 2, 3))
PEOPLE = {str(uuid5(NAMES, name)): name for name in ("ana", "bea", "cleo")}
ANA, BEA, CLEO = PEOPLE
TERMS: dict[str, Any] = {
    "format": "ENGLISH", "currency": "ETH", "decimals": 18, "starting_price": "1",
    "increment": {"kind": "fixed", "amount": "0.1", "percent": None, "floor": None, "steps": None},
    "amount_max": "1000", "buy_now": None, "buy_now_until": "FIRST_BID", "seller": None, "extension_window": 120_000,
    "extension": 120_000, "max_extensions": None, "closing_grace": 2_000, "max_post_delay": 2_000,
    "confirm_multiple": "10", "wallet_required": False, "deposit_required": False, "premium_percent": "0", "fee": "0",
    "step": None, "interval": None, "floor": None, "reserve_commitment": "00" * 32,
}  # fmt: skip
DUTCH = TERMS | {
    "format": "DUTCH", "starting_price": "5", "step": "0.5", "interval": 10_000, "floor": "3", "reserve_commitment": None,
}  # fmt: skip


def the_facts(terms: dict[str, Any] = TERMS, **given: Any) -> DayFacts:
    """A day of three lots, five minutes apart, before anything happened."""
    lots = tuple(
        LotFacts(
            id=key,
            number=number,
            title=f"Piece {number}",
            artist="The House Studio",
            artwork=Artwork(f"piece-{number}", 1_200, 1_200),
            terms=terms,
            starts_at=OPENS + (number - 1) * 300_000,
            ends_at=OPENS + (number - 1) * 300_000 + RUNS,
        )
        for number, key in enumerate(LOTS, start=1)
    )
    return DayFacts(
        **{
            "campaign": CAMPAIGN, "campaign_name": "Rooms of Light", "day": DAY, "number": 2, "days": 5,
            "date": None, "zone": "Europe/Zurich", "begins_at": BEGINS, "auction_at": OPENS, "lots": lots,
            "faces": faces("Europe/Zurich", BEGINS, BEGINS + 86_400_000), "names": dict(PEOPLE),
            "bid_url": "https://house.test/auctions/{auction}",
        } | given
    )  # fmt: skip


class Log:
    """Writes the events of a day as the house does, one after the other."""

    def __init__(self, terms: dict[str, Any] = TERMS) -> None:
        self.events: list[Told] = []
        self.at = BEGINS
        self.version = 0
        self.terms = terms
        self.n = dict.fromkeys(LOTS, 1)
        self.status = dict.fromkeys(LOTS, "SCHEDULED")
        self.times = {lot.id: [lot.starts_at, lot.ends_at] for lot in the_facts().lots}
        self.extensions = dict.fromkeys(LOTS, 0)
        self.price: dict[UUID, str | None] = dict.fromkeys(LOTS)
        self.leader: dict[UUID, str | None] = dict.fromkeys(LOTS)
        self.bids: dict[UUID, list[str]] = {lot: [] for lot in LOTS}
        self.numbers = dict.fromkeys(LOTS, 0)

    def tell(self, kind: str, subject: str, data: dict[str, Any], n: int | None = None) -> Told:
        place = (1, 100 + len(self.events), len(self.events))
        told = Told(
            id=uuid5(NAMES, f"event {len(self.events)}"), place=place, n=n, at=self.at, type=kind, subject=subject, data=data
        )  # fmt: skip
        self.events.append(told)
        return told

    def stage(self, stage: str) -> Told:
        self.version += 1
        kind = {"PRE_AUCTION": "pre_auction", "AUCTION": "auction", "POST_AUCTION": "post_auction"}.get(stage, "end")
        data = {"day": str(DAY), "number": 2, "stage": stage, "version": self.version, "reason": None, "actor": None}
        return self.tell(f"session:{kind}", f"campaign:{CAMPAIGN}", data)

    def lot(self, kind: str, lot: UUID, data: dict[str, Any]) -> Told:
        self.n[lot] += 1
        return self.tell(f"auction:{kind}", f"auction:{lot}", data, self.n[lot])

    def step(self, kind: str, lot: UUID, status: str, cause: str = "the clock", **more: Any) -> Told:
        self.status[lot] = status
        starts_at, ends_at = self.times[lot]
        data = {
            "status": status, "starts_at": starts_at, "ends_at": ends_at, "hard_close_at": ends_at + 1_800_000,
            "extension_count": self.extensions[lot], "cause": cause, "actor": None,
            "next_valid_amount": None if status in ("ENDED", "CANCELLED") else self.next_valid(lot),
        }  # fmt: skip
        return self.lot(kind, lot, data | more)

    def next_valid(self, lot: UUID) -> str:
        price = self.price[lot]
        return self.terms["starting_price"] if price is None else f"{float(price) + 0.1:.1f}"

    def bid(self, lot: UUID, user: str, amount: str, *raises: tuple[str, str]) -> Told:
        before = self.price[lot]
        key = str(uuid5(lot, f"bid {len(self.bids[lot])}"))
        self.bids[lot].append(key)
        self.numbers[lot] += 1
        number, made = self.numbers[lot], []
        self.price[lot], self.leader[lot] = amount, user
        for who, how_much in raises:
            self.numbers[lot] += 1
            made.append(
                {"bid": str(uuid5(lot, f"raise {self.numbers[lot]}")), "number": self.numbers[lot], "user": who,
                 "amount": how_much}
            )  # fmt: skip
            self.price[lot], self.leader[lot] = how_much, who
        return self.lot("bid:accepted", lot, {
            "bid": key, "number": number, "user": user, "source": "WEB", "amount": amount, "offered_by_house": False,
            "confirm": False, "effective_at": self.at, "max_commitment": "00" * 32, "status": self.status[lot],
            "price": self.price[lot], "previous_price": before, "leader": self.leader[lot], "leading_bid": key,
            "reserve_met": False, "next_valid_amount": self.next_valid(lot), "ends_at": self.times[lot][1],
            "extension_count": self.extensions[lot], "bid_count": len(self.bids[lot]), "bidder_count": None,
            "raises": made, "openings": [],
        })  # fmt: skip

    def refused(self, lot: UUID) -> Told:
        self.numbers[lot] += 1
        return self.lot(
            "bid:rejected", lot, {"next_valid_amount": self.next_valid(lot), "bid_count": len(self.bids[lot])}
        )

    def void(self, lot: UUID) -> Told:
        key = self.bids[lot].pop()
        before, self.price[lot], self.leader[lot] = self.price[lot], "1" if self.bids[lot] else None, None
        if self.bids[lot]:
            self.leader[lot] = ANA
        return self.step("bid:voided", lot, self.status[lot], bid=key, price=self.price[lot], previous_price=before, leader=self.leader[lot], leading_bid=None, reserve_met=False, bid_count=len(self.bids[lot]), bidder_count=None, raises=[], led_at=None, superseded=[], openings=[])  # fmt: skip

    def end(self, lot: UUID) -> Told:
        sold = self.leader[lot] is not None
        return self.step("end", lot, "ENDED", outcome="SOLD" if sold else "PASSED", price=self.price[lot], winner=self.leader[lot], winning_bid=None, leader=self.leader[lot], leading_bid=None, bid_count=len(self.bids[lot]), openings=[], reserve=None)  # fmt: skip

    def extend(self, lot: UUID, by: int = 120_000) -> Told:
        self.times[lot][1] += by
        self.extensions[lot] += 1
        return self.step("timer:updated", lot, "ACTIVE")

    def says(self, text: str, place: str = "STREAM", auction: UUID | None = None) -> Told:
        data = {"text": text, "place": place, "auction": None if auction is None else str(auction)}
        return self.tell("agent:message", "agent:sable", data)

    def speaks(self, message: Told, duration: int = 3_000) -> Told:
        return self.tell("agent:speech", "agent:sable", {
            "message": str(message.id), "voice": "v", "starts_at": self.at + 200, "duration": duration,
            "words": [{"text": "one", "start": 0, "end": duration}],
            "mouth": [{"at": 0, "opening": 2}, {"at": duration, "opening": 0}],
        })  # fmt: skip

    def scene(self, scene: str, actor: UUID | None = BOSS, revision: int = 0, **more: Any) -> Told:
        data = {"scene": scene, "revision": revision, "transition": "slide", "duration": 300, "cause": "secret reason"}
        return self.tell(
            "stream:scene:update", "stream:x", data | {"actor": None if actor is None else str(actor)} | more
        )


def folded(events: list[Told], facts: DayFacts | None = None) -> Chronicle:
    chronicle = Chronicle(facts or the_facts())
    for told in events:
        chronicle.apply(told)
    return chronicle


def open_lot(log: Log) -> UUID:
    """The first lot, on since a second."""
    log.stage("PRE_AUCTION")
    log.at = OPENS
    log.stage("AUCTION")
    log.step("start", LOTS[0], "ACTIVE")
    log.at += 1_000
    return LOTS[0]


def seen(log: Log, later: int = 0) -> ShowState:
    return folded(log.events).state(log.at + later)


def test_a_day_goes_from_scene_to_scene() -> None:
    log = Log()
    assert folded([]).state(BEGINS).on_air.scene == "pre-auction"
    lot = open_lot(log)
    # while the intermission fades, what it announced is still what it announces
    assert [piece.number for piece in seen(log, -900).upcoming] == [1, 2, 3]
    state = seen(log)
    assert (state.on_air.scene, state.on_air.previous, state.on_air.since) == ("auction", "intermission", OPENS)
    assert (state.campaign, state.day, state.live) == ("Rooms of Light", "Day 2 of 5", True)
    assert [piece.number for piece in state.upcoming] == [2, 3]
    assert state.next_at == OPENS + 300_000
    assert state.bid_url == f"https://house.test/auctions/{lot}"
    log.bid(lot, ANA, "1")
    log.at = OPENS + RUNS
    log.step("closing", lot, "CLOSING")
    assert seen(log).on_air.scene == "closing"
    log.end(lot)
    assert seen(log).on_air.scene == "sold"
    held = direction.HOLD_MS
    assert seen(log, held - 1).on_air.scene == "sold"
    assert (seen(log, held).on_air.scene, seen(log, held).on_air.since) == ("intermission", log.at + held)
    # the piece goes when its scene has faded
    assert seen(log, held + FADE_MS - 1).lot is not None
    assert seen(log, held + FADE_MS).lot is None
    assert seen(log, held + FADE_MS).bid_url.endswith(str(LOTS[1]))
    for other in LOTS[1:]:
        log.step("start", other, "ACTIVE")
        log.end(other)
    state = seen(log, 60_000)
    assert state.on_air.scene == "post-auction"
    assert [(result.number, result.winner, result.price) for result in state.results] == [
        (1, "ana", "1"), (2, None, None), (3, None, None)
    ]  # fmt: skip


def test_until_names_the_next_change_that_needs_no_event() -> None:
    log = Log()
    lot = open_lot(log)
    chronicle = folded(log.events)
    warned = OPENS + RUNS - FAIR_WARNING_MS
    assert chronicle.until(log.at) == warned
    assert chronicle.state(warned - 1).on_air.scene == "auction"
    assert chronicle.state(warned).on_air.scene == "closing"
    assert chronicle.state(warned + 99).on_air.since == warned
    said = log.says("A word.")
    chronicle.apply(said)
    # what is written waits a moment for its sound
    unspoken = log.at + UNSPOKEN_AFTER_MS
    assert chronicle.state(log.at).caption is None
    assert chronicle.until(log.at) == unspoken
    caption = chronicle.state(unspoken).caption
    assert caption is not None
    assert chronicle.until(unspoken) == caption.until
    assert chronicle.state(caption.until).caption is None
    log.end(lot)
    chronicle.apply(log.events[-1])
    assert chronicle.until(caption.until) == log.at + direction.HOLD_MS


def test_the_same_state_is_the_same_object_until_it_changes() -> None:
    log = Log()
    lot = open_lot(log)
    chronicle = folded(log.events)
    first = chronicle.state(log.at)
    assert chronicle.state(log.at + 5_000) is first
    assert not chronicle.apply(log.refused(lot))
    assert chronicle.state(log.at + 6_000) is first
    assert chronicle.place == log.events[-1].place
    assert chronicle.apply(log.bid(lot, ANA, "1"))
    assert chronicle.state(log.at + 6_000) is not first


def test_an_extension_takes_the_fair_warning_back() -> None:
    log = Log()
    lot = open_lot(log)
    log.at = OPENS + RUNS - 5_000
    log.bid(lot, ANA, "1")
    assert seen(log).on_air.scene == "closing"
    log.extend(lot)
    state = seen(log)
    assert state.on_air.scene == "auction"
    assert state.lot is not None
    assert (state.lot.extended_at, state.lot.ends_at) == (log.at, OPENS + RUNS + 120_000)


def test_a_pause_says_why_and_what_it_means_for_bids() -> None:
    log = Log()
    lot = open_lot(log)
    log.step("paused", lot, "PAUSED", "the line was lost")
    state = seen(log)
    assert state.on_air.scene == "pause"
    assert state.lot is not None
    assert state.lot.paused_at == log.at
    assert (state.notice.sentence, state.notice.meaning) == (
        "Bidding is paused.", "The line was lost. No bid is lost; the clock stands and its time is given back."
    )  # fmt: skip
    log.at += 30_000
    log.times[lot][1] += 30_000
    log.step("resumed", lot, "ACTIVE")
    state = seen(log)
    assert state.on_air.scene == "auction"
    assert state.lot is not None
    assert (state.lot.paused_at, state.lot.ends_at) == (None, OPENS + RUNS + 30_000)


def test_an_operators_scene_stays_until_it_is_given_back() -> None:
    log = Log()
    lot = open_lot(log)
    log.scene("auction", None)  # what the show tells of itself
    assert seen(log).on_air.scene == "auction"
    log.scene("welcome", revision=4)
    chronicle = folded(log.events)
    assert chronicle.operator == ("welcome", 4)
    on_air = chronicle.state(log.at).on_air
    assert (on_air.scene, on_air.transition, on_air.duration_ms) == ("welcome", "slide", 300)
    log.step("paused", lot, "PAUSED")
    log.scene("slate", sentence="A short break.", meaning="Bidding waits.")
    state = seen(log)
    assert (state.on_air.scene, state.notice.sentence, state.notice.meaning) == (
        "slate",
        "A short break.",
        "Bidding waits.",
    )
    assert "secret" not in repr(state)
    log.scene("automatic")
    assert seen(log).on_air.scene == "pause"


def test_an_operators_choice_ends_with_its_broadcast() -> None:
    log = Log()
    open_lot(log)
    log.tell("stream:start", "stream:x", {})
    log.scene("slate")
    log.tell("stream:start", "stream:x", {})  # its own beginning comes late
    assert seen(log).on_air.scene == "slate"
    log.tell("stream:end", "stream:x", {})
    assert seen(log).on_air.scene == "auction"
    log.scene("slate")
    log.tell("stream:start", "stream:y", {})
    assert seen(log).on_air.scene == "auction"


def test_a_voided_bid_leaves_the_list_and_a_long_list_stays_full() -> None:
    log = Log()
    lot = open_lot(log)
    for number in range(BIDS_KEPT_MAX + 5):
        log.bid(lot, (ANA, BEA, CLEO)[number % 3], f"{1 + number / 10:.1f}")
    state = seen(log)
    assert state.lot is not None
    assert len(state.lot.bids) == BIDS_MAX
    first = state.lot.bids[0].number
    log.void(lot)
    state = seen(log)
    assert state.lot is not None
    assert len(state.lot.bids) == BIDS_MAX
    assert state.lot.bids[0].number == first - 1
    assert state.lot.bid_count == BIDS_KEPT_MAX + 4


def test_a_raise_within_a_maximum_is_marked_and_stands_above_the_bid_it_answers() -> None:
    log = Log()
    lot = open_lot(log)
    log.bid(lot, ANA, "1")
    log.at += 50
    log.bid(lot, BEA, "2", (ANA, "2.1"))
    state = seen(log)
    assert state.lot is not None
    assert [(bid.handle, bid.amount, bid.proxy) for bid in state.lot.bids] == [
        ("ana", "2.1", True), ("bea", "2", False), ("ana", "1", False)
    ]  # fmt: skip
    assert (state.lot.price, state.lot.previous_price, state.lot.price_at, state.lot.leader) == (
        "2.1", "1", log.at, "ana",
    )  # fmt: skip
    assert people_of(log.events[-1]) == (BEA, ANA)


def test_somebody_nobody_knows_is_a_bidder() -> None:
    log = Log()
    lot = open_lot(log)
    log.bid(lot, str(UUID(int=9)), "1")
    state = folded(log.events, the_facts(names={})).state(log.at)
    assert state.lot is not None
    assert state.lot.leader == "a bidder"


def test_names_are_kept_within_a_bound() -> None:
    chronicle = Chronicle(the_facts())
    chronicle.learn({str(UUID(int=number)): f"user {number}" for number in range(NAMES_MAX)})
    assert chronicle.knows(str(UUID(int=0)))
    assert not chronicle.knows(ANA)  # the one learned first went
    chronicle.learn({ANA: "ana"})
    assert chronicle.knows(ANA)
    assert not chronicle.knows(str(UUID(int=0)))


def test_the_price_of_a_dutch_lot_falls_without_events() -> None:
    log = Log(DUTCH)
    facts = the_facts(DUTCH)
    open_lot(log)
    chronicle = folded(log.events, facts)

    def asked(t: int) -> str | None:
        lot = chronicle.state(t).lot
        assert lot is not None
        assert lot.starting_price == lot.next_valid
        return lot.next_valid

    t, found = log.at, []
    for _ in range(6):
        found.append(asked(t))
        t = chronicle.until(t)
    assert found == ["5", "4.5", "4", "3.5", "3", "3"]
    assert asked(OPENS + 9_999) == "5"
    assert asked(OPENS + 10_000) == "4.5"
    log.at = OPENS + 10_000
    chronicle.apply(log.step("paused", LOTS[0], "PAUSED"))
    assert asked(OPENS + 60_000) == "4.5"
    log.at = OPENS + 60_000
    chronicle.apply(log.step("resumed", LOTS[0], "ACTIVE"))
    assert asked(OPENS + 69_999) == "4.5"
    assert asked(OPENS + 70_000) == "4"
    assert chronicle.until(OPENS + 60_000) == OPENS + 70_000


def test_a_reserve_that_is_not_met_and_maxima_stand_nowhere() -> None:
    log = Log()
    lot = open_lot(log)
    told = log.bid(lot, ANA, "1")
    told.data["openings"] = [{"bid": str(UUID(int=1)), "max_amount": "77.77", "salt": "00" * 32}]
    state = seen(log)
    assert state.lot is not None
    assert (state.lot.has_reserve, state.lot.reserve_met) == (True, False)
    assert "77.77" not in repr(state)
    log.lot("reserve:met", lot, {"reserve": "88.88", "salt": "00" * 32})
    state = seen(log)
    assert state.lot is not None
    assert state.lot.reserve_met
    assert "88.88" not in repr(state)


def test_what_the_host_says_elsewhere_is_not_shown() -> None:
    log = Log()
    lot = open_lot(log)
    chat, other = log.says("In the chat.", "CHAT"), log.says("Of another house.", auction=UUID(int=5))
    log.speaks(chat)
    log.speaks(other)
    assert (seen(log, 500).caption, seen(log, 500).host.mouth) == (None, ())
    own = log.says("Of this lot.", auction=lot)
    log.at += 100
    log.speaks(own)
    state = seen(log, 200)
    assert state.caption is not None
    assert (state.caption.text, state.caption.at) == ("Of this lot.", log.at + 200)
    assert [shape.opening for shape in state.host.mouth] == [2, 0]
    assert seen(log, 9_000).host.mouth == ()


def test_what_is_spoken_is_not_cut_by_what_is_only_written_yet() -> None:
    log = Log()
    open_lot(log)
    log.speaks(log.says("The first word, and it takes its time."), 6_000)
    log.at += 1_000
    second = log.says("The second.")
    state = seen(log, 100)
    assert state.caption is not None
    assert state.caption.text.startswith("The first")
    assert state.host.mouth
    log.speaks(second)
    state = seen(log, 300)
    assert state.caption is not None
    assert state.caption.text == "The second."


def test_only_a_few_messages_wait_for_their_voice() -> None:
    log = Log()
    open_lot(log)
    first = log.says("The very first.")
    for number in range(MESSAGES_KEPT_MAX):
        log.says(f"Number {number}.")
    log.at += 600_000
    log.speaks(first)
    state = seen(log, 300)
    assert state.caption is not None
    assert state.caption.text == "one"  # its words are known from the speech


def test_a_face_turns_from_the_one_before() -> None:
    log = Log()
    open_lot(log)
    log.tell("agent:mood", "agent:sable", {"mood": "HAPPY", "intensity": 70})
    log.at += 10_000
    log.tell("agent:mood", "agent:sable", {"mood": "SURPRISED", "intensity": 90})
    host = seen(log).host
    assert (host.mood, host.expression, host.intensity, host.since) == ("SURPRISED", "surprised", 90, log.at)
    assert (host.was, host.was_intensity) == ("happy", 70)
    log.tell("agent:asset:request", "agent:sable",
             {"expression": "bowing", "background": "hall", "props": ["gavel"], "mood": "SURPRISED"})  # fmt: skip
    host = folded(log.events, the_facts(expressions={"bowing": "character/bow"})).state(log.at).host
    assert (host.expression, host.background, host.props, host.picture) == (
        "bowing", "hall", ("gavel",), "character/bow",
    )  # fmt: skip


def test_readings_are_shown_and_move_no_time() -> None:
    log = Log()
    open_lot(log)
    chronicle = folded(log.events)
    reading = Told(id=UUID(int=1), place=None, n=None, at=log.at + 10**9, type="stream:viewers", subject="stream:x",
                   data={"origin": "TOTAL", "viewers": 1284})  # fmt: skip
    assert chronicle.apply(reading)
    assert not chronicle.apply(reading)
    assert not chronicle.apply(replace(reading, data={"origin": "WEB", "viewers": 3}))
    assert chronicle.state(log.at).viewers == 1284
    assert chronicle.state(log.at).on_air == folded(log.events).state(log.at).on_air


def test_without_a_day_the_slate_says_so() -> None:
    state = Chronicle(DayFacts(stage="CANCELLED")).state(0)
    assert (state.on_air.scene, state.live, state.notice.sentence, state.lot) == (
        "slate", False, "There is no auction now.", None,
    )  # fmt: skip


def test_tomorrow_is_announced_on_the_wall_clock() -> None:
    from datetime import date

    at = parse_iso("2026-05-15T18:00:00Z")
    facts = the_facts(date=date(2026, 5, 14), next_session=NextSession(date(2026, 5, 15), at, 12))
    assert Chronicle(facts).state(BEGINS).tomorrow == "Tomorrow at 20:00: 12 lots."
    assert spoken_date(at, "Europe/Zurich") == "Friday 15 May at 20:00"


def test_clocks_that_are_set_in_the_night_of_an_auction_are_set_on_screen() -> None:
    begins = parse_iso("2026-10-24T22:00:00Z")
    facts = the_facts(faces=faces("Europe/Zurich", begins, begins + 20_000_000))
    chronicle = Chronicle(facts)
    change = parse_iso("2026-10-25T01:00:00Z")
    before, after = chronicle.state(change - 1), chronicle.state(change)
    assert (before.clock.offset_minutes, before.clock.zone) == (120, "CEST")
    assert (after.clock.offset_minutes, after.clock.zone) == (60, "CET")
    assert Chronicle(facts).until(change - 1) == change


@pytest.mark.parametrize("what", ["lot", "campaign"])
def test_a_gap_is_refused_and_changes_nothing(what: str) -> None:
    log = Log()
    lot = open_lot(log)
    chronicle = folded(log.events)
    before = chronicle.state(log.at)
    if what == "lot":
        log.bid(lot, ANA, "1")
        late = log.bid(lot, BEA, "2")
    else:
        log.stage("POST_AUCTION")
        late = log.stage("COMPLETED")
    with pytest.raises(Gap):
        chronicle.apply(late)
    assert chronicle.state(log.at) is before
    for told in log.events:
        chronicle.apply(told)
    assert chronicle.state(log.at) == seen(log)


def test_a_lot_that_comes_after_the_snapshot_is_a_gap() -> None:
    chronicle = Chronicle(the_facts())
    data = {"campaign_day": str(DAY)}
    new = Told(id=UUID(int=1), place=(1, 1, 1), n=1, at=BEGINS, type="auction:scheduled",
               subject=f"auction:{UUID(int=8)}", data=data)  # fmt: skip
    with pytest.raises(Gap):
        chronicle.apply(new)
    assert not Chronicle(the_facts()).apply(replace(new, data={"campaign_day": str(UUID(int=3))}))


def a_history(rng: random.Random, length: int) -> Log:
    """A day in which anything may happen that can."""
    log = Log()
    log.stage("PRE_AUCTION")
    messages: list[Told] = []
    for _ in range(length):
        log.at += rng.choice((0, 1, 40, 900, 7_000, 20_000))
        lot = rng.choice(LOTS)
        status = log.status[lot]
        happen: list[Callable[[], object]] = [
            lambda: messages.append(log.says(rng.choice(("One.", "Two words, and more of them.")))),
            lambda: log.speaks(messages[-1]) if messages else None,
            lambda: log.tell("agent:mood", "agent:sable", {"mood": rng.choice(("HAPPY", "CURIOUS")), "intensity": rng.randrange(100)}),
            lambda: log.scene(rng.choice(("slate", "automatic", "automatic", "intermission"))),
            lambda: log.stage("AUCTION") if log.version == 1 else None,
        ]  # fmt: skip
        if status == "SCHEDULED":
            happen += [lambda: log.step("start", lot, "ACTIVE")] * 3  # noqa: B023
        elif status in ("ACTIVE", "CLOSING"):
            user, price = rng.choice((ANA, BEA, CLEO)), f"{1 + log.n[lot] / 10:.1f}"
            happen += [
                lambda: log.bid(lot, user, price),  # noqa: B023
                lambda: log.bid(lot, user, price, (ANA, f"{float(price) + 0.1:.1f}")),  # noqa: B023
                lambda: log.refused(lot),  # noqa: B023
                lambda: log.void(lot) if log.bids[lot] else None,  # noqa: B023
                lambda: log.extend(lot),  # noqa: B023
                lambda: log.step("paused", lot, "PAUSED", "why"),  # noqa: B023
                lambda: log.step("closing", lot, "CLOSING"),  # noqa: B023
                lambda: log.end(lot),  # noqa: B023
                lambda: log.step("cancelled", lot, "CANCELLED"),  # noqa: B023
            ] * 2  # fmt: skip
        elif status == "PAUSED":
            happen += [lambda: log.step("resumed", lot, "ACTIVE")] * 6  # noqa: B023
        elif status == "ENDED":
            happen += [lambda: log.step("reopened", lot, "ACTIVE")]  # noqa: B023
        rng.choice(happen)()
    return log


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32), length=st.integers(1, 60))
def test_folding_live_in_any_batches_equals_folding_the_whole_log(seed: int, length: int) -> None:
    rng = random.Random(seed)
    log = a_history(rng, length)
    whole = folded(log.events)
    live, t, done = Chronicle(the_facts()), BEGINS, 0
    while done < len(log.events):
        batch = log.events[done : done + rng.randrange(1, 6)]
        for told in batch:
            live.apply(told)
            if rng.random() < 0.3:
                live.apply(told)  # once more
        done += len(batch)
        t = max(t, log.events[done - 1].at)
        for _ in range(rng.randrange(3)):
            live.moment(t + rng.randrange(40_000))
        if rng.random() < 0.2:  # what was seen long ago
            assert not any(live.apply(told) for told in log.events[:done])
    for later in (0, 1, 700, 11_999, 12_000, 30_000, 200_000, 10**7):
        one, other = whole.moment(log.at + later), live.moment(log.at + later)
        assert one.state == other.state
        # time alone brings the next state when it was said, and not before
        if one.until < log.at + 10**8:
            assert Chronicle.moment(folded(log.events), one.until - 1).state == one.state


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32), length=st.integers(1, 60))
def test_a_snapshot_in_the_middle_and_the_rest_equal_the_whole(seed: int, length: int) -> None:
    rng = random.Random(seed)
    log = a_history(rng, length)
    cut = rng.randrange(len(log.events) + 1)
    before = folded(log.events[:cut])
    facts = the_facts()
    standing = dict(before._lots.items())
    taken = replace(
        facts,
        place=before.place,
        version=before._version,
        lots=tuple(
            replace(lot, n=standing[str(lot.id)].n, standing=standing[str(lot.id)].standing) for lot in facts.lots
        ),
        course=tuple(
            told
            for told in log.events[:cut]
            if told.type not in ("auction:bid:accepted", "auction:bid:rejected", "auction:reserve:met")
        ),
    )
    chronicle = Chronicle(taken)
    for told in log.events[rng.randrange(cut + 1) :]:
        chronicle.apply(told)
    whole = folded(log.events)
    for later in (0, 700, 12_000, 30_000, 10**7):
        one, other = whole.moment(log.at + later), chronicle.moment(log.at + later)
        assert replace(one.state, position=None) == replace(other.state, position=None)
        assert one.until == other.until
    assert all(lot.times.status in LotStatus for lot in chronicle._lots.values())
