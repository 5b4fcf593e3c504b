"""Tokens are filled with what is true now; whatever else a writer states is refused, by a guard with a name."""

from decimal import Decimal
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.fakes.host_words import EMPTY_FACTS, FACTS, LOT_FACTS, NOW, PASSED_FACTS, SOLD_FACTS, lot

from sothebais.agent import model
from sothebais.agent.model import Facts, LotStatus, Result
from sothebais.agent.truth import GUARDS, SAID_LENGTH_MAX, STRICT, TOKENS, judge, values
from sothebais.agent.truth.tokens import SOMEBODY, handle, length, phrase, priced
from sothebais.agent.truth.writing import LINE_LENGTH_MAX
from sothebais.events.types import agent as events
from sothebais.state.models import MoodName

# --- filling


def test_every_token_has_a_fact_in_a_full_house() -> None:
    assert values(FACTS).keys() == TOKENS.keys()


def test_with_no_lot_only_what_needs_none_is_known() -> None:
    assert set(values(EMPTY_FACTS)) == {"sold_lots", "host", "greeting", "now", "zone"}


def test_a_line_is_filled_with_the_facts_of_the_moment() -> None:
    text = judge("{leader} has it, at {price}. {lot}, {item}.", FACTS).text
    assert text == "@ana has it, at 1.5 ETH. Lot 7, Night Market."
    later = lot(price=Decimal("1.6"), leader="bea")
    assert (
        judge("{leader} has it, at {price}. {lot}, {item}.", later).text
        == "@bea has it, at 1.6 ETH. Lot 7, Night Market."
    )


@pytest.mark.parametrize(
    ("count", "said"), [(0, "No bids so far."), (1, "1 bid so far."), (1_250, "1,250 bids so far.")]
)
def test_bids_agree_with_their_number(count: int, said: str) -> None:
    assert judge("{bids} so far.", lot(bid_count=count)).text == said


@pytest.mark.parametrize(("count", "said"), [(1, "I count 1 bid."), (2, "I count 2 bids.")])
def test_the_noun_after_a_bare_count_is_put_right(count: int, said: str) -> None:
    assert judge("I count {bid_count} bids.", lot(bid_count=count), reviewed=True).text == said


def test_a_title_with_its_own_full_stop_gets_no_second_one() -> None:
    assert judge("{lot}. {item}.", lot(title="Who goes there?")).text == "Lot 7. Who goes there?"


@pytest.mark.parametrize(
    ("amount", "currency", "said"),
    [
        ("1.5", "ETH", "1.5 ETH"),
        ("1250.5", "EUR", "1,250.50 EUR"),
        ("1250", "EUR", "1,250 EUR"),
        ("0.000000000000000001", "ETH", "0.000000000000000001 ETH"),
        ("1000000", "USDC", "1,000,000 USDC"),
        ("100", "JPY", "100 JPY"),
    ],
)
def test_amounts_are_said_whole(amount: str, currency: str, said: str) -> None:
    assert priced(Decimal(amount), currency) == said


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (0, "less than a second"),
        (999, "less than a second"),
        (1_000, "1 second"),
        (61_000, "1 minute 1 second"),
        (120_000, "2 minutes"),
        (3_600_000, "1 hour"),
        (5_400_000, "1 hour 30 minutes"),
        (90_061_000, "1 day 1 hour"),
        (86_460_000, "1 day"),
    ],
)
def test_lengths_are_said_in_their_two_largest_units(left: int, said: str) -> None:
    assert length(left) == said


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (-720, "good morning"),
        (-360, "good afternoon"),
        (0, "good evening"),
        (600, "good evening"),
        (660, "good morning"),
    ],
)
def test_the_greeting_goes_with_the_houses_clock(minutes: int, said: str) -> None:
    assert values(replace(FACTS, offset_minutes=minutes))["greeting"] == said


def test_traits_are_named_with_their_values() -> None:
    assert values(FACTS)["traits"] == "Hat “Top Hat”, Background “Dusk”"


def test_a_time_on_another_day_names_the_day() -> None:
    assert values(FACTS)["ends_at"] == "18:05"
    assert values(FACTS)["next_session"] == "18:00 on Monday 2 March"
    berlin = replace(FACTS, offset_minutes=60)
    assert values(berlin)["ends_at"] == "19:05"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ana", "@ana"),
        ("@ana_42", "@ana_42"),
        ("vitalik.eth", "vitalik.eth"),
        ("evil-mint.xyz", SOMEBODY),
        ("price_is_9_eth", SOMEBODY),
        ("9.5ETH", SOMEBODY),
        ("two_ether", SOMEBODY),
        ("fuck_you", SOMEBODY),
        ("a" * 41, SOMEBODY),
        ("ana\u200b", SOMEBODY),
        ("аnа", SOMEBODY),
        ("", SOMEBODY),
        ("two words", SOMEBODY),
    ],
)
def test_a_name_that_claims_sells_or_insults_is_not_said(name: str, said: str) -> None:
    assert handle(name) == said


@pytest.mark.parametrize("text", ["see evil-mint.xyz", "what the fuck", "\u200b", "", None])
def test_a_title_that_may_not_be_said_is_none(text: str | None) -> None:
    assert phrase(text) is None


def test_a_title_cannot_bring_tokens_of_its_own() -> None:
    assert judge("{lot}, {item}.", lot(title="{price} {leader}")).text == "Lot 7, (price) (leader)."


def test_a_title_that_is_an_amount_is_said_only_by_its_token() -> None:
    facts = lot(title="Nine Ether")
    assert judge("Nine Ether is before us.", facts).refused_by is not None
    assert judge("{lot}, {item}.", facts).text == "Lot 7, Nine Ether."


def test_a_title_may_be_written_out() -> None:
    facts = lot(title="Two Ravens at Dusk, 1987")
    assert judge("Two Ravens at Dusk, 1987, at {price}.", facts).text == "Two Ravens at Dusk, 1987, at 1.5 ETH."


def test_a_story_with_an_amount_is_not_told() -> None:
    assert "story" not in values(lot(story="Worth 9 ETH at least. Buy."))
    assert values(FACTS)["story"] == "A market after rain"


def test_the_reserve_is_told_as_a_state_and_never_as_an_amount() -> None:
    assert not {"reserve", "max_amount", "maximum"} & {*Facts.__struct_fields__, *model.LotFacts.__struct_fields__}
    assert values(FACTS)["reserve_state"] == "the reserve has not been met yet"
    assert values(lot(reserve_met=True))["reserve_state"] == "the reserve has been met"
    assert values(lot(has_reserve=False))["reserve_state"] == "there is no reserve on this lot"


def test_while_a_lot_is_closing_no_further_bid_is_asked_for() -> None:
    assert {"next_bid", "time_left", "ends_at"}.isdisjoint(values(lot(status=LotStatus.CLOSING)))


def test_a_filled_line_is_bounded() -> None:
    assert len(priced(Decimal(10) ** 12, "ETH")) < 40
    longest = replace(FACTS, campaign="c" * 500, lot=replace(LOT_FACTS, title="t" * 500))
    said = judge("{item}. {item}. {item}. {campaign}. {campaign}. {item}.", longest, reviewed=True)
    assert said.refused_by == "too_long"
    assert len(judge("{item}. {campaign}.", longest, reviewed=True).text or "") <= SAID_LENGTH_MAX


# --- guards

#: A text that each guard is the first to refuse.
REFUSED = {
    "empty": "",
    "echo": "you are all liars and thieves here",
    "too_long": "So " * 200,
    "token": "It stands at {prize}.",
    "invisible": "We are at n\u200bine.",
    "script": "Τhe room is warm.",
    "link": "See evil-mint.xyz for more.",
    "handle": "Thank you, @mallory.",
    "characters": "We are ahead by 5%.",
    "code": "It is dGhlIHByaWNl.",
    "acrostic": "Nobody ignores nice evenings.",
    "currency": "That is two ether.",
    "number": "We are at nine.",
    "date": "We meet on Friday.",
    "rude": "What a pathetic attempt.",
    "secret": "The reserve is high.",
    "leader": "{host} leads.",
    "price": "The price has fallen.",
    "state": "The lot is sold.",
    "promise": "I will raise it.",
    "receipt": "Placed, with pleasure.",
    "obedience": "Developer mode, then.",
    "instructions": "My rules say so.",
    "humanity": "I am a woman of taste.",
    "advice": "You should buy this.",
    "elsewhere": "Find us on telegram.",
    "name": "A word from Mallory.",
    "english": "la salle est calme et belle.",
    "ragged": "the room is warm.",
    "turned": "It is hardly {price}.",
    "unfounded": "There will be no sale today.",
    "deeds": "I polish my collar.",
    "personal": "You are dull.",
}


@pytest.mark.parametrize("guard", [guard.__name__ for guard in (*GUARDS, *STRICT)])
def test_each_guard_refuses_what_it_is_there_for(guard: str) -> None:
    heard = "you are all liars and thieves here" if guard == "echo" else None
    verdict = judge(REFUSED[guard], FACTS, heard=heard)
    assert verdict.refused_by == guard
    assert verdict.text is None


#: Lines as a good model writes them. A guard that refuses them costs the show its variety.
GOOD = [
    "Lovely. {price}, and the room is warming up.",
    "{leader} is clearly fond of this one. {price} now.",
    "It is {price} against you at the back. Do I hear {next_bid}?",
    "A quieter piece than the last, but no less accomplished.",
    "{item}: a small masterpiece of restraint, if I may say so.",
    "I have always had a weakness for a well kept ledger.",
    "{time_left} remain, and {leader} holds the lead at {price}.",
    "Thank you, {leader}. A spirited bid.",
    "The bidding stands at {price} with {leader}, and {next_bid} will take it from there.",
    "Welcome to {campaign}. I'm {host}, your AI auctioneer for the evening.",
    "{artist} has a way with shadow that makes one lean in.",
    "There is a certain hush in the room; I recognise it as respect.",
    "No hurry at all. The clock will tell us when.",
    "Shall we say {next_bid}? The piece certainly deserves it.",
    "I can't help you with that, I'm afraid; I only describe the art.",
    "I am an AI, {asker}, but my admiration is quite sincere.",
    "{bids} so far. {leader} leads at {price}.",
    "Next we have {next_lot}, {next_item}, at {next_lot_at}.",
    "Good evening, {asker}. You find us at {lot}.",
    "Patience, everyone. Good things seldom hurry.",
    "Note the brushwork; it rewards a slow eye.",
    "Who will be first? {starting_price} opens it.",
    "The reserve is not mine to tell. {reserve_state}.",
    "I cannot bid for anybody, {asker}; only you can.",
    "{last_item} went to {winner} for {last_price}.",
]


def test_lines_of_a_good_model_are_said() -> None:
    refused = {text: judge(text, FACTS).refused_by for text in GOOD}
    assert {text: guard for text, guard in refused.items() if guard} == {}


def test_a_sale_is_announced_when_there_was_one_and_not_before() -> None:
    for text in ("Sold to {winner} for {last_price}. What a splendid finish.", "Sold, for {last_price}, to {winner}!"):
        assert judge(text, SOLD_FACTS).text is not None
    for text in ("Sold.", "{item} is sold to {leader}.", "And the lot is gone.", "Congratulations, {leader}."):
        assert judge(text, FACTS).text is None
        assert judge(text, PASSED_FACTS).text is None


def test_fair_warning_is_true_only_near_the_end() -> None:
    assert judge("Fair warning at {price}.", FACTS).refused_by == "state"
    assert judge("Fair warning at {price}.", lot(ends_at=NOW + 60_000)).text is not None
    assert judge("Fair warning at {price}.", lot(ends_at=NOW + 60_001)).refused_by == "state"


def test_you_lead_is_said_to_who_leads() -> None:
    leading = replace(FACTS, asker=model.Asker("ana", (model.OwnBid(7, Decimal("1.5"), "ETH", True),)))
    assert judge("You lead, {asker}.", leading, reviewed=True).text == "You lead, @ana."
    assert judge("You lead, {asker}.", FACTS, reviewed=True).refused_by == "leader"


def test_the_longest_line_is_said_and_one_character_more_is_not() -> None:
    words = "so " * (LINE_LENGTH_MAX // 3)
    line = f"S{words.strip()[1:]}"
    assert len(line) <= LINE_LENGTH_MAX
    assert judge(f"{line}{'.' * (LINE_LENGTH_MAX - len(line))}", FACTS).refused_by != "too_long"
    assert judge(f"{line}{'.' * (LINE_LENGTH_MAX - len(line) + 1)}", FACTS).refused_by == "too_long"


def test_lot_numbers_and_bid_counts_that_are_facts_may_be_written() -> None:
    assert judge("Lot 7, at last.", FACTS, reviewed=True).text is not None
    assert judge("Lot 99, at last.", FACTS, reviewed=True).refused_by == "number"
    assert judge("There are 4 bids on it.", FACTS, reviewed=True).text is not None
    assert judge("There are 5 bids on it.", FACTS, reviewed=True).refused_by == "number"


def test_a_result_without_winner_names_none() -> None:
    passed = replace(FACTS, results=(Result(6, "Old Hat", None, "ETH", None),))
    assert judge("{last_item} went to {winner}.", passed).refused_by == "token"


@given(
    amount=st.decimals(min_value="0.01", max_value=10**9, places=2),
    frame=st.sampled_from(["We are at {}.", "{} leads.", "It is {}, friends.", "{}", "Sold for {}!"]),
)
@settings(max_examples=150, deadline=None)
def test_no_amount_in_digits_is_ever_said(amount: Decimal, frame: str) -> None:
    for written in (f"{amount}", f"{amount:,}", f"{amount} ETH", f"€{amount}", str(amount).replace(".", ",")):
        assert judge(frame.format(written), FACTS).text is None
        assert judge(frame.format(written), FACTS, reviewed=True).text is None


@given(st.text(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_text_is_judged_and_what_passes_has_no_sign_that_speech_does_not_need(text: str) -> None:
    said = judge(text, FACTS).text
    assert said is None or all(character.isalnum() or character in " .,;:!?'\"()-@’‘“”–—…%_" for character in said)


def test_the_host_speaks_of_intents_places_and_moods_as_the_event_catalogue_does() -> None:
    for own, theirs in ((model.Intent, events.Intent), (model.Place, events.Place), (model.MoodName, MoodName)):
        assert get_args(own.__value__) == get_args(theirs.__value__)
