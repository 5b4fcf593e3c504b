"""Draw the host's contact sheet, ``docs/img/sable.jpg``: moods by beak openings, then lids, props and surroundings.

``--height`` is a cell's height in pixels, ``--out`` another file.
"""

import argparse
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from sothebais.stream.compositor import full
from sothebais.stream.figure import HIGH, WIDE
from sothebais.stream.host_look import BLINK_MS, CHANGE_MS, EXPRESSIONS, PROPS, blink, seed_of
from sothebais.stream.pictures import HeldPictures
from sothebais.stream.scenes.model import Scene
from sothebais.stream.show import HostLook, Mouth, OnAir, ShowState
from sothebais.stream.stage import Stage

TARGET = Path(__file__).parent.parent / "docs" / "img" / "sable.jpg"
BYTES_MAX = 200_000
COLUMNS = 7
#: Long after the mood came: nothing moves any more but breath and lids.
SETTLED_MS = CHANGE_MS + 60_000
LABEL = 22


def portrait(look: HostLook, t: int, height: int, background: str = "lectern", facing: str = "right") -> Image.Image:
    """The host as a scene shows it."""
    width = round(height * WIDE / HIGH / 2) * 2
    element = {"type": "host", "id": "host", "background": background, "facing": facing}
    scene = Scene.model_validate(
        {
            "name": "host",
            "canvas": {"width": width, "height": height},
            "background": [
                {"type": "overlay", "id": "wall", "kind": "wall", "light_x": 0.5, "light_y": 0.3, "strength": 0.5}
            ],
            "overlay": [element],
        }
    )
    state = ShowState(on_air=OnAir("host"), host=look)
    shown = Stage(scene, width, height).shown(state, t)
    return Image.fromarray(np.ascontiguousarray(full(shown.layers, width, height, HeldPictures())[..., [2, 1, 0]]))


def cells(height: int) -> Iterator[tuple[str, Image.Image]]:
    """Every cell with its name, row by row."""
    t = SETTLED_MS
    while blink(seed_of("Sable"), t)[0]:
        t += 1
    for opening in range(4):
        for name in EXPRESSIONS:
            said = (Mouth(t - 10, opening), Mouth(t + 1_000, 0))
            look = HostLook(expression=name, intensity=100, mouth=said)
            yield (name if not opening else f"beak {opening}"), portrait(look, t, height)
    lids = t
    while blink(seed_of("Sable"), lids)[0] != 1:
        lids += 1
    calm = HostLook()
    yield "half shut", portrait(calm, lids, height)
    yield "shut", portrait(calm, lids + BLINK_MS[0], height)
    mild = HostLook(expression="excited", intensity=40)
    yield "excited at 40", portrait(mild, t, height)
    for prop, mood in zip(
        PROPS, ("excited", "happy", "curious", "neutral", "concerned", "happy", "curious"), strict=True
    ):
        yield prop.replace("-", " "), portrait(HostLook(expression=mood, intensity=80, props=(prop,)), t, height)
    yield "curtain", portrait(HostLook(), t, height, "curtain")
    yield "plain", portrait(HostLook(), t, height, "plain")
    yield "to the left", portrait(HostLook(expression="happy", intensity=60), t, height, "plain", "left")


def sheet(height: int, columns: int = COLUMNS) -> Image.Image:
    """All cells in rows."""
    drawn = list(cells(height))
    width = drawn[0][1].width
    rows = -(-len(drawn) // columns)
    whole = Image.new("RGB", (columns * width, rows * (height + LABEL)), "#0E1116")
    pen = ImageDraw.Draw(whole)
    for place, (name, image) in enumerate(drawn):
        x, y = place % columns * width, place // columns * (height + LABEL)
        whole.paste(image, (x, y))
        pen.text((x + 8, y + height + 4), name, fill="#A9AFBA")
    return whole


def encoded(image: Image.Image, bytes_max: int = BYTES_MAX) -> bytes:
    """A JPEG within a size, as good as fits."""
    for quality in range(92, 40, -4):
        out = io.BytesIO()
        image.save(out, "JPEG", quality=quality, optimize=True, progressive=True)
        if out.tell() <= bytes_max:
            return out.getvalue()
    raise SystemExit(f"The sheet does not fit into {bytes_max} bytes. Draw it smaller.")


def main() -> None:
    """Write the sheet."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--height", type=int, default=200)
    options.add_argument("--out", type=Path, default=TARGET)
    chosen = options.parse_args()
    image = sheet(chosen.height)
    if chosen.out.suffix == ".png":
        image.save(chosen.out)
    else:
        chosen.out.write_bytes(encoded(image))
    print(f"{chosen.out}: {image.width} × {image.height}, {chosen.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
