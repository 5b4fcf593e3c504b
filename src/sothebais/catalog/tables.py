"""Tables of the catalogue."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from sothebais.db.base import Base, Created, Id


class Collection(Base):
    """A project's collection; ``slug`` is its name in commands and addresses."""

    __tablename__ = "collections"
    __table_args__ = (
        sa.CheckConstraint("char_length(name) between 1 and 200", name="name_length"),
        sa.CheckConstraint("slug ~ '^[a-z0-9][a-z0-9-]{0,79}$'", name="slug_shape"),
        sa.CheckConstraint("royalty_percent is null or royalty_percent between 0 and 100", name="royalty_range"),
    )

    id: Mapped[Id]
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    project_name: Mapped[str | None]
    seller_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("users.id"))
    image: Mapped[str | None]
    contract_address: Mapped[str | None]
    blockchain: Mapped[str | None]
    royalty_percent: Mapped[Decimal | None]
    created_at: Mapped[Created]


class ArtItem(Base):
    """A piece: its ERC-721 metadata as it came and its image as the house keeps it (by content hash)."""

    __tablename__ = "art_items"
    __table_args__ = (
        sa.UniqueConstraint("collection_id", "token_id"),
        sa.CheckConstraint("char_length(name) between 1 and 200", name="name_length"),
        sa.CheckConstraint("char_length(token_id) between 1 and 78", name="token_id_length"),
        sa.CheckConstraint("asset_sha256 is null or octet_length(asset_sha256) = 32", name="asset_sha256_length"),
    )

    id: Mapped[Id]
    collection_id: Mapped[UUID] = mapped_column(sa.ForeignKey("collections.id", ondelete="CASCADE"))
    token_id: Mapped[str]
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    image: Mapped[str | None]
    animation_url: Mapped[str | None]
    # 'metadata' is SQLAlchemy's own name on a declarative class
    erc721: Mapped[dict[str, Any]] = mapped_column("metadata")
    position: Mapped[int]
    asset_path: Mapped[str | None]
    asset_sha256: Mapped[bytes | None]
    asset_media_type: Mapped[str | None]
    asset_width: Mapped[int | None]
    asset_height: Mapped[int | None]
    created_at: Mapped[Created]
