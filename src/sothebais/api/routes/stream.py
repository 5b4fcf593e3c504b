"""The show: what is on, and what operators ask of it. The picture itself comes from the stream-manager."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from sothebais.api import etags, paging
from sothebais.api.access import Operator
from sothebais.api.acting import actor
from sothebais.api.live import addresses
from sothebais.api.models.stream import (
    NewStream,
    PutScene,
    PutSlate,
    SceneList,
    SceneNow,
    ScenePut,
    SceneRevision,
    StopStream,
    StreamConfig,
    StreamNow,
)
from sothebais.api.parts import ApiParts, parts_of
from sothebais.catalog import images
from sothebais.clock import from_datetime, isoformat
from sothebais.errors import InvalidInput, Unavailable
from sothebais.events.actions import checked_reason
from sothebais.state import keys
from sothebais.stream import commands, scene_store
from sothebais.stream.assets import intake
from sothebais.stream.assets.limits import LIMITS
from sothebais.stream.scene_store import Named, StoredScene
from sothebais.stream.scenes import Scene, parse, schema
from sothebais.stream.scenes.model import TRANSITION_MS_MAX
from sothebais.stream.tables import AssetType, Orientation

router = APIRouter(prefix="/stream", tags=["stream"])

TRANSITIONS = ("cut", "fade", "slide", "zoom")
HISTORY_MAX = 200
SCHEMA_TYPE = "application/schema+json"
_REFUSED: dict[int | str, dict[str, Any]] = {
    404: {"description": "No stream is running, or there is no such scene or day"},
    409: {"description": "The present state does not allow it; nothing changed"},
}


def _addresses(request: Request) -> dict[str, str]:
    base = addresses.stream_url(parts_of(request).settings, request.url.scheme, request.url.netloc)
    return {
        "preview": base.replace("http", "ws", 1) + "/preview",
        "hls": f"{base}/hls/live.m3u8",
        "frame": f"{base}/frame.png",
    }


def _instant(value: Any) -> str | None:
    return None if value is None else isoformat(from_datetime(value))


async def _state(parts: ApiParts, key: str) -> Any:
    """What Redis has under a key; None without Redis: nothing is decided by it."""
    if parts.store is None:
        return None
    try:
        value = await parts.store.get(key)
    except Unavailable:
        return None
    return None if value is None else msgspec.json.decode(value)


async def _shown(request: Request, row: Any) -> dict[str, Any]:
    """A broadcast as the API shows it."""
    parts = parts_of(request)
    state = await _state(parts, keys.stream(row.id)) or {}
    where = _addresses(request)
    return {
        "id": str(row.id),
        "campaign_day_id": None if row.campaign_day_id is None else str(row.campaign_day_id),
        "title": row.title,
        "status": str(row.status),
        "scene": state.get("scene") or row.scene.get("scene") or commands.SLATE,
        "canvas": f"{row.width}x{row.height}",
        "width": row.width,
        "height": row.height,
        "fps": row.fps,
        "created_at": _instant(row.created_at),
        "started_at": _instant(row.started_at),
        "slate": None
        if row.slate_at is None
        else {"sentence": row.slate_sentence, "meaning": row.slate_meaning, "since": _instant(row.slate_at)},
        "stop": None
        if row.stop_requested_at is None
        else {"at": _instant(row.stop_requested_at), "cause": row.stop_cause},
        "outputs": list(state.get("outputs", ())),
        "viewers": await _state(parts, keys.stream_viewers(row.id)),
        "metrics": await _state(parts, keys.stream_metrics(row.id)),
        "preview": where["preview"],
        "hls": where["hls"],
    }


@router.get("", summary="The broadcast that is on", responses={200: {"model": StreamNow}}, response_model=None)
async def get_stream(request: Request) -> dict[str, Any]:
    """Null between broadcasts. Its readings are a few seconds old at most, and gone when nobody takes them."""
    async with parts_of(request).database.connect() as connection:
        row = await commands.running(connection)
    return {"stream": None if row is None else await _shown(request, row)}


@router.get(
    "/config",
    summary="What a broadcast can be",
    responses={200: {"model": StreamConfig}, **etags.NOT_MODIFIED},
    response_model=None,
)
async def get_config(request: Request) -> Response:
    """Canvases, frame rates, transitions, limits of assets, and where to watch."""
    config = {
        "canvases": [f"{width}x{height}" for width, height in commands.CANVASES],
        "frame_rates": list(commands.FRAME_RATES),
        "transitions": list(TRANSITIONS),
        "transition_ms_max": TRANSITION_MS_MAX,
        "asset_types": [type_.value for type_ in AssetType],
        "assets": {
            "bytes_max": parts_of(request).settings.stream_asset_bytes_max,
            "picture_bytes_max": images.LIMITS.bytes_max,
            "picture_pixels_max": images.LIMITS.pixels_max,
            "animation_frames_max": images.LIMITS.frames_max,
            "video_ms_max": LIMITS.video_ms_max,
            "video_pixels_max": LIMITS.pixels_max,
            "audio_ms_max": LIMITS.audio_ms_max,
            "pictures": intake.PICTURES,
            "sounds": intake.SOUNDS,
        },
        **_addresses(request),
    }
    return etags.respond(request, config)


@router.get("/scene", summary="The scene that is on air", responses={200: {"model": SceneNow}}, response_model=None)
async def get_scene(request: Request) -> dict[str, Any]:
    """Its document, who chose it, and the layout as the stream-manager composed it last."""
    parts = parts_of(request)
    nothing = dict.fromkeys(
        ("stream_id", "chosen_by", "scene", "transition", "duration_ms", "document", "layout"), None
    )
    async with parts.database.connect() as connection:
        row = await commands.running(connection)
        if row is None:
            return nothing
        layout = await _state(parts, keys.stream_scene(row.id))
        orientation = scene_store.orientation_of(row.width, row.height)
        chosen_by, name, revision = _on_air(row, layout)
        stored = await scene_store.get(connection, name, orientation, revision)
    return {
        "stream_id": str(row.id),
        "chosen_by": chosen_by,
        "scene": {"name": stored.name, "revision": stored.revision},
        "transition": row.scene_transition,
        "duration_ms": row.scene_duration_ms,
        "document": document_of(stored.scene),
        "layout": layout,
    }


def _on_air(row: Any, layout: Mapping[str, Any] | None) -> tuple[str, str, int | None]:
    """Who chose what is on air, its name, and its revision (None: the newest)."""
    if row.slate_at is not None:
        return "SLATE", commands.SLATE, None
    if row.scene_name is not None:
        return "OPERATOR", row.scene_name, row.scene_revision
    if layout is not None:
        return "AUTOMATIC", layout["scene"], layout["revision"]
    return "AUTOMATIC", row.scene["scene"], row.scene.get("revision")


def document_of(scene: Scene) -> dict[str, Any]:
    """A scene's document, without what is as the model has it anyway."""
    return scene.model_dump(mode="json", exclude_defaults=True)


@router.get(
    "/scene/schema",
    summary="The JSON schema of a scene",
    response_class=Response,
    responses={
        200: {"content": {SCHEMA_TYPE: {"schema": {"type": "object"}}}, "description": "JSON Schema, draft 2020-12"},
        304: {"description": "The caller has it"},
    },
)
async def get_schema(request: Request) -> Response:
    """For editors of scenes."""
    tag = etags.of_body(schema())
    headers = {"ETag": tag, "Cache-Control": "public, max-age=300"}
    if etags.matches(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(msgspec.json.encode(schema()), media_type=SCHEMA_TYPE, headers=headers)


def shown_line(one: Named | StoredScene) -> dict[str, Any]:
    """A scene at a revision, as lists have it."""
    built_in = one.built_in if isinstance(one, Named) else scene_store.is_built_in(one.name, one.orientation)
    return {
        "name": one.name,
        "orientation": str(one.orientation),
        "revision": one.revision,
        "built_in": built_in,
        "created_at": _instant(one.created_at),
        "actor_id": None if one.actor is None else str(one.actor),
    }


@router.get(
    "/scenes",
    summary="Scenes and their revisions",
    responses={200: {"model": SceneList}, 404: {"description": "There is no scene of that name"}},
    response_model=None,
)
async def list_scenes(
    request: Request,
    person: Operator,
    name: Annotated[str | None, Query(max_length=64, description="The revisions of this one.")] = None,
    orientation: Annotated[Orientation, Query(description="Of `name`.")] = Orientation.WIDE,
) -> dict[str, Any]:
    """Each name with its newest revision; with ``name`` its last 200 revisions, the newest first."""
    async with parts_of(request).database.connect() as connection:
        found = (
            await scene_store.listing(connection)
            if name is None
            else await scene_store.history(connection, name, orientation, limit=HISTORY_MAX)
        )
    return {"items": [shown_line(one) for one in found], "next": None}


@router.get(
    "/scenes/{scene_name}",
    summary="One scene",
    responses={200: {"model": SceneRevision}},
    response_model=None,
)
async def get_stored_scene(
    scene_name: str,
    request: Request,
    person: Operator,
    orientation: Orientation = Orientation.WIDE,
    revision: Annotated[
        int | None, Query(ge=0, le=2_147_483_647, description="Else the newest; 0 is built in.")
    ] = None,
) -> dict[str, Any]:
    """Its document at a revision: a beginning for an own one."""
    async with parts_of(request).database.connect() as connection:
        stored = await scene_store.get(connection, scene_name, orientation, revision)
    return shown_line(stored) | {"document": document_of(stored.scene)}


@router.post(
    "/start",
    status_code=201,
    summary="Begin a broadcast",
    responses={201: {"model": StreamNow}, **_REFUSED},
    response_model=None,
)
async def start_stream(body: NewStream, request: Request, person: Operator) -> dict[str, Any]:
    """The stream-manager begins at once. One broadcast at a time."""
    parts = parts_of(request)
    width, height = body.canvas.split("x")
    row = await commands.start(
        parts.database,
        actor(request, person),
        parts.clock.now(),
        day=paging.query_id(body.campaign_day_id, "campaign_day_id"),
        title=body.title,
        canvas=(int(width), int(height)),
        fps=body.fps,
    )
    return {"stream": await _shown(request, row)}


@router.post(
    "/stop",
    summary="End the broadcast",
    responses={200: {"model": StreamNow}, **_REFUSED},
    response_model=None,
)
async def stop_stream(body: StopStream, request: Request, person: Operator) -> dict[str, Any]:
    """Asks for its end, which the stream-manager brings about. Lots run on."""
    parts = parts_of(request)
    row = await commands.stop(parts.database, actor(request, person), parts.clock.now(), reason=body.reason)
    return {"stream": await _shown(request, row)}


@router.post(
    "/slate",
    summary="Put the slate on or take it away",
    responses={200: {"model": StreamNow}, **_REFUSED},
    response_model=None,
)
async def put_slate(body: PutSlate, request: Request, person: Operator) -> dict[str, Any]:
    """One true sentence in the place of the picture. Bids are taken as before."""
    parts = parts_of(request)
    row = await commands.slate(
        parts.database,
        actor(request, person),
        parts.clock.now(),
        reason=body.reason,
        sentence=body.sentence,
        meaning=body.meaning,
        on=body.on,
    )
    return {"stream": await _shown(request, row)}


@router.put(
    "/scene",
    summary="Put a scene on air, store one, or look at one first",
    responses={
        200: {
            "model": ScenePut,
            "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
            "description": "Done; with `preview=true` the picture, and nothing has changed",
        },
        422: {"description": "SCENE_REFUSED: `path` and `faults` say where the scene cannot be shown"},
        503: {"description": "Too many previews are being drawn"},
        **_REFUSED,
    },
    response_model=None,
)
async def put_scene(
    body: PutScene,
    request: Request,
    person: Operator,
    preview: Annotated[bool, Query(description="Draw the scene at 1280×720 (720×1280) and change nothing.")] = False,
    orientation: Annotated[Orientation | None, Query(description="Of a named scene to preview.")] = None,
) -> Response:
    """A document becomes the next revision of its name. On air within a tenth of a second; a slate goes with it."""
    parts = parts_of(request)
    now = parts.clock.now()
    scene = None if body.document is None else _parsed(body.document)
    if scene is not None and body.name is not None:
        raise InvalidInput("Give a document or the name of a scene, not both.", field="name")
    if preview:
        png = await parts.scene_previews.draw(scene or await _named(parts, body, orientation), now)
        return Response(png, media_type="image/png", headers={"Cache-Control": "no-store"})
    put = await commands.put_scene(
        parts.database,
        actor(request, person),
        now,
        reason=checked_reason(body.reason),
        document=scene,
        name=body.name,
        revision=body.revision,
        on_air=body.on_air,
        transition=body.transition,
        duration_ms=body.duration_ms,
        inputs=parts.settings.stream_inputs,
    )
    return JSONResponse(
        {
            "scene": None if put.stored is None else shown_line(put.stored),
            "stored": put.stored is not None and put.stored.new,
            "stream_id": None if put.stream is None else str(put.stream),
        }
    )


def _parsed(document: dict[str, Any]) -> Scene:
    try:
        raw = msgspec.json.encode(document)
    except UnicodeEncodeError:
        raise InvalidInput(
            "document holds half of a surrogate pair, which is no character.", field="document"
        ) from None
    return parse(raw)


async def _named(parts: ApiParts, body: PutScene, orientation: Orientation | None) -> Scene:
    if body.name is None:
        raise InvalidInput("Give a document or the name of a scene to preview.", field="document")
    async with parts.database.connect() as connection:
        if orientation is None:
            row = await commands.running(connection)
            orientation = Orientation.WIDE if row is None else scene_store.orientation_of(row.width, row.height)
        return (await scene_store.get(connection, body.name, orientation, body.revision)).scene
