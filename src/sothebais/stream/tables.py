"""Tables of the show."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from sothebais.db.base import Base, Created, Id, checked_enum


class StreamStatus(StrEnum):
    """STARTING → LIVE ⇄ SLATE → ENDED, or FAILED when it could not be kept up."""

    STARTING = "STARTING"
    LIVE = "LIVE"
    SLATE = "SLATE"
    ENDED = "ENDED"
    FAILED = "FAILED"


class AssetType(StrEnum):
    """What a file is for; each type has its folder (``docs/schema.md``)."""

    BACKGROUND = "BACKGROUND"
    OVERLAY = "OVERLAY"
    NFT = "NFT"
    EXPRESSION = "EXPRESSION"
    CHARACTER_BACKGROUND = "CHARACTER_BACKGROUND"
    PROP = "PROP"
    AUDIO = "AUDIO"


class Orientation(StrEnum):
    """Which way a scene's canvas lies."""

    WIDE = "WIDE"
    VERTICAL = "VERTICAL"


class Stream(Base):
    """One broadcast. ``outputs`` names its targets without their keys; ``summary`` is filled at its end.

    ``scene`` is what the stream-manager has on air. What operators ask for stands in the columns behind it: a scene of
    their own (none: the scene follows the auction), a slate, the end.
    """

    __tablename__ = "streams"
    __table_args__ = (
        sa.CheckConstraint("width >= 2 and height >= 2 and width % 2 = 0 and height % 2 = 0", name="canvas_even"),
        sa.CheckConstraint("fps between 1 and 120", name="fps_range"),
        sa.CheckConstraint("(ended_at is not null) = (status in ('ENDED','FAILED'))", name="end_when_over"),
        sa.CheckConstraint("ended_at is null or started_at is null or ended_at >= started_at", name="times_in_order"),
        sa.CheckConstraint("(scene_name is null) = (scene_revision is null)", name="scene_whole"),
        sa.CheckConstraint("scene_revision is null or scene_revision >= 0", name="scene_revision_not_negative"),
        sa.CheckConstraint("scene_transition in ('cut','fade','slide','zoom')", name="scene_transition_known"),
        sa.CheckConstraint("scene_duration_ms between 0 and 5000", name="scene_duration_range"),
        sa.CheckConstraint("(slate_sentence is null) = (slate_at is null)", name="slate_whole"),
        sa.CheckConstraint("(stop_requested_at is null) = (stop_cause is null)", name="stop_whole"),
        sa.CheckConstraint("frames >= 0 and dropped_frames >= 0 and peak_viewers >= 0", name="counts_not_negative"),
        # two broadcasts of one session would show two truths
        sa.Index(
            "uq_streams_campaign_day_id_running",
            "campaign_day_id",
            unique=True,
            postgresql_where=sa.text("ended_at is null"),
        ),
    )

    id: Mapped[Id]
    campaign_day_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("campaign_days.id"), index=True)
    title: Mapped[str] = mapped_column(server_default="")
    status: Mapped[StreamStatus] = mapped_column(checked_enum(StreamStatus), server_default=StreamStatus.STARTING)
    width: Mapped[int]
    height: Mapped[int]
    fps: Mapped[int]
    scene: Mapped[dict[str, Any]]
    outputs: Mapped[list[Any]] = mapped_column(server_default="[]")
    created_at: Mapped[Created]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    frames: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    dropped_frames: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    peak_viewers: Mapped[int] = mapped_column(server_default="0")
    summary: Mapped[dict[str, Any] | None]
    scene_name: Mapped[str | None]
    scene_revision: Mapped[int | None]
    scene_transition: Mapped[str] = mapped_column(server_default="fade")
    scene_duration_ms: Mapped[int] = mapped_column(server_default="600")
    scene_at: Mapped[datetime | None]
    slate_sentence: Mapped[str | None]
    slate_meaning: Mapped[str] = mapped_column(server_default="")
    slate_at: Mapped[datetime | None]
    stop_requested_at: Mapped[datetime | None]
    stop_cause: Mapped[str | None]
    # who asked; no foreign key, as the log has ids too when somebody is gone
    stop_actor: Mapped[UUID | None]


class StreamScene(Base):
    """One revision of a scene. Rows are only added: what was on air can be drawn again.

    ``document`` is the scene whole, with every default as it was; ``sha256`` is that of its canonical JSON. A scene
    with the name of a built-in one is shown in its place.
    """

    __tablename__ = "stream_scenes"
    __table_args__ = (
        sa.UniqueConstraint("name", "orientation", "revision"),
        sa.CheckConstraint("name ~ '^[a-z0-9][a-z0-9_-]{0,63}$'", name="name_shape"),
        sa.CheckConstraint("revision >= 1", name="revision_counts"),
        sa.CheckConstraint("octet_length(sha256) = 32", name="sha256_length"),
    )

    id: Mapped[Id]
    name: Mapped[str]
    orientation: Mapped[Orientation] = mapped_column(checked_enum(Orientation))
    revision: Mapped[int]
    document: Mapped[dict[str, Any]]
    sha256: Mapped[bytes]
    created_at: Mapped[Created]
    actor: Mapped[UUID | None]


class StreamAsset(Base):
    """A file of the show, stored by the SHA-256 of its content. ``path`` is relative to the asset store."""

    __tablename__ = "stream_assets"
    __table_args__ = (
        sa.UniqueConstraint("type", "name"),
        sa.Index("ix_stream_assets_sha256", "sha256"),
        sa.CheckConstraint("char_length(name) between 1 and 200", name="name_length"),
        sa.CheckConstraint("octet_length(sha256) = 32", name="sha256_length"),
        sa.CheckConstraint("size > 0", name="size_positive"),
        sa.CheckConstraint("path !~ '(^/|(^|/)[.][.](/|$))'", name="path_inside_store"),
        sa.CheckConstraint("(width is null) = (height is null)", name="both_sides_or_none"),
        sa.CheckConstraint("width is null or (width > 0 and height > 0)", name="sides_positive"),
    )

    id: Mapped[Id]
    name: Mapped[str]
    type: Mapped[AssetType] = mapped_column(checked_enum(AssetType))
    path: Mapped[str]
    sha256: Mapped[bytes]
    size: Mapped[int] = mapped_column(sa.BigInteger)
    media_type: Mapped[str]
    width: Mapped[int | None]
    height: Mapped[int | None]
    # 'metadata' is SQLAlchemy's own name on a declarative class
    details: Mapped[dict[str, Any]] = mapped_column("metadata", server_default="{}")
    created_at: Mapped[Created]
