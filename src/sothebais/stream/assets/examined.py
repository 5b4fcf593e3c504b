"""The child that looks at a video or a sound (``python -m sothebais.stream.assets.examined FOLDER``)."""

from pathlib import Path
from typing import Any, Final

from sothebais.stream.assets import media
from sothebais.stream.assets.containers import Container
from sothebais.stream.confined import answering

MODULE: Final = "sothebais.stream.assets.examined"
GIVEN, KEPT = "given", "kept"


def work(folder: Path, question: dict[str, Any]) -> dict[str, Any]:
    """Take the file in; what is known of it."""
    found = media.take((folder / GIVEN).read_bytes(), Container(question["container"]))
    (folder / KEPT).write_bytes(found.data)
    return {
        "extension": found.extension,
        "media_type": found.media_type,
        "width": found.width,
        "height": found.height,
        "details": found.details,
    }


if __name__ == "__main__":
    answering(work)
