"""Real auctions held again: the winners and prices are those of history, and a bad file is named, line and column."""

import csv
import json
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from sothebais.auctions.increments import EBAY
from sothebais.auctions.model import FixedIncrement, PercentIncrement
from sothebais.errors import InvalidInput
from sothebais.rehearsal import backtest
from sothebais.rehearsal.backtest import BacktestResult, PastBid

DATA = Path(__file__).parent.parent / "data"
HEADER = "auction_id,bidder,max_amount,at,starting_price\n"
ONE = FixedIncrement(Decimal(1))


@pytest.fixture
def bids_file(tmp_path: Path) -> Path:
    return tmp_path / "bids.csv"


@pytest.fixture(scope="module")
def cartier() -> list[BacktestResult]:
    return backtest.run(backtest.read_bids(DATA / "cartier-bids.csv"), EBAY)


@pytest.fixture(scope="module")
def history() -> dict[str, tuple[str, Decimal]]:
    with (DATA / "cartier-results.csv").open(newline="") as file:
        return {row["auction_id"]: (row["winner"], Decimal(row["price"])) for row in csv.DictReader(file)}


def results(path: Path, text: str | bytes, increment: object = ONE) -> list[BacktestResult]:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return backtest.run(backtest.read_bids(path), increment)  # type: ignore[arg-type]


def test_every_real_winner_wins_again(cartier: list[BacktestResult], history: dict[str, tuple[str, Decimal]]) -> None:
    assert {result.auction_id: result.winner for result in cartier} == {key: who for key, (who, _) in history.items()}
    assert len(cartier) == 136


def test_every_price_that_no_hidden_reserve_moved_is_the_real_one(
    cartier: list[BacktestResult], history: dict[str, tuple[str, Decimal]]
) -> None:
    ours = {result.auction_id: result.price for result in cartier}
    assert sum(ours[key] == price for key, (_, price) in history.items()) == 117
    # a reserve only lifts a price
    assert all((ours[key] or 0) <= price for key, (_, price) in history.items())


def test_the_real_bids_are_accepted_but_eleven(cartier: list[BacktestResult]) -> None:
    assert (sum(r.accepted for r in cartier), sum(r.refused for r in cartier)) == (1942, 11)


def test_the_real_bids_can_be_held_under_other_increments(cartier: list[BacktestResult]) -> None:
    other = backtest.run(backtest.read_bids(DATA / "cartier-bids.csv"), PercentIncrement(Decimal(5), Decimal("0.01")))
    assert [r.auction_id for r in other] == [r.auction_id for r in cartier]
    assert other != cartier


def test_two_runs_are_alike() -> None:
    assert backtest.run(backtest.read_bids(DATA / "cartier-bids.csv"), EBAY) == backtest.run(
        backtest.read_bids(DATA / "cartier-bids.csv"), EBAY
    )


def test_auctions_may_be_mixed_and_columns_in_any_order(bids_file: Path) -> None:
    text = (
        "bidder,note,auction_id,at,max_amount,starting_price\n"
        "ann,,1,0.5,20,10\n"
        "bob,,2,0.1,7,5\n"
        'bob,"a, b",1,0.6,15,10\n'
        "\n"
        "cid,,2,0.2,7.5,5\n"
    )
    assert [r.as_json() for r in results(bids_file, text)] == [
        {"auction_id": "1", "winner": "ann", "price": "16", "accepted": 2, "rejected": 0},
        {"auction_id": "2", "winner": "cid", "price": "7.5", "accepted": 2, "rejected": 0},
    ]


def test_a_bid_below_the_starting_price_is_refused_and_counted(bids_file: Path) -> None:
    found = results(bids_file, HEADER + "1,ann,9.99,0,10\n1,bob,9,1,10\n")
    assert found == [BacktestResult(auction_id="1", winner=None, price=None, accepted=0, refused=2)]
    document = json.loads(json.dumps(backtest.as_json(found)))
    assert document == {"auctions": [{"auction_id": "1", "winner": None, "price": None, "accepted": 0, "rejected": 2}]}


@pytest.mark.parametrize(
    ("reserve", "winner", "price"),
    [("", "ann", "16"), ("18", "ann", "18"), ("20", "ann", "20"), ("20.01", None, "16")],
)
def test_a_reserve_lifts_the_price_or_keeps_the_lot(
    bids_file: Path, reserve: str, winner: str | None, price: str
) -> None:
    text = HEADER.replace("\n", ",reserve_price\n") + f"1,ann,20,0,10,{reserve}\n1,bob,15,0,10,{reserve}\n"
    assert [(r.winner, str(r.price)) for r in results(bids_file, text)] == [(winner, price)]


def test_windows_files_with_a_byte_order_mark_are_read(bids_file: Path) -> None:
    text = ("\ufeff" + HEADER + "1,änn,20,0,10\n").replace("\n", "\r\n")
    assert [r.winner for r in results(bids_file, text)] == ["änn"]


ROW = "1,ann,20,0.5,10\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (HEADER, "no bids"),
        (HEADER + "\n\n", "no bids"),
        ("auction_id,bidder,at,starting_price\n" + ROW, "line 1: column max_amount is missing"),
        (ROW, "line 1: column auction_id is missing"),
        ("bidder," + HEADER, "line 1: column bidder is there twice"),
        (HEADER + ROW + "1,bob,1e5,0.5,10\n", "line 3, column max_amount"),
        (HEADER + "1,bob,-5,0.5,10\n", "line 2, column max_amount"),
        (HEADER + "1,bob,NaN,0.5,10\n", "line 2, column max_amount"),
        (HEADER + "1,bob,0,0.5,10\n", "line 2, column max_amount"),
        (HEADER + "1,bob,,0.5,10\n", "line 2, column max_amount"),
        (HEADER + "1,bob,1.005,0.5,10\n", "line 2, column max_amount"),
        (HEADER + "1,bob,1000000000001,0.5,10\n", "line 2, column max_amount"),
        (HEADER + ROW + "\n" + "1,bob,20,0.5,ten\n", "line 4, column starting_price"),
        (HEADER + "1,bob,20,-1,10\n", "line 2, column at"),
        (HEADER + "1,bob,20,1e2,10\n", "line 2, column at"),
        (HEADER + "1,bob,20,,10\n", "line 2, column at"),
        (HEADER + "1,bob,20,3661,10\n", "line 2, column at"),
        (HEADER + "1,bob,20," + "9" * 500 + ",10\n", "line 2, column at"),
        (HEADER + ",bob,20,0.5,10\n", "line 2, column auction_id"),
        (HEADER + "1, ,20,0.5,10\n", "line 2, column bidder"),
        (HEADER + f"1,{'b' * 201},20,0.5,10\n", "line 2, column bidder"),
        (HEADER + "1,bob,20,0.5\n", "line 2: there are 4 values under 5 columns"),
        (HEADER + "1,bob,20,0.5,10,\n", "line 2: there are 6 values under 5 columns"),
        (HEADER + ROW + "1,bob,20,0.5,11\n", "Line 3: starting_price of auction 1 differs"),
        (HEADER + ROW + '1,"bob,20,0.5,10\n', "line 3"),
        (HEADER + ROW + "1,b\rob,20,0.5,10\n", "line 3"),
        (HEADER + ROW + "x" * 5000, "line 3: the line is longer than 4096 bytes"),
        ((HEADER + ROW).encode() + b"1,b\0b,20,0.5,10\n", "line 3: there is a NUL byte"),
        ((HEADER + ROW).encode() + b"1,b\xff,20,0.5,10\n", "line 3: this is not UTF-8"),
        ((HEADER + ROW).encode("utf-16"), "not UTF-8|NUL"),
    ],
)
def test_a_bad_file_is_refused_with_line_and_column(bids_file: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        results(bids_file, text)
    assert len(caught.value.message) < 500


def test_a_missing_file_a_folder_a_pipe_and_an_impossible_name_are_said_so(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, message in [
        (tmp_path / "none.csv", "There is no file"),
        (tmp_path, "is not a file"),
        (tmp_path / "pipe", "is not a file"),
        (Path("/dev/zero"), "is not a file"),
        ("a\0b", "cannot be read"),
        ("x" * 5000, "cannot be read"),
    ]:
        with pytest.raises(InvalidInput, match=message):
            list(backtest.read_bids(path))


def test_a_file_above_the_limit_is_refused_before_it_is_read(bids_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtest, "FILE_BYTES_MAX", 60)
    with pytest.raises(InvalidInput, match="larger than 60 bytes"):
        results(bids_file, HEADER + ROW)


def test_a_file_that_grows_while_it_is_read_is_refused_at_the_limit(
    bids_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backtest, "FILE_BYTES_MAX", 80)
    bids_file.write_text(HEADER + ROW)
    rows = backtest.read_bids(bids_file)
    next(rows)
    with bids_file.open("a") as file:
        file.write(ROW * 10)
    with pytest.raises(InvalidInput, match="larger than 80 bytes"):
        list(rows)


def test_more_auctions_than_the_limit_are_refused(bids_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtest, "AUCTIONS_MAX", 1)
    with pytest.raises(InvalidInput, match="more than 1 auctions"):
        results(bids_file, HEADER + ROW + "2,ann,20,0.5,10\n")


def test_bids_are_read_and_decided_one_by_one() -> None:
    waiting = 0

    def endless() -> Iterator[PastBid]:
        nonlocal waiting
        for n in range(50_000):
            waiting = n
            if n == 1_000:
                raise InvalidInput("enough")
            yield PastBid(auction_id="1", bidder="a", max_amount=Decimal(n + 1), at=n, starting_price=Decimal(1))

    with pytest.raises(InvalidInput, match="enough"):
        backtest.run(endless(), ONE)
    assert waiting == 1_000


def test_an_increment_that_cannot_be_kept_is_refused() -> None:
    with pytest.raises(InvalidInput):
        backtest.run([], FixedIncrement(Decimal("0.001")))
