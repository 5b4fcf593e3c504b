"""Tables of the host."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.orm import Mapped, mapped_column

from sothebais.db.base import Base, Created, Id, checked_enum


class MemoryKind(StrEnum):
    """SHORT_TERM is a bounded window of what was said; LONG_TERM is what a session was distilled to."""

    SHORT_TERM = "SHORT_TERM"
    LONG_TERM = "LONG_TERM"


class Character(Base):
    """Who the host is. One character is the house's default."""

    __tablename__ = "characters"
    __table_args__ = (
        sa.CheckConstraint("char_length(name) between 1 and 80", name="name_length"),
        sa.CheckConstraint("version >= 1", name="version_positive"),
        sa.CheckConstraint("expressions ? default_expression", name="default_expression_known"),
        sa.Index("uq_characters_is_default", "is_default", unique=True, postgresql_where=sa.text("is_default")),
    )

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    bio: Mapped[list[Any]] = mapped_column(server_default="[]")
    lore: Mapped[list[Any]] = mapped_column(server_default="[]")
    topics: Mapped[list[Any]] = mapped_column(server_default="[]")
    adjectives: Mapped[list[Any]] = mapped_column(server_default="[]")
    #: Lists of sentences under ``all``, ``chat`` and ``post``.
    style: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    message_examples: Mapped[list[Any]] = mapped_column(server_default="[]")
    post_examples: Mapped[list[Any]] = mapped_column(server_default="[]")
    voice: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    default_expression: Mapped[str] = mapped_column(server_default="neutral")
    #: Expression name to its asset and the moods it is worn in.
    expressions: Mapped[dict[str, Any]]
    backgrounds: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    props: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    #: What its file held that the house has no use for, kept to be written out again.
    aside: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    is_default: Mapped[bool] = mapped_column(server_default=sa.false())
    version: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[Created]
    updated_at: Mapped[datetime | None]


class CharacterVersion(Base):
    """A character as it was at a version, whole."""

    __tablename__ = "character_versions"
    __table_args__ = (sa.CheckConstraint("version >= 1", name="version_positive"),)

    character_id: Mapped[UUID] = mapped_column(sa.ForeignKey("characters.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    document: Mapped[dict[str, Any]]
    created_at: Mapped[Created]
    #: Null: the house made it.
    actor: Mapped[UUID | None]


class HostOptOut(Base):
    """Somebody whom the host does not answer until they speak to it by name again."""

    __tablename__ = "host_opt_outs"

    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    created_at: Mapped[Created]


class Memory(Base):
    """Something the host remembers, with the event it comes from.

    A memory about a user is recalled for that user only. The embedding is a plain array: similarity is computed in
    the service, so that no extension of PostgreSQL is needed.
    """

    __tablename__ = "memories"
    __table_args__ = (
        sa.CheckConstraint("user_id is not null or subject is not null", name="about_somebody_or_something"),
        sa.CheckConstraint("char_length(text) between 1 and 4000", name="text_length"),
        sa.CheckConstraint("importance between 0 and 1", name="importance_range"),
        sa.CheckConstraint("(embedding is null) = (embedding_model is null)", name="embedding_with_model"),
        sa.CheckConstraint("embedding is null or cardinality(embedding) between 1 and 8192", name="embedding_length"),
        sa.Index("ix_memories_character_id_user_id", "character_id", "user_id"),
        sa.Index("ix_memories_character_id_importance", "character_id", "importance"),
        sa.Index("ix_memories_character_id_subject", "character_id", "subject"),
    )

    id: Mapped[Id]
    character_id: Mapped[UUID] = mapped_column(sa.ForeignKey("characters.id", ondelete="CASCADE"))
    user_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    subject: Mapped[str | None]
    kind: Mapped[MemoryKind] = mapped_column(checked_enum(MemoryKind))
    text: Mapped[str]
    embedding: Mapped[list[float] | None] = mapped_column(pg.ARRAY(sa.REAL))
    embedding_model: Mapped[str | None]
    event_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("event_logs.id"))
    importance: Mapped[float] = mapped_column(sa.REAL, server_default="0.5")
    created_at: Mapped[Created]
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
