"""The built-in scenes look as they did when somebody last looked at them.

``UPDATE_GOLDEN=1 pytest tests/unit/test_compositor_golden.py`` writes the pictures again: then look at them.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from sothebais.rehearsal import showcase
from sothebais.stream.compositor import full
from sothebais.stream.pictures import HeldPictures
from sothebais.stream.scenes.builtin import NAMES, scenes_for
from sothebais.stream.show import ShowState
from sothebais.stream.stage import Programme

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
BYTES_MAX = 400_000
WIDE, VERTICAL = (256, 144), (144, 256)
CASES = [(name, WIDE) for name in NAMES] + [
    (name, VERTICAL) for name in ("pre-auction", "auction", "sold", "post-auction")
]
#: Another version of the text engine may move edges of letters, and nothing else.
DIFFERS_FROM = 30
DIFFERENT_SHARE_MAX = 0.0015


@pytest.fixture(scope="module")
def pictures() -> HeldPictures:
    return showcase.pictures(side=240)


def drawn(name: str, size: tuple[int, int], state: ShowState, t: int, pictures: HeldPictures) -> np.ndarray:
    layers = Programme(scenes_for(*size), *size).stages[name].shown(state, t).layers
    # five bits a channel are kept: the wall's dither does not compress, and does not matter here
    return full(layers, *size, pictures)[..., [2, 1, 0]] & 0xF8


def different(one: np.ndarray, other: np.ndarray) -> float:
    return float((np.abs(one.astype(int) - other.astype(int)).max(axis=2) > DIFFERS_FROM).mean())


def golden(name: str, size: tuple[int, int]) -> Path:
    return GOLDEN / f"{name}-{size[0]}x{size[1]}.png"


@pytest.mark.parametrize(("name", "size"), CASES)
def test_a_built_in_scene_looks_as_it_did(name: str, size: tuple[int, int], pictures: HeldPictures) -> None:
    found = drawn(name, size, *showcase.state(name), pictures)
    path = golden(name, size)
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(found).save(path, optimize=True)
    assert different(found, np.asarray(Image.open(path))) <= DIFFERENT_SHARE_MAX


def test_the_comparison_notices_another_price_and_another_leader(pictures: HeldPictures) -> None:
    expected = np.asarray(Image.open(golden("auction", WIDE)))
    state, t = showcase.state("auction")
    assert state.lot is not None
    for lot in (
        replace(state.lot, price="2.08"),
        replace(state.lot, leader="gaspard"),
        replace(state.lot, next_valid=None),
    ):
        assert different(drawn("auction", WIDE, replace(state, lot=lot), t, pictures), expected) > DIFFERENT_SHARE_MAX


def test_the_golden_pictures_are_few_and_small() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {golden(*case).name for case in CASES}
    assert sum(path.stat().st_size for path in GOLDEN.iterdir()) < BYTES_MAX
