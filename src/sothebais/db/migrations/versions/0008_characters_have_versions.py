"""What a character's file held that the house does not use, and a character's versions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("characters", sa.Column("aside", pg.JSONB(), server_default="{}", nullable=False))
    op.create_table(
        "character_versions",
        sa.Column("character_id", pg.UUID(as_uuid=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", pg.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor", pg.UUID(as_uuid=True), nullable=True),
        sa.CheckConstraint("version >= 1", name=op.f("ck_character_versions_version_positive")),
        sa.PrimaryKeyConstraint("character_id", "version", name=op.f("pk_character_versions")),
        sa.ForeignKeyConstraint(
            ["character_id"],
            ["characters.id"],
            name=op.f("fk_character_versions_character_id_characters"),
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_memories_character_id_importance", "memories", ["character_id", "importance"])


def downgrade() -> None:
    op.drop_index("ix_memories_character_id_importance", "memories")
    op.drop_table("character_versions")
    op.drop_column("characters", "aside")
