"""Bodies about oneself: profile, wallets, sessions, passkeys, privacy."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from sothebais.api.models.auctions import Receipt
from sothebais.api.models.base import AmountText, Body, Id, Instant
from sothebais.auctions.own_bids import Standing


class MyAccount(Body):
    """An account at a platform, by which its owner signs in."""

    id: Id
    platform: str = Field(examples=["x"])
    handle: str


class MyWallet(Body):
    """A wallet that was proven."""

    id: Id
    chain: str = Field(examples=["ethereum"])
    address: str


class MyWalletInFull(MyWallet):
    """A wallet, with when and how it was proven."""

    method: str = Field(examples=["SIWE"])
    verified_at: Instant


class MyWallets(Body):
    """All wallets; there are few."""

    items: list[MyWalletInFull]
    next: None = None


class Me(Body):
    """The person who asks."""

    id: Id
    handle: str
    name: str
    email: str | None
    avatar: str | None
    role: str
    blocked: bool
    created_at: Instant
    accounts: list[MyAccount]
    wallets: list[MyWallet]


class MyBid(Body):
    """A bid of yours as it was decided, and how its lot stands for you: null where none of your bids counts."""

    id: Id
    auction_id: Id
    lot_number: int = Field(examples=[3])
    title: str = Field(examples=["Moth, at rest"])
    number: int = Field(description="Its place among all bids of the lot.", examples=[12])
    amount: AmountText | None = Field(
        description="Null where a refused bid named a maximum only, or its figures are not kept."
    )
    currency: str = Field(examples=["ETH"])
    status: Literal["ACCEPTED", "REJECTED", "VOIDED"]
    reason: str | None = Field(description="Why it was refused.", examples=["BELOW_MINIMUM"])
    source: Literal["POST", "WEB", "API"]
    effective_at: Instant
    decided_at: Instant
    auction_status: str = Field(examples=["ACTIVE"])
    price: AmountText | None = Field(description="Of the lot; null while nobody may know it.")
    standing: Standing | None


class MyBids(Body):
    """Bids of yours, the newest first; ``next`` goes into ``after`` for the page behind."""

    items: list[MyBid]
    next: str | None


class MyBidInFull(MyBid):
    """A bid of yours with its receipt, as it was given with the answer; null while the lot runs, or where the bid was refused."""

    receipt: Receipt | None


class MeChange(Body):
    """What is given is taken over; null clears an address or a picture."""

    name: str | None = Field(default=None, min_length=1, max_length=80, examples=["Ana"])
    email: str | None = Field(default=None, max_length=254, examples=["ana@mail.example"])
    avatar: str | None = Field(default=None, max_length=2_048, examples=["https://pictures.example/ana.png"])


class MySession(Body):
    """A sign-in that is still good; ``current`` is the one that asks."""

    id: Id
    method: str
    user_agent: str | None
    created_at: Instant
    last_seen_at: Instant
    expires_at: Instant
    current: bool


class MySessions(Body):
    """All sessions, the last used first."""

    items: list[MySession]
    next: None = None


class MyPasskey(Body):
    """A passkey."""

    id: Id
    name: str
    created_at: Instant
    last_used_at: Instant | None


class MyPasskeys(Body):
    """All passkeys; there are few."""

    items: list[MyPasskey]
    next: None = None


class NewPasskey(Body):
    """What ``navigator.credentials.create`` gave, as JSON, and what to call it."""

    name: str = Field(min_length=1, max_length=80, examples=["Laptop"])
    credential: dict[str, Any]


class NewRecoveryCodes(Body):
    """Recovery codes: told once, each good once."""

    recovery_codes: list[str]


class PasswordChange(Body):
    """A new password for the old one."""

    current: str = Field(min_length=1, max_length=200)
    new: str = Field(min_length=1, max_length=200)


class MyExport(Body):
    """Everything the house has of the person, table by table."""

    exported_at: Instant
    user: dict[str, Any]
    tables: dict[str, list[dict[str, Any]]]


REQUESTS: dict[str, type[BaseModel]] = {
    "MeChange": MeChange,
    "NewPasskey": NewPasskey,
    "PasswordChange": PasswordChange,
}
ANSWERS: dict[str, type[BaseModel]] = {
    "Me": Me,
    "MyExport": MyExport,
    "MyPasskeys": MyPasskeys,
    "MySessions": MySessions,
    "MyWallets": MyWallets,
    "NewRecoveryCodes": NewRecoveryCodes,
}
