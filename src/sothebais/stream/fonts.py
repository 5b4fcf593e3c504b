"""The house's typefaces, out of the font packages, and what stands in for characters they lack."""

from functools import cache, lru_cache
from importlib import resources
from typing import Final

import skia
from skia import textlayout

from sothebais import media

SERIF: Final = media.SERIF[0]
SANS: Final = media.SANS[0]
_PACKAGES: Final = {SERIF: "font_caladea", SANS: "font_manrope"}
#: Names of the files' weights; the other files repeat these in another shape.
_WEIGHTS: Final = {"Regular": 400, "Medium": 500, "SemiBold": 600, "Bold": 700, "ExtraBold": 800}
_STAND_INS_MAX: Final = 512


@cache
def typeface(family: str, weight: int = 400, italic: bool = False) -> skia.Typeface:
    """The family's face of the nearest weight it has."""
    faces = _faces(family)
    wanted = [key for key in faces if key[1] == italic] or list(faces)
    return faces[min(wanted, key=lambda key: (abs(key[0] - weight), key[0]))]


@cache
def _faces(family: str) -> dict[tuple[int, bool], skia.Typeface]:
    found: dict[tuple[int, bool], skia.Typeface] = {}
    for entry in sorted(resources.files(_PACKAGES[family]).joinpath("files").iterdir(), key=lambda entry: entry.name):
        stem = entry.name.removesuffix(".ttf").partition("-")[2]
        italic = stem.endswith("Italic")
        weight = _WEIGHTS.get(stem.removesuffix("Italic") or "Regular")
        if entry.name.endswith(".ttf") and weight is not None:
            # from data, so that a package inside an archive would do as well
            found[weight, italic] = skia.Typeface.MakeFromData(skia.Data.MakeWithCopy(entry.read_bytes()))
    return found


@cache
def _provider() -> textlayout.TypefaceFontProvider:
    provider = textlayout.TypefaceFontProvider()
    for family in _PACKAGES:
        for face in _faces(family).values():
            provider.registerTypeface(face, family)
    return provider


@cache
def collection() -> textlayout.FontCollection:
    """The fonts that paragraphs are laid out with: ours, and stand-ins as they are found to be needed."""
    fonts = textlayout.FontCollection()
    fonts.setDefaultFontManager(_provider())
    return fonts


def families(family: str, text: str) -> list[str]:
    """The family, then those that have the characters it lacks (a name in another script)."""
    glyphs = typeface(family)
    missing = {
        char for char in text if ord(char) > 0x7F and not char.isspace() and not glyphs.unicharToGlyph(ord(char))
    }
    return [family, *dict.fromkeys(name for char in sorted(missing) if (name := _stand_in(char)))]


@lru_cache(maxsize=_STAND_INS_MAX)
def _stand_in(char: str) -> str | None:
    """A family of the system that has the character, registered with ours; None when there is none."""
    face = skia.FontMgr().matchFamilyStyleCharacter("", skia.FontStyle.Normal(), [], ord(char))
    if face is None or not face.unicharToGlyph(ord(char)):
        return None
    name = f"system {face.getFamilyName()}"
    _provider().registerTypeface(face, name)
    return name
