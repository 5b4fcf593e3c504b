"""The child that draws one scene to a PNG (``python -m sothebais.stream.drawn FOLDER``)."""

from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import skia
from PIL import Image

from sothebais.errors import InvalidInput
from sothebais.stream import decoding, example
from sothebais.stream.compositor import Composer
from sothebais.stream.confined import answering
from sothebais.stream.pictures import HeldPictures
from sothebais.stream.scenes import parse
from sothebais.stream.show import ShowState
from sothebais.stream.stage import Programme

MODULE: Final = "sothebais.stream.drawn"
SCENE, STATE, PICTURE = "scene.json", "state.json", "picture.png"


def work(folder: Path, question: dict[str, Any]) -> dict[str, Any]:
    """Draw the scene by the state at ``at``; ``pictures`` says which file holds which reference."""
    scene = parse((folder / SCENE).read_bytes())
    state = msgspec.json.decode((folder / STATE).read_bytes(), type=ShowState)
    held = HeldPictures()
    held.put_image(example.ARTWORK.ref, stand_in())
    for ref, name in question["pictures"].items():
        try:
            decoding.hold(held, ref, (folder / name).read_bytes())
        except ValueError as error:
            raise InvalidInput(f"{error}.", field="document") from error
    width, height = question["width"], question["height"]
    composer = Composer(Programme([scene], width, height), held)
    composer.compose(state, question["at"])
    pixels = np.ascontiguousarray(composer.compositor.pixels[..., 2::-1])
    Image.fromarray(pixels).save(folder / PICTURE, "PNG", compress_level=3)
    return {"width": width, "height": height}


def stand_in() -> skia.Image:
    """Two panes of light, where the house has no picture yet."""
    side = example.ARTWORK.width
    surface = skia.Surface(side, side)
    canvas = surface.getCanvas()
    canvas.clear(skia.Color(46, 54, 66))
    paint = skia.Paint(
        AntiAlias=True,
        Shader=skia.GradientShader.MakeLinear(
            [(0, 0), (side, side)], [skia.Color(214, 170, 96), skia.Color(120, 86, 74)]
        ),
    )
    for x in (0.14, 0.54):
        canvas.drawRect(skia.Rect.MakeXYWH(side * x, side * 0.18, side * 0.32, side * 0.56), paint)
    return surface.makeImageSnapshot()


if __name__ == "__main__":
    answering(work)
