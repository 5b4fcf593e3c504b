"""Bodies about clips."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from sothebais.api.models.base import Body, Id, Instant

type Address = Annotated[str, Field(examples=["/api/v1/auctions/019d3c5e-0000-7000-8000-000000000000/clips/wide.mp4"])]


class ClipFile(Body):
    """A clip (H.264 and AAC in MP4) and the stretch of the show it has, in server time."""

    form: Literal["wide", "upright"]
    url: Address
    width: Annotated[int, Field(ge=2)]
    height: Annotated[int, Field(ge=2)]
    begins_at: Instant
    ends_at: Instant
    size: Annotated[int, Field(ge=1, description="Bytes.")]


class ClipList(Body):
    """The clips of a lot; none until they are made."""

    auction_id: Id
    made_at: Instant | None
    items: list[ClipFile]


REQUESTS: dict[str, type[BaseModel]] = {}
ANSWERS: dict[str, type[BaseModel]] = {"ClipList": ClipList}
