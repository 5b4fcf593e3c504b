"""Signing in and out. Every sign-in answers with a token and sets the cookie, both fresh."""

import contextlib
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import JSONResponse, RedirectResponse

from sothebais.api import auth
from sothebais.api.access import InPerson, in_person
from sothebais.api.limits import SharedLimit
from sothebais.api.models.auth import (
    CodeStep,
    NonceAnswer,
    PasskeyOptions,
    PasskeyStep,
    SandboxSignIn,
    SecondFactorStep,
    SignedIn,
    SignedInUser,
    StaffLogin,
    TicketStep,
    WalletProof,
)
from sothebais.api.models.base import Problem
from sothebais.api.parts import ApiParts, parts_of
from sothebais.clock import from_datetime, isoformat
from sothebais.errors import NotFound, SothebaisError
from sothebais.users.nonces import Purpose
from sothebais.users.service import Identity
from sothebais.users.siwe import Chain
from sothebais.users.tables import Role

router = APIRouter(prefix="/auth", tags=["sign-in"])

#: Begun sign-ins from one address: each writes a row.
STARTS_PER_SECOND = 2.0
STARTS_BURST = 30
#: Who links an account to theirs: a person, not a program, who has just signed in.
_links = in_person(Role.VIEWER, recent=True)
X_COOKIE = "sothebais_x"
X_COOKIE_S = 300
X_PATH = "/api/v1/auth/x"

PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "What was shown proves nothing"},
    403: {"model": Problem, "description": "Another site asked"},
    422: {"model": Problem},
    429: {"model": Problem, "description": "Too often; wait"},
    503: {"model": Problem, "description": "Something needed does not answer, or is not configured"},
}


@router.post(
    "/sandbox",
    status_code=201,
    summary="Sign in by handle (sandbox only)",
    responses={404: {"model": Problem, "description": "The sandbox is off"}, **PROBLEMS},
)
async def sandbox(body: SandboxSignIn, request: Request, response: Response) -> SignedIn:
    """A session for a handle, without proof. 404 where the sandbox is off."""
    parts = parts_of(request)
    auth.check_not_foreign(request)
    if not parts.settings.sandbox:
        raise NotFound("Sandbox sign-in is off in this house.")
    return await _welcome(
        request, response, *await parts.sessions.sign_in_sandbox(body.handle, user_agent=_agent(request))
    )


@router.post("/nonce", status_code=201, summary="Begin signing in with a wallet", responses=PROBLEMS)
async def nonce(request: Request) -> NonceAnswer:
    """A nonce for one message, and what else the message must say."""
    parts = parts_of(request)
    origin = auth.origin_of(request)
    await _may_start(request)
    issued = await parts.people.nonces.issue(Purpose.WALLET)
    return NonceAnswer(
        nonce=issued.value,
        expires_at=isoformat(from_datetime(issued.expires_at)),
        domain=origin.netloc,
        uri=str(origin),
        version="1",
        chain_ids=list(parts.settings.ethereum_chain_ids),
        issued_at=isoformat(parts.clock.now()),
    )


@router.post("/siwe", status_code=201, summary="Sign in with a wallet", responses=PROBLEMS)
async def siwe(body: WalletProof, request: Request, response: Response) -> SignedIn:
    """Sign-In with Ethereum (EIP-4361; accounts and ERC-1271 contracts), or the same text signed by a Solana wallet.

    An unknown wallet makes a new user. To add a wallet to yours, see ``POST /me/wallets``.
    """
    auth.check_not_foreign(request)
    signed_in = await parts_of(request).people.wallets.sign_in(
        body.message, body.signature, Chain(body.chain), auth.origin_of(request), user_agent=_agent(request)
    )
    return await _welcome(request, response, *signed_in)


@router.get(
    "/x/start",
    status_code=302,
    response_class=RedirectResponse,
    summary="Begin signing in by X",
    responses={
        302: {"description": "To X, for consent"},
        404: {"model": Problem, "description": "X is off"},
        **PROBLEMS,
    },
)
async def x_start(
    request: Request, link: Annotated[bool, Query(description="Link the account to who is signed in.")] = False
) -> Response:
    """To X, which sends the browser back to ``/auth/x/callback``."""
    auth.check_not_foreign(request)
    await _may_start(request)
    user = (await _links(request)).user if link else None
    started = await parts_of(request).people.x.start(auth.origin_of(request), user=user)
    response = RedirectResponse(started.url, status_code=302)
    response.set_cookie(
        X_COOKIE,
        started.browser,
        max_age=X_COOKIE_S,
        path=X_PATH,
        secure=auth.is_secure(request),
        httponly=True,
        samesite="lax",
    )
    return response


@router.get(
    "/x/callback",
    summary="Come back from X",
    responses={
        200: {"model": SignedIn},
        303: {"description": "To the front page, for a browser"},
        404: {"model": Problem, "description": "X is off"},
        409: {"model": Problem, "description": "The account belongs to another user"},
        **PROBLEMS,
    },
    response_model=None,
)
async def x_callback(
    request: Request,
    state: Annotated[str, Query(min_length=1, max_length=100)],
    code: Annotated[str | None, Query(max_length=1_000)] = None,
    error: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """The second half of signing in by X: in the browser that began it, once."""
    parts = parts_of(request)
    person, token = await parts.people.x.finish(
        auth.origin_of(request),
        state=state,
        browser=request.cookies.get(X_COOKIE),
        code=code,
        error=error,
        user_agent=_agent(request),
    )
    wants_page = "text/html" in request.headers.get("accept", "")
    response: Response = RedirectResponse("/", status_code=303) if wants_page else Response()
    body = await _welcome(request, response, person, token)
    if not wants_page:
        cookies = response.raw_headers
        response = JSONResponse(body.model_dump())
        response.raw_headers += [header for header in cookies if header[0] == b"set-cookie"]
    response.delete_cookie(X_COOKIE, path=X_PATH, secure=auth.is_secure(request), httponly=True, samesite="lax")
    return response


@router.post("/login", summary="The staff's sign-in: password", responses=PROBLEMS)
async def login(body: StaffLogin, request: Request) -> SecondFactorStep:
    """The first step. An unknown account is answered like a wrong password."""
    auth.check_not_foreign(request)
    ticket = await parts_of(request).people.staff.login(body.login, body.password, auth.address_of(request))
    return SecondFactorStep.model_validate(
        {
            "step": "SECOND_FACTOR",
            "ticket": ticket.value,
            "expires_at": isoformat(from_datetime(ticket.expires_at)),
            "methods": list(ticket.methods),
        }
    )


@router.post("/login/totp", status_code=201, summary="The staff's sign-in: authenticator code", responses=PROBLEMS)
async def login_totp(body: CodeStep, request: Request, response: Response) -> SignedIn:
    """The second step by a code of the authenticator app. A code is good once."""
    auth.check_not_foreign(request)
    staff = parts_of(request).people.staff
    signed_in = await staff.totp(body.ticket, body.code, auth.address_of(request), user_agent=_agent(request))
    return await _welcome(request, response, *signed_in)


@router.post("/login/recovery", status_code=201, summary="The staff's sign-in: recovery code", responses=PROBLEMS)
async def login_recovery(body: CodeStep, request: Request, response: Response) -> SignedIn:
    """The second step by a recovery code, which is used up."""
    auth.check_not_foreign(request)
    staff = parts_of(request).people.staff
    signed_in = await staff.recovery(body.ticket, body.code, auth.address_of(request), user_agent=_agent(request))
    return await _welcome(request, response, *signed_in)


@router.post(
    "/login/passkey/options",
    summary="The staff's sign-in: ask a passkey",
    responses={409: {"model": Problem, "description": "The account has no passkey"}, **PROBLEMS},
)
async def login_passkey_options(body: TicketStep, request: Request) -> PasskeyOptions:
    """What ``navigator.credentials.get`` is given."""
    auth.check_not_foreign(request)
    options = await parts_of(request).people.staff.passkey_options(
        body.ticket, auth.address_of(request), auth.origin_of(request)
    )
    return PasskeyOptions(**options)


@router.post("/login/passkey", status_code=201, summary="The staff's sign-in: passkey", responses=PROBLEMS)
async def login_passkey(body: PasskeyStep, request: Request, response: Response) -> SignedIn:
    """The second step by a passkey."""
    auth.check_not_foreign(request)
    signed_in = await parts_of(request).people.staff.passkey(
        body.ticket,
        body.credential,
        auth.address_of(request),
        auth.origin_of(request),
        user_agent=_agent(request),
    )
    return await _welcome(request, response, *signed_in)


@router.post(
    "/logout",
    status_code=204,
    summary="Sign out",
    responses={401: {"model": Problem}, 403: {"model": Problem}, 429: {"model": Problem}, 503: {"model": Problem}},
)
async def logout(person: InPerson, request: Request) -> Response:
    """The session ends here and, within seconds, in every process; the cookie is taken away."""
    await auth.end_session(parts_of(request), person)
    response = Response(status_code=204)
    auth.forget(request, response)
    return response


async def _welcome(request: Request, response: Response, person: Identity, token: str) -> SignedIn:
    """The answer of every sign-in. A session the browser came with ends: nothing of before is carried over."""
    parts = parts_of(request)
    await _end_former(request, parts)
    auth.remember(request, response, token)
    parts.names.put(person.user, person.name)
    return SignedIn(token=token, user=SignedInUser(id=str(person.user), handle=person.name, role=str(person.role)))


async def _end_former(request: Request, parts: ApiParts) -> None:
    former = request.cookies.get(auth.COOKIE)
    if former is None:
        return
    with contextlib.suppress(SothebaisError):  # it was over already
        await auth.end_session(parts, await parts.sessions.authenticate(former))


async def _may_start(request: Request) -> None:
    parts = parts_of(request)
    limit = getattr(request.app.state, "sign_in_starts", None)
    if limit is None:
        limit = request.app.state.sign_in_starts = SharedLimit(
            parts.clock,
            parts.store,
            "sign_in",
            "sign-ins begun from one address",
            per_second=STARTS_PER_SECOND,
            burst=STARTS_BURST,
        )
    await limit.take(auth.address_of(request))


def _agent(request: Request) -> str | None:
    agent = request.headers.get("user-agent")
    return None if agent is None else "".join(character for character in agent if character.isprintable())
