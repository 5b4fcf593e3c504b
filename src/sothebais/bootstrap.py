"""The only place where parts are joined to engines and ports."""

import importlib

import sqlalchemy as sa

from sothebais.db.base import Base

#: Every module with tables; importing it registers them.
TABLE_MODULES = (
    "sothebais.users.tables",
    "sothebais.catalog.tables",
    "sothebais.campaigns.tables",
    "sothebais.auctions.tables",
    "sothebais.events.tables",
    "sothebais.agent.tables",
    "sothebais.notify.tables",
    "sothebais.social.tables",
    "sothebais.stream.tables",
)


def metadata() -> sa.MetaData:
    """The tables of the whole house."""
    for name in TABLE_MODULES:
        importlib.import_module(name)
    return Base.metadata
