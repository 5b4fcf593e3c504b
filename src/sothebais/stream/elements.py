"""What each type of element shows of a state at an instant. Pure.

A function per type puts parts into a ``Frame``: content with a place in the element's box. Each says until when the
same state looks the same, so that nobody asks again before.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from sothebais import media
from sothebais.instants import Millis
from sothebais.stream import host_element, wording
from sothebais.stream.frame import Frame
from sothebais.stream.inputs.model import STEP_MS, reference
from sothebais.stream.layers import (
    CaptionText,
    Card,
    Content,
    Dot,
    Feed,
    Figures,
    Fill,
    Glow,
    Hairline,
    Lamps,
    Lines,
    Mark,
    Page,
    Picture,
    PostCard,
    Qr,
    Ring,
    Roll,
    SlateText,
    Stamp,
    Text,
    TickerRow,
    Token,
    Wall,
)
from sothebais.stream.scenes import model
from sothebais.stream.show import Artwork, Bid, Lot, LotStatus, WallClock
from sothebais.stream.themes import BODY, FRAME, LEAD, MAT, SHADOW, SMALL, TITLE
from sothebais.stream.transitions import STAMP_DELAY_MS, STAMP_MS, ease, next_whole, progress

#: A pulse is drawn in so many steps; more would be other pixels for the same look.
PULSE_STEPS: Final = 12
PULSE_MS: Final = 2_000
ROLL_STEPS: Final = 1_000
STAMP_TURN: Final = -60
STAMP_FROM: Final = 1.7
DRIFT_MS: Final = 60_000
LAMPS: Final = 3
#: Rows of the list of bids that are kept: while it moves, all are asked for in every frame.
ROWS_KEPT_MAX: Final = 64
#: A longer address would make modules too small for a camera; it is not shown.
QR_LENGTH_MAX: Final = 300
_SETTLE: Final = {"top": 0, "middle": 1, "bottom": 2}


def image(element: model.ImageElement, frame: Frame) -> None:
    """An asset's still."""
    frame.add(Picture(element.source, cover=element.fit == "cover"))


def video(element: model.VideoElement, frame: Frame) -> None:
    """The asset's frame of this instant."""
    index = (frame.t - frame.since) // element.frame_ms % element.frames
    frame.add(Picture(element.source, frame=index, cover=element.fit == "cover"))
    frame.again(next_whole(frame.since, frame.t, element.frame_ms))


def stream(element: model.StreamElement, frame: Frame) -> None:
    """The input as it is just now."""
    frame.add(Feed(reference(element.source), frame.t // STEP_MS, cover=element.fit == "cover"))
    frame.again(next_whole(0, frame.t, STEP_MS))


def text(element: model.TextElement, frame: Frame) -> None:
    """Words, with the state's in their places."""
    words = element.text
    if "{" in words:
        state, lot = frame.state, frame.state.lot
        for name, value in (
            ("{campaign}", state.campaign),
            ("{day}", state.day),
            ("{tomorrow}", state.tomorrow),
            ("{bid_hint}", state.bid_hint),
            ("{host}", state.host.name),
            ("{lot}", str(lot.number) if lot else ""),
            ("{title}", lot.title if lot else ""),
            ("{artist}", lot.artist if lot else ""),
        ):
            words = words.replace(name, value)
    frame.add(
        Text(
            words,
            element.step,
            element.colour,
            element.align,
            element.serif,
            element.weight,
            element.lines,
            element.italic,
            _SETTLE[element.settle],
        )
    )


def overlay(element: model.OverlayElement, frame: Frame) -> None:
    """A surface without words."""
    match element.kind:
        case "wall":
            light = (round(element.light_x * 1000), round(element.light_y * 1000), round(element.strength * 1000))
            frame.add(Wall(*light))
        case "fill":
            frame.add(Fill(element.colour))
        case "dim":
            frame.add(Fill("ground"), opacity=round(255 * min(1.0, element.strength)))
        case "glow":
            frame.add(Glow(element.colour))
        case "hairline":
            frame.add(Hairline(element.colour))


def artwork(element: model.ArtworkElement, frame: Frame) -> None:
    """The piece, hung in the middle of its box in its own ratio."""
    piece: Artwork | None = None
    # counted from the lot's opening and held at its end, so that the piece stays in place when the scene changes
    since, t = frame.since, frame.t
    if element.of == "next":
        piece = frame.state.upcoming[0].artwork if frame.state.upcoming else None
    elif (lot := frame.state.lot) is not None:
        piece, since = lot.artwork, lot.opened_at
        t = t if lot.closed_at is None else min(t, lot.closed_at)
    if piece is None:
        return
    reach = frame.px(element.drift) // 2
    edge = frame.px(MAT) + frame.px(FRAME) if element.framed else 0
    w, h = _contained(piece, frame.w - 2 * (reach + edge), frame.h - 2 * edge)
    if element.framed:
        # the shadow falls outside the box
        edge += frame.px(SHADOW)
    w, h = w + 2 * edge, h + 2 * edge
    index = 0
    if piece.frames > 1 and piece.frame_ms > 0:
        index = (t - since) // piece.frame_ms % piece.frames
        frame.again(next_whole(since, t, piece.frame_ms))
    moved = 0
    if reach:
        # to and fro in whole pixels, so that no frame between two steps differs from the one before
        step_ms = DRIFT_MS // (4 * reach)
        place = (t - since) // step_ms % (4 * reach)
        moved = place if place <= reach else 2 * reach - place if place <= 3 * reach else place - 4 * reach
        frame.again(next_whole(since, t, step_ms))
    frame.add(
        Picture(piece.ref, index, framed=element.framed),
        x=(frame.w - w) // 2 + moved,
        y=(frame.h - h) // 2,
        w=w,
        h=h,
    )


def lot_card(element: model.LotCardElement, frame: Frame) -> None:
    """Number, title, artist, traits."""
    if (lot := frame.state.lot) is not None:
        frame.add(Lines(lot.number, lot.title, lot.artist, lot.traits[: element.traits]))


def price(element: model.PriceElement, frame: Frame) -> None:
    """The price, rolling for a moment when it changes."""
    lot = frame.state.lot
    if lot is None:
        return
    top = 0
    if element.label:
        top = frame.px(38)
        word = {LotStatus.SOLD: "Hammer price", LotStatus.PASSED: "Unsold at"}.get(lot.status, "Current bid")
        frame.add(Text(word if lot.price else "Bidding starts at", SMALL, "quiet", weight=500), "label", h=top)
    now = wording.amount(lot.price or lot.starting_price, lot.currency)
    done = progress(lot.price_at, frame.t, media.PRICE_ROLL_MS) if lot.price and lot.previous_price else 1.0
    if frame.t < lot.price_at:
        done = 1.0
        frame.again(lot.price_at)
    if done < 1 and lot.previous_price:
        before = wording.amount(lot.previous_price, lot.currency)
        share = round(ROLL_STEPS * ease("house", done))
        frame.add(Roll(before, now, share, element.step, lot.currency), "figures", y=top, h=frame.h - top)
        frame.moves()
        return
    colour: Token = "text" if lot.price is None or lot.status is LotStatus.PASSED else "brass"
    frame.add(Figures(now, element.step, lot.currency, colour), "figures", y=top, h=frame.h - top)


def leader(_element: model.LeaderElement, frame: Frame) -> None:
    """Who leads."""
    lot = frame.state.lot
    if lot is None:
        return
    bids = wording.count(lot.bid_count, "bid", "bids")
    if lot.leader is None:
        frame.add(Mark("none", "No bids yet", LEAD, "quiet"))
    else:
        verb = "won" if lot.status is LotStatus.SOLD else "leads"
        frame.add(Mark("leader", f"{wording.handle(lot.leader)} {verb}", LEAD, "brass", quiet=bids))


def countdown(element: model.CountdownElement, frame: Frame) -> None:
    """The time left."""
    if element.of == "next":
        if frame.state.next_at is not None:
            left = _seconds_left(frame, frame.state.next_at)
            frame.add(Figures(wording.time_left(left), TITLE, align=element.align, weight=600))
        return
    lot = frame.state.lot
    if lot is None:
        return
    if lot.paused_at is not None:
        left = max(0, -(-(lot.ends_at - lot.paused_at) // 1000))
        frame.add(Ring(wording.time_left(left), 1000, "quiet", "Paused"))
        return
    left = _seconds_left(frame, lot.ends_at) if lot.status is LotStatus.ACTIVE else 0
    figures = wording.time_left(left)
    warned = lot.ends_at - lot.fair_warning_ms
    frame.again(warned)
    if element.style == "figures":
        frame.add(Figures(figures, TITLE, align=element.align, weight=600))
    elif element.style == "lamps" or frame.t >= warned or lot.status is not LotStatus.ACTIVE:
        _lamps(frame, lot, left)
    else:
        urgent = left <= element.urgent_s
        frame.again(lot.ends_at - element.urgent_s * 1000)
        if urgent:
            _pulse(frame, "pulse", Glow("vermilion"), period_ms=1_000, least=0.15)
        total = max(1, lot.ends_at - lot.opened_at)
        share = min(1000, left * 1_000_000 // total)
        frame.add(Ring(figures, share, "vermilion" if urgent else "brass", "left"), "ring")


def _lamps(frame: Frame, lot: Lot, left: int) -> None:
    each = lot.fair_warning_ms / LAMPS
    remaining = max(0, lot.ends_at - frame.t) if lot.status is LotStatus.ACTIVE else 0
    lit = min(LAMPS, -int(-remaining // each)) if remaining else 0
    for out in range(LAMPS):
        frame.again(lot.ends_at - int(out * each))
    word = "Fair warning" if lit else "Closing" if lot.status in (LotStatus.ACTIVE, LotStatus.CLOSING) else "Closed"
    frame.add(Lamps(lit, wording.time_left(left), word), "lamps")


def bid_ticker(element: model.TickerElement, frame: Frame) -> None:
    """The last bids. A new one pushes the others down by whole pixels."""
    lot = frame.state.lot
    if lot is None:
        return
    if not lot.bids:
        frame.add(
            Text("The first bid is yours to make.", BODY, "quiet", serif=True, italic=True), h=frame.h // element.rows
        )
        return
    row = frame.h // element.rows
    done = progress(lot.bids[0].at, frame.t, media.PRICE_ROLL_MS) if frame.t >= lot.bids[0].at else 1.0
    frame.again(lot.bids[0].at)
    eased = ease("house", done)
    pushed = round(row * (1 - eased))
    if done < 1:
        frame.moves()
    for place, bid in enumerate(lot.bids[: element.rows + (1 if pushed else 0)]):
        content = _ticker_row(bid, lot.currency, frame.state.clock, place == 0)
        opacity = round(255 * eased) if place == 0 else 255
        frame.add(content, str(bid.number), y=place * row - pushed, h=row, opacity=opacity, cut=True)


@lru_cache(maxsize=ROWS_KEPT_MAX)
def _ticker_row(bid: Bid, currency: str, face: WallClock, leading: bool) -> TickerRow:
    return TickerRow(
        wording.handle(bid.handle),
        wording.amount(bid.amount, currency),
        currency,
        wording.clock(bid.at, face, seconds=True),
        leading,
        bid.proxy,
    )


def next_bid(_element: model.NextBidElement, frame: Frame) -> None:
    """The least amount that can follow."""
    lot = frame.state.lot
    if lot is not None and lot.next_valid is not None:
        frame.add(Mark("next", f"Next bid from {wording.priced(lot.next_valid, lot.currency)}", BODY, "text"))


def reserve(element: model.ReserveElement, frame: Frame) -> None:
    """Whether a reserve stands, and is met."""
    lot = frame.state.lot
    if lot is None:
        return
    if not lot.has_reserve:
        frame.add(Mark("check", "No reserve", SMALL, "sage", align=element.align))
    elif lot.reserve_met:
        frame.add(Mark("check", "Reserve met", SMALL, "sage", align=element.align))
    else:
        frame.add(Mark("open", "Reserve not yet met", SMALL, "quiet", align=element.align))


def qr(_element: model.QrElement, frame: Frame) -> None:
    """Where to bid."""
    if 0 < len(frame.state.bid_url) <= QR_LENGTH_MAX:
        side = min(frame.w, frame.h)
        frame.add(Qr(frame.state.bid_url), x=frame.w - side, y=0, w=side, h=side)


def captions(_element: model.CaptionsElement, frame: Frame) -> None:
    """What is being said, for as long as it is."""
    said = frame.state.caption
    if said is None:
        return
    frame.again(said.at)
    frame.again(said.until)
    if said.at <= frame.t < said.until:
        frame.add(CaptionText(said.text, said.speaker))


def schedule(element: model.ScheduleElement, frame: Frame) -> None:
    """What comes, or what was."""
    if element.kind == "results":
        _results(frame)
    elif element.kind == "parade":
        _parade(element, frame)
    elif frame.state.upcoming:
        lot = frame.state.upcoming[0]
        frame.add(Lines(lot.number, lot.title, lot.artist, (f"At {wording.clock(lot.starts_at, frame.state.clock)}",)))


def _results(frame: Frame) -> None:
    state = frame.state
    rows = tuple(
        (
            str(result.number),
            result.title,
            result.artist,
            wording.priced(result.price, result.currency) if result.price else "Passed",
            wording.handle(result.winner) if result.winner else "",
        )
        for result in state.results
    )
    sold = sum(1 for result in state.results if result.price)
    footer = f"{sold} of {wording.count(len(state.results), 'lot', 'lots')} sold" if state.results else ""
    frame.add(Page(state.campaign, state.day, rows, footer))


def _parade(element: model.ScheduleElement, frame: Frame) -> None:
    lots = frame.state.upcoming
    if not lots:
        return
    gap = frame.px(48)
    wide = round(frame.h * 0.74)
    pitch = wide + gap
    total = pitch * len(lots)
    speed = element.speed * frame.unit
    moved = 0
    start = (frame.w - total + gap) // 2
    if total - gap > frame.w and speed > 0:
        moved = int(max(0, frame.t - frame.since) * speed / 1000)
        frame.again(frame.since + int((moved + 1) * 1000 / speed) + 1)
        start = frame.px(96)
    for place, lot in enumerate(lots):
        x = start + place * pitch
        if moved:
            x = (x - moved + pitch) % max(total, frame.w + pitch) - pitch
        if -wide < x < frame.w:
            card = Card(lot.artwork.ref, lot.number, lot.title, lot.artist)
            frame.add(card, str(lot.number), x=x, w=wide, cut=True)


def viewers(element: model.ViewersElement, frame: Frame) -> None:
    """Live, the campaign and its day, how many watch."""
    state = frame.state
    dot = frame.px(18)
    left = 0
    if state.live:
        _pulse(frame, "dot", Dot("vermilion"), y=(frame.h - dot) // 2, w=dot, h=dot)
        left = frame.px(30)
        wide = frame.px(70)
        frame.add(Text("LIVE", LEAD - 1, "text", weight=800, settle=1), "live", x=left, w=wide)
        left += wide + frame.px(14)
    names = " · ".join(name for name in (state.campaign, state.day) if name)
    right = frame.px(150) if state.viewers is not None else 0
    if element.names and names:
        frame.add(Text(names, BODY, "quiet", weight=500, settle=1), "names", x=left, w=frame.w - left - right)
    if state.viewers is not None:
        frame.add(
            Mark("eye", f"{state.viewers:,}", BODY, "quiet", align="right"), "viewers", x=frame.w - right, w=right
        )


def post(_element: model.PostElement, frame: Frame) -> None:
    """A post, whole."""
    if (shown := frame.state.post) is not None:
        time = wording.clock(shown.at, frame.state.clock)
        frame.add(PostCard(shown.name, shown.handle, shown.text, shown.platform, time, shown.picture))


def sold_stamp(_element: model.SoldStampElement, frame: Frame) -> None:
    """The stamp falls once and stays."""
    lot = frame.state.lot
    if lot is None or lot.status is not LotStatus.SOLD or lot.price is None or lot.closed_at is None:
        return
    lands = lot.closed_at + STAMP_DELAY_MS
    frame.again(lands)
    if frame.t < lands:
        return
    done = progress(lands, frame.t, STAMP_MS)
    if done < 1:
        frame.moves()
    eased = ease("cubic_in", done)
    frame.add(
        Stamp("Sold", wording.priced(lot.price, lot.currency), wording.handle(lot.leader or "")),
        opacity=round(255 * min(1.0, 0.2 + eased)),
        grow=STAMP_FROM + (1 - STAMP_FROM) * eased,
        turn=STAMP_TURN,
    )


def slate(element: model.SlateElement, frame: Frame) -> None:
    """The crest, what is true, and what time it is."""
    state = frame.state
    time = f"{wording.clock(frame.t, state.clock)} {state.clock.zone}"
    frame.again(next_whole(0, frame.t, 60_000))
    frame.add(SlateText(state.notice.sentence, state.notice.meaning, time, element.pause))


def _seconds_left(frame: Frame, at: Millis) -> int:
    left = max(0, -(-(at - frame.t) // 1000))
    if left:
        frame.again(at - (left - 1) * 1000)
    return left


def _contained(piece: Artwork, w: int, h: int) -> tuple[int, int]:
    share = min(w / max(1, piece.width), h / max(1, piece.height))
    return max(1, round(piece.width * share)), max(1, round(piece.height * share))


def _pulse(
    frame: Frame,
    name: str,
    content: Content,
    *,
    period_ms: int = PULSE_MS,
    least: float = 0.35,
    y: int = 0,
    w: int | None = None,
    h: int | None = None,
) -> None:
    """A light that comes and goes, in steps."""
    step_ms = period_ms // (2 * PULSE_STEPS)
    step = frame.t // step_ms % (2 * PULSE_STEPS)
    height = min(step, 2 * PULSE_STEPS - step) / PULSE_STEPS
    opacity = round(255 * (least + (1 - least) * ease("quad_in_out", height)))
    frame.add(content, name, y=y, w=w, h=h, opacity=opacity)
    frame.again(next_whole(0, frame.t, step_ms))


#: The function of each type.
SHOWS: Final[Mapping[type[model.Element], Callable[[Any, Frame], None]]] = MappingProxyType(
    {
        model.ImageElement: image,
        model.VideoElement: video,
        model.StreamElement: stream,
        model.TextElement: text,
        model.OverlayElement: overlay,
        model.ArtworkElement: artwork,
        model.HostElement: host_element.host,
        model.LotCardElement: lot_card,
        model.PriceElement: price,
        model.LeaderElement: leader,
        model.CountdownElement: countdown,
        model.TickerElement: bid_ticker,
        model.NextBidElement: next_bid,
        model.ReserveElement: reserve,
        model.QrElement: qr,
        model.CaptionsElement: captions,
        model.ScheduleElement: schedule,
        model.ViewersElement: viewers,
        model.PostElement: post,
        model.SoldStampElement: sold_stamp,
        model.SlateElement: slate,
    }
)
