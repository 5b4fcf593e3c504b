"""Who is told what, on which channel, from when: pure rules."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sothebais import ids
from sothebais.instants import Millis, from_datetime, to_datetime
from sothebais.notify import rules, texts
from sothebais.notify.model import Lot, LotFacts, NotificationChannel, NotificationKind, Person, Preferences
from sothebais.notify.quiet import parse_wall_time, quiet_until

HOUR = 3_600_000
NOW = from_datetime(datetime(2026, 3, 1, 12, tzinfo=UTC))
ANA, BEN, CAT = (UUID(int=number) for number in (1, 2, 3))
LOT = Lot(id=ids.new_id(), number=3, title="Night Market", currency="ETH")
NIGHT = ("22:00", "07:00")
APP, MAIL, PUSH = NotificationChannel.IN_APP, NotificationChannel.EMAIL, NotificationChannel.WEB_PUSH


def at(text: str, zone: str = "UTC", fold: int = 0) -> Millis:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold))


def accepted(bidder: UUID, leader: UUID | None, price: str | None = "1.5") -> dict[str, Any]:
    return {
        "bid": str(ids.new_id()),
        "user": str(bidder),
        "leader": None if leader is None else str(leader),
        "price": price,
        "next_valid_amount": None if price is None else "1.6",
        "amount": price,
    }


def told(type_: str, data: dict[str, Any], **facts: Any) -> list[tuple[UUID, NotificationKind]]:
    found = rules.notices(type_, data, LotFacts(lot=LOT, **facts))
    return [(notice.user, notice.kind) for notice in found]


def channels(kind: NotificationKind, now: Millis = NOW, **wants: Any) -> dict[NotificationChannel, Millis]:
    person = Person(user=ANA, preferences=Preferences(**wants), email=True, push=True)
    return {delivery.channel: delivery.at for delivery in rules.deliveries(person, kind, now)}


def test_a_bid_that_leads_tells_its_bidder_and_whoever_led_before() -> None:
    assert told("auction:bid:accepted", accepted(ANA, ANA)) == [(ANA, NotificationKind.BID_ACCEPTED)]
    assert told("auction:bid:accepted", accepted(ANA, ANA), leader_before=BEN) == [
        (ANA, NotificationKind.BID_ACCEPTED),
        (BEN, NotificationKind.OUTBID),
    ]


def test_a_leader_who_raises_the_own_maximum_outbids_nobody() -> None:
    assert told("auction:bid:accepted", accepted(ANA, ANA), leader_before=ANA) == [(ANA, NotificationKind.BID_ACCEPTED)]


def test_a_bid_beaten_at_once_by_a_maximum_is_told_once_as_outbid_and_the_leader_is_not_disturbed() -> None:
    assert told("auction:bid:accepted", accepted(ANA, BEN), leader_before=BEN) == [(ANA, NotificationKind.OUTBID)]


def test_a_sealed_bid_tells_its_bidder_alone_and_no_figure() -> None:
    (notice,) = rules.notices("auction:bid:accepted", accepted(ANA, None, None), LotFacts(lot=LOT))
    assert (notice.user, notice.kind) == (ANA, NotificationKind.BID_ACCEPTED)
    assert notice.details == {}


def test_a_bid_taken_out_tells_its_bidder_and_whoever_leads_again() -> None:
    data = {"bid": str(ids.new_id()), "cause": "a typing error", "leader": str(BEN), "price": "1.2"}
    kind = NotificationKind.BID_VOIDED
    assert told("auction:bid:voided", data, leader_before=ANA, voided_bidder=ANA) == [(ANA, kind), (BEN, kind)]
    assert told("auction:bid:voided", data, leader_before=BEN, voided_bidder=ANA) == [(ANA, kind)]


def test_a_winner_and_a_debtor_are_told_what_there_is_to_pay() -> None:
    won = {"winner": str(ANA), "bid": "", "price": "2", "total_payable": "2.2", "currency": "ETH"}
    (notice,) = rules.notices("auction:winner", won, LotFacts(lot=LOT))
    assert (notice.user, notice.kind) == (ANA, NotificationKind.WON)
    assert "2.2 ETH" in notice.body
    paid = {"settlement": "", "user": str(ANA), "amount": "2.2", "currency": "ETH", "reason": None}
    for step in ("invoiced", "paid", "delivered", "expired"):
        assert told(f"settlement:{step}", paid) == [(ANA, NotificationKind.SETTLEMENT)]


def test_every_channel_is_used_by_default_and_bid_confirmations_are_not_pushed() -> None:
    assert channels(NotificationKind.WON) == {APP: NOW, MAIL: NOW, PUSH: NOW}
    assert channels(NotificationKind.OUTBID) == {APP: NOW, MAIL: NOW + 1_000, PUSH: NOW + 1_000}
    assert set(channels(NotificationKind.BID_ACCEPTED)) == {APP, MAIL}


@pytest.mark.parametrize(("kind", "switch"), sorted(rules.SWITCHES.items()))
def test_a_preference_turns_off_its_kind_and_no_other(kind: NotificationKind, switch: str) -> None:
    assert channels(kind, **{switch: False}) == {}
    others = [other for other in NotificationKind if rules.SWITCHES.get(other) != switch]
    assert all(channels(other, **{switch: False}) == channels(other) for other in others)


def test_with_notifications_off_only_what_binds_is_told_and_only_in_app() -> None:
    for kind in NotificationKind:
        expected = {APP: NOW} if kind in rules.OBLIGATIONS else {}
        assert channels(kind, notifications=False) == expected


def test_after_an_unsubscribe_everything_but_mail_goes_on() -> None:
    assert set(channels(NotificationKind.WON, by_email=False)) == {APP, PUSH}


def test_quiet_hours_delay_mail_and_push_and_never_the_app() -> None:
    night = at("2026-03-01T23:30")
    morning = at("2026-03-02T07:00")
    assert channels(NotificationKind.WON, night, quiet_hours=NIGHT) == {APP: night, MAIL: morning, PUSH: morning}
    # a collapse that ends in quiet hours waits for their end
    edge = at("2026-03-01T21:59:59.500")
    assert channels(NotificationKind.OUTBID, edge, quiet_hours=NIGHT) == {APP: edge, MAIL: morning, PUSH: morning}


def test_quiet_hours_begin_and_end_on_the_minute() -> None:
    assert quiet_until(NIGHT, "UTC", at("2026-03-01T21:59:59.999")) == at("2026-03-01T21:59:59.999")
    assert quiet_until(NIGHT, "UTC", at("2026-03-01T22:00")) == at("2026-03-02T07:00")
    assert quiet_until(NIGHT, "UTC", at("2026-03-02T06:59:59.999")) == at("2026-03-02T07:00")
    assert quiet_until(NIGHT, "UTC", at("2026-03-02T07:00")) == at("2026-03-02T07:00")
    assert quiet_until(("13:00", "15:00"), "UTC", at("2026-03-01T14:00")) == at("2026-03-01T15:00")
    assert quiet_until(("13:00", "15:00"), "UTC", at("2026-03-01T16:00")) == at("2026-03-01T16:00")


def test_quiet_hours_follow_the_clock_of_their_zone_over_its_changes() -> None:
    zone = "Europe/Berlin"
    # the night in which the clock goes forward is an hour shorter, the one in which it goes back an hour longer
    assert quiet_until(NIGHT, zone, at("2026-03-28T22:00", zone)) - at("2026-03-28T22:00", zone) == 8 * HOUR
    assert quiet_until(NIGHT, zone, at("2026-10-24T22:00", zone)) - at("2026-10-24T22:00", zone) == 10 * HOUR


def test_an_end_the_clock_skips_and_an_end_that_comes_twice() -> None:
    zone = "Europe/Berlin"
    # 02:30 does not exist on 29 March: as long after midnight, which is 03:30
    assert quiet_until(("22:00", "02:30"), zone, at("2026-03-29T01:00", zone)) == at("2026-03-29T03:30", zone)
    # 02:30 comes twice on 25 October
    first, second = at("2026-10-25T02:30", zone), at("2026-10-25T02:30", zone, fold=1)
    assert second - first == HOUR
    assert quiet_until(("22:00", "02:30"), zone, at("2026-10-25T01:00", zone)) == first
    assert quiet_until(("22:00", "02:30"), zone, at("2026-10-25T02:10", zone, fold=1)) == second


@given(
    now=st.integers(min_value=0, max_value=4_102_444_800_000),
    begins=st.integers(0, 1439),
    lasts=st.integers(1, 1439),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
def test_quiet_hours_end_in_time_and_outside_of_themselves(now: Millis, begins: int, lasts: int, zone: str) -> None:
    ends = (begins + lasts) % 1440
    hours = tuple(f"{minute // 60:02d}:{minute % 60:02d}" for minute in (begins, ends))
    until = quiet_until((hours[0], hours[1]), zone, now)
    assert now <= until <= now + 26 * HOUR
    if until > now:
        wall = to_datetime(until).astimezone(ZoneInfo(zone))
        assert until - now <= lasts * 60_000 + 2 * HOUR
        assert (wall.hour * 60 + wall.minute - ends) % 1440 in (0, 30, 60)


@pytest.mark.parametrize("text", ["7:00", "24:00", "07:60", "07-00", "٠٧:٠٠", "07:00:00", ""])
def test_a_time_of_day_is_two_digits_a_colon_and_two_digits(text: str) -> None:
    with pytest.raises(ValueError):
        parse_wall_time(text)


def test_texts_stay_on_one_line_whatever_a_title_holds() -> None:
    lot = msgspec.structs.replace(LOT, title="a\r\nBcc: x@y.example\x00\u202e" + "z" * 500)
    for title, body in (texts.leads(lot, "1"), texts.outbid(lot, "1", None), texts.cancelled(lot, "why\n\nnot")):
        assert all(c.isprintable() for c in title + body)
        assert len(title) < 200


def test_campaign_news_is_told_once_per_turn_and_a_session_only_when_cancelled() -> None:
    assert rules.campaign_news("campaign:start", {}, "Spring") is not None
    over = {"outcome": "CANCELLED", "reason": "rain"}
    assert "rain" in (rules.campaign_news("campaign:end", over, "Spring") or ("", ""))[1]
    assert rules.campaign_news("session:end", {"stage": "COMPLETED"}, "Spring") is None
    cancelled = {"stage": "CANCELLED", "number": 2, "reason": None}
    assert rules.campaign_news("session:end", cancelled, "Spring") is not None
