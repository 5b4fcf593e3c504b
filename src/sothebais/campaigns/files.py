"""The campaign file: one readable YAML document (``docs/campaigns.md``) to a ``CampaignPlan``."""

import re
import unicodedata
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from sothebais import money
from sothebais.campaigns import documents, schedule, service
from sothebais.campaigns.documents import Node, Section
from sothebais.campaigns.model import (
    DAYS_MAX,
    LOTS_MAX,
    NAME_LENGTH_MAX,
    CampaignPlan,
    CollectionOrder,
    Daily,
    ListedOrder,
    LotRules,
    Order,
    ShuffledOrder,
)
from sothebais.campaigns.ports import LotScheduler
from sothebais.errors import InvalidInput, NotFound

DESCRIPTION_LENGTH_MAX = 5_000
SLUG_LENGTH_MAX = 80
#: The decimal digits of 2**256 - 1, the largest ERC-721 token id.
TOKEN_ID_LENGTH_MAX = 78
SEED_LENGTH_MAX = 100
EXTENSIONS_MAX = 10_000
PAYMENT_DUE_MIN = 60_000
PERCENT_MAX = Decimal(100)
FORMATS = ("ENGLISH", "DUTCH", "SEALED_FIRST_PRICE", "SEALED_SECOND_PRICE")
BUY_NOW_UNTIL = ("FIRST_BID", "RESERVE_MET")

_FIELDS = (
    "name", "slug", "description", "collection", "dates", "time_zone", "daily", "order", "rules", "fees", "items",
)  # fmt: skip
_DAILY = ("pre_auction", "auction", "lot_duration", "gap", "lots_per_day", "post_auction", "until")
_RULES = LotRules.__struct_fields__
#: One currency for a campaign: its fee, and every total, is in it. It settles all its lots in one way, too.
_CAMPAIGN_RULES = ("currency", "payment_due", "offer_to_runner_up")
_ITEM_RULES = tuple(name for name in _RULES if name not in _CAMPAIGN_RULES)
#: Rules that an art item takes away by naming them without a value.
_OPTIONAL = frozenset({"reserve", "buy_now", "max_extensions", "step", "interval", "floor"})
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,79}", re.ASCII)


def load(path: Path, scheduler: LotScheduler) -> CampaignPlan:
    """The plan in a file. NotFound without such a file; InvalidInput names the field and the line of a fault."""
    try:
        with path.open("rb") as file:
            source = file.read(documents.SIZE_BYTES_MAX + 1)
    except OSError as error:
        raise NotFound(f"{path}: {error.strerror or error}.", field="file") from error
    return parse(source, scheduler)


def parse(source: str | bytes, scheduler: LotScheduler) -> CampaignPlan:
    """The plan in the text of a campaign file. InvalidInput names the field and the line of a fault."""
    return _parsed(documents.read(source), scheduler)


def parse_json(value: dict[str, Any], scheduler: LotScheduler) -> CampaignPlan:
    """The plan in the same document as JSON. InvalidInput names the field of a fault."""
    return _parsed(documents.of_json(value), scheduler)


def parse_lot(rules: dict[str, Any], fees: dict[str, Any] | None) -> tuple[LotRules, Decimal, Decimal]:
    """The rules of one lot as JSON, in the words of a campaign file, with its premium and fee. InvalidInput names the field."""
    both = documents.of_json({"rules": rules, "fees": fees}).section(("rules", "fees"))
    found = _rules(both.need("rules").section(_RULES), None)
    return found, *_fees(both.get("fees"), found.currency)


def _parsed(document: Node, scheduler: LotScheduler) -> CampaignPlan:
    top = document.section(_FIELDS)
    name = top.need("name").text(length_max=NAME_LENGTH_MAX)
    slug = _slug(top, name)
    description = top.get("description")
    collection = top.need("collection")
    daily = _daily(top.need("daily").section(_DAILY))
    dates = _dates(top.need("dates"))
    rules = _rules(top.need("rules").section(_RULES), None)
    premium_percent, fee = _fees(top.get("fees"), rules.currency)
    try:
        zone = schedule.find_zone(top.need("time_zone").text(length_max=60))
        plan = CampaignPlan(
            name=name,
            slug=slug,
            description=""
            if description is None
            else description.text(length_max=DESCRIPTION_LENGTH_MAX, one_line=False),
            collection=collection.text(length_max=SLUG_LENGTH_MAX),
            days=schedule.plan_days(dates, zone, daily),
            time_zone=zone.key,
            daily=daily,
            order=_order(top.get("order")),
            rules=rules,
            items=_items(top.get("items"), rules),
            premium_percent=premium_percent,
            fee=fee,
        )
        service.validate_rules(plan, scheduler)
    except InvalidInput as error:
        if "line" in error.fields:
            raise
        raise documents.placed(error, _line_of(document, str(error.fields.get("field", "")))) from error
    return plan


def _slug(top: Section, name: str) -> str:
    given = top.get("slug")
    if given is not None:
        slug = given.text(length_max=SLUG_LENGTH_MAX)
        if not _SLUG.fullmatch(slug):
            given.fail("must be of a-z, 0-9 and hyphens, and not begin with a hyphen.")
        return slug
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:SLUG_LENGTH_MAX]
    if not slug:
        raise documents.fault("is needed, as none can be made from the name.", "slug", top.need("name").line)
    return slug


def _dates(node: Node) -> tuple[date, ...]:
    if isinstance(node.value, list):
        days = tuple(one.day() for one in node.sequence())
        if not 0 < len(days) <= DAYS_MAX:
            node.fail(f"a campaign has 1 to {DAYS_MAX} days.")
        return days
    span = node.section(("start", "end"))
    start = span.need("start").day()
    end = span.get("end")
    last = start if end is None else end.day()
    try:
        return schedule.dates_between(start, last)
    except InvalidInput as error:
        raise documents.placed(error, node.line if end is None else end.line) from error


def _daily(section: Section) -> Daily:
    until = section.get("until")
    gap = section.get("gap")
    return Daily(
        pre_auction=section.need("pre_auction").time_of_day(),
        auction=section.need("auction").time_of_day(),
        lot_duration=section.need("lot_duration").length(at_least=schedule.SECOND_MS),
        gap=30 * schedule.SECOND_MS if gap is None else gap.length(),
        lots_per_day=section.need("lots_per_day").integer(1, LOTS_MAX),
        post_auction=section.need("post_auction").length(at_least=schedule.SECOND_MS),
        until=None if until is None else until.time_of_day(),
    )


def _order(node: Node | None) -> Order:
    if node is None or node.value == "collection":
        return CollectionOrder()
    if isinstance(node.value, list):
        token_ids: list[str] = []
        for one in node.sequence():
            token_id = one.name(length_max=TOKEN_ID_LENGTH_MAX)
            if token_id in token_ids:
                one.fail(f"{token_id} is listed twice.")
            token_ids.append(token_id)
        if not token_ids or len(token_ids) > LOTS_MAX:
            node.fail(f"list 1 to {LOTS_MAX} token ids.")
        return ListedOrder(tuple(token_ids))
    if isinstance(node.value, dict):
        return ShuffledOrder(node.section(("shuffled",)).need("shuffled").name(length_max=SEED_LENGTH_MAX))
    return node.fail('must be collection, a list of token ids such as ["7", "3"], or {shuffled: SEED}.')


def _rules(section: Section, base: LotRules | None) -> LotRules:
    """The rules of this section; those it does not name are those of ``base``."""
    given: dict[str, Any] = {}
    if base is None:
        currency = section.need("currency")
        given["currency"] = currency.choice(sorted(money.CURRENCY_DECIMALS))
        section.need("starting_price")
        due, offer = section.get("payment_due"), section.get("offer_to_runner_up")
        if due is not None:
            given["payment_due"] = due.length(at_least=PAYMENT_DUE_MIN)
        if offer is not None:
            given["offer_to_runner_up"] = offer.flag()
    decimals = money.currency_decimals(given["currency"] if base is None else base.currency)
    for name in _ITEM_RULES:
        node = section.get(name)
        if node is not None:
            given[name] = _rule(name, node, decimals)
        elif base is not None and name in _OPTIONAL and section.has(name):
            given[name] = None
    return LotRules(**given) if base is None else replace(base, **given)


def _rule(name: str, node: Node, decimals: int) -> Any:
    match name:
        case "format":
            return node.choice(FORMATS)
        case "buy_now_until":
            return node.choice(BUY_NOW_UNTIL)
        case "increment":
            return node.exact()
        case "starting_price" | "reserve" | "buy_now" | "step" | "floor":
            return node.amount(decimals, secret=name == "reserve")
        case "confirm_multiple":
            return node.amount(money.DECIMALS_MAX)
        case "max_extensions":
            return node.integer(0, EXTENSIONS_MAX)
        case "wallet_required":
            return node.flag()
        case "deposit_required":
            if node.flag():
                node.fail("cannot be true yet: the house takes no deposits, so that nobody could bid.")
            return False
        case _:
            return node.length()


def _fees(node: Node | None, currency: str) -> tuple[Decimal, Decimal]:
    if node is None:
        return money.ZERO, money.ZERO
    section = node.section(("premium_percent", "fee"))
    premium, fee = section.get("premium_percent"), section.get("fee")
    percent = money.ZERO if premium is None else premium.amount(money.DECIMALS_MAX, zero=True)
    if premium is not None and percent > PERCENT_MAX:
        premium.fail(f"must be at most {PERCENT_MAX}.")
    return percent, money.ZERO if fee is None else fee.amount(money.currency_decimals(currency), zero=True)


def _items(node: Node | None, rules: LotRules) -> dict[str, LotRules]:
    if node is None:
        return {}
    items: dict[str, LotRules] = {}
    for token_id, one in node.entries().items():
        if not 0 < len(token_id) <= TOKEN_ID_LENGTH_MAX:
            one.fail(f"a token id has 1 to {TOKEN_ID_LENGTH_MAX} characters.")
        items[token_id] = _rules(one.section(_ITEM_RULES), rules)
    return items


def _line_of(document: Node, path: str) -> int:
    """The line of a field, or of the nearest one around it."""
    node = document
    for part in path.split("."):
        below = node.value.get(part) if isinstance(node.value, dict) else None
        if below is None:
            break
        node = below
    return node.line
