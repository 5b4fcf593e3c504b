"""What is on screen, folded from facts and events. Pure: the same facts, events and instant give the same state.

A lot's events are taken by their numbers, a campaign's by its version, all others by their place in the log. What has
been applied already changes nothing; a gap is refused, and whoever follows takes a new snapshot.
"""

from typing import Final
from uuid import UUID

from msgspec import Struct

from sothebais.instants import Millis
from sothebais.stream import direction
from sothebais.stream.direction import Stage
from sothebais.stream.facts import DayFacts, NextSession, Place, Told, spoken_date
from sothebais.stream.layers import NEVER
from sothebais.stream.lot_course import OVER, RUNNING, LotCourse
from sothebais.stream.show import (
    RESULTS_MAX,
    UPCOMING_MAX,
    Lot,
    LotStatus,
    Notice,
    OnAir,
    Result,
    ShowState,
    TransitionKind,
    Upcoming,
    WallClock,
)
from sothebais.stream.speaking import Speaking

#: How long a scene gives way to the next.
FADE_MS: Final = OnAir("").duration_ms
#: The scene name by which an operator hands the direction back to the house.
AUTO: Final = "automatic"
#: Names kept; those of the lots on screen are among the last ones learned.
NAMES_MAX: Final = 10_000
#: The reason of a pause is shown when it is no longer than this.
REASON_LENGTH_MAX: Final = 90
_SESSIONS: Final = frozenset(
    {"session:start", "session:pre_auction", "session:auction", "session:post_auction", "session:end"}
)


_OF_WHAT_COMES: Final = frozenset({"pre-auction", "intermission"})
_UNSAID: Final = Notice("")


class Gap(Exception):
    """Events are missing in between: take a new snapshot."""


class Moment(Struct, frozen=True):
    """A state, and the first instant at which another is due without an event."""

    state: ShowState
    until: Millis


class Chronicle:
    """A day as the picture has it. ``learn`` names before events that need them (``lot_course.people_of``)."""

    def __init__(self, facts: DayFacts) -> None:
        self.facts = facts
        #: The place of the last event taken, whatever it was about.
        self.place: Place = facts.place
        self._shown_at: Place = facts.place
        self._names = dict(facts.names)
        self._lots = {str(lot.id): LotCourse(lot) for lot in facts.lots}
        self._day = None if facts.day is None else str(facts.day)
        self._stage: Stage = facts.stage if facts.day is None else "SCHEDULED"
        self._stage_cause: str | None = None
        self._version = facts.version
        self._on: str | None = None
        #: The scene an operator has on air and its revision; null while the scene follows the auction.
        self.operator: tuple[str, int] | None = None
        self._operator_notice = _UNSAID
        self._operator_stream = ""
        self._viewers: int | None = None
        self._speaking = Speaking(facts.host, frozenset(self._lots), facts.expressions)
        self._at: Millis = facts.begins_at
        self._begun = False
        self._on_air = OnAir(self._choice(self._at).scene, facts.begins_at)
        self._kept: tuple[Moment, Millis] | None = None
        for told in facts.course:
            self._take(told, steps_only=True)
        for lot in self._lots.values():
            if lot.facts.standing is not None:
                lot.standing = lot.facts.standing
            lot.n = lot.facts.n
        self._kept = None

    @property
    def stage(self) -> Stage:
        """The day's stage."""
        return self._stage

    @property
    def auction(self) -> UUID | None:
        """The lot that is on."""
        return None if self._on is None else UUID(self._on)

    def learn(self, names: dict[str, str]) -> None:
        """Who people are, by user id."""
        for user, name in names.items():
            self._names.pop(user, None)
            self._names[user] = name
        while len(self._names) > NAMES_MAX:
            del self._names[next(iter(self._names))]

    def knows(self, user: str) -> bool:
        """Whether this user's name was learned and is still kept."""
        return user in self._names

    def apply(self, told: Told) -> bool:
        """Take an event; whether another state follows from it. Raises Gap when one before it is missing."""
        if told.place is not None:
            if told.place > self.place:
                self.place = told.place
            elif told.n is None and not told.subject.startswith("campaign:"):
                return False
        if not self._is_next(told) or not self._take(told):
            return False
        self._shown_at = self.place
        self._kept = None
        return True

    def state(self, t: Millis) -> ShowState:
        """What is shown at an instant, not before the last event's."""
        return self.moment(t).state

    def until(self, t: Millis) -> Millis:
        """When another state is due though nothing happens."""
        return self.moment(t).until

    def moment(self, t: Millis) -> Moment:
        """Both. While nothing changes it is the same object, so that a composer need not compare."""
        if self._kept is not None:
            kept, since = self._kept
            if since <= t < kept.until:
                return kept
        made = self._moment(t)
        if self._kept is not None and self._kept[0].state == made.state:
            made = Moment(self._kept[0].state, made.until)
        self._kept = (made, t)
        return made

    # taking events

    def _is_next(self, told: Told) -> bool:
        kind, _, key = told.subject.partition(":")
        if kind == "auction" and told.n is not None:
            lot = self._lots.get(key)
            if lot is None:
                if (
                    told.type == "auction:scheduled"
                    and self._day is not None
                    and told.data["campaign_day"] == self._day
                ):
                    raise Gap(f"lot {key} came after the snapshot")
                return False
            if told.n <= lot.n:
                return False
            if told.n > lot.n + 1:
                raise Gap(f"lot {key} is at its event {lot.n}, and {told.n} follows")
            lot.n = told.n
            return True
        if kind == "campaign" and "version" in told.data:
            if self.facts.campaign is None or key != str(self.facts.campaign):
                return False
            version: int = told.data["version"]
            if self._version is not None and version <= self._version:
                return False
            if self._version is not None and version > self._version + 1:
                raise Gap(f"campaign {key} is at its version {self._version}, and {version} follows")
            self._version = version
            return True
        return True

    def _take(self, told: Told, *, steps_only: bool = False) -> bool:
        """Take an event that is the next; whether anything of it is shown."""
        if told.place is None:  # a reading, by another machine's clock
            return self._fold(told, steps_only)
        if not self._begun:
            # operators may begin before the plan does
            self._begun, self._at = True, min(self._at, told.at)
        at = max(self._at, told.at)
        on_air = self._directed(at)[0]
        if not self._fold(told, steps_only):
            return False
        self._at = at
        self._on = self._lot_on()
        scene = self._choice(at).scene
        if told.type == "stream:scene:update":
            self._on_air = _put_on(on_air, scene, at, told.data["transition"], told.data["duration"])
        else:
            self._on_air = _put_on(on_air, scene, at)
        return True

    def _fold(self, told: Told, steps_only: bool) -> bool:
        kind, _, key = told.subject.partition(":")
        match kind:
            case "auction":
                lot = self._lots.get(key)
                if lot is None:
                    return False
                stepped = lot.step(told)
                stood = not steps_only and lot.stand(told, self._names)
                return stepped or stood
            case "campaign":
                return self._session(told)
            case "agent":
                return self._speaking.apply(told)
            case _:
                return self._stream(told)

    def _session(self, told: Told) -> bool:
        if told.type not in _SESSIONS or told.data["day"] != self._day:
            return False
        before = self._stage
        self._stage = told.data["stage"]
        self._stage_cause = told.data.get("reason")
        return self._stage != before

    def _stream(self, told: Told) -> bool:
        if told.type == "stream:viewers" and told.data["origin"] == "TOTAL":
            before, self._viewers = self._viewers, told.data["viewers"]
            return before != self._viewers
        was = self.operator, self._operator_notice
        if told.type == "stream:end" or (told.type == "stream:start" and told.subject != self._operator_stream):
            # an operator's choice is for one broadcast
            self.operator, self._operator_notice = None, _UNSAID
            return was != (self.operator, self._operator_notice)
        if told.type != "stream:scene:update" or told.data.get("actor") is None:
            return False
        self._operator_stream = told.subject
        scene = told.data["scene"]
        self.operator = None if scene == AUTO else (scene, told.data["revision"])
        # the operator's reason is for the books; what viewers read is said apart from it
        self._operator_notice = Notice(told.data.get("sentence") or "", told.data.get("meaning") or "")
        return was != (self.operator, self._operator_notice)

    # what is on

    def _lot_on(self) -> str | None:
        """The lot on the wall: one that is on stays until it is over, then the lowest running one, else the last."""
        if self._on is not None and self._lots[self._on].times.status in RUNNING:
            return self._on
        for key, lot in self._lots.items():
            if lot.times.status in RUNNING:
                return key
        over = [
            (lot.times.closed_at, key)
            for key, lot in self._lots.items()
            if lot.times.closed_at is not None and lot.times.opened_at
        ]
        return max(over)[1] if over else None

    def _current(self, t: Millis) -> Lot | None:
        return None if self._on is None else self._lots[self._on].shown(t)

    def _leaves_at(self) -> Millis:
        """When the lot that is over is no longer looked at: its scene has then faded."""
        if self._on is None:
            return 0
        times = self._lots[self._on].times
        if times.status not in OVER or times.closed_at is None:
            return NEVER
        held = 0 if times.status is LotStatus.CANCELLED else direction.HOLD_MS
        return times.closed_at + held + FADE_MS

    def _choice(self, t: Millis) -> direction.Choice:
        if self.operator is not None:
            return direction.Choice(self.operator[0])
        stage = self._stage
        if stage == "AUCTION" and self._lots and all(lot.times.status in OVER for lot in self._lots.values()):
            stage = "POST_AUCTION"
        return direction.choose(stage, self._current(t), t)

    def _directed(self, t: Millis) -> tuple[OnAir, Millis]:
        """What is on air at an instant when nothing happens until then, and until when it stays."""
        on_air, choice = self._on_air, self._choice(self._at)
        while choice.until <= t:
            at = choice.until
            choice = self._choice(at)
            on_air = _put_on(on_air, choice.scene, at)
        return on_air, choice.until

    def _moment(self, t: Millis) -> Moment:
        facts = self.facts
        on_air, until = self._directed(t)
        upcoming = tuple(_coming(lot) for lot in self._lots.values() if lot.times.status is LotStatus.SCHEDULED)
        current, biddable = None, ""
        if t < (leaves_at := self._leaves_at()):
            current, biddable = self._current(t), self._on or ""
            until = min(until, leaves_at)
            if self._on is not None:
                until = min(until, self._lots[self._on].until(t))
        else:
            coming = [key for key, lot in self._lots.items() if lot.times.status is LotStatus.SCHEDULED]
            biddable = coming[0] if coming else self._on or ""
        if (faded_at := on_air.since + on_air.duration_ms) > t and (opened := self._just_opened(on_air)) is not None:
            # the scene that fades away still shows what comes next, and that has come
            upcoming, until = (opened, *upcoming), min(until, faded_at)
        said = self._speaking.at(t)
        clock, set_at = self._clock(t)
        state = ShowState(
            on_air=on_air,
            campaign=facts.campaign_name,
            day=f"Day {facts.number} of {facts.days}" if facts.day is not None else "",
            lot=current,
            upcoming=upcoming[:UPCOMING_MAX],
            results=self._results(),
            next_at=upcoming[0].starts_at if upcoming else None,
            tomorrow=_announced(facts.next_session, facts),
            caption=said.caption,
            host=said.host,
            viewers=self._viewers,
            live=self._stage in ("PRE_AUCTION", "AUCTION", "POST_AUCTION"),
            notice=self._notice(current),
            clock=clock,
            bid_url=facts.bid_url.replace("{auction}", biddable) if biddable else "",
            bid_hint=facts.bid_hint,
            position=".".join(map(str, self._shown_at)),
        )
        return Moment(state, min(until, said.until, set_at))

    def _just_opened(self, on_air: OnAir) -> Upcoming | None:
        """The lot for which a scene of what comes next is giving way."""
        if self._on is None or on_air.previous not in _OF_WHAT_COMES:
            return None
        lot = self._lots[self._on]
        return _coming(lot) if lot.times.opened_at == on_air.since else None

    def _results(self) -> tuple[Result, ...]:
        done = [
            Result(
                lot.facts.number,
                lot.facts.title,
                lot.facts.artist,
                lot.standing.price if lot.times.status is LotStatus.SOLD else None,
                lot.facts.terms["currency"],
                lot.standing.leader if lot.times.status is LotStatus.SOLD else None,
            )
            for lot in self._lots.values()
            if lot.times.status in (LotStatus.SOLD, LotStatus.PASSED)
        ]
        return tuple(done[-RESULTS_MAX:])

    def _clock(self, t: Millis) -> tuple[WallClock, Millis]:
        """What wall clocks show, and when they are set."""
        shown = self.facts.faces[0]
        for face in self.facts.faces[1:]:
            if face.since > t:
                return shown.clock, face.since
            shown = face
        return shown.clock, NEVER

    def _notice(self, lot: Lot | None) -> Notice:
        if lot is not None and lot.status is LotStatus.PAUSED and self._on is not None and self.operator is None:
            cause = self._lots[self._on].times.cause.strip().rstrip(".")
            why = f"{cause[:1].upper()}{cause[1:]}. " if cause and len(cause) <= REASON_LENGTH_MAX else ""
            return Notice("Bidding is paused.", f"{why}No bid is lost; the clock stands and its time is given back.")
        if self.operator is None and self._stage == "CANCELLED" and self.facts.day is not None:
            return Notice("Today's auction was cancelled.", self._stage_cause or "Its open lots take no more bids.")
        if self.operator is None and self.facts.day is None:
            return Notice("There is no auction now.", _announced(self.facts.next_session, self.facts))
        said = self._operator_notice
        return Notice(said.sentence or "We will be right back.", said.meaning or _meaning(lot))


def _coming(lot: LotCourse) -> Upcoming:
    facts = lot.facts
    return Upcoming(facts.number, facts.title, facts.artist, facts.artwork, lot.times.starts_at)


def _meaning(lot: Lot | None) -> str:
    """What it means for bids that the picture is not there."""
    if lot is None or lot.status in OVER:
        return ""
    if lot.status is LotStatus.PAUSED:
        return "Bidding is paused as well; the clock stands."
    return f"Bids on lot {lot.number} are still taken, and its clock runs on."


def _announced(following: NextSession | None, facts: DayFacts) -> str:
    if following is None:
        return ""
    when = spoken_date(following.at, facts.zone, facts.date)
    lots = f"{following.lots} {'lot' if following.lots == 1 else 'lots'}"
    return f"{when}: {lots}." if facts.day is not None else f"The next one begins {when}, with {lots}."


def _put_on(
    on_air: OnAir, scene: str, at: Millis, transition: TransitionKind = "fade", duration_ms: int = FADE_MS
) -> OnAir:
    return on_air if on_air.scene == scene else OnAir(scene, at, on_air.scene, transition, duration_ms)


def reached(place: Place) -> str:
    """A place as the log writes positions."""
    return ".".join(map(str, place))
