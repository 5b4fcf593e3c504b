"""Real past bids through the house's own rules: who would have won, and at what price.

A file of bids is CSV (UTF-8, comma, a header) with the columns of ``COLUMNS`` and optionally ``reserve_price``. The
bids of one auction are in their order of arrival; auctions may be mixed. Rows are read, decided and forgotten one by
one, so that memory grows with the number of auctions, not of bids.
"""

import csv
import re
import stat
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO
from uuid import UUID, uuid5

import msgspec

from sothebais import money
from sothebais.auctions import increments, rules
from sothebais.auctions.model import Bid, Bidder, Increment, Lot, Outcome, Terms, Timing
from sothebais.clock import Millis
from sothebais.errors import InvalidAmount, InvalidInput

COLUMNS = ("auction_id", "bidder", "max_amount", "at", "starting_price")
OPTIONAL_COLUMNS = ("reserve_price",)
FILE_BYTES_MAX = 256 * 1024 * 1024
LINE_BYTES_MAX = 4_096
AUCTIONS_MAX = 100_000
NAME_LENGTH_MAX = 200
#: No past auction was longer; every lot of a backtest ends then, so that no time is cut off and no soft close matters.
DAYS_MAX = 3_660
#: The amounts of the public data sets are in dollars; only the number of decimals matters.
CURRENCY = "USD"

_DAY_MS = 86_400_000
_ENDS_AT: Millis = (DAYS_MAX + 1) * _DAY_MS
_DAYS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,18})?", re.ASCII)
#: Ids of past auctions, bidders and bids are made from their names, so that two runs are alike.
_NAMESPACE = UUID("5f0a3f0e-7b1c-5c39-9d0c-3c0c8a6f2b11")


class PastBid(msgspec.Struct, frozen=True, kw_only=True):
    """One row: a maximum somebody bid ``at`` milliseconds after the auction's start."""

    auction_id: str
    bidder: str
    max_amount: Decimal
    at: Millis
    starting_price: Decimal
    reserve_price: Decimal | None = None
    #: Where the row stands, for messages; 0 for a bid that came from no file.
    line: int = 0


class BacktestResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules made of one past auction.

    ``winner`` is None when the lot PASSED. ``price`` is the one reached, None when no bid was accepted.
    """

    auction_id: str
    winner: str | None
    price: Decimal | None
    accepted: int
    refused: int

    def as_json(self) -> dict[str, str | int | None]:
        """The result as ``sothebais backtest --json`` prints it; money is a decimal string."""
        return {
            "auction_id": self.auction_id,
            "winner": self.winner,
            "price": None if self.price is None else money.text(self.price),
            "accepted": self.accepted,
            "rejected": self.refused,
        }


def as_json(results: Iterable[BacktestResult]) -> dict[str, list[dict[str, str | int | None]]]:
    """All results as one document: ``{"auctions": [...]}``."""
    return {"auctions": [result.as_json() for result in results]}


def read_bids(path: str | Path, *, currency: str = CURRENCY) -> Iterator[PastBid]:
    """The bids of a CSV file, one at a time. Raises InvalidInput, naming line and column, for what it cannot use."""
    path = Path(path)
    decimals = money.currency_decimals(currency)
    try:
        status = path.stat()
        # a pipe or a device would block, or never end
        if not stat.S_ISREG(status.st_mode):
            raise InvalidInput(f"{path} is not a file.", field="path")
        if status.st_size > FILE_BYTES_MAX:
            raise InvalidInput(f"{path} is larger than {FILE_BYTES_MAX} bytes; split it by auction.", field="path")
        with path.open("rb") as handle:
            yield from _rows(handle, path, decimals)
    except FileNotFoundError:
        raise InvalidInput(f"There is no file {path}.", field="path") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL byte
        raise InvalidInput(f"{path} cannot be read: {error}.", field="path") from error


def run(bids: Iterable[PastBid], increment: Increment, *, currency: str = CURRENCY) -> list[BacktestResult]:
    """Hold every auction again under English proxy rules with that increment; results in order of first bid.

    Each row is a pure proxy bid: a maximum without a visible amount, already confirmed.
    """
    decimals = money.currency_decimals(currency)
    increments.validate(increment, decimals)
    held: dict[str, _Held] = {}
    for bid in bids:
        auction = held.get(bid.auction_id)
        if auction is None:
            if len(held) >= AUCTIONS_MAX:
                raise InvalidInput(f"There are more than {AUCTIONS_MAX} auctions; split the file.", field="auction_id")
            auction = held[bid.auction_id] = _Held(_lot(bid, increment, currency, decimals))
        auction.take(bid)
    return [auction.result(auction_id) for auction_id, auction in held.items()]


class _Held:
    """One auction under way: its lot, and the name behind the leader's id."""

    def __init__(self, lot: Lot) -> None:
        self._lot = lot
        self._leader: str | None = None
        self._accepted = 0
        self._refused = 0

    def take(self, bid: PastBid) -> None:
        terms = self._lot.terms
        for name, now, first in (
            ("starting_price", bid.starting_price, terms.starting_price),
            ("reserve_price", bid.reserve_price, terms.reserve),
        ):
            if now != first:
                where = f"Line {bid.line}: " if bid.line else ""
                raise InvalidInput(
                    f"{where}{name} of auction {bid.auction_id} differs from its first bid's.", field=name
                )
        number = self._accepted + self._refused + 1
        bidder = Bidder(uuid5(self._lot.id, bid.bidder))
        self._lot, decision = rules.decide(
            self._lot,
            Bid(
                id=UUID(int=number),
                bidder=bidder,
                amount=None,
                max_amount=bid.max_amount,
                currency=terms.currency,
                effective_at=bid.at,
                confirm=True,
                number=number,
            ),
            bid.at,
        )
        if decision.accepted:
            self._accepted += 1
        else:
            self._refused += 1
        if self._lot.standing.leader == bidder.id:
            self._leader = bid.bidder

    def result(self, auction_id: str) -> BacktestResult:
        lot, _ = rules.advance(self._lot, _ENDS_AT)
        lot, _ = rules.advance(rules.closing_seen(lot, _ENDS_AT), _ENDS_AT + lot.terms.closing_grace)
        return BacktestResult(
            auction_id=auction_id,
            winner=self._leader if lot.outcome is Outcome.SOLD else None,
            price=lot.standing.price,
            accepted=self._accepted,
            refused=self._refused,
        )


def _lot(bid: PastBid, increment: Increment, currency: str, decimals: int) -> Lot:
    terms = Terms(
        currency=currency,
        decimals=decimals,
        starting_price=bid.starting_price,
        increment=increment,
        amount_max=money.AMOUNT_MAX,
        reserve=bid.reserve_price,
    )
    rules.validate_terms(terms)
    timing = Timing(starts_at=0, ends_at=_ENDS_AT, hard_close_at=_ENDS_AT)
    lot, _ = rules.advance(Lot(id=uuid5(_NAMESPACE, bid.auction_id), terms=terms, timing=timing), 0)
    return lot


def _rows(handle: BinaryIO, path: Path, decimals: int) -> Iterator[PastBid]:
    reader = csv.reader(_lines(handle, path), strict=True)
    try:
        header = next(reader, None)
        if header is None:
            raise InvalidInput(f"{path} is empty; it needs a header and bids.", field="path")
        places = _places(header, path)
        line = 0
        for values in reader:
            if not values:
                continue  # a blank line, often the last
            line = reader.line_num
            if len(values) != len(header):
                raise InvalidInput(
                    f"{path}, line {line}: there are {len(values)} values under {len(header)} columns.", field="path"
                )
            yield _bid({name: values[place] for name, place in places.items()}, path, line, decimals)
        if not line:
            raise InvalidInput(f"{path} has a header but no bids.", field="path")
    except csv.Error as error:
        raise InvalidInput(f"{path}, line {reader.line_num}: {error}.", field="path") from error


def _lines(handle: BinaryIO, path: Path) -> Iterator[str]:
    """The file's lines as text. A byte order mark is dropped; what is no text is refused with its line."""
    number, size = 0, 0
    while raw := handle.readline(LINE_BYTES_MAX + 1):
        number += 1
        size += len(raw)
        if len(raw) > LINE_BYTES_MAX:
            raise InvalidInput(f"{path}, line {number}: the line is longer than {LINE_BYTES_MAX} bytes.", field="path")
        if size > FILE_BYTES_MAX:  # it grew while it was read
            raise InvalidInput(f"{path} is larger than {FILE_BYTES_MAX} bytes; split it by auction.", field="path")
        if b"\0" in raw:
            raise InvalidInput(f"{path}, line {number}: there is a NUL byte; this is not a CSV file.", field="path")
        try:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise InvalidInput(f"{path}, line {number}: this is not UTF-8 text.", field="path") from None


def _places(header: list[str], path: Path) -> dict[str, int]:
    names = [name.strip() for name in header]
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise InvalidInput(
            f"{path}, line 1: column {missing[0]} is missing; the columns are {', '.join(COLUMNS)}.", field=missing[0]
        )
    known = [name for name in (*COLUMNS, *OPTIONAL_COLUMNS) if name in names]
    for name in known:
        if names.count(name) > 1:
            raise InvalidInput(f"{path}, line 1: column {name} is there twice.", field=name)
    return {name: names.index(name) for name in known}


def _bid(row: dict[str, str], path: Path, line: int, decimals: int) -> PastBid:
    def name(column: str) -> str:
        value = row[column].strip()
        if not value or len(value) > NAME_LENGTH_MAX:
            raise InvalidInput(
                f"{path}, line {line}, column {column}: a name of 1 to {NAME_LENGTH_MAX} characters is needed.",
                field=column,
            )
        return value

    def amount(column: str) -> Decimal:
        try:
            return money.parse_amount(row[column].strip(), decimals, name=column)
        except InvalidAmount as error:
            raise InvalidInput(f"{path}, line {line}, column {column}: {error.message}", field=column) from None

    return PastBid(
        auction_id=name("auction_id"),
        bidder=name("bidder"),
        max_amount=amount("max_amount"),
        at=_millis(row["at"].strip(), path, line),
        starting_price=amount("starting_price"),
        reserve_price=amount("reserve_price") if row.get("reserve_price", "").strip() else None,
        line=line,
    )


def _millis(text: str, path: Path, line: int) -> Millis:
    if not _DAYS.fullmatch(text) or Decimal(text) > DAYS_MAX:
        raise InvalidInput(
            f"{path}, line {line}, column at: days since the start, such as 2.25, at most {DAYS_MAX}; got {text[:40]!r}.",
            field="at",
        )
    return int(money.multiply(Decimal(text), Decimal(_DAY_MS)))
