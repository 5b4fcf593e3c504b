"""Invoices, approvals and the room chat."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_STATUS = "settlementstatus"
_BEFORE = ("INVOICED", "PAID", "DELIVERED", "SETTLED", "EXPIRED")


def _statuses(values: tuple[str, ...]) -> str:
    return f"status in ({', '.join(repr(value) for value in values)})"


def upgrade() -> None:
    op.drop_constraint(_STATUS, "settlements", type_="check")
    op.create_check_constraint(_STATUS, "settlements", _statuses(("OFFERED", *_BEFORE)))
    op.add_column("settlements", sa.Column("runner_up", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("settlements", sa.Column("number", sa.Text(), nullable=True))
    op.add_column("settlements", sa.Column("invoice", pg.JSONB(), nullable=True))
    for name in ("invoiced_at", "paid_at", "delivered_at"):
        op.add_column("settlements", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.create_unique_constraint(op.f("uq_settlements_number"), "settlements", ["number"])
    op.create_check_constraint(
        op.f("ck_settlements_numbered_invoice"), "settlements", "(number is null) = (invoice is null)"
    )
    op.create_check_constraint(
        op.f("ck_settlements_invoiced_has_number"),
        "settlements",
        "status in ('OFFERED','EXPIRED') or number is not null",
    )
    op.create_index(
        "uq_settlements_auction_id_open",
        "settlements",
        ["auction_id"],
        unique=True,
        postgresql_where=sa.text("status <> 'EXPIRED'"),
    )
    op.create_index(
        "ix_settlements_due",
        "settlements",
        ["due_at"],
        postgresql_where=sa.text("status in ('OFFERED','INVOICED')"),
    )
    op.create_table(
        "settlement_steps",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("settlement_id", sa.UUID(), nullable=False),
        sa.Column(
            "step",
            sa.Enum(
                "OFFER",
                "INVOICE",
                "PAY",
                "DELIVER",
                "SETTLE",
                "EXPIRE",
                name="settlementstep",
                native_enum=False,
                create_constraint=True,
            ),
            nullable=False,
        ),
        sa.Column("actor_id", sa.UUID(), nullable=True),
        sa.Column("approver_id", sa.UUID(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("approver_id <> actor_id", name=op.f("ck_settlement_steps_approved_by_another")),
        sa.CheckConstraint(
            "approver_id is null or done_at is not null", name=op.f("ck_settlement_steps_approved_is_done")
        ),
        sa.CheckConstraint("char_length(reason) <= 500", name=op.f("ck_settlement_steps_reason_length")),
        sa.CheckConstraint("char_length(reference) <= 200", name=op.f("ck_settlement_steps_reference_length")),
        sa.ForeignKeyConstraint(
            ["settlement_id"],
            ["settlements.id"],
            name=op.f("fk_settlement_steps_settlement_id_settlements"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["actor_id"], ["users.id"], name=op.f("fk_settlement_steps_actor_id_users")),
        sa.ForeignKeyConstraint(["approver_id"], ["users.id"], name=op.f("fk_settlement_steps_approver_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_steps")),
        sa.UniqueConstraint("settlement_id", "step", name=op.f("uq_settlement_steps_settlement_id_step")),
    )
    op.create_table(
        "invoice_numbers",
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.CheckConstraint("last >= 1", name=op.f("ck_invoice_numbers_last_positive")),
        sa.PrimaryKeyConstraint("year", name=op.f("pk_invoice_numbers")),
    )
    op.add_column("chat_messages", sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False))
    op.create_index("ix_chat_messages_auction_id_number", "chat_messages", ["auction_id", "number"])
    op.create_table(
        "chat_rooms",
        sa.Column("auction_id", sa.UUID(), nullable=False),
        sa.Column("slow_s", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("slow_s between 0 and 3600", name=op.f("ck_chat_rooms_slow_range")),
        sa.ForeignKeyConstraint(
            ["auction_id"], ["auctions.id"], name=op.f("fk_chat_rooms_auction_id_auctions"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("auction_id", name=op.f("pk_chat_rooms")),
    )
    op.create_table(
        "chat_mutes",
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by_id", sa.UUID(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("until > created_at", name=op.f("ck_chat_mutes_until_later")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_chat_mutes_user_id_users"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["by_id"], ["users.id"], name=op.f("fk_chat_mutes_by_id_users"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_chat_mutes")),
    )


def downgrade() -> None:
    op.drop_table("chat_mutes")
    op.drop_table("chat_rooms")
    op.drop_index("ix_chat_messages_auction_id_number", table_name="chat_messages")
    op.drop_column("chat_messages", "number")
    op.drop_table("invoice_numbers")
    op.drop_table("settlement_steps")
    op.drop_index("ix_settlements_due", table_name="settlements")
    op.drop_index("uq_settlements_auction_id_open", table_name="settlements")
    op.drop_constraint(op.f("ck_settlements_invoiced_has_number"), "settlements", type_="check")
    op.drop_constraint(op.f("ck_settlements_numbered_invoice"), "settlements", type_="check")
    op.drop_constraint(op.f("uq_settlements_number"), "settlements", type_="unique")
    for name in ("delivered_at", "paid_at", "invoiced_at", "invoice", "number", "runner_up"):
        op.drop_column("settlements", name)
    # an offer nobody has accepted has no place in the older schema
    op.execute("delete from settlements where status = 'OFFERED'")
    op.drop_constraint(_STATUS, "settlements", type_="check")
    op.create_check_constraint(_STATUS, "settlements", _statuses(_BEFORE))
