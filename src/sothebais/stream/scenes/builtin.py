"""The scenes the house brings along, wide (1920 × 1080) and vertical (1080 × 1920). Pure.

They are made of the same elements as anybody's scenes: ``document.dump`` of one is a good beginning for an own one.
Text keeps 5 % of each side free (EBU R 95).
"""

from functools import cache
from typing import Any, Final

from sothebais import media
from sothebais.stream.scenes.model import Scene

NAMES: Final = (
    "pre-auction",
    "auction",
    "closing",
    "sold",
    "passed",
    "intermission",
    "post-auction",
    "slate",
    "pause",
)
WIDE: Final = (1920, 1080)
VERTICAL: Final = (1080, 1920)

type Parts = list[dict[str, Any]]


@cache
def builtin(*, vertical: bool = False) -> tuple[Scene, ...]:
    """All of them for one orientation."""
    return tuple(_vertical(name) if vertical else _wide(name) for name in NAMES)


def scenes_for(width: int, height: int) -> tuple[Scene, ...]:
    """Those that suit an output's size."""
    return builtin(vertical=height > width)


def _element(
    type_: str, name: str, x: float, y: float, w: float | None, h: float | None, **more: Any
) -> dict[str, Any]:
    return {"type": type_, "id": name, "x": float(x), "y": float(y), "width": w, "height": h, **more}


def _text(name: str, text: str, x: float, y: float, w: float, h: float, step: int, **more: Any) -> dict[str, Any]:
    return _element("text", name, x, y, w, h, text=text, step=step, **more)


def _line(prop: str, start: float, end: float, ms: int, **more: Any) -> dict[str, Any]:
    return {"property": prop, "start": float(start), "end": float(end), "duration_ms": ms, **more}


def _wall(x: float, y: float, strength: float = 1.0) -> dict[str, Any]:
    return _element("overlay", "wall", 0, 0, None, None, kind="wall", light_x=x, light_y=y, strength=strength)


#: The wall goes dim with the fair warning, under the art and not over it.
_DIM: Final = {
    "type": "overlay",
    "id": "dim",
    "kind": "dim",
    "z": 1,
    "timelines": [_line("opacity", 0, 0.62, 900, since="fair_warning")],
}


def _host(x: float, y: float, w: float, h: float, **more: Any) -> dict[str, Any]:
    return _element("host", "host", x, y, w, h, background="lectern", **more)


def _disclosure(x: float, y: float, w: float, **more: Any) -> dict[str, Any]:
    """Near the host, always: who speaks is no person."""
    return _text("disclosure", "{host}, AI host", x, y, w, 40, 1, colour="quiet", weight=600, **more)


def _scene(name: str, size: tuple[int, int], **parts: Any) -> Scene:
    return Scene.model_validate(
        {
            "name": name,
            "canvas": {"width": size[0], "height": size[1]},
            "transition": {"kind": "fade", "duration_ms": media.SCENE_MS},
            **parts,
        }
    )


def _wide(name: str) -> Scene:
    if name in ("auction", "closing", "sold", "passed"):
        return _wide_lot(name)
    status = _element("viewers", "status", 96, 54, 1000, 40)
    if name == "pre-auction":
        return _scene(
            name,
            WIDE,
            background=[_wall(0.5, 0.42)],
            quadrants={"bottom_left": _captions_and("tomorrow"), "bottom_right": _way_in()},
            overlay=[
                {**status, "names": False},
                _text("campaign", "{campaign}", 96, 104, 1120, 116, 6, serif=True),
                _text("day", "{day}", 100, 216, 1120, 52, 4, serif=True, italic=True, colour="quiet"),
                _text("word", "The first lot opens in", 1224, 120, 600, 40, 2, align="right", colour="quiet", when="next_at"),
                _element("countdown", "countdown", 1224, 164, 600, 84, style="figures", of="next", align="right"),
                _element("schedule", "parade", 0, 282, 1920, 426, kind="parade", when="upcoming"),
                _rule(),
            ],
        )  # fmt: skip
    if name == "intermission":
        return _scene(
            name,
            WIDE,
            background=[_wall(0.3, 0.36)],
            quadrants={
                "top_left": {
                    "padding": {"left": 96.0, "top": 124.0, "right": 48.0, "bottom": 40.0},
                    "elements": [_element("artwork", "next", 0, 0, None, None, of="next", when="upcoming")],
                },
                "top_right": {
                    "padding": {"left": 48.0, "top": 54.0, "right": 96.0, "bottom": 16.0},
                    "elements": [
                        _text("word", "Up next", 0, 2, 624, 52, 4, serif=True, italic=True, colour="brass"),
                        _element("schedule", "card", 0, 76, 624, 390, kind="next"),
                        _element("overlay", "rule", 0, 486, 624, 2, kind="hairline", colour="line"),
                        _text("opens", "Opens in", 0, 506, 300, 38, 1, colour="quiet", weight=500, when="next_at"),
                        _element("countdown", "countdown", 0, 540, 624, 84, style="figures", of="next"),
                    ],
                },
                "bottom_left": _captions_and("tomorrow"),
                "bottom_right": _way_in(),
            },
            overlay=[status, _rule()],
        )
    if name == "post-auction":
        return _scene(
            name,
            WIDE,
            background=[_wall(0.36, 0.4, 1.2)],
            overlay=[
                {**status, "names": False},
                _element("schedule", "page", 60, 96, 1260, 966, kind="results"),
                _text("thanks", "Thank you for bidding.", 1352, 150, 472, 150, 5, serif=True, lines=2),
                _text("tomorrow", "{tomorrow}", 1352, 316, 472, 160, 3, colour="quiet", lines=3, when="tomorrow"),
                _element("captions", "captions", 1352, 490, 472, 170),
                _disclosure(1352, 676, 472),
                _host(1344, 660, 480, 420, facing="left"),
            ],
        )
    slate = _element("slate", "slate", 260, 90, 1400, 900, pause=name == "pause")
    stands = _text("stands", "Lot {lot} · {title}", 260, 960, 1400, 44, 2, align="center", colour="quiet", when="lot")
    return _scene(
        name, WIDE, background=[_wall(0.5, 0.4, 0.8)], overlay=[slate, stands] if name == "pause" else [slate]
    )


def _wide_lot(name: str) -> Scene:
    card: Parts = [
        _element("lot_card", "card", 0, 0, 624, 388),
        _element("overlay", "rule", 0, 396, 624, 2, kind="hairline", colour="line"),
        _element("price", "price", 0, 414, 624, 136),
        _element("reserve", "reserve", 324, 414, 300, 38, align="right"),
        _element("leader", "leader", 0, 550, 624, 46),
    ]
    art: Parts = [_element("artwork", "art", 0, 0, None, None)]
    background: Parts = [_wall(0.3, 0.34), dict(_DIM)]
    overlay: Parts = [
        _element("viewers", "status", 96, 54, 1000, 40),
        _rule(),
        _element("post", "post", 76, 696, 1040, 350, when="post", z=9),
    ]
    clock = _element("countdown", "countdown", 1652, 50, 172, 172, style="ring")
    if name == "closing":
        clock = _element("countdown", "countdown", 1504, 50, 320, 176, style="lamps")
        background = [
            _wall(0.3, 0.34),
            {**_DIM, "timelines": [], "transform": {"opacity": 0.62}},
        ]
    if name in ("auction", "closing"):
        overlay.append(clock)
        card.append(_element("next_bid", "next", 0, 602, 624, 36))
    if name == "sold":
        art = [_element("artwork", "art", 0, 0, None, None)]
        background.pop()
        # applause of light: it comes up once with the stamp, and goes
        light = [_line("opacity", 0, 1, 900, easing="cubic", delay_ms=450, repeat=1, yoyo=True, since="end")]
        background.append(
            _element("overlay", "applause", -190, -320, 1560, 1380, kind="glow", colour="brass", z=1, timelines=light)
        )
        overlay.append(_element("sold_stamp", "stamp", 640, 440, 500, 250))
    if name == "passed":
        fade = [_line("opacity", 1, 0.12, 1600, easing="cubic_in_out", since="end")]
        art = [
            _element("artwork", "art", 0, 0, None, None, timelines=fade),
            _text("passed", "Lot {lot} passed.", 0, 0, 1008, 548, 5, serif=True, italic=True, align="center", settle="middle",
                  z=1, timelines=[_line("opacity", 0, 1, 900, delay_ms=900, since="end")]),
        ]  # fmt: skip
        background.pop()
        card = [part for part in card if part["id"] not in ("leader", "reserve")]
    return _scene(
        name,
        WIDE,
        background=background,
        quadrants={
            "top_left": {"padding": {"left": 96.0, "top": 124.0, "right": 48.0, "bottom": 40.0}, "elements": art},
            "top_right": {"padding": {"left": 48.0, "top": 54.0, "right": 96.0, "bottom": 16.0}, "elements": card},
            "bottom_left": _captions_and("ticker"),
            "bottom_right": _way_in(),
        },
        overlay=overlay,
    )


def _rule() -> dict[str, Any]:
    return _element("overlay", "floor", 96, 712, 1728, 2, kind="hairline", colour="line")


def _captions_and(what: str) -> dict[str, Any]:
    below = (
        _element("bid_ticker", "ticker", 0, 133, 1008, 165, rows=3, when="no_post")
        if what == "ticker"
        else _text("tomorrow", "{tomorrow}", 0, 200, 1008, 80, 2, colour="quiet", lines=2, when="tomorrow")
    )
    return {
        "padding": {"left": 96.0, "top": 12.0, "right": 48.0, "bottom": 54.0},
        "elements": [_element("captions", "captions", 0, 4, 1008, 124, when="no_post"), below],
    }


def _way_in() -> dict[str, Any]:
    return {
        "padding": {"left": 24.0, "top": 16.0, "right": 96.0, "bottom": 0.0},
        "elements": [
            _host(-2, -2, 436, 353, facing="left"),
            _disclosure(0, 4, 200),
            _element("qr", "qr", 444, 12, 204, 204),
            _text("hint", "{bid_hint}", 414, 226, 234, 70, 1, weight=600, align="right", lines=2, when="bid_url"),
        ],
    }


def _vertical(name: str) -> Scene:
    status = _element("viewers", "status", 54, 96, 972, 40)
    host = _host(16, 1576, 394, 344, when="no_post")
    captions = _element("captions", "captions", 54, 1456, 972, 124, when="no_post")
    way_in: Parts = [
        _element("qr", "qr", 826, 1592, 200, 200, when="no_post"),
        _text("hint", "{bid_hint}", 424, 1592, 380, 160, 3, weight=600, lines=3, settle="middle", when="no_post"),
        _disclosure(424, 1776, 420, when="no_post"),
    ]
    if name in ("auction", "closing", "sold", "passed"):
        return _vertical_lot(name, [status, captions, host, *way_in])
    if name == "pre-auction":
        return _scene(
            name,
            VERTICAL,
            background=[_wall(0.5, 0.52)],
            overlay=[
                {**status, "names": False},
                _text("campaign", "{campaign}", 54, 170, 972, 236, 6, serif=True, lines=2, settle="bottom"),
                _text("day", "{day}", 56, 414, 970, 52, 4, serif=True, italic=True, colour="quiet"),
                _element("schedule", "parade", 0, 520, 1080, 720, kind="parade", when="upcoming"),
                _text("word", "The first lot opens in", 54, 1290, 972, 44, 3, align="center", colour="quiet", when="next_at"),
                _element("countdown", "countdown", 54, 1336, 972, 90, style="figures", of="next", align="center"),
                captions,
                host,
                *way_in,
            ],
        )  # fmt: skip
    if name == "intermission":
        return _scene(
            name,
            VERTICAL,
            background=[_wall(0.5, 0.3)],
            overlay=[
                status,
                _element("artwork", "next", 54, 164, 972, 716, of="next", when="upcoming"),
                _text("word", "Up next", 54, 906, 972, 52, 4, serif=True, italic=True, colour="brass"),
                _element("schedule", "card", 54, 962, 972, 330, kind="next"),
                _text("opens", "Opens in", 54, 1312, 972, 38, 1, colour="quiet", weight=500, when="next_at"),
                _element("countdown", "countdown", 54, 1346, 972, 84, style="figures", of="next"),
                captions,
                host,
                *way_in,
            ],
        )
    if name == "post-auction":
        return _scene(
            name,
            VERTICAL,
            background=[_wall(0.5, 0.4, 1.2)],
            overlay=[
                {**status, "names": False},
                _element("schedule", "page", 18, 150, 1044, 1290, kind="results"),
                captions,
                _text("thanks", "Thank you for bidding.", 424, 1594, 602, 64, 4, serif=True, lines=1),
                _text("tomorrow", "{tomorrow}", 424, 1658, 602, 104, 2, colour="quiet", lines=3, when="tomorrow"),
                host,
                _disclosure(424, 1776, 420, when="no_post"),
            ],
        )
    slate = _element("slate", "slate", 90, 320, 900, 1200, pause=name == "pause")
    stands = _text(
        "stands", "Lot {lot} · {title}", 90, 1560, 900, 100, 3, align="center", colour="quiet", lines=2, when="lot"
    )
    return _scene(
        name, VERTICAL, background=[_wall(0.5, 0.4, 0.8)], overlay=[slate, stands] if name == "pause" else [slate]
    )


def _vertical_lot(name: str, frame: Parts) -> Scene:
    wall = _wall(0.5, 0.27)
    dim = dict(_DIM)
    art: Parts = [_element("artwork", "art", 54, 164, 972, 716)]
    clock = _element("countdown", "countdown", 838, 912, 188, 188, style="ring")
    card: Parts = [
        _element("lot_card", "card", 54, 910, 760, 344),
        _element("price", "price", 54, 1250, 972, 130),
        _element("reserve", "reserve", 700, 1250, 326, 38, align="right"),
    ]
    last = _element("leader", "leader", 54, 1378, 530, 46)
    extra: Parts = [_element("post", "post", 34, 1430, 1012, 400, when="post", z=9)]
    background: Parts = [wall, dim]
    match name:
        case "closing":
            background = [wall, {**_DIM, "timelines": [], "transform": {"opacity": 0.62}}]
            clock = _element("countdown", "countdown", 786, 912, 240, 188, style="lamps")
        case "sold":
            light = [_line("opacity", 0, 1, 900, easing="cubic", delay_ms=450, repeat=1, yoyo=True, since="end")]
            glow = _element(
                "overlay", "applause", -160, -190, 1400, 1440, kind="glow", colour="brass", z=1, timelines=light
            )
            background = [wall, glow]
            art = [_element("artwork", "art", 54, 164, 972, 716)]
            extra += [_element("sold_stamp", "stamp", 520, 650, 510, 250, z=5)]
        case "passed":
            fade = [_line("opacity", 1, 0.12, 1600, easing="cubic_in_out", since="end")]
            art = [_element("artwork", "art", 54, 164, 972, 716, timelines=fade)]
            background = [wall]
            card.pop()
            extra += [
                _text("passed", "Lot {lot} passed.", 54, 164, 972, 716, 5, serif=True, italic=True, align="center",
                      settle="middle", z=5, timelines=[_line("opacity", 0, 1, 900, delay_ms=900, since="end")]),
            ]  # fmt: skip
    if name in ("auction", "closing"):
        extra += [clock, _element("next_bid", "next", 600, 1380, 426, 42)]
    if name != "passed":
        card.append(last)
    return _scene(name, VERTICAL, background=background, overlay=[*art, *card, *frame, *extra])
