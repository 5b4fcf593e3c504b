"""The declarative base and the column types that every table shares."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.types import UserDefinedType

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

#: ``numeric(38,18)``: 20 integer digits and the 18 decimals of ether.
MONEY = sa.Numeric(38, 18, asdecimal=True)
INSTANT = sa.DateTime(timezone=True)


class Xid8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id, which never wraps around."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


type Id = Annotated[UUID, mapped_column(pg.UUID(as_uuid=True), primary_key=True)]
type Money = Annotated[Decimal, mapped_column(MONEY)]
type Instant = Annotated[datetime, mapped_column(INSTANT)]
type Created = Annotated[datetime, mapped_column(INSTANT, server_default=sa.func.now())]
type Json = Annotated[dict[str, Any], mapped_column(pg.JSONB)]


class Base(DeclarativeBase):
    """Base of every table."""

    metadata = sa.MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own declaration
        UUID: pg.UUID(as_uuid=True),
        Decimal: MONEY,
        datetime: INSTANT,
        dict[str, Any]: pg.JSONB,
        list[Any]: pg.JSONB,
        str: sa.Text,
        bytes: sa.LargeBinary,
        int: sa.Integer,
    }


def checked_enum(values: type[StrEnum]) -> sa.Enum:
    """A text column that the database holds to the values of ``values``."""
    return sa.Enum(
        values,
        native_enum=False,
        create_constraint=True,
        length=max(len(value) for value in values),
        values_callable=lambda members: [member.value for member in members],
        name=values.__name__.lower(),
    )
