"""What every painter is handed: a canvas, a size, the theme, and the few strokes all of them use."""

from typing import Final

import skia

from sothebais.stream import fonts, themes
from sothebais.stream.layers import Token
from sothebais.stream.pictures import Pictures
from sothebais.stream.text import Style
from sothebais.stream.themes import Theme

#: Scaling of pictures: sharp when made smaller, smooth when made larger.
SAMPLING: Final = skia.SamplingOptions(skia.FilterMode.kLinear, skia.MipmapMode.kLinear)


class Brush:
    """A surface to paint: ``w`` × ``h`` pixels, ``unit`` pixels for one unit of the 1080-line design."""

    __slots__ = ("canvas", "h", "pictures", "theme", "unit", "w")

    def __init__(self, canvas: skia.Canvas, w: int, h: int, unit: float, theme: Theme, pictures: Pictures) -> None:
        self.canvas, self.w, self.h, self.unit, self.theme, self.pictures = canvas, w, h, unit, theme, pictures

    def px(self, units: float) -> float:
        """Pixels of a length of the design."""
        return units * self.unit

    def hair(self, units: float = 1.5) -> float:
        """A thin line's width: never thinner than a pixel."""
        return max(1.0, units * self.unit)

    def colour(self, colour: Token, alpha: float = 1.0) -> int:
        """A token's colour."""
        return themes.colour(self.theme, colour, alpha)

    def fill(self, colour: Token, alpha: float = 1.0) -> skia.Paint:
        """A paint that fills with a token's colour."""
        return skia.Paint(Color=self.colour(colour, alpha), AntiAlias=True)

    def solid(self, colour: str, alpha: float = 1.0) -> skia.Paint:
        """A paint that fills with a colour that is no token."""
        return skia.Paint(Color=themes.tint(colour, alpha), AntiAlias=True)

    def line(self, colour: Token, width: float, alpha: float = 1.0) -> skia.Paint:
        """A paint that draws lines with round ends."""
        paint = self.fill(colour, alpha)
        paint.setStyle(skia.Paint.kStroke_Style)
        paint.setStrokeWidth(width)
        paint.setStrokeCap(skia.Paint.kRound_Cap)
        paint.setStrokeJoin(skia.Paint.kRound_Join)
        return paint

    def sans(self, step: int, colour: Token = "text", weight: int = 400, spacing: float = 0.0) -> Style:
        """The interface's type at a place in the scale."""
        size = self.px(themes.STEPS[step])
        return Style(size, self.colour(colour), fonts.SANS, weight, spacing=spacing * size)

    def serif(self, step: int, colour: Token = "text", weight: int = 400, italic: bool = False) -> Style:
        """The display type at a place in the scale."""
        return Style(self.px(themes.STEPS[step]), self.colour(colour), fonts.SERIF, weight, italic, leading=1.12)

    def shadow(self, rect: skia.Rect, radius: float, blur: float, down: float, alpha: float) -> None:
        """The one soft shadow, under a rounded rectangle."""
        paint = skia.Paint(Color=skia.Color(0, 0, 0, round(255 * alpha)), AntiAlias=True)
        paint.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, blur / 2))
        self.canvas.drawRoundRect(rect.makeOffset(0, down), radius, radius, paint)

    def picture(self, ref: str, frame: int, into: skia.Rect, *, cover: bool = False) -> None:
        """A picture in its own ratio, in the middle of a rectangle or covering it; a quiet field where it is missing."""
        image = self.pictures.picture(ref, frame)
        if image is None:
            self.canvas.drawRect(into, self.fill("raised"))
            return
        wide, high = image.width(), image.height()
        fit = max if cover else min
        share = fit(into.width() / wide, into.height() / high)
        w, h = wide * share, high * share
        left, top = into.centerX() - w / 2, into.centerY() - h / 2
        self.canvas.save()
        self.canvas.clipRect(into, skia.ClipOp.kIntersect, True)
        self.canvas.drawImageRect(
            image,
            skia.Rect.MakeWH(wide, high),
            skia.Rect.MakeXYWH(left, top, w, h),
            SAMPLING,
            skia.Paint(AntiAlias=True),
        )
        self.canvas.restore()
