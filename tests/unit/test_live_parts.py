"""The live feed's pure parts: who may see what, what memory keeps, whose connection it is, what a message may be."""

import json
from typing import Any

import pytest

from sothebais import ids
from sothebais.api.live import addresses, protocol, visibility
from sothebais.api.live.history import History, Item
from sothebais.config import Settings
from sothebais.errors import ConfigurationError, InvalidInput
from sothebais.events.cursors import LoggedEvent
from sothebais.events.log import START, Position
from sothebais.events.types import CHANNELS

LOT = "019d3c5e-0000-7000-8000-000000000001"
ANA = "019d3c5e-0000-7000-8000-00000000000a"


def event(type_: str, subject: str = f"auction:{LOT}", seq: int = 1, **data: object) -> LoggedEvent:
    return LoggedEvent(
        id=ids.new_id(),
        position=Position(1, seq, seq),
        n=seq,
        timestamp=0,
        type=type_,
        source="auction-engine",
        version="1.0",
        subject=subject,
        correlation_id=None,
        causation_id=None,
        data=json.dumps(data),
        prev_hash=None,
        hash=None,
    )


def test_auctions_streams_the_host_and_the_room_are_public_and_people_and_the_system_are_not() -> None:
    public = {type_ for type_ in CHANNELS if visibility.audience(event(type_, user=ANA)) == visibility.PUBLIC}
    assert {type_.partition(":")[0] for type_ in CHANNELS.keys() - public} == {"user", "social", "system", "agent"}
    assert {type_ for type_ in CHANNELS.keys() - public if type_.startswith("agent:")} == {
        "agent:memory:update",
        "agent:interaction",
    }
    assert {type_.partition(":")[0] for type_ in public} >= {"auction", "campaign", "session", "stream", "chat"}
    assert visibility.audience(event("agent:message", place="DIRECT")) == visibility.STAFF
    assert visibility.topics(event("agent:message", place="DIRECT")) == ()


def test_what_is_about_a_person_is_for_that_person_and_the_staff() -> None:
    seen_by = visibility.audience(event("user:action", f"user:{ANA}"))
    assert visibility.may_see(seen_by, ANA, staff=False)
    assert visibility.may_see(seen_by, None, staff=True)
    assert not visibility.may_see(seen_by, None, staff=False)
    assert not visibility.may_see(seen_by, LOT, staff=False)
    assert not visibility.may_see(visibility.STAFF, ANA, staff=False)


def test_each_event_is_told_in_the_topics_it_belongs_to() -> None:
    assert visibility.topics(event("auction:bid:accepted")) == (f"auction:{LOT}",)
    assert visibility.topics(event("auction:end")) == (f"auction:{LOT}", "schedule")
    assert visibility.topics(event("auction:scheduled")) == (f"auction:{LOT}",)
    assert visibility.topics(event("session:auction", "campaign:x")) == ("schedule",)
    assert visibility.topics(event("chat:message", f"user:{ANA}", auction=LOT)) == (f"auction:{LOT}",)
    assert visibility.topics(event("user:notified", f"user:{ANA}", user=ANA)) == (f"me:{ANA}",)
    for private in ("user:action", "user:preference", "social:post:received", "system:health"):
        assert visibility.topics(event(private, f"user:{ANA}", user=ANA, auction=LOT)) == ()


def test_memory_is_bounded_in_number_and_in_bytes_and_knows_how_far_back_it_goes() -> None:
    kept = History(START, events_max=10, bytes_max=1_000_000)
    for seq in range(1, 101):
        kept.add(Item(event("auction:end", seq=seq)))
    assert 10 <= len(kept) <= 13
    assert kept.floor == Position(1, 100 - len(kept), 100 - len(kept))
    assert not kept.covers(Position(1, 50, 50))
    assert [item.n for item in kept.after(Position(1, 97, 97), "schedule")] == [98, 99, 100]
    assert len(kept.after(kept.floor, "schedule")) == len(kept)
    small = History(START, events_max=1_000, bytes_max=2_000)
    for seq in range(1, 101):
        small.add(Item(event("auction:end", seq=seq)))
        assert small.bytes <= 2_000 * 1.25 + 1_000
    assert small.after(small.floor)[-1].n == 100
    assert small.bytes == sum(len(item.message) for item in small.after(small.floor))


def test_an_event_is_serialised_once_for_everybody() -> None:
    item = Item(event("auction:end"))
    assert item.frame("schedule") is item.frame("schedule")
    frame = json.loads(item.frame("schedule"))
    assert (frame["op"], frame["topic"], frame["position"]) == ("event", "schedule", "1.1.1")
    assert frame["event"]["type"] == "auction:end"
    assert json.loads(Item(event("user:notified", user=ANA)).frame(f"me:{ANA}"))["topic"] == "me"


@pytest.mark.parametrize(
    ("origin", "ours"),
    [
        ("http://house.test:8020", True),
        ("http://house.test:8000", True),
        ("http://house.test:8001", False),
        ("http://other.test:8000", False),
        ("https://pages.example", False),
        ("null", False),
        ("", False),
        ("http://[", False),
        (None, False),
    ],
)
def test_our_pages_are_those_of_this_host_and_its_ports(origin: str | None, ours: bool) -> None:
    assert addresses.from_our_pages(origin, "house.test:8020", public_url=None, ports=(8000, 8010)) is ours


def test_with_a_public_address_only_it_and_the_address_asked_are_ours() -> None:
    def ours(origin: str) -> bool:
        return addresses.from_our_pages(origin, "live.example", public_url="https://pages.example", ports=(8000,))

    assert ours("https://pages.example")
    assert ours("https://live.example")
    assert not ours("http://live.example:8000")
    assert not ours("https://pages.example.evil.example")


def test_only_our_own_proxies_are_believed() -> None:
    proxies = addresses.networks(["10.0.0.0/8"])
    assert addresses.client_address("1.2.3.4", "9.9.9.9", proxies) == "1.2.3.4"
    assert addresses.client_address("10.0.0.1", "9.9.9.9", proxies) == "9.9.9.9"
    assert addresses.client_address("10.0.0.1", "6.6.6.6, 9.9.9.9, 10.0.0.2", proxies) == "9.9.9.9"
    assert addresses.client_address("10.0.0.1", None, proxies) == "10.0.0.1"
    assert addresses.client_address("10.0.0.1", "nonsense", proxies) == "10.0.0.1"
    with pytest.raises(ConfigurationError, match="SOTHEBAIS_LIVE_TRUSTED_PROXIES"):
        addresses.networks(["somewhere"])


def test_each_gateway_has_a_port_that_no_other_service_has() -> None:
    settings = Settings(live_gateways=3)
    assert addresses.gateway_ports(settings) == [8020, 8022, 8023]
    assert addresses.gateway_ports(settings.model_copy(update={"live_gateways": 0})) == []


def test_a_message_may_name_only_so_many_topics_and_each_once() -> None:
    topics = [f"auction:{ids.new_id()}" for _ in range(protocol.TOPICS_NAMED_MAX)]
    text = json.dumps({"op": "subscribe", "topics": topics})
    assert protocol.parse(text).topics == topics
    with pytest.raises(InvalidInput, match="at most"):
        protocol.parse(json.dumps({"op": "subscribe", "topics": [*topics, "stream"]}))
    assert protocol.parse('{"op":"subscribe","topics":["stream","stream"]}').topics == ["stream"]
    with pytest.raises(InvalidInput, match="too long"):
        protocol.parse(json.dumps({"op": "hello", "token": "x" * (protocol.TOKEN_LENGTH_MAX + 1)}))


@pytest.mark.parametrize(
    ("given", "page", "found"),
    [
        ({}, "http://127.0.0.1:8000", "http://127.0.0.1:8030/api/v1/stream"),
        ({}, "http://[::1]:8000", "http://[::1]:8030/api/v1/stream"),
        ({"stream_port": 9030}, "http://localhost", "http://localhost:9030/api/v1/stream"),
        ({"public_url": "https://house.test"}, "http://127.0.0.1:8000", "https://house.test/api/v1/stream"),
        (
            {"public_url": "https://house.test", "stream_url": "https://cdn.test/s"},
            "https://house.test",
            "https://cdn.test/s",
        ),
    ],
)
def test_pages_find_the_picture_where_they_can_reach_it(given: dict[str, Any], page: str, found: str) -> None:
    scheme, _, netloc = page.partition("://")
    assert addresses.stream_url(Settings(**given), scheme, netloc) == found
