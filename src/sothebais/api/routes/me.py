"""What concerns oneself: profile, wallets, sessions, passkeys, privacy."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from sothebais.api import auth, privacy
from sothebais.api.access import InPerson, InPersonRecently, SignedIn, StaffInPerson, StaffInPersonRecently
from sothebais.api.models.auth import PasskeyOptions, WalletProof
from sothebais.api.models.base import Problem
from sothebais.api.models.me import (
    Me,
    MeChange,
    MyBidInFull,
    MyBids,
    MyExport,
    MyPasskey,
    MyPasskeys,
    MySessions,
    MyWalletInFull,
    MyWallets,
    NewPasskey,
    NewRecoveryCodes,
    PasswordChange,
)
from sothebais.api.paging import PAGE_USUAL, After, Limit, after_id, page, path_id, query_id
from sothebais.api.parts import parts_of
from sothebais.auctions import own_bids
from sothebais.clock import from_datetime, isoformat
from sothebais.users.siwe import Chain

router = APIRouter(prefix="/me", tags=["me"])

MINE: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "Not signed in, or the proof proves nothing"},
    403: {"model": Problem, "description": "Not for this role, not for an API key, or not without a fresh sign-in"},
    422: {"model": Problem},
    429: {"model": Problem},
    503: {"model": Problem},
}
GONE: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "You have none with this id"}}
NOT_NOW: dict[int | str, dict[str, Any]] = {409: {"model": Problem, "description": "Not possible at present"}}


@router.get("", summary="Yourself", responses=MINE, response_model=Me)
async def get_me(person: SignedIn, request: Request) -> dict[str, Any]:
    """Name, address, picture, role, and the ways you sign in."""
    return _json(await parts_of(request).people.profiles.of(person.user))


@router.patch("", summary="Change yourself", responses={**MINE, **NOT_NOW}, response_model=Me)
async def change_me(body: MeChange, person: InPerson, request: Request) -> dict[str, Any]:
    """Name, e-mail address, picture; what is not given stays."""
    parts = parts_of(request)
    changed = await parts.people.profiles.change(person.user, body.model_dump(exclude_unset=True))
    parts.forget(person.user)
    return _json(changed)


@router.delete("", status_code=204, summary="Be forgotten", responses={**MINE, **NOT_NOW})
async def erase_me(person: InPersonRecently, request: Request) -> Response:
    """Everything personal is removed; bids keep a pseudonym, because lots must stay verifiable.

    Refused while you lead a running lot or owe an invoice, and for staff.
    """
    parts = parts_of(request)
    await privacy.erase(parts.database, parts.sessions, person.user)
    parts.forget(person.user)
    response = Response(status_code=204)
    auth.forget(request, response)
    return response


@router.get("/export", summary="Everything the house has of you", responses=MINE, response_model=MyExport)
async def export_me(person: InPerson, request: Request) -> dict[str, Any]:
    """Every row of every table that is yours. Hashes and secrets are left out, standing maxima too."""
    return await privacy.export(parts_of(request).database, person.user)


@router.get("/bids", summary="Your bids, the newest first", responses=MINE, response_model=MyBids)
async def list_my_bids(
    person: SignedIn,
    request: Request,
    auction: Annotated[str | None, Query(max_length=36, description="Of one lot only.")] = None,
    limit: Limit = PAGE_USUAL,
    after: After = None,
) -> dict[str, Any]:
    """On every channel, the refused ones with their reason. Raises by proxy are in the lot's own history."""
    rows = await own_bids.page(
        parts_of(request).database,
        person.user,
        auction=query_id(auction, "auction"),
        after=after_id(after),
        limit=limit,
    )
    return page(rows, limit, own_bids.shown)


@router.get(
    "/bids/{bid_id}", summary="A bid of yours, with its receipt", responses={**MINE, **GONE}, response_model=MyBidInFull
)
async def get_my_bid(bid_id: str, person: InPerson, request: Request) -> dict[str, Any]:
    """The receipt is told again once the lot is over: until then it would tell your maximum."""
    parts = parts_of(request)
    return await own_bids.one(parts.database, parts.key, person.user, path_id(bid_id, "bid"))


@router.get("/wallets", summary="Your wallets", responses=MINE, response_model=MyWallets)
async def list_wallets(person: SignedIn, request: Request) -> dict[str, Any]:
    """All of them."""
    return {"items": [_json(one) for one in await parts_of(request).people.wallets.of(person.user)], "next": None}


@router.post(
    "/wallets", status_code=201, summary="Link a wallet", responses={**MINE, **NOT_NOW}, response_model=MyWalletInFull
)
async def link_wallet(body: WalletProof, person: InPersonRecently, request: Request) -> dict[str, Any]:
    """The same proof as for signing in. 409 where the wallet is another user's."""
    linked = await parts_of(request).people.wallets.link(
        person.user, body.message, body.signature, Chain(body.chain), auth.origin_of(request)
    )
    return _json(linked)


@router.get(
    "/wallets/{wallet_id}", summary="A wallet of yours", responses={**MINE, **GONE}, response_model=MyWalletInFull
)
async def get_wallet(wallet_id: str, person: SignedIn, request: Request) -> dict[str, Any]:
    """With when and how it was proven."""
    return _json(await parts_of(request).people.wallets.one(person.user, path_id(wallet_id, "wallet")))


@router.delete(
    "/wallets/{wallet_id}", status_code=204, summary="Unlink a wallet", responses={**MINE, **GONE, **NOT_NOW}
)
async def unlink_wallet(wallet_id: str, person: InPersonRecently, request: Request) -> Response:
    """409 where it is your last way to sign in."""
    await parts_of(request).people.wallets.unlink(person.user, path_id(wallet_id, "wallet"))
    return Response(status_code=204)


@router.delete(
    "/accounts/{account_id}", status_code=204, summary="Unlink an account", responses={**MINE, **GONE, **NOT_NOW}
)
async def unlink_account(account_id: str, person: InPersonRecently, request: Request) -> Response:
    """An account at a platform, as ``GET /me`` lists it. 409 where it is your last way to sign in."""
    await parts_of(request).people.x.unlink(person.user, path_id(account_id, "account"))
    return Response(status_code=204)


@router.get("/sessions", summary="Where you are signed in", responses=MINE, response_model=MySessions)
async def list_sessions(person: InPerson, request: Request) -> dict[str, Any]:
    """Every session that is still good, the last used first."""
    items = [
        {
            "id": str(row.id),
            "method": row.method,
            "user_agent": row.user_agent,
            "created_at": isoformat(from_datetime(row.created_at)),
            "last_seen_at": isoformat(from_datetime(row.last_seen_at)),
            "expires_at": isoformat(from_datetime(row.expires_at)),
            "current": row.id == person.session,
        }
        for row in await parts_of(request).sessions.sessions_of(person.user)
    ]
    return {"items": items, "next": None}


@router.delete("/sessions/{session_id}", status_code=204, summary="Sign out elsewhere", responses={**MINE, **GONE})
async def end_session(session_id: str, person: InPerson, request: Request) -> Response:
    """The session ends within seconds, wherever it is used."""
    parts = parts_of(request)
    session = path_id(session_id, "session")
    await parts.sessions.revoke(person.user, session)
    parts.identities.drop(lambda known: known.session == session)
    response = Response(status_code=204)
    if session == person.session:
        auth.forget(request, response)
    return response


@router.get("/passkeys", summary="Your passkeys (staff)", responses=MINE, response_model=MyPasskeys)
async def list_passkeys(person: StaffInPerson, request: Request) -> dict[str, Any]:
    """All of them."""
    return {"items": [_json(one) for one in await parts_of(request).people.passkeys.of(person.user)], "next": None}


@router.post("/passkeys/options", summary="Begin adding a passkey (staff)", responses={**MINE, **NOT_NOW})
async def passkey_options(person: StaffInPersonRecently, request: Request) -> PasskeyOptions:
    """What ``navigator.credentials.create`` is given."""
    options = await parts_of(request).people.passkeys.registration_options(person.user, auth.origin_of(request))
    return PasskeyOptions(**options)


@router.post(
    "/passkeys",
    status_code=201,
    summary="Add a passkey (staff)",
    responses={**MINE, **NOT_NOW},
    response_model=MyPasskey,
)
async def add_passkey(body: NewPasskey, person: StaffInPersonRecently, request: Request) -> dict[str, Any]:
    """The answer of ``navigator.credentials.create``; from then on it is a second factor."""
    passkeys = parts_of(request).people.passkeys
    return _json(await passkeys.register(person.user, body.name, body.credential, auth.origin_of(request)))


@router.delete(
    "/passkeys/{passkey_id}", status_code=204, summary="Remove a passkey (staff)", responses={**MINE, **GONE}
)
async def remove_passkey(passkey_id: str, person: StaffInPersonRecently, request: Request) -> Response:
    """It is asked for no more."""
    await parts_of(request).people.passkeys.remove(person.user, path_id(passkey_id, "passkey"))
    return Response(status_code=204)


@router.post("/recovery-codes", status_code=201, summary="New recovery codes (staff)", responses={**MINE, **NOT_NOW})
async def new_recovery_codes(person: StaffInPersonRecently, request: Request) -> NewRecoveryCodes:
    """Ten codes in place of the old ones, told once."""
    return NewRecoveryCodes(recovery_codes=list(await parts_of(request).people.staff.new_recovery_codes(person.user)))


@router.post("/password", status_code=204, summary="Change your password (staff)", responses={**MINE, **NOT_NOW})
async def change_password(body: PasswordChange, person: StaffInPerson, request: Request) -> Response:
    """Every other session of yours ends."""
    parts = parts_of(request)
    await parts.people.staff.change_password(person, body.current, body.new, auth.address_of(request))
    parts.identities.drop(lambda known: known.user == person.user and known.session != person.session)
    return Response(status_code=204)


def _json(found: dict[str, Any]) -> dict[str, Any]:
    """With ids and instants as JSON has them."""
    return {name: privacy.plain(value) for name, value in found.items()}
