"""Text becomes what a voice reads aloud."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sothebais.agent.spoken import DIGITS_MAX, cardinal, ordinal, say, year

TABLE = [
    # amounts and currencies
    ("1.5 ETH", "one point five ether"),
    ("0.05 ETH", "zero point zero five ether"),
    ("1 ETH", "one ether"),
    ("12 SOL", "twelve sol"),
    ("0.5 BTC", "zero point five bitcoin"),
    ("100 USDC", "one hundred U S D C"),
    ("1,250.50 EUR", "one thousand two hundred and fifty euros and fifty cents"),
    ("1 EUR", "one euro"),
    ("1.01 EUR", "one euro and one cent"),
    ("0.99 USD", "ninety-nine cents"),
    ("0.01 GBP", "one penny"),
    ("2.50 GBP", "two pounds and fifty pence"),
    ("€12", "twelve euros"),
    ("$1,000,000", "one million dollars"),
    ("£3.20", "three pounds and twenty pence"),
    ("¥5000", "five thousand yen"),
    ("Ξ2.5", "two point five ether"),
    ("12€", "twelve euros"),
    ("300 CHF", "three hundred Swiss francs"),
    ("7 WETH", "seven wrapped ether"),
    ("Bids in ETH only", "Bids in ether only"),
    ("1.5 ETH, with @ana.", "one point five ether, with ana."),
    ("from 1.4 ETH to 1.55 ETH", "from one point four ether to one point five five ether"),
    (
        "0.000000000000000001 ETH",
        "zero point zero zero zero zero zero zero zero zero zero zero zero zero zero zero zero zero zero one ether",
    ),
    # numbers
    ("7", "seven"),
    ("21", "twenty-one"),
    ("100", "one hundred"),
    ("101", "one hundred and one"),
    ("1,005", "one thousand and five"),
    ("12345", "twelve thousand three hundred and forty-five"),
    ("1,000,001", "one million and one"),
    ("3.14", "three point one four"),
    ("-4", "minus four"),
    ("10k", "ten thousand"),
    ("2.5M", "two point five million"),
    ("10%", "ten percent"),
    ("2.5 %", "two point five percent"),
    ("-3%", "minus three percent"),
    ("3/50", "three of fifty"),
    ("5-7 bids", "five to seven bids"),
    ("5–7 bids", "five to seven bids"),
    ("4 bids", "four bids"),
    # ordinals
    ("the 1st lot", "the first lot"),
    ("the 2nd", "the second"),
    ("the 3rd", "the third"),
    ("the 12th", "the twelfth"),
    ("the 21st", "the twenty-first"),
    ("the 40th", "the fortieth"),
    ("the 100th bid", "the one hundredth bid"),
    # lots and tokens
    ("Lot 7", "Lot seven"),
    ("Noun #7", "Noun number seven"),
    ("#007", "number zero zero seven"),
    ("#1234", "number one thousand two hundred and thirty-four"),
    # addresses and names
    ("0x52908400098527886E0F7030069857D2E4169EE7", "the address zero x five two nine zero, ending in nine E E seven"),
    ("0x5290…9EE7", "the address zero x five two nine zero, ending in nine E E seven"),
    ("0xabc", "zero x A B C"),
    ("vitalik.eth", "vitalik dot eth"),
    ("vitalik.eth's bid", "vitalik dot eth's bid"),
    ("night-owl.sol leads", "night owl dot sol leads"),
    ("@ana_42", "ana forty-two"),
    ("@Night_Owl", "Night Owl"),
    ("@NightOwl leads", "Night Owl leads"),
    ("@b0b", "b zero b"),
    ("@x.y", "x y"),
    ("thanks, @ana!", "thanks, ana!"),
    ("@ana's bid", "ana's bid"),
    # times and dates
    ("20:15", "twenty fifteen"),
    ("9:05", "nine oh five"),
    ("18:00", "eighteen hundred"),
    ("8:00", "eight o'clock"),
    ("00:00", "midnight"),
    ("12:00", "noon"),
    ("20:15:30", "twenty fifteen"),
    ("18:00 on Sunday 1 March", "eighteen hundred on Sunday the first of March"),
    ("2026-03-28", "the twenty-eighth of March twenty twenty-six"),
    ("3 June 1987", "the third of June nineteen eighty-seven"),
    ("in 1987", "in nineteen eighty-seven"),
    ("in 2004", "in two thousand and four"),
    ("in 1900", "in nineteen hundred"),
    ("in 1905", "in nineteen oh five"),
    ("2 minutes 5 seconds", "two minutes five seconds"),
    ("1 hour 30 minutes", "one hour thirty minutes"),
    ("25:99", "twenty-five: ninety-nine"),
    ("2026-99-99", "two thousand and twenty-six to ninety-nine minus ninety-nine"),
    # abbreviations and signs
    ("an NFT", "an N F T"),
    ("NFTs", "N F Ts"),
    ("I am an AI.", "I am an A I."),
    ("the QR code", "the Q R code"),
    ("20:15 UTC", "twenty fifteen U T C"),
    ("wind & rain", "wind and rain"),
    ("e.g. this", "for example this"),
    ("a vs b", "a versus b"),
    ("Mr. Vo", "Mister Vo"),
    ("ERC-721", "E R C seven twenty-one"),
    ("30 × 40", "thirty by forty"),
    ("“Night Market”", "Night Market"),
    ("**bold** _words_", "bold words"),
    ("well… yes", "well… yes"),
    ("Hello 👋 there", "Hello there"),
    ("(a note)", "(a note)"),
    ("don't", "don't"),
    ("v2 of Q1", "v two of Q one"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "said"), TABLE)
def test_text_is_read_aloud(text: str, said: str) -> None:
    assert say(text) == said


def test_the_longest_number_in_words_and_one_digit_more() -> None:
    assert cardinal(10**DIGITS_MAX - 1).startswith("nine hundred and ninety-nine trillion")
    assert cardinal(10**DIGITS_MAX) == "one" + " zero" * DIGITS_MAX


@pytest.mark.parametrize(
    ("number", "said"),
    [(5, "fifth"), (8, "eighth"), (9, "ninth"), (20, "twentieth"), (32, "thirty-second"), (1_000, "one thousandth")],
)
def test_ordinals(number: int, said: str) -> None:
    assert ordinal(number) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(2000, "two thousand"), (2010, "twenty ten"), (1800, "eighteen hundred"), (1999, "nineteen ninety-nine")],
)
def test_years(value: int, said: str) -> None:
    assert year(value) == said


@given(st.text(max_size=300))
def test_any_text_can_be_read_and_has_no_digit_or_markup_left(text: str) -> None:
    said = say(text)
    assert said == " ".join(said.split())
    assert not any(character in "0123456789" for character in say("".join(c for c in text if c.isascii())))
    assert not set(said) & set("*_~`<>|\\[]{}")
