"""Notifications, reminders and webhooks."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("user_preferences", sa.Column("by_email", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("user_preferences", sa.Column("asked_email", sa.Text(), nullable=True))
    op.add_column("user_preferences", sa.Column("confirmed_email", sa.Text(), nullable=True))
    op.alter_column("notifications", "event_id", nullable=True)
    op.add_column("notifications", sa.Column("reminds_of", sa.UUID(), nullable=True))
    op.add_column("notifications", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("ck_notifications_has_one_cause"), "notifications", "num_nonnulls(event_id, reminds_of) = 1"
    )
    op.create_unique_constraint(
        op.f("uq_notifications_user_id_reminds_of_kind_channel"),
        "notifications",
        ["user_id", "reminds_of", "kind", "channel"],
    )
    op.create_index(
        "ix_notifications_feed",
        "notifications",
        ["user_id", "id"],
        postgresql_where=sa.text("channel = 'IN_APP' and status = 'SENT'"),
    )
    op.create_table(
        "broadcasts",
        sa.Column("event_id", sa.UUID(), nullable=False),
        sa.Column("after_user_id", sa.UUID(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["event_id"], ["event_logs.id"], name=op.f("fk_broadcasts_event_id_event_logs")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_broadcasts")),
    )
    op.create_index("ix_broadcasts_waiting", "broadcasts", ["created_at"], postgresql_where=sa.text("done_at is null"))
    op.add_column("webhooks", sa.Column("previous_secret", sa.LargeBinary(), nullable=True))
    op.add_column("webhooks", sa.Column("previous_secret_until", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("ck_webhooks_previous_secret_has_an_end"),
        "webhooks",
        "(previous_secret is null) = (previous_secret_until is null)",
    )
    op.create_index("ix_webhook_deliveries_webhook_id_id", "webhook_deliveries", ["webhook_id", "id"])
    op.create_index(
        "ix_webhook_deliveries_waiting",
        "webhook_deliveries",
        ["webhook_id"],
        postgresql_where=sa.text("status = 'PENDING'"),
    )


def downgrade() -> None:
    op.drop_index("ix_webhook_deliveries_waiting", table_name="webhook_deliveries")
    op.drop_index("ix_webhook_deliveries_webhook_id_id", table_name="webhook_deliveries")
    op.drop_constraint(op.f("ck_webhooks_previous_secret_has_an_end"), "webhooks")
    op.drop_column("webhooks", "previous_secret_until")
    op.drop_column("webhooks", "previous_secret")
    op.drop_index("ix_broadcasts_waiting", table_name="broadcasts")
    op.drop_table("broadcasts")
    op.drop_index("ix_notifications_feed", table_name="notifications")
    op.drop_constraint(op.f("uq_notifications_user_id_reminds_of_kind_channel"), "notifications")
    op.drop_constraint(op.f("ck_notifications_has_one_cause"), "notifications")
    # reminders have no event; the older schema cannot hold them
    op.execute("delete from notifications where event_id is null")
    op.drop_column("notifications", "expires_at")
    op.drop_column("notifications", "reminds_of")
    op.alter_column("notifications", "event_id", nullable=False)
    op.drop_column("user_preferences", "confirmed_email")
    op.drop_column("user_preferences", "asked_email")
    op.drop_column("user_preferences", "by_email")
