"""From how the host feels and speaks to how it is drawn at an instant. Pure.

A table says for each mood how head, brow, lids, feathers and wings are held at full strength; an intensity blends it
with the neutral one. Blinks, breath and glances come from the instant alone, so that the same show has the same face
whoever renders it. Everything changes in steps, and ``Pose.until`` is the first instant at which it may.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final
from zlib import crc32

from msgspec import Struct, structs

from sothebais.instants import Millis
from sothebais.stream.figure import Arm, Prop
from sothebais.stream.layers import NEVER
from sothebais.stream.show import HostLook
from sothebais.stream.transitions import ease

#: Intensities are told apart in so many steps.
INTENSITY_STEPS: Final = 10


class Expression(Struct, frozen=True, cache_hash=True):
    """How a mood is held. Angles in tenths of a degree, lengths in units of the figure, the rest in hundredths."""

    tilt: int = 0
    forward: int = 0
    down: int = 0
    crown: int = 8
    ruff: int = 8
    corner: int = 30
    upper: int = 24
    lower: int = 8
    rise: int = 14
    slope: int = 28
    pupil: int = 45
    gaze_x: int = 10
    gaze_y: int = 0
    shrug: int = 0
    #: How far the beak stands open while nothing is said.
    agape: int = 0
    rear: Arm = Arm(78, 350, 104, 412, -70, 8)
    fore: Arm = Arm(324, 350, 298, 412, -110, 8)
    #: Where the fore wing goes to and fro when the mood is new and strong.
    wave: Arm | None = None


NEUTRAL: Final = Expression()
#: Mood (as in ``HostLook.mood``) to the name that a character's files give its expression.
NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "NEUTRAL": "neutral",
        "EXCITED": "excited",
        "HAPPY": "happy",
        "SURPRISED": "surprised",
        "CURIOUS": "curious",
        "CONCERNED": "concerned",
        "DISAPPOINTED": "disappointed",
    }
)
EXPRESSIONS: Final[Mapping[str, Expression]] = MappingProxyType(
    {
        "neutral": NEUTRAL,
        "excited": Expression(
            tilt=-110, forward=4, down=-2, crown=80, ruff=55, corner=90, upper=0, lower=14, rise=85, slope=-10, pupil=62,
            gaze_x=20, gaze_y=-10, shrug=40, agape=1,
            rear=Arm(68, 322, 54, 250, -122, 24), fore=Arm(346, 312, 368, 216, -72, 26),
            wave=Arm(344, 314, 354, 212, -92, 30),
        ),
        "happy": Expression(
            tilt=-50, forward=2, crown=26, ruff=22, corner=110, upper=0, lower=46, rise=66, slope=12, pupil=40, gaze_x=14, gaze_y=-34,
            shrug=15, agape=1,
            rear=Arm(70, 330, 62, 268, -134, 22), fore=Arm(340, 330, 352, 268, -48, 22),
        ),
        "surprised": Expression(
            tilt=-35, forward=-14, down=0, crown=104, ruff=100, corner=-10, upper=0, lower=0, rise=120, slope=22, pupil=8,
            gaze_x=25, shrug=60, agape=2,
            rear=Arm(62, 330, 140, 304, -32, 16), fore=Arm(350, 318, 330, 240, -108, 30),
        ),
        "curious": Expression(
            tilt=120, forward=14, down=2, crown=36, ruff=14, corner=30, upper=8, lower=20, rise=95, slope=-38, pupil=80,
            gaze_x=35, gaze_y=-55, fore=Arm(330, 322, 270, 226, -106, 9),
        ),
        "concerned": Expression(
            tilt=45, forward=2, down=2, crown=0, ruff=48, corner=-70, upper=16, lower=12, rise=35, slope=105, pupil=78,
            gaze_x=15, gaze_y=10, shrug=55, rear=Arm(84, 338, 168, 312, -34, 9), fore=Arm(316, 338, 228, 312, -146, 9),
        ),
        "disappointed": Expression(
            tilt=165, forward=2, down=10, crown=0, ruff=0, corner=-110, upper=54, lower=0, rise=-40, slope=34, pupil=45,
            gaze_x=5, gaze_y=50, shrug=-70, rear=Arm(72, 334, 216, 300, -4, 7), fore=Arm(328, 338, 178, 312, 186, 7),
        ),
    }
)  # fmt: skip
#: The wing that holds a prop has the prop's own place for it.
_HOLDS: Final[Mapping[Prop, Arm]] = MappingProxyType(
    {
        "gavel": Arm(344, 328, 366, 242, -82, 8),
        "gavel-struck": Arm(342, 330, 340, 284, 186, 8),
        "lorgnette": Arm(330, 330, 258, 212, -104, 8),
        "paddle": Arm(344, 328, 370, 250, -80, 8),
        "watch": Arm(342, 326, 336, 214, -168, 9),
        "catalogue": Arm(336, 332, 310, 290, 196, 12),
    }
)
SPECTACLES: Final = "spectacles"
PROPS: Final = (*_HOLDS, SPECTACLES)

#: Faces that were mixed are kept: while one is on, it is asked for with every syllable.
FACES_KEPT_MAX: Final = 256
#: From one mood to the next, in so many steps.
CHANGE_MS: Final = 320
CHANGE_STEPS: Final = 5
#: A lively mood waves: so many beats.
BEAT_MS: Final = 180
BEATS: Final = 6
LIVELY_FROM: Final = 50
#: From this intensity on the wings take part.
WINGS_FROM: Final = 40
#: One blink in each span, somewhere in its first part: 3 to 6 seconds from one to the next.
BLINK_SPAN_MS: Final = 4_500
BLINK_DRIFT_MS: Final = 1_500
#: How long a blink is half shut, shut, half shut again.
BLINK_MS: Final = (45, 55, 40)
GLANCE_SPAN_MS: Final = 6_700
GLANCE_MS: Final = 1_300
GLANCES: Final = ((-70, 0), (-45, 35), (60, -20), (-80, -15))
BREATH_MS: Final = 2_100
SHIFT_MS: Final = 5_300
#: A mouth that is left open shuts by itself; a silent one waits so long before it rests as the mood has it.
OPEN_MS_MAX: Final = 1_500
REST_MS: Final = 400
STRIKE_MS: Final = 180


class Pose(Struct, frozen=True):
    """The host at an instant: ``face`` and ``arms`` as they are held, the beak's opening, the lids of a blink (0 open,
    1 half, 2 shut), a glance, whole pixels of breath and shift, what is held; and until when all of it stays so."""

    face: Expression
    opening: int
    blink: int
    glance: tuple[int, int] | None
    moved: tuple[int, int]
    prop: Prop | None
    spectacles: bool
    until: Millis


def expression_of(mood: str) -> str:
    """The name of a mood's expression; of one that is not known, the neutral."""
    return NAMES.get(mood, NAMES["NEUTRAL"])


def seed_of(name: str) -> int:
    """What a host's blinks and glances are drawn from: each name has its own."""
    return crc32(name.encode())


@lru_cache(maxsize=FACES_KEPT_MAX)
def drawn(expression: str, intensity: int) -> Expression:
    """A named expression (an unknown one is neutral) at an intensity from 0 to 100."""
    steps = max(0, min(INTENSITY_STEPS, round(intensity * INTENSITY_STEPS / 100)))
    full, share = EXPRESSIONS.get(expression, NEUTRAL), steps / INTENSITY_STEPS
    face = _between(NEUTRAL, full, share)
    # a wing is used or it is not: half raised it would mean nothing
    raised = 0.75 + 0.25 * share if share >= WINGS_FROM / 100 else 0.0
    arms = {field: _arm(getattr(NEUTRAL, field), getattr(full, field), raised) for field in ("rear", "fore")}
    return structs.replace(face, **arms)


def pose(look: HostLook, t: Millis, prop: Prop | None = None) -> Pose:
    """The host at an instant; ``prop`` is what the show puts into the wing when the host brings nothing."""
    seed = seed_of(look.name)
    face, until = _face(look, t)
    opening, again = mouth(look, t, face.agape)
    until = min(until, again)
    lids, again = blink(seed, t)
    until = min(until, again)
    glance, again = _glance(seed, t)
    until = min(until, again)
    moved, again = _moved(seed, t)
    until = min(until, again)
    own: Prop | None = next((name for name in _HOLDS if name in look.props), None)
    if own == "gavel-struck" and t < look.since + STRIKE_MS:
        own, until = "gavel", min(until, look.since + STRIKE_MS)
    held = own or prop
    if held is not None:
        face = structs.replace(face, fore=_before_the_eye(face) if held == "lorgnette" else _HOLDS[held])
    return Pose(face, opening, lids, glance, moved, held, SPECTACLES in look.props, until)


def _before_the_eye(face: Expression) -> Arm:
    """The wing that holds a lorgnette follows the head."""
    arm, turned = _HOLDS["lorgnette"], math.radians(face.tilt / 10)
    x, y = face.forward + round(93 * math.sin(turned)), face.down + round(28 * math.sin(turned))
    return structs.replace(arm, wrist_x=arm.wrist_x + x, wrist_y=arm.wrist_y + y)


def mouth(look: HostLook, t: Millis, rest: int = 0) -> tuple[int, Millis]:
    """How far the beak is open, and until when; ``rest`` is its place while nothing is said."""
    said = look.mouth
    place = bisect_right(said, t, key=lambda one: one.at)
    if not place:
        return rest, said[0].at if said else NEVER
    now = said[place - 1]
    for after in said[place:]:
        if after.opening != now.opening:
            break
    else:
        after = None
    if place < len(said):
        # a long pause within what is said: the beak does not stand open
        shuts = now.at + OPEN_MS_MAX
        upcoming = after.at if after is not None else said[-1].at
        if now.opening and t >= shuts:
            return 0, said[place].at
        return now.opening, min(upcoming, shuts) if now.opening else upcoming
    if now.opening and t < now.at + OPEN_MS_MAX:
        return now.opening, now.at + OPEN_MS_MAX
    rests = now.at + REST_MS + (OPEN_MS_MAX if now.opening else 0)
    return (0, rests) if t < rests else (rest, NEVER)


def blink(seed: int, t: Millis) -> tuple[int, Millis]:
    """0 open, 1 half shut, 2 shut, and until when."""
    span = t // BLINK_SPAN_MS
    at = span * BLINK_SPAN_MS + _noise(seed, span) % BLINK_DRIFT_MS
    if t < at:
        return 0, at
    for lids, lasts in zip((1, 2, 1), BLINK_MS, strict=True):
        at += lasts
        if t < at:
            return lids, at
    span += 1
    return 0, span * BLINK_SPAN_MS + _noise(seed, span) % BLINK_DRIFT_MS


def _face(look: HostLook, t: Millis) -> tuple[Expression, Millis]:
    now = drawn(look.expression, look.intensity)
    gone = t - look.since
    if gone < 0:
        # not yet
        return drawn(look.was, look.was_intensity), look.since
    if gone < CHANGE_MS:
        step = gone * CHANGE_STEPS // CHANGE_MS
        until = look.since + -(-(step + 1) * CHANGE_MS // CHANGE_STEPS)
        share = ease("quad_in_out", (step + 1) / (CHANGE_STEPS + 1))
        turning = _between(drawn(look.was, look.was_intensity), now, share)
        # the shoulders go at once: a coat that moved in every step would be painted in every step
        return structs.replace(turning, shrug=now.shrug), until
    beat = (gone - CHANGE_MS) // BEAT_MS
    waves = now.wave if look.intensity >= LIVELY_FROM else None
    if waves is None or beat >= BEATS:
        return now, NEVER
    until = look.since + CHANGE_MS + (beat + 1) * BEAT_MS
    return (structs.replace(now, fore=waves) if beat % 2 else now), until


@lru_cache(maxsize=FACES_KEPT_MAX)
def _between(one: Expression, other: Expression, share: float) -> Expression:
    if share <= 0 or one == other:
        return one
    if share >= 1:
        return other
    changed = {
        field: _mixed(getattr(one, field), getattr(other, field), share)
        for field in one.__struct_fields__
        if field not in ("rear", "fore", "wave")
    }
    arms = {field: _arm(getattr(one, field), getattr(other, field), share) for field in ("rear", "fore")}
    wave = None if other.wave is None else _arm(one.fore, other.wave, share)
    return structs.replace(other, **changed, **arms, wave=wave)


def _arm(one: Arm, other: Arm, share: float) -> Arm:
    return Arm(*(_mixed(getattr(one, field), getattr(other, field), share) for field in one.__struct_fields__))


def _mixed(one: int, other: int, share: float) -> int:
    return round(one + (other - one) * share)


def _glance(seed: int, t: Millis) -> tuple[tuple[int, int] | None, Millis]:
    """Now and then the eye goes somewhere else for a moment."""
    span = t // GLANCE_SPAN_MS
    noise = _noise(seed + 1, span)
    at = span * GLANCE_SPAN_MS + noise % (GLANCE_SPAN_MS - 2 * GLANCE_MS)
    if t < at:
        return None, at
    if t < at + GLANCE_MS:
        return GLANCES[noise // GLANCE_SPAN_MS % len(GLANCES)], at + GLANCE_MS
    span += 1
    return None, span * GLANCE_SPAN_MS + _noise(seed + 1, span) % (GLANCE_SPAN_MS - 2 * GLANCE_MS)


def _moved(seed: int, t: Millis) -> tuple[tuple[int, int], Millis]:
    """Breath and shift of weight, as whole steps."""
    breath, shift = t // BREATH_MS, t // SHIFT_MS
    aside = (-1, 0, 0, 1)[_noise(seed + 2, shift) % 4]
    return (aside, breath % 2), min((breath + 1) * BREATH_MS, (shift + 1) * SHIFT_MS)


def _noise(seed: int, place: int) -> int:
    """A number that looks like chance and is always the same."""
    return crc32(f"{seed} {place}".encode())
