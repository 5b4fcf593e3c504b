"""Bodies of signing in."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from sothebais.api.models.base import Body, Id, Instant


class SandboxSignIn(Body):
    """Sign in as anybody; only where the sandbox is on."""

    handle: str = Field(min_length=1, max_length=31, examples=["ana"])


class SignedInUser(Body):
    """The person a session belongs to."""

    id: Id
    handle: str
    role: str


class SignedIn(Body):
    """A session: send ``token`` as ``Authorization: Bearer``. Browsers have it in a cookie too."""

    token: str
    user: SignedInUser


class NonceAnswer(Body):
    """What a wallet's message must hold to be taken here, once."""

    nonce: str
    expires_at: Instant
    domain: str = Field(examples=["auctions.example"])
    uri: str = Field(examples=["https://auctions.example"])
    version: Literal["1"]
    chain_ids: list[int] = Field(examples=[[1]])
    issued_at: Instant


class WalletProof(Body):
    """A message of EIP-4361, word for word as it was signed, and its signature."""

    message: str = Field(
        max_length=4_096, examples=["auctions.example wants you to sign in with your Ethereum account:…"]
    )
    signature: str = Field(
        max_length=8_200, description="0x and hex digits; base58 from a Solana wallet.", examples=["0x8c46b6eb8505…"]
    )
    chain: Literal["ethereum", "solana"] = "ethereum"


class StaffLogin(Body):
    """The first step of the staff's sign-in."""

    login: str = Field(min_length=1, max_length=254, examples=["maria@auctions.example"])
    password: str = Field(min_length=1, max_length=200)


class SecondFactorStep(Body):
    """The password was right; show a second factor with this ticket."""

    step: Literal["SECOND_FACTOR"]
    ticket: str
    expires_at: Instant
    methods: list[Literal["passkey", "totp", "recovery"]]


class CodeStep(Body):
    """A code of the authenticator app, or a recovery code."""

    ticket: str = Field(min_length=1, max_length=100)
    code: str = Field(min_length=1, max_length=40, examples=["123456"])


class TicketStep(Body):
    """The ticket alone."""

    ticket: str = Field(min_length=1, max_length=100)


class PasskeyStep(Body):
    """What ``navigator.credentials.get`` gave, as JSON."""

    ticket: str = Field(min_length=1, max_length=100)
    credential: dict[str, Any]


class PasskeyOptions(BaseModel):
    """What ``navigator.credentials`` is given, as WebAuthn has it, in base64url."""

    challenge: str
    model_config = {"extra": "allow"}


REQUESTS: dict[str, type[BaseModel]] = {
    "CodeStep": CodeStep,
    "PasskeyStep": PasskeyStep,
    "SandboxSignIn": SandboxSignIn,
    "StaffLogin": StaffLogin,
    "TicketStep": TicketStep,
    "WalletProof": WalletProof,
}
ANSWERS: dict[str, type[BaseModel]] = {
    "NonceAnswer": NonceAnswer,
    "PasskeyOptions": PasskeyOptions,
    "SecondFactorStep": SecondFactorStep,
    "SignedIn": SignedIn,
}
