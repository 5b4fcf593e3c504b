"""Stored scenes, revision by revision, and what operators ask of a stream."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def _columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("scene_name", sa.Text(), nullable=True),
        sa.Column("scene_revision", sa.Integer(), nullable=True),
        sa.Column("scene_transition", sa.Text(), server_default="fade", nullable=False),
        sa.Column("scene_duration_ms", sa.Integer(), server_default="600", nullable=False),
        sa.Column("scene_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("slate_sentence", sa.Text(), nullable=True),
        sa.Column("slate_meaning", sa.Text(), server_default="", nullable=False),
        sa.Column("slate_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stop_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stop_cause", sa.Text(), nullable=True),
        sa.Column("stop_actor", pg.UUID(as_uuid=True), nullable=True),
    ]


_CHECKS = {
    "scene_whole": "(scene_name is null) = (scene_revision is null)",
    "scene_revision_not_negative": "scene_revision is null or scene_revision >= 0",
    "scene_transition_known": "scene_transition in ('cut','fade','slide','zoom')",
    "scene_duration_range": "scene_duration_ms between 0 and 5000",
    "slate_whole": "(slate_sentence is null) = (slate_at is null)",
    "stop_whole": "(stop_requested_at is null) = (stop_cause is null)",
}


def upgrade() -> None:
    for column in _columns():
        op.add_column("streams", column)
    for name, condition in _CHECKS.items():
        op.create_check_constraint(op.f(f"ck_streams_{name}"), "streams", condition)
    op.create_table(
        "stream_scenes",
        sa.Column("id", pg.UUID(as_uuid=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "orientation",
            sa.Enum("WIDE", "VERTICAL", name="orientation", native_enum=False, create_constraint=True, length=8),
            nullable=False,
        ),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("document", pg.JSONB(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor", pg.UUID(as_uuid=True), nullable=True),
        sa.CheckConstraint("name ~ '^[a-z0-9][a-z0-9_-]{0,63}$'", name=op.f("ck_stream_scenes_name_shape")),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_stream_scenes_revision_counts")),
        sa.CheckConstraint("octet_length(sha256) = 32", name=op.f("ck_stream_scenes_sha256_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stream_scenes")),
        sa.UniqueConstraint("name", "orientation", "revision", name=op.f("uq_stream_scenes_name_orientation_revision")),
    )
    op.execute("""
        create function refuse_scene_change() returns trigger language plpgsql as $$
        begin
          raise exception 'stream_scenes is append-only: % is refused', tg_op using errcode = 'insufficient_privilege';
        end $$
    """)
    op.execute("""
        create trigger stream_scenes_append_only before update or delete on stream_scenes
        for each row execute function refuse_scene_change()
    """)
    op.execute("""
        create trigger stream_scenes_no_truncate before truncate on stream_scenes
        for each statement execute function refuse_scene_change()
    """)


def downgrade() -> None:
    op.drop_table("stream_scenes")
    op.execute("drop function refuse_scene_change()")
    for name in _CHECKS:
        op.drop_constraint(op.f(f"ck_streams_{name}"), "streams", type_="check")
    for column in reversed(_columns()):
        op.drop_column("streams", column.name)
