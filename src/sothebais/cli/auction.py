"""``sothebais auction …`` and ``sothebais bid``."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.table import Table

from sothebais import ids, money
from sothebais.auctions import receipts, repository
from sothebais.auctions.commands import OverrideAuction, PlaceBid
from sothebais.auctions.model import Override, Source, Status
from sothebais.campaigns.schedule import parse_length
from sothebais.cli.house import acting, as_json, err, opened, out, told
from sothebais.clock import SystemClock, parse_iso
from sothebais.errors import InvalidInput
from sothebais.users.service import ensure_sandbox_user

app = typer.Typer(no_args_is_help=True)

AuctionId = Annotated[str, typer.Argument(metavar="AUCTION", help="The auction's id.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept in the audit.")]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]
By = Annotated[str | None, typer.Option("--by", metavar="HANDLE", help="The operator who does it.")]


def register(main: typer.Typer) -> None:
    """Add ``bid`` to the main command."""
    main.command("bid")(bid)


def auction_id(text: str) -> UUID:
    """The id of an argument. Raises InvalidInput."""
    found = ids.parse_id(text)
    if found is None:
        raise InvalidInput(f"{text!r} is not an auction id. `sothebais auction list` shows them.")
    return found


@app.command("list")
@told
def list_(
    status: Annotated[list[Status] | None, typer.Option(help="Only lots with this status.")] = None,
    campaign: Annotated[str | None, typer.Option(help="Only lots of this campaign (id).")] = None,
    limit: Annotated[int, typer.Option(min=1, max=repository.PAGE_MAX)] = 50,
    json: Json = False,
) -> None:
    """Lots, in the order in which they were made."""

    async def run() -> list[dict[str, Any]]:
        async with opened() as house:
            wanted = auction_id(campaign) if campaign else None
            items, _ = await repository.snapshots(
                house.engine, statuses=status or (), campaign=wanted, limit=limit, drafts=True
            )
            return items

    items = asyncio.run(run())
    if json:
        as_json({"items": items})
        return
    table = Table("Lot", "Title", "Status", "Price", "Leader", "Bids", "Ends (UTC)", box=None, pad_edge=False)
    table.add_column("Id", no_wrap=True, min_width=36)
    for item in items:
        leader = item["leader"]["handle"] if item["leader"] else ""
        price = f"{item['price']} {item['currency']}" if item["price"] else ""
        status_text = item["status"] + (f" · {item['outcome']}" if item["outcome"] else "")
        table.add_row(
            str(item["lot_number"]),
            item["title"],
            status_text,
            price,
            leader,
            str(item["bid_count"]),
            item["ends_at"][:16].replace("T", " "),
            item["id"],
        )
    out.print(table if items else "No lots. `sothebais campaign create FILE.yaml` makes some.")


@app.command()
@told
def show(auction: AuctionId, json: Json = False) -> None:
    """One lot with its last bids."""

    async def run() -> dict[str, Any]:
        async with opened() as house:
            snapshot = await repository.snapshot(house.engine, auction_id(auction))
            bids, _ = await repository.bids(house.engine, auction_id(auction), limit=10)
            return snapshot | {"bids": bids}

    shown = asyncio.run(run())
    if json:
        as_json(shown)
        return
    table = Table.grid(padding=(0, 2))
    for name in (
        "lot_number",
        "title",
        "status",
        "outcome",
        "price",
        "next_valid_amount",
        "starts_at",
        "ends_at",
        "bid_count",
    ):
        table.add_row(f"[dim]{name.replace('_', ' ')}[/]", str(shown[name]) if shown[name] is not None else "–")
    out.print(table)
    for row in shown["bids"]:
        proxy = " (proxy)" if row["proxy"] else ""
        out.print(
            f"  #{row['number']}  {row['amount'] or 'sealed'} {row['currency']}  @{row['user']['handle']}{proxy}  {row['status']}"
        )


@told
def bid(
    auction: AuctionId,
    amount: Annotated[str, typer.Argument(help='A decimal amount such as "1.25".')],
    as_: Annotated[str, typer.Option("--as", metavar="HANDLE", help="Who bids.")],
    max_amount: Annotated[str | None, typer.Option("--max", help="A hidden maximum.")] = None,
    confirm: Annotated[bool, typer.Option(help="Yes, so much.")] = False,
    json: Json = False,
) -> None:
    """A bid by hand, for rehearsals and tests."""

    async def run() -> dict[str, Any]:
        async with opened() as house:
            lot = await repository.snapshot(house.engine, auction_id(auction))
            decimals = lot["decimals"]
            visible = money.parse_amount(amount, decimals)
            maximum = None if max_amount is None else money.parse_amount(max_amount, decimals, name="max")
            async with house.engine.begin() as connection:
                user = await ensure_sandbox_user(connection, as_)
            engine = house.auction_engine("cli")
            await engine.start()
            try:
                now = engine.time.now()
                answer = await engine.place(
                    PlaceBid(
                        bid=ids.new_id(),
                        auction=auction_id(auction),
                        user=user,
                        amount=visible,
                        max_amount=maximum,
                        currency=lot["currency"],
                        confirm=confirm,
                        source=Source.API,
                        received_at=now,
                        effective_at=now,
                    )
                )
            finally:
                await engine.stop()
            data = answer.data
            receipt = receipts.receipt(house.key(), answer) if answer.accepted else None
            return {"accepted": answer.accepted, "bid": str(answer.bid), "currency": lot["currency"]} | {
                "reason": data.get("reason"),
                "message": data.get("message"),
                "price": data.get("price"),
                "leads": data.get("leading_bid") == str(answer.bid),
                "next_valid_amount": data["next_valid_amount"],
                "receipt": receipt,
            }

    result = asyncio.run(run())
    if json:
        as_json(result)
    elif result["accepted"]:
        standing = "leads" if result["leads"] else "is accepted and at once outbid"
        out.print(f"@{as_.removeprefix('@')} {standing} at {result['price']} {result['currency']}.")
    else:
        err.print(f"[bold red]refused:[/] {result['message']} ({result['reason']})", highlight=False)
    if not result["accepted"]:
        raise typer.Exit(1)


def _override(auction: str, step: Override, by: str | None, json: bool) -> None:
    wanted = auction_id(auction)
    if not step.reason.strip():  # before anything is written, the house's own user too
        raise InvalidInput("An operator's step needs a reason.", field="reason")

    async def run() -> dict[str, Any]:
        async with opened() as house:
            engine = house.auction_engine("cli")
            await engine.start()
            try:
                async with acting(house, by) as actor:
                    await engine.override(OverrideAuction(auction=wanted, actor=actor, step=step))
            finally:
                await engine.stop()
            return await repository.snapshot(house.engine, wanted)

    snapshot = asyncio.run(run())
    if json:
        as_json(snapshot)
    else:
        out.print(
            f"Lot {snapshot['lot_number']} “{snapshot['title']}” is {snapshot['status']}; ends {snapshot['ends_at']}."
        )


def _simple(kind: Any, text: str) -> Callable[..., None]:
    @told
    def command(auction: AuctionId, reason: Reason, by: By = None, json: Json = False) -> None:
        _override(auction, Override(kind=kind, reason=reason), by, json)

    command.__doc__ = text
    return command


for _name, _kind, _text in (
    ("start", "START", "Open a lot before its time."),
    ("pause", "PAUSE", "Stop bidding; the remaining time freezes."),
    ("resume", "RESUME", "Go on; the end moves by the pause."),
    ("end", "END", "End a lot at once, sold to its leader if it has one."),
    ("cancel", "CANCEL", "Cancel a lot; nobody wins it."),
):
    app.command(_name)(_simple(_kind, _text))


@app.command()
@told
def extend(
    auction: AuctionId,
    by_length: Annotated[str, typer.Option("--for", metavar="LENGTH", help="How much longer, such as 90s or 5m.")],
    reason: Reason,
    by: By = None,
    json: Json = False,
) -> None:
    """Move a lot's end to later."""
    length = parse_length(by_length, name="--for", at_least=1)

    async def end_now() -> int:
        async with opened() as house:
            snapshot = await repository.snapshot(house.engine, auction_id(auction))
            return max(parse_iso(snapshot["ends_at"]), house.now()) + length

    _override(auction, Override(kind="EXTEND", reason=reason, ends_at=asyncio.run(end_now())), by, json)


@app.command()
@told
def reopen(
    auction: AuctionId,
    by_length: Annotated[str, typer.Option("--for", metavar="LENGTH", help="How long it stays open, such as 5m.")],
    reason: Reason,
    by: By = None,
    json: Json = False,
) -> None:
    """Open an ended lot again before it is invoiced; its winner is taken back."""
    ends_at = SystemClock().now() + parse_length(by_length, name="--for", at_least=1)
    _override(auction, Override(kind="REOPEN", reason=reason, ends_at=ends_at), by, json)


@app.command("void-bid")
@told
def void_bid(
    auction: AuctionId,
    bid_id: Annotated[str, typer.Argument(metavar="BID", help="The bid's id.")],
    reason: Reason,
    by: By = None,
    json: Json = False,
) -> None:
    """Take a bid out; the standing is what the others give."""
    found = ids.parse_id(bid_id)
    if found is None:
        raise InvalidInput(f"{bid_id!r} is not a bid id. `sothebais auction show` lists the bids.")
    _override(auction, Override(kind="VOID_BID", reason=reason, bid=found), by, json)
