"""Signing in."""

from fastapi import APIRouter, Request

from sothebais.api.models.auth import SandboxSignIn, SignedIn, SignedInUser
from sothebais.api.models.base import Problem
from sothebais.api.parts import parts_of
from sothebais.errors import NotFound

router = APIRouter(prefix="/auth", tags=["sign-in"])


@router.post(
    "/sandbox",
    status_code=201,
    summary="Sign in by handle (sandbox only)",
    responses={404: {"model": Problem, "description": "The sandbox is off"}, 422: {"model": Problem}},
)
async def sandbox(body: SandboxSignIn, request: Request) -> SignedIn:
    """A session for a handle, without proof. 404 where the sandbox is off."""
    parts = parts_of(request)
    if not parts.settings.sandbox:
        raise NotFound("Sandbox sign-in is off in this house.")
    identity, token = await parts.sessions.sign_in_sandbox(body.handle)
    user = SignedInUser(id=str(identity.user), handle=identity.name, role=str(identity.role))
    return SignedIn(token=token, user=user)
