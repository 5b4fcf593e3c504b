"""Bodies about the host's character and memories, for the staff."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, JsonValue

from sothebais.api.models.base import Body, Id, Instant
from sothebais.api.models.campaigns import Reason

#: A character in the house's own form: enough for an example, and for a first one.
PLAIN_CHARACTER: dict[str, Any] = {
    "name": "Sable",
    "bio": ["A raven in black tie who hosts the auctions of this house."],
    "lore": ["Hatched in the attic of a saleroom, among old catalogues."],
    "topics": ["provenance", "printmaking"],
    "adjectives": ["dry", "warm", "exact"],
    "style": {"all": ["Short sentences."], "chat": ["Answer first."], "post": ["One observation."]},
    "message_examples": [
        [{"speaker": "{{user1}}", "text": "Are you real?"}, {"speaker": "Sable", "text": "No. The auction is."}]
    ],
    "post_examples": ["The room opens soon."],
}
type CharacterDocument = Annotated[
    dict[str, JsonValue],
    Field(
        description="The house's own form (fields as GET gives them), or an ElizaOS file with `format=elizaos`.",
        examples=[PLAIN_CHARACTER],
    ),
]
type CharacterFormat = Literal["own", "elizaos"]


class CharacterNow(Body):
    """The house's character at its version. ``character`` is in the form that was asked for."""

    id: Id
    version: int
    changed_at: Instant
    format: CharacterFormat
    character: dict[str, Any]


class PutCharacter(Body):
    """A character to take the place of the present one; ``version``: only where that one still stands."""

    character: CharacterDocument
    version: Annotated[int, Field(ge=1, le=2_147_483_647)] | None = Field(default=None, examples=[None])
    reason: Reason


class CharacterPut(CharacterNow):
    """The character that stands now. ``dropped`` are places of secrets that were not kept, ``notes`` what is kept unused."""

    dropped: list[str]
    notes: list[str]


class Memory(Body):
    """Something the host remembers. ``user_id`` null: of the campaign, of nobody in particular."""

    id: Id
    kind: Literal["SHORT_TERM", "LONG_TERM"]
    text: str
    user_id: Id | None
    subject: str | None
    event_id: Id | None
    importance: float
    created_at: Instant
    last_used_at: Instant | None
    expires_at: Instant | None


class MemoryPage(Body):
    """Memories by their ids."""

    items: list[Memory]
    next: Id | None


REQUESTS: dict[str, type[BaseModel]] = {"PutCharacter": PutCharacter}
ANSWERS: dict[str, type[BaseModel]] = {
    "CharacterNow": CharacterNow,
    "CharacterPut": CharacterPut,
    "Memory": Memory,
    "MemoryPage": MemoryPage,
}
