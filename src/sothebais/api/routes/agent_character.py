"""Who the host is, and what it remembers: for the staff."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from sothebais.agent import character_document, characters, elizaos
from sothebais.agent.character import Character
from sothebais.agent.memory.model import Stored
from sothebais.agent.memory.service import Memories
from sothebais.agent.repository import StoredCharacter
from sothebais.api import etags, paging
from sothebais.api.access import Operator
from sothebais.api.acting import actor
from sothebais.api.models.agent_character import (
    CharacterFormat,
    CharacterNow,
    CharacterPut,
    MemoryPage,
    PutCharacter,
)
from sothebais.api.paging import After, Limit
from sothebais.api.parts import ApiParts, parts_of
from sothebais.clock import isoformat
from sothebais.events.actions import REASON_LENGTH_MAX, checked_reason

router = APIRouter(prefix="/agent", tags=["host"])

FormatQuery = Annotated[
    CharacterFormat, Query(alias="format", description="`own`, or `elizaos` for an ElizaOS character file.")
]
_REFUSED: dict[int | str, dict[str, Any]] = {
    409: {"description": "The character was changed meanwhile; `version` says which stands"},
    422: {"description": "CHARACTER_REFUSED: `faults` lists each `path` that is wrong and what should stand there"},
}


def _form(character: Character, wanted: CharacterFormat) -> dict[str, Any]:
    return elizaos.export_character(character) if wanted == "elizaos" else character_document.document(character)


def _shown(stored: StoredCharacter, wanted: CharacterFormat) -> dict[str, Any]:
    return {
        "id": str(stored.id),
        "version": stored.version,
        "changed_at": isoformat(stored.changed_at),
        "format": wanted,
        "character": _form(stored.character, wanted),
    }


@router.get(
    "/character",
    summary="The host's character",
    responses={200: {"model": CharacterNow}, 404: {"description": "This version is not kept"}, **etags.NOT_MODIFIED},
    response_model=None,
)
async def get_character(
    request: Request,
    person: Operator,
    wanted: FormatQuery = "own",
    version: Annotated[
        int | None, Query(ge=1, le=2_147_483_647, description="As it was then; else as it is.", examples=[1])
    ] = None,
) -> Response:
    """Whole, in the house's own form or as an ElizaOS file. Without one, Sable has moved in."""
    database = parts_of(request).database
    stored = await characters.present(database)
    if version is not None and version != stored.version:
        stored = await characters.at_version(database, version)
    return etags.respond(request, _shown(stored, wanted))


@router.put(
    "/character",
    summary="Change the host's character",
    responses={200: {"model": CharacterPut}, **_REFUSED},
    response_model=None,
)
async def put_character(
    body: PutCharacter, request: Request, person: Operator, wanted: FormatQuery = "own"
) -> dict[str, Any]:
    """The document takes the place of the present one and is its next version; an equal one changes nothing.

    Of an ElizaOS file the pictures stay as they are, secrets are dropped and named, and what has no use here is kept.
    """
    parts = parts_of(request)
    reason = checked_reason(body.reason)
    dropped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    if wanted == "elizaos":
        present = await characters.present(parts.database)
        imported = elizaos.import_character(body.character, onto=present.character)
        made, dropped, notes = imported.character, imported.dropped, imported.notes
    else:
        made = character_document.read(body.character)
    stored = await characters.put(
        parts.database, made, actor(request, person), parts.clock.now(), reason=reason, version=body.version
    )
    return _shown(stored, wanted) | {"dropped": list(dropped), "notes": list(notes)}


async def _memories(parts: ApiParts) -> Memories:
    return Memories(parts.database, parts.clock, (await characters.present(parts.database)).id)


def _memory(memory: Stored) -> dict[str, Any]:
    return {
        "id": str(memory.id),
        "kind": memory.kind,
        "text": memory.text,
        "user_id": None if memory.user is None else str(memory.user),
        "subject": memory.subject,
        "event_id": None if memory.event is None else str(memory.event),
        "importance": round(memory.importance, 3),
        "created_at": isoformat(memory.created_at),
        "last_used_at": None if memory.last_used_at is None else isoformat(memory.last_used_at),
        "expires_at": None if memory.expires_at is None else isoformat(memory.expires_at),
    }


@router.get("/memories", summary="What the host remembers", responses={200: {"model": MemoryPage}}, response_model=None)
async def list_memories(
    request: Request,
    person: Operator,
    user_id: Annotated[str | None, Query(max_length=36, description="Only memories of this person (id).")] = None,
    after: After = None,
    limit: Limit = paging.PAGE_USUAL,
) -> dict[str, Any]:
    """By their ids. Each with the event it comes from; what people said is hearsay, and is told to nobody but them."""
    whose, cursor = paging.query_id(user_id, "user_id"), paging.after_id(after)
    memories = await _memories(parts_of(request))
    rows = await memories.listing(user=whose, after=cursor, limit=limit + 1)
    return paging.page(rows, limit, _memory)


@router.delete("/memories/{memory_id}", status_code=204, summary="Have the host forget something")
async def delete_memory(
    memory_id: str,
    request: Request,
    person: Operator,
    reason: Annotated[
        str,
        Query(
            min_length=1, max_length=REASON_LENGTH_MAX, description="Why; the audit keeps it.", examples=["asked to"]
        ),
    ],
) -> Response:
    """One memory, for good, with an event that does not tell what it was."""
    key = paging.path_id(memory_id, "memory")
    why = checked_reason(reason)
    memories = await _memories(parts_of(request))
    await memories.remove(key, actor(request, person), reason=why)
    return Response(status_code=204)
