"""``sothebais verify`` and ``sothebais backtest``: what anybody can check."""

import asyncio
import json as json_module
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from sothebais import ids
from sothebais.auctions import audit, increments, receipts, repository
from sothebais.auctions.increments import EBAY
from sothebais.auctions.model import Increment, PercentIncrement
from sothebais.cli.house import as_json, opened, out, told
from sothebais.errors import InvalidInput, VerificationFailed
from sothebais.money import parse_amount
from sothebais.rehearsal import backtest as backtesting

LOG_BYTES_MAX = 1_000_000_000
SMALL_FILE_BYTES_MAX = 10_000_000
#: Decimals of the money in a backtest's file.
BACKTEST_DECIMALS = 2

OptionalFile = Annotated[Path | None, typer.Option(metavar="FILE")]


def register(main: typer.Typer) -> None:
    """Add the commands to the main one."""
    main.command()(verify)
    main.command()(backtest)


@told
def verify(
    auction: Annotated[str, typer.Argument(metavar="AUCTION_OR_FILE", help="An auction's id, or an exported log.")],
    public_key: Annotated[str | None, typer.Option(help="The house's public key (hex, or a file with it).")] = None,
    receipt: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A bidder's receipt; may be given again.")
    ] = None,
    openings: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Openings of maxima that are not public.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Recompute a lot from its log: every hash, every commitment, every decision.

    With an id the log comes from the house and is held against the auction's own head; with a FILE (from
    GET /api/v1/auctions/ID/log) nothing but the file is needed, and its signed head is checked. Whoever made a false
    file may have signed it too: only with --public-key, got from the house itself, the signature must be the house's.
    """
    given = _openings(openings)
    found = ids.parse_id(auction)
    is_file = found is None or Path(auction).exists()
    signed_by: bytes | None = None
    try:
        if is_file:
            report, signed_by = _verify_file(Path(auction), receipt or [], given, public_key)
        else:
            report = asyncio.run(_verify_here(auction, receipt or [], given, public_key))
    except VerificationFailed as error:
        if json:
            as_json({"verified": False, "n": error.fields.get("n"), "error": error.message})
            raise typer.Exit(1) from error
        raise
    plain = msgspec.to_builtins(report)
    if json:
        as_json({"verified": True} | plain | {"signed_by": None if signed_by is None else signed_by.hex()})
        return
    outcome = (
        f"{report.outcome} to {report.winner} at {report.price} {report.currency}" if report.winner else report.outcome
    )
    out.print(
        f"[bold green]verified[/]  lot {report.lot_number} “{report.title}”: {outcome or report.status}",
        highlight=False,
    )
    out.print(f"  {report.events} events, {report.bids} bids, head {report.head}", highlight=False)
    if report.unknown_maxima:
        many = report.unknown_maxima > 1
        out.print(
            f"  {report.unknown_maxima} standing {'maxima stay' if many else 'maximum stays'} secret;"
            f" at every place the prices prove enough of {'them' if many else 'it'}."
        )
    if signed_by is None and is_file:
        out.print("  Nobody has signed this file, so nothing proves that the log ends here.")
    elif signed_by is not None and public_key is None:
        # the whole key: so it can be held against the house's own without another tool
        out.print(f"  signed with the key in the file, {signed_by.hex()}", highlight=False, soft_wrap=True)
        out.print(
            "  A key got from the house itself (GET /api/v1/house-key; --public-key) proves more.", highlight=False
        )


async def _verify_here(
    auction: str, receipt_files: list[Path], given: list[dict[str, Any]], public_key: str | None
) -> audit.Report:
    async with opened() as house:
        wanted = ids.parse_id(auction)
        if wanted is None:
            raise InvalidInput(f"{auction!r} is not an auction id.")
        key = house.key().public if public_key is None else _public_key(public_key)
        n, digest = await repository.head(house.engine, wanted)
        events = [event async for event in repository.log(house.engine, wanted)]
        # bids may have come in between; the head was read first
        checked = _receipts(receipt_files, key)
        return audit.verify(
            events[:n] if n <= len(events) else events, openings=given, head=(n, digest.hex()), receipts=checked
        )


def _verify_file(
    path: Path, receipt_files: list[Path], given: list[dict[str, Any]], public_key: str | None
) -> tuple[audit.Report, bytes | None]:
    """What the file proves, and the key under its head."""
    lines = [_object(line, f"{path}, line {i}") for i, line in enumerate(_lines(path), start=1)]
    if not lines:
        raise InvalidInput(f"{path} is empty.")
    head = None
    if "head" in lines[-1]:
        events, signed = lines[:-1], lines[-1]["head"]
        if not isinstance(signed, dict):
            raise InvalidInput(f"{path}, line {len(lines)}: the head is not a JSON object.")
        embedded = str(signed.get("public_key", ""))
        key = _public_key(public_key if public_key is not None else embedded)
        receipts.check_signature(signed, key, what="head")
        # a stranger's signature may stand under anything
        n, digest = signed.get("n"), signed.get("hash")
        if not isinstance(n, int) or not isinstance(digest, str):
            raise VerificationFailed("The signed head lacks n or hash.", n=0)
        head = (n, digest)
        if events and events[0].get("subject") != f"auction:{signed.get('auction')}":
            raise VerificationFailed("The signed head is of another auction.", n=0)
    else:
        events = lines
        if public_key is None and receipt_files:
            raise InvalidInput("This log has no signed head; give --public-key to check the receipt.")
        key = b"" if public_key is None else _public_key(public_key)
    report = audit.verify(events, openings=given, head=head, receipts=_receipts(receipt_files, key))
    return report, None if head is None else key


def _receipts(files: list[Path], key: bytes) -> list[dict[str, Any]]:
    found = []
    for path in files:
        receipt = _object(_read(path), str(path))
        receipt = receipt.get("receipt", receipt)
        if not isinstance(receipt, dict):
            raise InvalidInput(f"{path}: the receipt is not a JSON object.")
        receipts.check_signature(receipt, key, what="receipt")
        found.append(receipt)
    return found


def _openings(path: Path | None) -> list[dict[str, Any]]:
    if path is None:
        return []
    value = _decoded(_read(path), str(path))
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise InvalidInput(f'{path} must be a JSON list of {{"bid", "max_amount", "salt"}}.')
    return value


def _public_key(text: str) -> bytes:
    path = Path(text)
    if len(text) != receipts.KEY_BYTES * 2 and path.is_file():
        text = path.read_text(encoding="utf-8", errors="replace").strip()
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != receipts.KEY_BYTES:
        raise InvalidInput(
            f"A public key is {receipts.KEY_BYTES * 2} hex digits (GET /api/v1/house-key), or a file with them."
        )
    return key


def _lines(path: Path) -> list[bytes]:
    if not path.is_file():
        raise InvalidInput(f"{path} is neither an auction id nor a file. `sothebais auction list` shows the ids.")
    if path.stat().st_size > LOG_BYTES_MAX:
        raise InvalidInput(f"{path} is larger than {LOG_BYTES_MAX} bytes.")
    return [line for line in path.read_bytes().splitlines() if line.strip()]


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise InvalidInput(f"There is no file {path}.")
    if path.stat().st_size > SMALL_FILE_BYTES_MAX:
        raise InvalidInput(f"{path} is larger than {SMALL_FILE_BYTES_MAX} bytes.")
    return path.read_bytes()


def _decoded(raw: bytes, where: str) -> Any:
    try:
        return json_module.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{where} is not JSON: {error}.") from error


def _object(raw: bytes, where: str) -> dict[str, Any]:
    value = _decoded(raw, where)
    if not isinstance(value, dict):
        raise InvalidInput(f"{where} is not a JSON object.")
    return value


@told
def backtest(
    bids: Annotated[
        Path, typer.Argument(metavar="BIDS.csv", help="auction_id,bidder,max_amount,at,starting_price[,reserve_price]")
    ],
    rules: Annotated[Path | None, typer.Option(metavar="FILE", help="Increments from a JSON file.")] = None,
    increments_: Annotated[str | None, typer.Option("--increments", help="A table by name: ebay.")] = None,
    percent: Annotated[str | None, typer.Option(help="Increments of so many percent.")] = None,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Play real past bids through the rules: who wins, at what price."""
    policy = _policy(rules, increments_, percent)
    results = backtesting.run(backtesting.read_bids(bids), policy)
    if json:
        as_json(backtesting.as_json(results))
        return
    table = Table("Auction", "Winner", "Price", "Accepted", "Rejected")
    for result in results:
        row = result.as_json()
        names = ("auction_id", "winner", "price", "accepted", "rejected")
        table.add_row(*("–" if row[name] is None else str(row[name]) for name in names))
    out.print(table)
    rows = [result.as_json() for result in results]
    accepted, rejected = (sum(int(row[name] or 0) for row in rows) for name in ("accepted", "rejected"))
    out.print(f"{len(results)} auctions, {accepted} bids accepted, {rejected} refused.")


def _policy(rules: Path | None, name: str | None, percent: str | None) -> Increment:
    if sum(option is not None for option in (rules, name, percent)) > 1:
        raise InvalidInput("Give one of --rules, --increments and --percent.")
    if rules is not None:
        data = _decoded(_read(rules), str(rules))
        data = data.get("increment", data) if isinstance(data, dict) and "increment" in data else data
        return increments.parse(data, BACKTEST_DECIMALS)
    if percent is not None:
        return PercentIncrement(
            parse_amount(percent, BACKTEST_DECIMALS, name="percent"), parse_amount("0.01", BACKTEST_DECIMALS)
        )
    if name not in (None, "ebay"):
        raise InvalidInput(f"There is no increment table called {name!r}; there is ebay.")
    return EBAY
