"""The bodies of the HTTP API, one module per noun: for OpenAPI and for the TypeScript export.

Answers are built as plain dicts (``auctions.views`` and its like); tests hold every answer against these models.
Each module names its own in ``REQUESTS`` and ``ANSWERS``.
"""

from pydantic import BaseModel

from sothebais.api.models import (
    admin,
    agent_character,
    auctions,
    auth,
    base,
    campaigns,
    chat,
    clips,
    collections,
    events,
    me,
    notifications,
    settlement,
    stream,
    webhooks,
)

_MODULES = (
    base,
    auctions,
    auth,
    events,
    me,
    collections,
    campaigns,
    admin,
    settlement,
    chat,
    notifications,
    webhooks,
    stream,
    clips,
    agent_character,
)

REQUESTS: dict[str, type[BaseModel]] = {
    name: model for module in _MODULES for name, model in sorted(module.REQUESTS.items())
}
ANSWERS: dict[str, type[BaseModel]] = {
    name: model for module in _MODULES for name, model in sorted(module.ANSWERS.items())
}
