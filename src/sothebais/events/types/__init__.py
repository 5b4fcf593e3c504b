"""The catalogue of events: one strict model per type, and the union of their envelopes.

`Event` is the common face of the union's members; each type has a class of its own (``ENVELOPES``), in which ``type``
is a literal and ``data`` the model of that type. `parse_event` is the one way from text to an event.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, Literal, Union

from pydantic import Field, TypeAdapter, ValidationError, create_model
from pydantic_core import PydanticSerializationError, to_json

from sothebais.errors import InvalidInput
from sothebais.events.types.agent import AGENT_EVENTS
from sothebais.events.types.auction import AUCTION_EVENTS
from sothebais.events.types.auction import PUBLISHED_ONLY as AUCTION_PUBLISHED_ONLY
from sothebais.events.types.base import Data, Envelope
from sothebais.events.types.stream import STREAM_EVENTS, STREAM_PUBLISHED_ONLY
from sothebais.events.types.system import SYSTEM_EVENTS, SYSTEM_PUBLISHED_ONLY
from sothebais.events.types.user import USER_EVENTS
from sothebais.state.keys import Channel

__all__ = [
    "CATALOGUE",
    "CHANNELS",
    "ENVELOPES",
    "NOT_YET",
    "PUBLISHED_ONLY",
    "Data",
    "Envelope",
    "Event",
    "event_adapter",
    "parse_event",
    "validate_data",
]

_BY_CHANNEL: dict[Channel, dict[str, type[Data]]] = {
    Channel.AUCTION: AUCTION_EVENTS | AUCTION_PUBLISHED_ONLY,
    Channel.STREAM: STREAM_EVENTS | STREAM_PUBLISHED_ONLY,
    Channel.AGENT: AGENT_EVENTS,
    Channel.USER: USER_EVENTS,
    Channel.SYSTEM: SYSTEM_EVENTS | SYSTEM_PUBLISHED_ONLY,
}

#: Every type and the model of its ``data``.
CATALOGUE: Mapping[str, type[Data]] = MappingProxyType(
    {type_: model for types in _BY_CHANNEL.values() for type_, model in types.items()}
)
#: The pub/sub channel of every type.
CHANNELS: Mapping[str, str] = MappingProxyType(
    {type_: channel.value for channel, types in _BY_CHANNEL.items() for type_ in types}
)
#: Types that are published with the state and never logged.
PUBLISHED_ONLY: Mapping[str, type[Data]] = MappingProxyType(
    AUCTION_PUBLISHED_ONLY | STREAM_PUBLISHED_ONLY | SYSTEM_PUBLISHED_ONLY
)
#: Types whose names are promised and that nothing writes yet.
NOT_YET: frozenset[str] = frozenset(
    {
        "auction:bid:placed",
        "social:post:received",
        "social:post:sent",
        "system:config",
        "system:metric",
        "user:connect",
        "user:disconnect",
    }
)

#: Faults named in one error message.
FAULTS_MAX = 5


class Event(Envelope):
    """Any event: an envelope with its ``type`` and ``data``. `parse_event` gives the type's own subclass."""

    type: str
    data: Data


def _envelope(type_: str, model: type[Data]) -> type[Event]:
    name = "".join(part.capitalize() for part in type_.replace("_", ":").split(":")) + "Event"
    fields: dict[str, Any] = {"type": (Literal[type_], type_), "data": (model, ...)}
    return create_model(name, __base__=Event, __module__=__name__, __doc__=model.__doc__, **fields)


#: Every type and its own subclass of `Event`.
ENVELOPES: Mapping[str, type[Event]] = MappingProxyType(
    {type_: _envelope(type_, model) for type_, model in CATALOGUE.items()}
)
_UNION: Any = Annotated[Union[tuple(ENVELOPES.values())], Field(discriminator="type")]  # noqa: UP007


@cache
def event_adapter() -> TypeAdapter[Event]:
    """The discriminated union. Its members are made at run time, so that a type checker sees their common base."""
    return TypeAdapter(_UNION)


def parse_event(obj: Mapping[str, Any] | bytes | str) -> Event:
    """The event of a JSON text or of plain Python data, as an instance of its type's own class.

    Raises InvalidInput that names what is wrong, never what was sent: a refused field may hold a secret.
    """
    text = obj if isinstance(obj, bytes | str) else _json(obj)
    try:
        return event_adapter().validate_json(text)
    except ValidationError as error:
        raise _invalid(error, "event") from None


def validate_data(type_: str, data: Mapping[str, Any] | Data) -> Data:
    """``data`` as the model of its type. Raises InvalidInput for an unknown type or data that does not fit it."""
    model = CATALOGUE.get(type_)
    if model is None:
        raise _unknown(type_)
    if isinstance(data, Data):
        if type(data) is not model:
            raise InvalidInput(f"{type(data).__name__} is not the data of {type_}; that is {model.__name__}.")
        return data
    try:
        return model.model_validate_json(_json(data))
    except ValidationError as error:
        raise _invalid(error, type_) from None


def _json(obj: Mapping[str, Any]) -> bytes:
    # one way in: JSON's rules turn strings into ids and lists into tuples, which strict Python rules refuse
    try:
        return to_json(dict(obj))
    except (PydanticSerializationError, TypeError, ValueError):
        raise InvalidInput("The event holds a value that JSON cannot express.") from None


def _unknown(type_: object) -> InvalidInput:
    return InvalidInput(f"{type_!r:.60} is not a type of the event catalogue.", field="type")


def _invalid(error: ValidationError, what: str) -> InvalidInput:
    faults = []
    for fault in error.errors(include_url=False, include_input=False):
        if fault["type"] == "union_tag_invalid":
            return _unknown(fault["ctx"]["tag"])
        if fault["type"] == "union_tag_not_found":
            return InvalidInput("The event has no type.", field="type")
        # the first part of a location in the union is the type itself
        path = ".".join(str(part) for part in fault["loc"] if part not in CATALOGUE)
        faults.append(f"{path}: {fault['msg']}" if path else fault["msg"])
    more = "" if len(faults) <= FAULTS_MAX else f" (and {len(faults) - FAULTS_MAX} more)"
    return InvalidInput(f"This {what} is not valid: {'; '.join(faults[:FAULTS_MAX])}{more}", faults=faults[:FAULTS_MAX])
