"""Sign-in: passkeys, recovery codes and what else proves a person."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_EMAIL = "uq_users_email"


def upgrade() -> None:
    op.add_column("users", sa.Column("totp_last_step", sa.BigInteger(), nullable=True))
    op.add_column("users", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_index(_EMAIL, table_name="users")
    op.create_index(
        _EMAIL,
        "users",
        [sa.text("lower(email)")],
        unique=True,
        postgresql_where=sa.text("password_hash is not null"),
    )
    op.create_check_constraint(
        op.f("ck_users_password_needs_email"), "users", "password_hash is null or email is not null"
    )
    op.add_column("sessions", sa.Column("user_agent", sa.Text(), nullable=True))
    op.add_column("nonces", sa.Column("tries", sa.Integer(), server_default="0", nullable=False))
    op.add_column("nonces", sa.Column("data", pg.JSONB(), server_default="{}", nullable=False))
    op.create_check_constraint(op.f("ck_nonces_tries_not_negative"), "nonces", "tries >= 0")
    op.create_index("ix_nonces_expires_at", "nonces", ["expires_at"])
    op.create_table(
        "passkeys",
        sa.Column("id", pg.UUID(as_uuid=True), nullable=False),
        sa.Column("user_id", pg.UUID(as_uuid=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("sign_count >= 0", name=op.f("ck_passkeys_sign_count_not_negative")),
        sa.CheckConstraint("char_length(name) between 1 and 80", name=op.f("ck_passkeys_name_length")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_passkeys_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkeys")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_passkeys_credential_id")),
    )
    op.create_index(op.f("ix_passkeys_user_id"), "passkeys", ["user_id"])
    op.create_table(
        "recovery_codes",
        sa.Column("id", pg.UUID(as_uuid=True), nullable=False),
        sa.Column("user_id", pg.UUID(as_uuid=True), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_recovery_codes_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_codes")),
        sa.UniqueConstraint("user_id", "code_hash", name=op.f("uq_recovery_codes_user_id_code_hash")),
    )
    op.create_table(
        "sign_in_failures",
        sa.Column("who", sa.LargeBinary(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("failures >= 1", name=op.f("ck_sign_in_failures_failures_positive")),
        sa.PrimaryKeyConstraint("who", name=op.f("pk_sign_in_failures")),
    )
    op.create_index("ix_sign_in_failures_last_at", "sign_in_failures", ["last_at"])


def downgrade() -> None:
    op.drop_table("sign_in_failures")
    op.drop_table("recovery_codes")
    op.drop_table("passkeys")
    op.drop_index("ix_nonces_expires_at", table_name="nonces")
    op.drop_constraint(op.f("ck_nonces_tries_not_negative"), "nonces")
    op.drop_column("nonces", "data")
    op.drop_column("nonces", "tries")
    op.drop_column("sessions", "user_agent")
    op.drop_constraint(op.f("ck_users_password_needs_email"), "users")
    op.drop_index(_EMAIL, table_name="users")
    # two people may have given the same address since; the older row keeps it
    op.execute("""
        update users u set email = null where exists
        (select 1 from users o where lower(o.email) = lower(u.email) and o.id < u.id)
    """)
    op.create_index(
        _EMAIL, "users", [sa.text("lower(email)")], unique=True, postgresql_where=sa.text("email is not null")
    )
    op.drop_column("users", "erased_at")
    op.drop_column("users", "totp_last_step")
