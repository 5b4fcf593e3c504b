"""Signing in."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from sothebais.api.parts import parts_of
from sothebais.errors import NotFound

router = APIRouter(prefix="/auth", tags=["sign-in"])


class SandboxSignIn(BaseModel):
    """Sign in as anybody; only where the sandbox is on."""

    model_config = ConfigDict(extra="forbid")

    handle: str = Field(min_length=1, max_length=31, examples=["ana"])


class SignedInUser(BaseModel):
    """The person a session belongs to."""

    id: str
    handle: str
    role: str


class SignedIn(BaseModel):
    """A session: send ``token`` as ``Authorization: Bearer``."""

    token: str
    user: SignedInUser


@router.post("/sandbox", status_code=201, summary="Sign in by handle (sandbox only)")
async def sandbox(body: SandboxSignIn, request: Request) -> SignedIn:
    """A session for a handle, without proof. 404 where the sandbox is off."""
    parts = parts_of(request)
    if not parts.settings.sandbox:
        raise NotFound("Sandbox sign-in is off in this house.")
    identity, token = await parts.sessions.sign_in_sandbox(body.handle)
    user = SignedInUser(id=str(identity.user), handle=identity.name, role=str(identity.role))
    return SignedIn(token=token, user=user)
