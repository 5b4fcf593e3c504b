"""The generated collection: repeatable, varied, ready for import."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image, ImageStat

from sothebais.catalog.metadata import parse_item
from sothebais.errors import InvalidInput
from sothebais.rehearsal import artworks
from sothebais.rehearsal.forms import FORMS
from sothebais.rehearsal.painting import PALETTES, SIZE


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_two_runs_write_identical_bytes_that_another_seed_does_not(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        artworks.generate(tmp_path / name, 1, seed)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert set(contents(tmp_path / "a")) == {"1.json", "images/1.png"}
    assert contents(tmp_path / "a")["images/1.png"] != contents(tmp_path / "c")["images/1.png"]


@pytest.mark.parametrize("form", list(FORMS))
def test_each_form_is_a_picture_with_light_and_dark(form: str) -> None:
    image = artworks.draw(form, PALETTES[0], seed=1, number=1)
    assert image.size == (SIZE, SIZE) == (1200, 1200)
    assert image.mode == "RGB"
    assert ImageStat.Stat(image.convert("L")).stddev[0] > 12
    darkest, lightest = image.convert("L").resize((60, 60), Image.Resampling.BOX).getextrema()
    assert lightest - darkest > 90  # type: ignore[operator]


def test_a_catalogue_varies_and_never_repeats_a_title() -> None:
    pieces = artworks.catalogue(200, seed=5)
    titles = [piece["metadata"]["name"] for piece in pieces]
    assert len(set(titles)) == 200
    assert {piece["form"] for piece in pieces[:8]} == set(FORMS)
    assert {piece["palette"].name for piece in pieces[:7]} == {palette.name for palette in PALETTES}
    assert all(a["form"] != b["form"] and a["palette"] != b["palette"] for a, b in pairwise(pieces))


def test_the_first_pieces_do_not_depend_on_how_many_follow() -> None:
    assert artworks.catalogue(24, seed=1)[:6] == artworks.catalogue(6, seed=1)


def test_every_piece_is_good_metadata() -> None:
    for number, piece in enumerate(artworks.catalogue(24, seed=1), start=1):
        item = parse_item(json.loads(json.dumps(piece["metadata"])), stem=str(number), number=number)
        assert item.image == f"images/{number}.png"
        assert len(item.name) <= 60
        traits = {entry["trait_type"] for entry in piece["metadata"]["attributes"]}
        assert traits == {"Artist", "Series", "Form", "Palette", "Year", "Medium"}


@pytest.mark.parametrize("count", [0, -1, artworks.PIECES_MAX + 1])
def test_a_count_that_makes_no_sense_writes_nothing(tmp_path: Path, count: int) -> None:
    with pytest.raises(InvalidInput):
        artworks.generate(tmp_path / "none", count, 1)
    assert not (tmp_path / "none").exists()
