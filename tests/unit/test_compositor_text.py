"""Type on the picture: figures that don't dance, texts that end in time, colours that can be read."""

import pytest
import skia
from hypothesis import given, settings
from hypothesis import strategies as st

from sothebais.rehearsal import showcase
from sothebais.stream import figure, fonts, layers, text, themes
from sothebais.stream.compositor import full
from sothebais.stream.painters.registry import PAINTERS
from sothebais.stream.pictures import HeldPictures
from sothebais.stream.scenes.builtin import NAMES, scenes_for
from sothebais.stream.stage import Programme

SANS = text.Style(48, 0xFFFFFFFF, weight=700)


def test_the_typefaces_come_out_of_their_packages() -> None:
    assert fonts.typeface(fonts.SERIF).getFamilyName() == "Caladea"
    assert fonts.typeface(fonts.SANS, 700).getFamilyName() == "Manrope"
    assert fonts.typeface(fonts.SANS, 700).fontStyle().weight() == 700
    assert fonts.typeface(fonts.SANS, 750).fontStyle().weight() in (700, 800)
    assert fonts.typeface(fonts.SERIF, 400, True).isItalic()


def test_all_numbers_of_the_same_length_stand_in_the_same_cells() -> None:
    widths = {text.cells(f"{number:04}", SANS).width for number in range(0, 10_000, 37)}
    assert len(widths) == 1
    places = {tuple(x for _, x, _ in text.cells(figures, SANS).characters) for figures in ("1:11", "8:00", "4:59")}
    assert len(places) == 1


@given(st.text(max_size=120), st.integers(40, 600), st.integers(1, 3))
@settings(max_examples=120, deadline=None)
def test_a_text_of_any_length_keeps_to_its_lines_and_its_width(words: str, width: int, lines: int) -> None:
    placed = text.laid_out(words, text.Style(24, 0xFFFFFFFF), width, lines)
    assert placed.lines <= lines
    whole = " ".join(words.split())
    assert placed.text == whole or placed.text.endswith(text.ELLIPSIS)
    if placed.text.endswith(text.ELLIPSIS) and placed.text != whole:
        assert whole.startswith(placed.text.removesuffix(text.ELLIPSIS))


def test_a_balanced_paragraph_has_no_lonely_last_word_and_no_more_lines() -> None:
    style = text.Style(30, 0xFFFFFFFF)
    words = "Scan, or reply with your amount"
    plain, even = text.laid_out(words, style, 340, 2), text.balanced(words, style, 340, 2, "right")
    assert even.lines == plain.lines == 2
    assert even.text == words
    assert even.width < plain.width
    assert even.shift > 0
    assert text.balanced("One line", style, 340, 2).shift == 0


@given(st.integers(0, 10**30))
def test_an_amount_of_any_length_is_shrunk_until_it_fits(number: int) -> None:
    figures = f"{number:,}"
    style = text.shrunk(figures, SANS, 500)
    if style.size > SANS.size * text.SHRUNK_MIN:
        assert text.cells(figures, style).width <= 500.5
    assert style.size <= SANS.size


def test_a_name_in_another_script_is_set_with_what_the_machine_has_and_never_fails() -> None:
    for name in ("Ωμέγα", "中村", "🦅 Sable", "\u202eright to left", "a\u0300" * 30, "\x00\x01"):
        assert text.laid_out(name, SANS, 300).height > 0
    assert fonts.families(fonts.SANS, "plain") == [fonts.SANS]


def test_every_content_has_its_painter() -> None:
    kinds = {kind for kind in layers.Content.__value__.__args__ if kind not in (layers.Group, figure.HostPart)}
    assert set(PAINTERS) == kinds | set(figure.HostPart.__value__.__args__)


def luminance(colour: int) -> float:
    channels = [(colour >> shift & 255) / 255 for shift in (16, 8, 0)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: int, other: int) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(480, 270), (270, 480)])
def test_words_can_be_read_on_the_wall_behind_them(name: str, size: tuple[int, int]) -> None:
    """AA for words, AAA for price and time, where the wall under them is brightest."""
    state, t = showcase.state(name)
    shown = Programme(scenes_for(*size), *size).stages[name].shown(state, t).layers
    ground = layers.Wall | layers.Fill | figure.HostBackdrop
    behind = [layer for layer in shown if isinstance(layer.key.content, ground)]
    wall = full(behind, *size, HeldPictures())[..., [2, 1, 0]]
    for layer in shown:
        content = layer.key.content
        inside = layer.rect.cut(layers.Rect(0, 0, *size))
        if layer.id == "passed" or not isinstance(
            content, layers.Text | layers.Figures | layers.Mark | layers.Lines | layers.Ring
        ):
            continue
        token: layers.Token = "quiet" if isinstance(content, layers.Lines) else content.colour
        red, green, blue = wall[inside.y : inside.bottom, inside.x : inside.right].reshape(-1, 3).max(axis=0).tolist()
        least = 7 if isinstance(content, layers.Figures) else 4.5
        assert contrast(themes.colour(themes.DARK, token), red << 16 | green << 8 | blue) >= least, layer.id


def test_a_font_knows_widths_of_parts_of_a_pixel() -> None:
    small = text.font(text.Style(10.3, 0xFFFFFFFF))
    assert isinstance(small, skia.Font)
    assert small.measureText("0000000000") == pytest.approx(10 * small.measureText("0"), rel=1e-3)
