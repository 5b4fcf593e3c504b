"""Campaign files: what a good one means, and that every fault is named with its field and line."""

import re
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sothebais.auctions.campaign_port import CampaignLots
from sothebais.campaigns import documents, files
from sothebais.campaigns.model import CollectionOrder, ListedOrder, LotRules, ShuffledOrder
from sothebais.errors import InvalidInput, NotFound

LOTS = CampaignLots(commit_timeout_s=1.5)
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "campaign.yaml"
GOOD = """\
name: Spring
collection: cats
dates: {start: 2026-03-28, end: 2026-03-30}
time_zone: Europe/Berlin
daily:
  pre_auction: "18:00"
  auction: 18:15
  lot_duration: 2m
  gap: 30s
  lots_per_day: 2
  post_auction: 10m
rules:
  currency: ETH
  starting_price: "0.5"
"""


def edited(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def parsed(text: str | bytes) -> Any:
    return files.parse(text, LOTS)


def test_the_least_file_means_the_defaults() -> None:
    plan = parsed(GOOD)
    assert (plan.name, plan.slug, plan.collection, plan.description) == ("Spring", "spring", "cats", "")
    assert plan.rules == LotRules(currency="ETH", starting_price=Decimal("0.5"))
    assert plan.daily.auction == time(18, 15)
    assert [day.date for day in plan.days] == [date(2026, 3, 28), date(2026, 3, 29), date(2026, 3, 30)]
    assert plan.order == CollectionOrder()
    assert (plan.premium_percent, plan.fee, plan.items) == (0, 0, {})
    assert plan.lot_count == 6


def test_the_example_in_the_docs_is_good_and_uses_every_field() -> None:
    plan = files.load(EXAMPLE, LOTS)
    assert plan.lot_count == 18
    assert plan.order == ShuffledOrder("spring-2027")
    assert plan.premium_percent == 5
    assert plan.rules.reserve == Decimal("0.8")
    assert plan.rules.closing_grace == 10_000
    assert plan.items["7"].reserve == 3
    assert plan.items["7"].starting_price == 2
    assert plan.items["12"].reserve is None
    assert plan.items["12"].buy_now == 5
    assert set(yaml.safe_load(EXAMPLE.read_text())) == set(files._FIELDS)


def test_every_field_is_explained_in_the_docs() -> None:
    text = (EXAMPLE.parents[1] / "campaigns.md").read_text()
    for name in (*files._FIELDS, *files._DAILY, *files._RULES, "premium_percent", "fee"):
        assert f"`{name}`" in text, name


def test_a_campaign_says_how_it_settles() -> None:
    rules = parsed(GOOD + "  payment_due: 72h\n  offer_to_runner_up: true\n").rules
    assert (rules.payment_due, rules.offer_to_runner_up) == (72 * 3_600_000, True)
    assert rules.public()["offer_to_runner_up"] is True
    usual = parsed(GOOD).rules
    assert (usual.payment_due, usual.offer_to_runner_up) == (None, False)
    for wrong, field in (("payment_due: 59s", "payment_due"), ("offer_to_runner_up: sometimes", "offer_to_runner_up")):
        with pytest.raises(InvalidInput, match=field):
            parsed(GOOD + f"  {wrong}\n")
    # all lots of a campaign are settled in one way
    with pytest.raises(InvalidInput, match="payment_due"):
        parsed(GOOD + 'items:\n  "7":\n    payment_due: 72h\n')


def test_a_reserve_is_in_no_public_form_of_the_rules() -> None:
    rules = parsed(GOOD + '  reserve: "7.654321"\n').rules
    assert rules.reserve == Decimal("7.654321")
    assert "7.654321" not in repr(rules)
    assert "reserve" not in rules.public()


@pytest.mark.parametrize(
    ("line", "order"),
    [
        ("order: collection", CollectionOrder()),
        ("order:", CollectionOrder()),
        ('order: [7, "3", 007, 0x1f]', ListedOrder(("7", "3", "007", "0x1f"))),
        (f"order: [{2**256 - 1}]", ListedOrder((str(2**256 - 1),))),
        ("order: {shuffled: 42}", ShuffledOrder("42")),
        ("order: {shuffled: spring}", ShuffledOrder("spring")),
    ],
)
def test_the_order_of_the_art_items(line: str, order: object) -> None:
    assert parsed(GOOD + line + "\n").order == order


@pytest.mark.parametrize(
    ("increment", "kept"),
    [
        ('"0.05"', "0.05"),
        ("ebay", "ebay"),
        ('{percent: "5", floor: "0.01"}', {"percent": "5", "floor": "0.01"}),
        ('[{from: "0", step: "0.05"}, {from: "1", step: "0.1"}]', None),
    ],
)
def test_every_form_of_an_increment(increment: str, kept: object) -> None:
    rules = parsed(GOOD + f"  increment: {increment}\n").rules
    assert rules.increment == (kept or [{"from": "0", "step": "0.05"}, {"from": "1", "step": "0.1"}])


def test_a_dutch_campaign() -> None:
    dutch = '  format: DUTCH\n  step: "0.01"\n  interval: 10s\n  floor: "0.1"\n'
    assert parsed(GOOD + dutch).rules.interval == 10_000


def test_dates_as_a_list_a_single_day_and_quoted() -> None:
    for text, count in (
        ("[2026-03-28, 2026-03-30]", 2),
        ("{start: 2026-03-28}", 1),
        ('["2026-03-28"]', 1),
    ):
        assert len(parsed(edited("{start: 2026-03-28, end: 2026-03-30}", text)).days) == count


@pytest.mark.parametrize(("name", "slug"), [("Spring  Évenings!", "spring-evenings"), ("A" * 120, "a" * 80)])
def test_a_slug_is_made_from_the_name(name: str, slug: str) -> None:
    assert parsed(edited("name: Spring", f"name: {name}")).slug == slug


#: (what is replaced, by what, the field, the line, words of the message)
BAD = [
    pytest.param("name: Spring\n", "", "name", 1, "is missing", id="no name"),
    pytest.param("Spring", '"  "', "name", 1, "must not be empty", id="empty name"),
    pytest.param("Spring", "x" * 121, "name", 1, "at most 120", id="long name"),
    pytest.param("Spring", '"a\\u202eb"', "name", 1, "cannot be shown", id="name with a control character"),
    pytest.param("Spring", "[a]", "name", 1, "must be a text", id="name is a list"),
    pytest.param("Spring", "5", "name", 1, "must be a text", id="name is a number"),
    pytest.param("Spring", '"…"', "slug", 1, "none can be made", id="no slug from the name"),
    pytest.param("name: Spring", "name: S\nslug: Über", "slug", 2, "a-z", id="bad slug"),
    pytest.param("name: Spring", "nmae: Spring", "nmae", 1, "Did you mean name", id="misspelt field"),
    pytest.param("name: Spring", "name: S\nxyz: 1", "xyz", 2, "Fields are collection", id="unknown field"),
    pytest.param("collection: cats\n", "", "collection", 1, "is missing", id="no collection"),
    pytest.param("collection: cats", "collection:", "collection", 2, "is missing", id="empty collection"),
    pytest.param("2026-03-30", "2026-02-30", "dates.end", 3, "looks like 2026-03-28", id="no such date"),
    pytest.param("2026-03-30", "2026-03-01", "dates.end", 3, "before", id="dates the wrong way round"),
    pytest.param("2026-03-30", "2028-03-30", "dates", 3, "366 at most", id="too many days"),
    pytest.param("{start: 2026-03-28, end: 2026-03-30}", "tomorrow", "dates", 3, "start", id="dates in words"),
    pytest.param("{start: 2026-03-28, end: 2026-03-30}", "[]", "dates", 3, "1 to 366", id="no dates"),
    pytest.param(
        "{start: 2026-03-28, end: 2026-03-30}", "[2026-03-28, 5]", "dates[1]", 3, "a date", id="a date that is none"
    ),
    pytest.param(
        "{start: 2026-03-28, end: 2026-03-30}", "[2026-03-28, 2026-03-28]", "dates", 3, "twice", id="one date twice"
    ),
    pytest.param("{start: 2026-03-28, end", "{stat: 2026-03-28, end", "dates.stat", 3, "mean start", id="stat"),
    pytest.param("Europe/Berlin", "Europe/Berln", "time_zone", 4, "mean Europe/Berlin", id="unknown zone"),
    pytest.param("Europe/Berlin", "../../etc/passwd", "time_zone", 4, "not a time zone", id="zone is a path"),
    pytest.param('"18:00"', '"25:00"', "daily.pre_auction", 6, "18:15", id="no such time"),
    pytest.param("auction: 18:15", "auction: 18:00", "daily.auction", 7, "later than", id="no pre-auction"),
    pytest.param("2m", "2 minutes", "daily.lot_duration", 8, "2m, 90s", id="length in words"),
    pytest.param("2m", "1.5", "daily.lot_duration", 8, "2m, 90s", id="fractional seconds"),
    pytest.param("2m", "0", "daily.lot_duration", 8, "at least 1s", id="lots without length"),
    pytest.param("2m", "-5", "daily.lot_duration", 8, "at least", id="negative length"),
    pytest.param("lots_per_day: 2", 'lots_per_day: "2"', "daily.lots_per_day", 10, "whole number", id="quoted count"),
    pytest.param("lots_per_day: 2", "lots_per_day: 0", "daily.lots_per_day", 10, "from 1", id="no lots"),
    pytest.param("lots_per_day: 2", "lots_per_day: true", "daily.lots_per_day", 10, "whole number", id="lots: true"),
    pytest.param("lots_per_day: 2", "lots_per_day: 900", "daily.lots_per_day", 10, "1000 at most", id="2700 lots"),
    pytest.param(
        "gap: 30s\n  lots_per_day: 2", "gap: 11h\n  lots_per_day: 4", "daily.lots_per_day", 10, "3 fit", id="no room"
    ),
    pytest.param("10m", "10m\n  until: 18:20", "daily.lots_per_day", 10, "until (18:20); 0 fit", id="until"),
    pytest.param("  post_auction: 10m\n", "", "daily.post_auction", 5, "is missing", id="no post-auction"),
    pytest.param("ETH", "XYZ", "rules.currency", 13, "must be one of", id="unknown currency"),
    pytest.param("ETH", "eth", "rules.currency", 13, "mean ETH", id="currency in small letters"),
    pytest.param('"0.5"', "0.5", "rules.starting_price", 14, '"0.5"', id="unquoted amount"),
    pytest.param('"0.5"', "5", "rules.starting_price", 14, "in quotes", id="unquoted whole amount"),
    pytest.param('"0.5"', "1e-3", "rules.starting_price", 14, "in quotes", id="unquoted exponent"),
    pytest.param('"0.5"', ".nan", "rules.starting_price", 14, "in quotes", id="not a number"),
    pytest.param('"0.5"', '"0,5"', "rules.starting_price", 14, "decimal point", id="decimal comma"),
    pytest.param('"0.5"', '"-1"', "rules.starting_price", 14, "digits", id="negative amount"),
    pytest.param('"0.5"', '"0"', "rules.starting_price", 14, "greater than zero", id="nothing"),
    pytest.param('"0.5"', f'"0.{"1" * 19}"', "rules.starting_price", 14, "decimals", id="too many decimals"),
    pytest.param('"0.5"', "true", "rules.starting_price", 14, "bool", id="a price that is true"),
    pytest.param('"0.5"', '{a: "1"}', "rules.starting_price", 14, "decimal string", id="a price that is a group"),
]
#: Lines that are added to the rules, and the rest of what a file may have.
BAD_RULES = [
    ("format: ENGLSH", "rules.format", "mean ENGLISH"),
    ("format: DUTCH", "rules.format", "step, interval and floor"),
    ("increment: 0.05", "rules.increment", "in quotes"),
    ("increment: often", "rules.increment", "digits"),
    ('increment: {percent: 5, floor: "0.01"}', "rules.increment.percent", "in quotes"),
    ('increment: {percent: "5", flor: "0.01"}', "rules.increment", "floor"),
    ('increment: [{from: "1", step: "0.05"}]', "rules.increment", "start at price 0"),
    ('increment: [{from: "0", step: "0.05"}, {from: "1", step: "0.01"}]', "rules.increment", "must not fall"),
    ("increment: []", "rules.increment", "percent"),
    ('reserve: "1,5"', "rules.reserve", "is not an amount"),
    ("reserve: 1.5", "rules.reserve", "in quotes"),
    ('buy_now: "0.1"', "rules.buy_now", "starting"),
    ("buy_now_until: NEVER", "rules.buy_now_until", "FIRST_BID"),
    ("extension: soon", "rules.extension", "2m, 90s"),
    ("max_extensions: -1", "rules.max_extensions", "from 0"),
    ("closing_grace: 1500ms", "rules.closing_grace", "commit_timeout_s (1.5 s)"),
    ("max_post_delay: 3s", "rules.closing_grace", "at most as long"),
    ('confirm_multiple: "0.5"', "rules.confirm_multiple", "at least 1"),
    ("wallet_required: yes", "rules.wallet_required", "true or false"),
    ("deposit_required: true", "rules.deposit_required", "takes no deposits"),
    ("hard_close_after: 800h", "rules.hard_close_after", "at most"),
    ("reserv: 5", "rules.reserv", "mean reserve"),
]
BAD_REST = [
    ("order: shuffled", "order", "{shuffled: SEED}"),
    ("order: {shuffled: }", "order.shuffled", "is missing"),
    ("order: {shufled: 4}", "order.shufled", "mean shuffled"),
    ("order: []", "order", "1 to"),
    ("order: [7, 3, 7]", "order[2]", "7 is listed twice"),
    ("order: [7.5]", "order[0]", "must be a text"),
    ("fees: 5", "fees", "premium_percent"),
    ('fees: {premium_percent: "101"}', "fees.premium_percent", "at most 100"),
    ("fees: {premium_percent: 5}", "fees.premium_percent", "in quotes"),
    ('fees: {fee: "-1"}', "fees.fee", "digits"),
    ("items: [7]", "items", "group"),
    ('items: {7: {currency: "EUR"}}', "items.7.currency", "is not a field"),
    ("items: {7: {starting_price: 2}}", "items.7.starting_price", "in quotes"),
    ('items: {7: {buy_now: "0.1"}}', "items.7.buy_now", "starting"),
    ("items: {7: 2}", "items.7", "group of fields"),
    ('items: {"": {}}', "items.''", "token id"),
    ("name: Again", "name", "given twice (first in line 1)"),
    ("? [a, b]\n: c", "file", "short text"),
]
#: Whole files.
BAD_FILES = [
    ("", "name", "is missing"),
    ("- a\n- b", "", "group of fields"),
    ("just text", "", "group of fields"),
    ("a: &x [1]\nb: *x", "file", "aliases"),
    ("a: [1]\nb: *x", "file", "aliases"),
    ("<<: {name: x}", "'<<'", "is not a field"),
    ("a: !!python/object/apply:os.system [id]", "a", "not allowed"),
    ("a: !!binary aGk=", "a", "not allowed"),
    ("a: !!float 5", "a", "not allowed"),
    ("a: [[[[[[[[[[1]]]]]]]]]]", "file", "8 levels"),
    ("[" * 10_000, "file", "8 levels"),
    ("a: 'open", "file", "not YAML"),
    ("a: b: c", "file", "not YAML"),
    ("a: b\n---\nc: d", "file", "not YAML"),
    ("a: \0", "file", "not YAML"),
    (b"name: \xff", "file", "not UTF-8"),
    ("#" + "x" * documents.SIZE_BYTES_MAX, "file", "256 KiB"),
]


def assert_refused(text: str | bytes, field: str, words: str, line: int | None = None) -> None:
    with pytest.raises(InvalidInput) as caught:
        parsed(text)
    error = caught.value
    assert words in error.message
    assert error.fields["field"].startswith(field)
    if field != "file":
        assert field in error.message
    assert error.message.count("(line ") <= 1
    if line is not None:
        assert error.fields["line"] == line
        assert error.message.endswith(f"(line {line})")


@pytest.mark.parametrize(("old", "new", "field", "line", "words"), BAD)
def test_a_bad_field_is_named_with_its_line(old: str, new: str, field: str, line: int, words: str) -> None:
    assert_refused(edited(old, new), field, words, line)


@pytest.mark.parametrize(("rule", "field", "words"), BAD_RULES)
def test_a_bad_rule_is_named(rule: str, field: str, words: str) -> None:
    # a rule that is not in the file but contradicts one that is has the line of the rules
    line = 15 if field.split(".")[1] in rule else 12
    assert_refused(f"{GOOD}  {rule}\n", field, words, line)


@pytest.mark.parametrize(("text", "field", "words"), BAD_REST)
def test_a_bad_order_fee_or_item_is_named(text: str, field: str, words: str) -> None:
    assert_refused(f"{GOOD}{text}\n", field, words, 15)


@pytest.mark.parametrize(("text", "field", "words"), BAD_FILES)
def test_what_is_no_plain_yaml_is_refused(text: str | bytes, field: str, words: str) -> None:
    assert_refused(text, field, words)


@pytest.mark.parametrize("rule", ['reserve: "7,654321"', "reserve: 7.654321", 'reserve: "7.6543210000000000001"'])
def test_no_message_shows_a_reserve(rule: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parsed(f"{GOOD}  {rule}\n")
    assert not re.search(r"654321", f"{caught.value.message} {caught.value.fields}")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"nothing\.yaml"):
        files.load(tmp_path / "nothing.yaml", LOTS)
    with pytest.raises(NotFound):
        files.load(tmp_path, LOTS)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A good file with a stretch of it replaced."""
    text = draw(st.sampled_from([GOOD, EXAMPLE.read_text()]))
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 30)))
    pieces = st.sampled_from(
        ["'", '"', "[", "]", "{", "}", ": ", "\n", "  ", "-", "#", "&a ", "*a", "!", "|", ">", "?", "0", "~"]
    )
    return text[:start] + "".join(draw(st.lists(pieces | st.characters(codec="utf-8"), max_size=6))) + text[end:]


@given(damaged())
@settings(max_examples=150, deadline=None)
def test_whatever_a_file_holds_it_is_a_plan_or_a_named_fault(text: str) -> None:
    try:
        plan = parsed(text)
    except InvalidInput as error:
        named = bool(error.message) and "field" in error.fields
    else:
        named = plan.lot_count >= 1
    assert named
