"""A scene's JSON, in and out. Pure."""

import json
from typing import Any

from pydantic import ValidationError

from sothebais.errors import InvalidInput
from sothebais.stream.scenes.model import Scene

#: Longest document that is looked at.
BYTES_MAX = 256 * 1024
#: As many faults are named at once.
FAULTS_MAX = 8


class SceneRefused(InvalidInput):
    """A scene that cannot be shown. ``fields`` has ``path`` (of the first fault) and ``faults``, each with its path."""

    code = "SCENE_REFUSED"
    title = "The scene cannot be shown"


def parse(document: bytes | str) -> Scene:
    """The scene a document describes. Raises SceneRefused with the path of each fault."""
    raw = document.encode() if isinstance(document, str) else document
    if len(raw) > BYTES_MAX:
        raise SceneRefused(f"A scene has at most {BYTES_MAX:,} bytes, this one has {len(raw):,}.", path="")
    try:
        return Scene.model_validate_json(raw)
    except ValidationError as error:
        faults = [
            {"path": _path(fault["loc"]), "message": fault["msg"].removeprefix("Value error, ")}
            for fault in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        first = faults[0]
        where = f"at {first['path']}" if first["path"] else "as a whole"
        raise SceneRefused(
            f"The scene is refused {where}: {first['message']}.", path=first["path"], faults=faults[:FAULTS_MAX]
        ) from None


def dump(scene: Scene) -> str:
    """The scene's JSON, without what is as the model has it anyway; ``parse`` gives the same scene again."""
    return json.dumps(scene.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False, indent=1) + "\n"


def schema() -> dict[str, Any]:
    """The JSON schema of a scene."""
    return Scene.model_json_schema()


def _path(location: tuple[int | str, ...]) -> str:
    """``quadrants.top_left.elements[2].x`` of pydantic's location, without the tag of a union."""
    text = ""
    for before, part in zip((None, *location), location, strict=False):
        if isinstance(part, int):
            text += f"[{part}]"
        elif not (isinstance(before, int) and part in _TAGS):
            text += f".{part}" if text else part
    return text


_TAGS = frozenset(
    {
        "image", "video", "stream", "text", "overlay", "artwork", "host", "lot_card", "price", "leader", "countdown",
        "bid_ticker", "next_bid", "reserve", "qr", "captions", "schedule", "viewers", "post", "sold_stamp", "slate",
    }
)  # fmt: skip
