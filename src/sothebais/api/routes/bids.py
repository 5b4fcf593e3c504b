"""``POST /api/v1/auctions/{id}/bids``: the hot path, without routing and FastAPI's own request handling.

Documented in OpenAPI by hand (``OPENAPI``). The answer is sent only after the commit.
"""

import hashlib
from collections.abc import Awaitable, Callable, MutableMapping
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from sothebais import ids, money
from sothebais.api.auth import check_scope, identity
from sothebais.api.envelope import CORRELATION
from sothebais.api.errors import problem, unexpected
from sothebais.api.limits import RateLimit
from sothebais.api.parts import ApiParts
from sothebais.auctions import receipts, views
from sothebais.auctions.answers import Answer
from sothebais.auctions.commands import PlaceBid
from sothebais.auctions.model import Discreet, Source
from sothebais.clock import isoformat
from sothebais.errors import BidRejected, InvalidInput, NotFound, SothebaisError, Unavailable
from sothebais.users.api_keys import Scope
from sothebais.users.service import Identity

PATH = "/api/v1/auctions/{auction_id}/bids"
_START, _END = PATH.split("{auction_id}")
BODY_BYTES_MAX = 4_096
IDEMPOTENCY_KEY_LENGTH_MAX = 200
#: A burst is so many seconds' worth of the rate.
BURST_S = 2


class BidBody(Discreet, msgspec.Struct, forbid_unknown_fields=True):
    """The body of a bid. At least one of ``amount`` and ``max_amount``."""

    SECRET = frozenset({"amount", "max_amount"})

    currency: str
    amount: str | None = None
    max_amount: str | None = None
    confirm: bool = False


_decoder = msgspec.json.Decoder(BidBody)
_encoder = msgspec.json.Encoder()


def endpoint(parts: ApiParts) -> Callable[[Request], Awaitable[Response]]:
    """The handler, with the limits of these settings."""
    settings = parts.settings
    per_user = RateLimit(
        parts.clock,
        "bids by one user",
        per_second=settings.bids_per_user_per_second,
        burst=settings.bids_per_user_per_second * BURST_S,
    )
    per_address = RateLimit(
        parts.clock,
        "bids from one address",
        per_second=settings.bids_per_address_per_second,
        burst=settings.bids_per_address_per_second * BURST_S,
    )

    secret = parts.key.derived("bid request hash")

    async def place_bid(request: Request) -> Response:
        engine = parts.auctions
        try:
            if engine is None:
                raise Unavailable("Bids are not taken by this process.", retry_after=1)
            # stamped before the body is read, in the database's time
            received_at = engine.time.now()
            per_address.take(request.client.host if request.client else "unknown")
            person = await identity(request)
            check_scope(person, Scope.BID)
            per_user.take(str(person.user))
            command = await _command(request, person, received_at, secret)
            answer = await engine.place(command)
            return await _respond(parts, answer)
        except SothebaisError as error:
            return problem(error)

    return place_bid


async def _command(request: Request, person: Identity, received_at: int, secret: bytes) -> PlaceBid:
    auction = ids.parse_id(request.path_params["auction_id"])
    if auction is None:
        raise NotFound("There is no auction with this id.")
    raw = await _body(request)
    try:
        body = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"The body is not a bid: {error}.") from error
    if body.amount is None and body.max_amount is None:
        raise InvalidInput("A bid needs amount, max_amount or both.", field="amount")
    amount = _amount(body.amount, "amount")
    maximum = _amount(body.max_amount, "max_amount")
    if amount is not None and maximum is not None and maximum < amount:
        raise InvalidInput("max_amount must not be below amount.", field="max_amount")
    money.currency_decimals(body.currency)
    key = request.headers.get("idempotency-key")
    if key is not None and not (0 < len(key) <= IDEMPOTENCY_KEY_LENGTH_MAX and key.isprintable()):
        raise InvalidInput(
            f"Idempotency-Key must be 1 to {IDEMPOTENCY_KEY_LENGTH_MAX} printable characters.", field="Idempotency-Key"
        )
    return PlaceBid(
        bid=ids.new_id(),
        auction=auction,
        user=person.user,
        amount=amount,
        max_amount=maximum,
        currency=body.currency,
        confirm=body.confirm,
        source=Source.WEB if request.headers.get("x-sothebais-client") == "web" else Source.API,
        received_at=received_at,
        effective_at=received_at,
        idempotency_key=key,
        request_hash=None if key is None else _request_hash(secret, auction, body),
        correlation_id=request.scope.get(CORRELATION),
    )


async def _body(request: Request) -> bytes:
    """The body, refused as soon as it is too long: a length that is announced is not believed."""
    body = b""
    while True:
        # not request.stream(): its generator costs as much as the rest of this function
        message = await request.receive()
        if message["type"] != "http.request":
            raise ClientDisconnect
        part: bytes = message.get("body", b"")
        body += part
        if len(body) > BODY_BYTES_MAX:
            raise InvalidInput(f"The body of a bid is at most {BODY_BYTES_MAX} bytes.")
        if not message.get("more_body", False):
            return body


def _amount(text: str | None, name: str) -> Decimal | None:
    # the lot's own decimals and limit are checked by the rules, which know the lot
    return None if text is None else money.parse_amount(text, money.DECIMALS_MAX, name=name)


def _request_hash(secret: bytes, auction: UUID, body: BidBody) -> bytes:
    # keyed: whoever may read the table could guess a maximum from a plain hash, there are so few of them
    return hashlib.blake2b(auction.bytes + _encoder.encode(body), key=secret, digest_size=32).digest()


async def _respond(parts: ApiParts, answer: Answer) -> Response:
    data = answer.data
    bid = _bid(answer, data)
    if not answer.accepted:
        error = BidRejected(
            data["message"], reason=data["reason"], next_valid_amount=data["next_valid_amount"], bid=bid
        )
        return problem(error)
    facts = await parts.facts_of(answer.auction)
    leader = None if data["leader"] is None else UUID(data["leader"])
    state = views.state_of_bid(data, answer.event.n or 0, answer.position, answer.event.timestamp)
    names = await parts.names_of({leader} if leader else set())
    body = {
        "bid": bid | {"status": "WINNING" if data["leading_bid"] == str(answer.bid) else "ACCEPTED"},
        "auction": views.snapshot(facts, state, names),
        "receipt": receipts.receipt(parts.key, answer),
    }
    return Response(_encoder.encode(body), status_code=201, media_type="application/json")


def _bid(answer: Answer, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": str(answer.bid),
        "auction_id": str(answer.auction),
        "number": data["number"],
        "user_id": data["user"],
        "amount": data["amount"],
        "status": "ACCEPTED" if answer.accepted else "REJECTED",
        "source": data["source"],
        "effective_at": isoformat(data["effective_at"]),
        "decided_at": isoformat(answer.event.timestamp),
    }


def is_bid(scope: MutableMapping[str, Any]) -> bool:
    """Whether a request is a bid, by its address alone."""
    path: str = scope["path"]
    return scope["method"] == "POST" and path.endswith(_END) and path.startswith(_START)


class Lane:
    """Bids go straight from the envelope to their endpoint: routing and FastAPI's layers would cost more than the bid."""

    def __init__(self, app: Any, parts: ApiParts) -> None:
        self._app = app
        self._place = endpoint(parts)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not is_bid(scope):
            await self._app(scope, receive, send)
            return
        scope["path_params"] = {"auction_id": scope["path"][len(_START) : -len(_END)]}
        scope["endpoint"] = self._place
        request = Request(scope, receive)
        try:
            response = await self._place(request)
        except ClientDisconnect:
            return  # nobody is there to be answered
        except Exception as error:  # noqa: BLE001 - what the application's own handlers would be asked about
            response = await unexpected(request, error)
        await response(scope, receive, send)


_PROBLEM: dict[str, Any] = {
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
}

#: The operation, as FastAPI would have written it.
OPENAPI: dict[str, Any] = {
    "tags": ["auctions"],
    "summary": "Bid",
    "description": "Answered only after the bid is on disk. The same Idempotency-Key and body repeats the first answer.",
    "operationId": "place_bid",
    "security": [{"bearer": []}],
    "parameters": [
        {"name": "auction_id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}},
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "maxLength": IDEMPOTENCY_KEY_LENGTH_MAX},
        },
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/BidRequest"},
                "example": {"amount": "1.5", "max_amount": "2", "currency": "ETH", "confirm": False},
            }
        },
    },
    "responses": {
        "201": {
            "description": "Accepted and committed: the bid, the auction after it, the receipt.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/BidAnswer"}}},
        },
        "401": {"description": "Not signed in", **_PROBLEM},
        "404": {"description": "No such auction", **_PROBLEM},
        "409": {
            "description": "Refused by the rules (BID_REJECTED), or the key was used with another body",
            **_PROBLEM,
        },
        "422": {"description": "Not a bid", **_PROBLEM},
        "429": {"description": "Too many bids", **_PROBLEM},
        "503": {"description": "Nothing was kept, or the outcome is unknown; try again with the same key", **_PROBLEM},
    },
}
