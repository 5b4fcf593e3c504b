"""Bodies of signing in."""

from pydantic import BaseModel, Field

from sothebais.api.models.base import Body, Id


class SandboxSignIn(Body):
    """Sign in as anybody; only where the sandbox is on."""

    handle: str = Field(min_length=1, max_length=31, examples=["ana"])


class SignedInUser(Body):
    """The person a session belongs to."""

    id: Id
    handle: str
    role: str


class SignedIn(Body):
    """A session: send ``token`` as ``Authorization: Bearer``."""

    token: str
    user: SignedInUser


REQUESTS: dict[str, type[BaseModel]] = {"SandboxSignIn": SandboxSignIn}
ANSWERS: dict[str, type[BaseModel]] = {"SignedIn": SignedIn}
