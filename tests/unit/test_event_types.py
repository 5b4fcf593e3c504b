"""The catalogue of events and the models of the Redis state, against values drawn from their own JSON schemas."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

import sothebais
from sothebais.agent.tables import MemoryKind
from sothebais.auctions.model import Format, Outcome, Status
from sothebais.campaigns.model import CampaignStatus, DayStatus
from sothebais.errors import InvalidInput
from sothebais.events.types import (
    CATALOGUE,
    CHANNELS,
    ENVELOPES,
    NOT_YET,
    PUBLISHED_ONLY,
    Data,
    parse_event,
    validate_data,
)
from sothebais.events.types import agent as agent_types
from sothebais.events.types import auction as auction_types
from sothebais.events.types import stream as stream_types
from sothebais.events.types import user as user_types
from sothebais.notify.tables import DeliveryStatus, NotificationChannel, NotificationKind
from sothebais.social.tables import PostKind
from sothebais.state import keys, models
from sothebais.state.models import STATES, State
from sothebais.stream.tables import AssetType, StreamStatus
from sothebais.users.tables import Role, UserPreference

# written out by hand from the design, so that a type cannot vanish unnoticed
AUCTION = [
    "campaign:start",
    "campaign:end",
    "session:start",
    "session:pre_auction",
    "session:auction",
    "session:post_auction",
    "session:end",
    "auction:scheduled",
    "campaign:scheduled",
    "auction:start",
    "auction:paused",
    "auction:resumed",
    "auction:closing",
    "auction:end",
    "auction:settled",
    "auction:cancelled",
    "auction:reopened",
    "auction:winner",
    "auction:bid:placed",
    "auction:bid:accepted",
    "auction:bid:rejected",
    "auction:bid:voided",
    "auction:timer:updated",
    "auction:reserve:met",
    "settlement:offered",
    "settlement:invoiced",
    "settlement:paid",
    "settlement:delivered",
    "settlement:expired",
    "auction:price:updated",
]
STREAM = [
    "stream:start",
    "stream:end",
    "stream:error",
    "stream:quality",
    "stream:scene:update",
    "stream:asset:loaded",
    "stream:output:up",
    "stream:output:down",
    "stream:viewers",
]
AGENT = [
    "agent:message",
    "agent:mood",
    "agent:interaction",
    "agent:asset:request",
    "agent:memory:update",
    "agent:speech",
]
USER = [
    "user:connect",
    "user:disconnect",
    "user:action",
    "user:preference",
    "user:wallet:linked",
    "user:notified",
    "social:post:received",
    "social:post:sent",
    "chat:message",
]
SYSTEM = ["system:startup", "system:shutdown", "system:health", "system:metric", "system:error", "system:config"]

ID = "01890a5d-ac96-774b-bcce-b302099a8057"
FAST = settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))


def values(schema: dict[str, Any], root: dict[str, Any]) -> st.SearchStrategy[Any]:
    """JSON values that a JSON schema made by Pydantic admits."""
    if "$ref" in schema:
        return values(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root)
    if "anyOf" in schema:
        return st.one_of([values(option, root) for option in schema["anyOf"]])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema.get("minimum", -(2**31)), schema.get("maximum", 2**31))
        case "number":
            low, high = schema.get("minimum"), schema.get("maximum")
            open_ends = {"exclude_min": "exclusiveMinimum" in schema, "exclude_max": "exclusiveMaximum" in schema}
            low, high = schema.get("exclusiveMinimum", low), schema.get("exclusiveMaximum", high)
            return st.floats(low, high, allow_nan=False, allow_infinity=False, **open_ends)
        case "string":
            return strings(schema)
        case "array":
            return st.lists(values(schema["items"], root), max_size=min(3, schema.get("maxItems", 3)))
        case "object" if "properties" in schema:
            fields = {name: values(field, root) for name, field in schema["properties"].items()}
            needed = {name: field for name, field in fields.items() if name in schema.get("required", ())}
            return st.fixed_dictionaries(needed, optional={k: v for k, v in fields.items() if k not in needed})
        case "object":
            return st.dictionaries(st.text(max_size=9), values(schema["additionalProperties"], root), max_size=2)
    return st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=9))  # any JSON value


def strings(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") == "uuid":
        return st.uuids().map(str)
    if "pattern" in schema:
        return st.from_regex(re.compile(schema["pattern"], re.ASCII), fullmatch=True)
    return st.text(max_size=min(20, schema.get("maxLength", 20)))


@cache
def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


@cache
def of(model: type[BaseModel]) -> st.SearchStrategy[dict[str, Any]]:
    schema = schema_of(model)
    return values(schema, schema)


def example(type_: str) -> dict[str, Any]:
    """One event of a type, with the plainest data its model admits."""
    schema = schema_of(CATALOGUE[type_])
    return {
        "id": ID,
        "timestamp": 1_767_225_600_000,
        "source": "admin-frontend",
        "subject": f"system:{ID}",
        "type": type_,
        "data": plain(schema, schema),
    }


def plain(schema: dict[str, Any], root: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return plain(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root)
    if "anyOf" in schema:
        return None if {"type": "null"} in schema["anyOf"] else plain(schema["anyOf"][0], root)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    match schema.get("type"):
        case "object":
            return {name: plain(schema["properties"][name], root) for name in schema.get("required", ())}
        case "array":
            return []
        case "boolean":
            return False
        case "integer" | "number":
            return schema.get("minimum", 0)
    if schema.get("format") == "uuid":
        return ID
    known = ("0" * 64, "1.5", "ETH", "auction", "some_name")
    return next((text for text in known if re.fullmatch(schema.get("pattern", ".*"), text)), "")


def test_the_catalogue_is_exactly_that_of_the_design() -> None:
    assert sorted(CATALOGUE) == sorted(AUCTION + STREAM + AGENT + USER + SYSTEM)


def test_every_type_is_published_on_the_channel_of_its_category() -> None:
    expected = {
        **dict.fromkeys(AUCTION, "events:auction"),
        **dict.fromkeys(STREAM, "events:stream"),
        **dict.fromkeys(AGENT, "events:agent"),
        **dict.fromkeys(USER, "events:user"),
        **dict.fromkeys(SYSTEM, "events:system"),
    }
    assert dict(CHANNELS) == expected


def test_only_high_rate_readings_are_left_out_of_the_log() -> None:
    assert set(PUBLISHED_ONLY) == {"auction:price:updated", "stream:viewers", "system:metric"}


def test_every_type_has_an_envelope_class_with_a_name_of_its_own() -> None:
    assert set(ENVELOPES) == set(CATALOGUE)
    assert len({envelope.__name__ for envelope in ENVELOPES.values()}) == len(CATALOGUE)


@pytest.mark.parametrize("type_", sorted(CATALOGUE))
@FAST
@given(data=st.data())
def test_an_event_survives_the_way_through_json_and_through_python_data(type_: str, data: st.DataObject) -> None:
    raw = data.draw(of(ENVELOPES[type_]))
    raw["type"] = type_
    event = parse_event(json.dumps(raw))
    assert type(event) is ENVELOPES[type_]
    assert type(event.data) is CATALOGUE[type_]
    again = parse_event(event.model_dump_json())
    assert again == event
    assert again.model_dump_json() == event.model_dump_json()
    assert parse_event(raw) == event
    assert parse_event(event.model_dump()) == event
    assert validate_data(type_, raw["data"]) == event.data


@pytest.mark.parametrize("type_", sorted(CATALOGUE))
def test_an_unknown_field_is_refused(type_: str) -> None:
    event = example(type_)
    parse_event(event)
    with pytest.raises(InvalidInput, match=r"data\.surprise: Extra inputs"):
        parse_event({**event, "data": {**event["data"], "surprise": 1}})
    with pytest.raises(InvalidInput, match="surprise: Extra inputs"):
        parse_event({**event, "surprise": 1})


@pytest.mark.parametrize("type_", sorted(CATALOGUE))
def test_a_value_of_the_wrong_type_is_refused_in_every_field(type_: str) -> None:
    event = example(type_)
    for field in CATALOGUE[type_].model_fields:
        wrong = {**event["data"], field: {"not": ["a", "value", "of", "any", "field", 1.5]}}
        with pytest.raises(InvalidInput, match=rf"data\.{field}\b"):
            parse_event({**event, "data": wrong})


@pytest.mark.parametrize("type_", sorted(CATALOGUE))
def test_a_missing_field_is_refused(type_: str) -> None:
    event = example(type_)
    for field in event["data"]:
        less = {name: value for name, value in event["data"].items() if name != field}
        with pytest.raises(InvalidInput, match=rf"data\.{field}: Field required"):
            parse_event({**event, "data": less})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "auction:party"}, "'auction:party' is not a type of the event catalogue"),
        ({"type": 7}, "'7' is not a type of the event catalogue"),
        ({"id": "17"}, "id:"),
        ({"id": 17}, "id:"),
        ({"timestamp": "1767225600000"}, "timestamp:"),
        ({"timestamp": 1.5}, "timestamp:"),
        ({"timestamp": -1}, "timestamp:"),
        ({"source": "somebody"}, "source:"),
        ({"subject": "planet:7"}, "subject:"),
        ({"version": "2.0"}, "version:"),
        ({"n": 0}, "n:"),
        ({"hash": "ABC"}, "hash:"),
        ({"position": "1.2"}, "position:"),
        ({"data": []}, "data:"),
    ],
)
def test_a_wrong_envelope_is_refused_with_the_name_of_the_field(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_event({**example("auction:start"), **change})
    assert message in caught.value.message


@pytest.mark.parametrize("text", ["", "{", "null", "[]", '"auction:start"', b"\xff\xfe"])
def test_what_is_no_json_object_is_refused(text: str | bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_event(text)


def test_an_event_without_type_is_refused_and_says_so() -> None:
    event = example("auction:start")
    del event["type"]
    with pytest.raises(InvalidInput, match="no type"):
        parse_event(event)


def test_a_value_that_json_cannot_express_is_refused() -> None:
    with pytest.raises(InvalidInput, match="JSON cannot express"):
        parse_event({**example("auction:start"), "data": {"cause": object()}})


def test_an_error_never_repeats_the_value_it_is_about() -> None:
    secret = "133.7 ETH at most"
    event = example("auction:bid:rejected")
    with pytest.raises(InvalidInput) as caught:
        parse_event({**event, "data": {**event["data"], "max_amount": secret}})
    assert secret not in caught.value.message
    assert secret not in str(caught.value.fields)
    assert caught.value.__cause__ is None


def test_an_error_with_many_faults_stays_short() -> None:
    with pytest.raises(InvalidInput, match=r"\(and \d+ more\)"):
        parse_event({**example("auction:bid:accepted"), "data": {}})


def test_data_is_checked_without_its_envelope_too() -> None:
    data = example("auction:reserve:met")["data"]
    checked = validate_data("auction:reserve:met", data)
    assert validate_data("auction:reserve:met", checked) is checked
    with pytest.raises(InvalidInput, match="not a type of the event catalogue"):
        validate_data("auction:party", data)
    with pytest.raises(InvalidInput, match="ReserveMet is not the data of auction:start"):
        validate_data("auction:start", checked)


def test_an_event_cannot_be_changed() -> None:
    event = parse_event(example("auction:start"))
    with pytest.raises(ValidationError, match="frozen"):
        event.timestamp = 0


@pytest.mark.parametrize("kind", list(keys.Kind))
@FAST
@given(data=st.data())
def test_a_state_survives_the_way_through_redis(kind: keys.Kind, data: st.DataObject) -> None:
    model = STATES[kind]
    state = model.model_validate_json(json.dumps(data.draw(of(model))))
    assert model.model_validate_json(state.model_dump_json()) == state
    assert model(**{name: getattr(state, name) for name in model.model_fields}) == state


@pytest.mark.parametrize("model", [*STATES.values(), models.RelayPosition])
def test_a_state_refuses_unknown_fields(model: type[State]) -> None:
    schema = model.model_json_schema()
    assert schema["additionalProperties"] is False
    with pytest.raises(ValidationError, match="Extra inputs"):
        model.model_validate({"surprise": 1})


@given(
    subject=st.uuids(),
    day=st.integers(1, 999),
    what=st.from_regex(r"[A-Za-z0-9_.-]+", fullmatch=True),
    who=st.text(min_size=1),
)
def test_every_key_that_is_made_is_parsed_back(subject: UUID, day: int, what: str, who: str) -> None:
    plain_keys = {
        keys.Kind.CAMPAIGN: keys.campaign,
        keys.Kind.AUCTION: keys.auction,
        keys.Kind.AUCTION_PRICE: keys.auction_price,
        keys.Kind.AUCTION_BID: keys.auction_bid,
        keys.Kind.AUCTION_TIMER: keys.auction_timer,
        keys.Kind.STREAM: keys.stream,
        keys.Kind.STREAM_SCENE: keys.stream_scene,
        keys.Kind.STREAM_METRICS: keys.stream_metrics,
        keys.Kind.STREAM_VIEWERS: keys.stream_viewers,
        keys.Kind.AGENT: keys.agent,
        keys.Kind.AGENT_MOOD: keys.agent_mood,
        keys.Kind.AGENT_CONTEXT: keys.agent_context,
        keys.Kind.AGENT_SCENE: keys.agent_scene,
        keys.Kind.SESSION: keys.session,
    }
    for kind, make in plain_keys.items():
        key = make(subject)
        assert key == kind.replace("{id}", str(subject))
        assert keys.parse(key) == keys.parse(key.encode()) == keys.Key(kind, subject)
    assert keys.parse(keys.campaign_day(subject, day)) == keys.Key(keys.Kind.CAMPAIGN_DAY, subject, day)
    assert keys.parse(keys.rate_limit(what, who)) == keys.Key(keys.Kind.RATE_LIMIT, parts=(what, who))
    assert keys.parse(keys.cache(who)) == keys.Key(keys.Kind.CACHE, parts=(who,))
    assert {*plain_keys, keys.Kind.CAMPAIGN_DAY, keys.Kind.RATE_LIMIT, keys.Kind.CACHE} == set(keys.Kind)


@pytest.mark.parametrize(
    "key",
    ["", "auction", "auction:", "auction:1", f"auction:{ID.upper()}", f"auction:day:{ID}", f"campaign:day:{ID}",
     f"campaign:day:{ID}:0", f"campaign:day:{ID}:01", "rate:limit:bid", "rate:limit:bid:", "cache:", keys.POSITION_KEY,
     f"planet:{ID}", f"auction:{ID}\n"],
)  # fmt: skip
def test_a_key_nobody_made_is_refused(key: str) -> None:
    with pytest.raises(InvalidInput, match="not a key"):
        keys.parse(key)


def test_a_key_without_a_name_is_not_made() -> None:
    for make in (lambda: keys.cache(""), lambda: keys.rate_limit("bid", ""), lambda: keys.rate_limit("b:d", "x")):
        with pytest.raises(InvalidInput):
            make()


@pytest.mark.parametrize(
    ("names", "enum"),
    [
        (models.CampaignStatus, CampaignStatus),
        (models.Stage, DayStatus),
        (auction_types.Stage, DayStatus),
        (models.AuctionStatus, Status),
        (auction_types.AuctionStatus, Status),
        (models.AuctionFormat, Format),
        (models.Outcome, Outcome),
        (models.Role, Role),
        (models.StreamStatus, StreamStatus),
        (stream_types.AssetType, AssetType),
        (agent_types.AgentMemoryUpdate.model_fields["kind"].annotation, MemoryKind),
        (user_types.UserNotified.model_fields["kind"].annotation, NotificationKind),
        (user_types.UserNotified.model_fields["channel"].annotation, NotificationChannel),
    ],
)
def test_names_in_events_and_states_are_those_of_the_database(names: Any, enum: Any) -> None:
    assert get_args(getattr(names, "__value__", names)) == tuple(enum)


def test_narrower_names_in_events_are_among_those_of_the_database() -> None:
    fields = user_types.UserNotified.model_fields
    assert {*get_args(fields["status"].annotation)} == {*DeliveryStatus} - {DeliveryStatus.PENDING}
    received = get_args(user_types.PostReceived.model_fields["kind"].annotation)
    sent = get_args(user_types.PostSent.model_fields["kind"].annotation)
    assert received + sent == tuple(PostKind)
    columns = set(UserPreference.__table__.columns.keys())
    # two columns are the house's own notes about an address, nobody's preference
    assert set(get_args(user_types.Preference.__value__)) == columns - {"user_id", "asked_email", "confirmed_email"}


def test_every_data_model_explains_itself() -> None:
    silent = {model.__name__ for model in CATALOGUE.values() if model.__doc__ in (None, Data.__doc__)}
    assert silent <= {"CampaignStart", "CampaignEnd"}


def test_a_type_is_written_somewhere_or_said_to_be_written_by_nothing_yet() -> None:
    """Types stand as they are in the code that writes them; a name nobody uses would be a promise nobody keeps."""
    package = Path(sothebais.__file__).parent
    elsewhere = [
        path.read_text("utf-8")
        for path in package.rglob("*.py")
        if "types" not in path.relative_to(package).parts and "models" not in path.relative_to(package).parts
    ]
    named = {type_ for type_ in CATALOGUE if any(f'"{type_}"' in text for text in elsewhere)}
    assert set(CATALOGUE) - named == NOT_YET
