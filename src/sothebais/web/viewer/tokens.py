"""The design tokens of ``media`` as CSS custom properties. Pure."""

from sothebais import media
from sothebais.media import Palette

_NAMES_OF_SIZES = ("xs", "s", "m", "l", "xl", "xxl", "display")


def stylesheet() -> str:
    """Everything a stylesheet may ask for by name; dark is the house's own light, light is the page's option."""
    return "\n".join(
        (
            _rule(":root", [*_constants(), *_palette(media.DARK), ("color-scheme", "dark")]),
            "@media (prefers-color-scheme: light) {",
            _rule(":root:not([data-theme])", [*_palette(media.LIGHT), ("color-scheme", "light")]),
            "}",
            _rule(':root[data-theme="light"]', [*_palette(media.LIGHT), ("color-scheme", "light")]),
            "",
        )
    )


def _constants() -> list[tuple[str, str]]:
    sizes = zip(_NAMES_OF_SIZES, media.TYPE_SCALE_PX, strict=True)
    return [
        ("--serif", _families(media.SERIF)),
        ("--sans", _families(media.SANS)),
        *((f"--size-{name}", f"{pixels / 16:g}rem") for name, pixels in sizes),
        *((f"--space-{step}", f"{pixels}px") for step, pixels in enumerate(media.SPACING_PX, start=1)),
        ("--grid", f"{media.GRID_PX}px"),
        ("--radius", f"{media.RADIUS_PX}px"),
        ("--hairline", f"{media.HAIRLINE_PX}px"),
        (
            "--shadow",
            f"0 {media.SHADOW_OFFSET_PX}px {media.SHADOW_BLUR_PX}px rgb(0 0 0 / {media.SHADOW_OPACITY:g})",
        ),
        ("--feedback", f"{media.FEEDBACK_MS}ms"),
        ("--roll", f"{media.PRICE_ROLL_MS}ms"),
        ("--scene", f"{media.SCENE_MS}ms"),
        ("--ease", f"cubic-bezier({', '.join(f'{point:g}' for point in media.EASE_OUT)})"),
    ]


def _palette(palette: Palette) -> list[tuple[str, str]]:
    return [(f"--{name}", colour) for name, colour in palette.items().items()]


def _families(names: tuple[str, ...]) -> str:
    generic = {"serif", "sans-serif", "system-ui"}
    return ", ".join(name if name in generic else f'"{name}"' for name in names)


def _rule(selector: str, declarations: list[tuple[str, str]]) -> str:
    lines = "\n".join(f"  {name}: {value};" for name, value in declarations)
    return f"{selector} {{\n{lines}\n}}"
