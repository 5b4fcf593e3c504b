"""The host in a scene: a pose as layers, back to front, and what the lot puts into the wing. Pure."""

from typing import Final

from sothebais.instants import Millis
from sothebais.stream.conditions import warned
from sothebais.stream.figure import (
    Head,
    HostBackdrop,
    HostBeak,
    HostBody,
    HostEye,
    HostLectern,
    HostPlumage,
    HostSpectacles,
    HostTie,
    HostWings,
    Prop,
)
from sothebais.stream.frame import Frame
from sothebais.stream.host_look import NEUTRAL, Pose, pose
from sothebais.stream.layers import NEVER, Picture
from sothebais.stream.scenes import model
from sothebais.stream.show import LotStatus, ShowState
from sothebais.stream.transitions import STAMP_DELAY_MS, STAMP_MS

BACKGROUNDS: Final = ("none", "plain", "lectern", "curtain")
#: After the hammer fell it stays down for so long.
DOWN_MS: Final = 3_000
#: What a blink does to the upper and the lower lid, at least.
_BLINKS: Final = ((0, 0), (58, 10), (100, 20))


def host(element: model.HostElement, frame: Frame) -> None:
    """The host to the waist: drawn, or the character's own picture of the expression."""
    look = frame.state.host
    around = element.background if look.background is None else look.background
    if around not in BACKGROUNDS:
        frame.add(Picture(around, cover=True), "ground")
    elif around != "none":
        frame.add(HostBackdrop("curtain" if around == "curtain" else "plain"), "ground")
    if look.picture is not None:
        frame.add(Picture(look.picture), "picture")
    else:
        prop, until = hammer(frame.state, frame.t)
        frame.again(until)
        now = pose(look, frame.t, prop)
        frame.again(now.until)
        _figure(now, element.facing == "left", frame)
    if around == "lectern":
        frame.add(HostLectern(), "lectern")


def hammer(state: ShowState, t: Millis) -> tuple[Prop | None, Millis]:
    """The gavel goes up with the fair warning and comes down with the stamp; and until when it stays so."""
    lot = state.lot
    if lot is None:
        return None, NEVER
    if lot.status is LotStatus.SOLD and lot.closed_at is not None:
        falls = lot.closed_at + STAMP_DELAY_MS + STAMP_MS
        if t < falls:
            return "gavel", falls
        if t < falls + DOWN_MS:
            return "gavel-struck", falls + DOWN_MS
    elif lot.status is LotStatus.CLOSING:
        return "gavel", NEVER
    elif lot.status is LotStatus.ACTIVE and lot.paused_at is None:
        return ("gavel", NEVER) if warned(lot, t) else (None, lot.ends_at - lot.fair_warning_ms)
    return None, NEVER


def _figure(now: Pose, left: bool, frame: Frame) -> None:
    face, seed = now.face, now.moved
    head = Head(face.tilt, face.forward, face.down, left)
    # whole pixels, so that to breathe is to copy
    step = max(1, frame.px(1))
    x, y = seed[0] * step, seed[1] * step
    upper, lower = _BLINKS[now.blink]
    gaze = (face.gaze_x, face.gaze_y) if now.glance is None else now.glance
    rear = None if face.rear == NEUTRAL.rear else face.rear
    fore = None if face.fore == NEUTRAL.fore else face.fore
    frame.add(HostBody(face.shrug, rear is not None, fore is not None, left), "body")
    frame.add(HostPlumage(head, face.crown, face.ruff), "head", x=x, y=y)
    frame.add(HostBeak(head, now.opening, face.corner), "beak", x=x, y=y)
    frame.add(
        HostEye(
            head, max(face.upper, upper), max(face.lower, lower), face.rise, face.slope, face.pupil, gaze[0], gaze[1]
        ),
        "eye",
        x=x,
        y=y,
    )
    if now.spectacles:
        frame.add(HostSpectacles(head), "spectacles", x=x, y=y)
    frame.add(HostTie(left), "tie")
    if rear is not None or fore is not None:
        frame.add(HostWings(rear, fore, now.prop, face.shrug, left), "wings")
