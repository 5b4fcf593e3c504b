"""Setting type: paragraphs that end in an ellipsis, and figures in equal cells."""

import math
from functools import cache, lru_cache
from typing import Final

import skia
from msgspec import Struct
from skia import textlayout

from sothebais.stream import fonts

ELLIPSIS: Final = "…"
_TRAILING: Final = " ,.;:–-"
#: A paragraph that has no room ends earlier; text is never looked at beyond this.
TEXT_LENGTH_MAX: Final = 2_000
_ALIGN: Final = {
    "left": textlayout.TextAlign.kLeft,
    "center": textlayout.TextAlign.kCenter,
    "right": textlayout.TextAlign.kRight,
}
#: What may be set smaller than asked, so that an amount of many digits is shown whole.
SHRUNK_MIN: Final = 0.3
#: A cell is a little narrower than the widest digit, whose own margins allow it; else figures look spaced out.
CELL: Final = 0.93
#: Numbers whose cells are kept, and characters whose widths are: a price that rolls is set in every frame.
CELLS_KEPT_MAX: Final = 256
ADVANCES_KEPT_MAX: Final = 1_024
#: Painted glyphs of a rolling price that are kept, and how finely they are placed within a pixel.
GLYPHS_KEPT_MAX: Final = 64
GLYPH_SHIFTS: Final = 4
#: A space between figures and their unit, in sizes.
SPACE: Final = 0.28


class Style(Struct, frozen=True, cache_hash=True):
    """How words look. ``size`` and ``spacing`` are pixels, ``leading`` a multiple of the size."""

    size: float
    colour: int
    family: str = fonts.SANS
    weight: int = 400
    italic: bool = False
    leading: float = 1.25
    spacing: float = 0.0


class Set(Struct):
    """A laid-out paragraph: ``text`` is what is left of it, ``height`` and ``width`` its pixels."""

    paragraph: textlayout.Paragraph
    text: str
    width: float
    height: float
    lines: int
    baseline: float
    #: How far right it is drawn: a balanced paragraph is narrower than its box.
    shift: float = 0.0

    def draw(self, canvas: skia.Canvas, x: float, y: float) -> None:
        """Draw it with its top left corner there."""
        self.paragraph.paint(canvas, x + self.shift, y)


@cache
def _unicode() -> skia.Unicode:
    return skia.Unicodes.ICU.Make()


def laid_out(text: str, style: Style, width: float, lines: int = 1, align: str = "left") -> Set:
    """``text`` in a box of that width; what does not fit into the lines is replaced by an ellipsis."""
    text = " ".join(text[:TEXT_LENGTH_MAX].split())
    whole = _paragraph(text, style, width, align)
    if whole.lines <= lines:
        return whole
    # the longest beginning that fits, by halving: a beginning of a text that fits also fits
    fits, fails = 0, len(text)
    best = _paragraph(ELLIPSIS, style, width, align)
    while fails - fits > 1:
        middle = (fits + fails) // 2
        tried = _paragraph(text[:middle].rstrip(_TRAILING) + ELLIPSIS, style, width, align)
        if tried.lines <= lines:
            fits, best = middle, tried
        else:
            fails = middle
    # rather a word less than half a word
    space = text.rfind(" ", 0, fits)
    if space > 0.7 * fits and text[fits : fits + 1] != " ":
        best = _paragraph(text[:space].rstrip(_TRAILING) + ELLIPSIS, style, width, align)
    return best


def balanced(text: str, style: Style, width: float, lines: int, align: str = "left") -> Set:
    """``laid_out``, with lines of about the same length: no last line of a single word."""
    found = laid_out(text, style, width, lines, align)
    if found.lines < 2:
        return found
    low, high = width / found.lines / 2, width
    while high - low > 0.01 * width:
        middle = (low + high) / 2
        narrow = _paragraph(found.text, style, middle, align)
        if narrow.lines <= found.lines:
            high, found = middle, narrow
        else:
            low = middle
    found.shift = {"left": 0.0, "center": (width - high) / 2, "right": width - high}[align]
    return found


def _paragraph(text: str, style: Style, width: float, align: str) -> Set:
    form = textlayout.ParagraphStyle()
    form.setTextAlign(_ALIGN[align])
    look = textlayout.TextStyle()
    look.setFontFamilies(fonts.families(style.family, text))
    slant = skia.FontStyle.kItalic_Slant if style.italic else skia.FontStyle.kUpright_Slant
    look.setFontStyle(skia.FontStyle(style.weight, skia.FontStyle.kNormal_Width, slant))
    look.setFontSize(style.size)
    look.setColor(style.colour)
    look.setLetterSpacing(style.spacing)
    look.setHeight(style.leading)
    look.setHeightOverride(True)
    look.setHalfLeading(True)
    form.setTextStyle(look)
    builder = textlayout.ParagraphBuilder.make(form, fonts.collection(), _unicode())
    builder.pushStyle(look)
    builder.addText(text)
    paragraph = builder.Build()
    paragraph.layout(width)
    height = paragraph.Height
    lines = max(1, round(height / (style.size * style.leading)))
    # a word longer than the line sticks out: it counts as a line more, so that it is cut
    sticks_out = paragraph.LongestLine > width + 0.5
    return Set(paragraph, text, paragraph.LongestLine, height, lines + sticks_out, paragraph.AlphabeticBaseline)


def font(style: Style) -> skia.Font:
    """The font for glyphs that are placed one by one."""
    return _font(style.family, style.weight, style.italic, style.size)


@lru_cache(maxsize=256)
def _font(family: str, weight: int, italic: bool, size: float) -> skia.Font:
    found = skia.Font(fonts.typeface(family, weight, italic), size)
    found.setSubpixel(True)
    # widths that grow in step with the size, so that shrunk figures fit
    found.setLinearMetrics(True)
    found.setHinting(skia.FontHinting.kNone)
    found.setEdging(skia.Font.Edging.kAntiAlias)
    return found


class Cells(Struct, frozen=True):
    """Figures in cells: the characters with the left edge and width of each, and the width of all."""

    characters: tuple[tuple[str, float, float], ...]
    width: float


@lru_cache(maxsize=256)
def _digit(family: str, weight: int, size: float) -> float:
    setting = font(Style(size, 0, family, weight))
    return CELL * float(max(setting.measureText(digit) for digit in "0123456789"))


@lru_cache(maxsize=CELLS_KEPT_MAX)
def cells(text: str, style: Style) -> Cells:
    """Every digit in a cell of the same width; other characters keep their own."""
    setting, digit = font(style), _digit(style.family, style.weight, style.size)
    x, found = 0.0, []
    for char in text:
        wide = digit if char.isdigit() else setting.measureText(char)
        if char == " ":
            wide = max(wide, SPACE * style.size)
        found.append((char, x, wide))
        x += wide + style.spacing
    return Cells(tuple(found), max(0.0, x - style.spacing) if text else 0.0)


@lru_cache(maxsize=ADVANCES_KEPT_MAX)
def _advance(char: str, family: str, weight: int, italic: bool, size: float) -> float:
    return float(_font(family, weight, italic, size).measureText(char))


def draw_cells(canvas: skia.Canvas, placed: Cells, style: Style, x: float, baseline: float) -> None:
    """Each character in the middle of its cell."""
    setting = font(style)
    paint = skia.Paint(Color=style.colour, AntiAlias=True)
    for char, left, wide in placed.characters:
        own = _advance(char, style.family, style.weight, style.italic, style.size)
        canvas.drawString(char, x + left + (wide - own) / 2, baseline, setting, paint)


def draw_moving(
    canvas: skia.Canvas, cell: tuple[str, float, float], style: Style, baseline: float, share: float
) -> None:
    """A character in its cell, ``share`` of it there. It is painted once and copied: large glyphs are dear to paint,
    and one that moves would be in every frame."""
    char, left, wide = cell
    x = left + (wide - _advance(char, style.family, style.weight, style.italic, style.size)) / 2
    whole = math.floor(x)
    image, right, down = _glyph(char, style, round((x - whole) * GLYPH_SHIFTS) / GLYPH_SHIFTS)
    paint = skia.Paint(Alpha=round(255 * min(1.0, max(0.0, share))))
    canvas.drawImage(image, whole + right, round(baseline) + down, skia.SamplingOptions(), paint)


@lru_cache(maxsize=GLYPHS_KEPT_MAX)
def _glyph(char: str, style: Style, shift: float) -> tuple[skia.Image, int, int]:
    """A character, and where its top left pixel is from its origin, which is ``shift`` right of a whole pixel."""
    ink = skia.Rect()
    font(style).measureText(char, bounds=ink)
    # a pixel around it for soft edges
    left, top = math.floor(ink.left()) - 1, math.floor(ink.top()) - 1
    w, h = math.ceil(ink.right()) + 2 - left, math.ceil(ink.bottom()) + 1 - top
    info = skia.ImageInfo.Make(w, h, skia.kBGRA_8888_ColorType, skia.kPremul_AlphaType)
    surface = skia.Surface.MakeRaster(info)
    paint = skia.Paint(Color=style.colour, AntiAlias=True)
    surface.getCanvas().drawString(char, shift - left, -top, font(style), paint)
    return surface.makeImageSnapshot(), left, top


def cap_height(style: Style) -> float:
    """How high a figure stands above its baseline."""
    return _cap_height(style.family, style.weight, style.italic, style.size)


@lru_cache(maxsize=256)
def _cap_height(family: str, weight: int, italic: bool, size: float) -> float:
    return float(_font(family, weight, italic, size).getMetrics().fCapHeight or size * 0.7)


def shrunk(text: str, style: Style, width: float) -> Style:
    """The style, or a smaller one in which the figures fit the width."""
    needed = cells(text, style).width
    if needed <= width or needed <= 0:
        return style
    size = style.size * max(SHRUNK_MIN, width / needed)
    return Style(size, style.colour, style.family, style.weight, style.italic, style.leading, style.spacing)
