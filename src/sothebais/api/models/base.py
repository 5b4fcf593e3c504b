"""What bodies of every noun share."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

type AmountText = Annotated[
    str, Field(pattern=r"^(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$", description="A decimal string.", examples=["1.25"])
]
type Instant = Annotated[str, Field(description="ISO 8601 in UTC.", examples=["2026-03-01T18:00:00.250Z"])]
type Id = Annotated[str, Field(description="A UUID.", examples=["019d3c5e-0000-7000-8000-000000000000"])]


class Body(BaseModel):
    """Base of every body: what is not named here is not there."""

    model_config = ConfigDict(extra="forbid")


class Person(Body):
    """Somebody as the pages show them."""

    id: Id
    handle: str


class Problem(BaseModel):
    """An RFC 9457 problem document; the fields of the case stand beside these."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str


class HouseKey(Body):
    """The public half of the key that signs receipts and heads, in hex."""

    algorithm: Literal["Ed25519"]
    public_key: str


REQUESTS: dict[str, type[BaseModel]] = {}
ANSWERS: dict[str, type[BaseModel]] = {"HouseKey": HouseKey, "Problem": Problem}
