"""Who may see which event, and in which topics it belongs. Pure; the one place where that is decided."""

from types import MappingProxyType

import msgspec

from sothebais.api.live import protocol
from sothebais.events.cursors import LoggedEvent
from sothebais.events.types import CHANNELS
from sothebais.state.keys import Channel

#: Anybody may see it.
PUBLIC = "public"
#: Operators and admins only.
STAFF = "staff"

_OPEN_CHANNELS = frozenset({Channel.AUCTION, Channel.STREAM, Channel.AGENT})
#: On an open channel, yet about a person.
_PRIVATE = frozenset({"agent:memory:update", "agent:interaction"})
_OPEN_USER_TYPES = frozenset({"chat:message"})
#: Types anybody may see, but for single events that ``audience`` takes out.
PUBLIC_TYPES = (
    frozenset(type_ for type_, channel in CHANNELS.items() if channel in _OPEN_CHANNELS and type_ not in _PRIVATE)
    | _OPEN_USER_TYPES
)
_OWN_TYPES = frozenset(type_ for type_ in CHANNELS if type_.startswith("user:"))
#: A lot that is planned may belong to a draft, so it is public only to those who know the lot.
UNANNOUNCED = "auction:scheduled"

_SCHEDULE_TYPES = frozenset(
    {
        "auction:start",
        "auction:paused",
        "auction:resumed",
        "auction:closing",
        "auction:end",
        "auction:settled",
        "auction:cancelled",
        "auction:reopened",
        "auction:timer:updated",
    }
)
_BY_KIND = MappingProxyType(
    {
        "campaign": (protocol.SCHEDULE,),
        "session": (protocol.SCHEDULE,),
        "stream": (protocol.STREAM,),
        "agent": (protocol.AGENT,),
    }
)


class _Parts(msgspec.Struct):
    """The fields of ``data`` that decide."""

    auction: str | None = None
    user: str | None = None
    place: str | None = None


_parts = msgspec.json.Decoder(_Parts)


def audience(event: LoggedEvent) -> str:
    """``PUBLIC``, ``STAFF``, or the id of the one person (beside the staff) who may see it."""
    if event.type in PUBLIC_TYPES:
        if event.type == "agent:message" and _parts.decode(event.data).place == "DIRECT":
            return STAFF
        return PUBLIC
    if event.type.startswith("user:") and event.subject.startswith("user:"):
        return event.subject.removeprefix("user:")
    return STAFF


def seen_types(*, staff: bool) -> frozenset[str]:
    """The types that may hold something for somebody who is (or is not) staff."""
    return frozenset(CHANNELS) if staff else PUBLIC_TYPES | _OWN_TYPES


def may_see(seen_by: str, user: str | None, *, staff: bool) -> bool:
    """Whether this person may see an event of that audience."""
    return staff or seen_by == PUBLIC or (user is not None and seen_by == user)


def topics(event: LoggedEvent) -> tuple[str, ...]:
    """The live topics of an event; each is told only to those who may see all of it."""
    if event.type == "user:notified":
        return (protocol.own_topic(str(_parts.decode(event.data).user)),)
    if audience(event) != PUBLIC:
        return ()
    if event.type == "chat:message":
        return (protocol.auction_topic(str(_parts.decode(event.data).auction)),)
    if event.subject.startswith("auction:"):
        return (event.subject, protocol.SCHEDULE) if event.type in _SCHEDULE_TYPES else (event.subject,)
    return _BY_KIND.get(event.type.partition(":")[0], ())
