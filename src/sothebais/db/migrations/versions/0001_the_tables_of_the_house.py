"""The tables of the house"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from sothebais.db.base import Xid8

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "characters",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("bio", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column("lore", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column("topics", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column("adjectives", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column("style", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("message_examples", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column("post_examples", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column("voice", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("default_expression", sa.Text(), server_default="neutral", nullable=False),
        sa.Column("expressions", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("backgrounds", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("props", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("is_default", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("char_length(name) between 1 and 80", name=op.f("ck_characters_name_length")),
        sa.CheckConstraint("expressions ? default_expression", name=op.f("ck_characters_default_expression_known")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_characters_version_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_characters")),
        sa.UniqueConstraint("name", name=op.f("uq_characters_name")),
    )
    op.create_index(
        "uq_characters_is_default", "characters", ["is_default"], unique=True, postgresql_where=sa.text("is_default")
    )
    op.create_table(
        "event_cursors",
        sa.Column("consumer", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("xid", Xid8(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("consumer", name=op.f("pk_event_cursors")),
    )
    op.create_table(
        "event_logs",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=True),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), server_default="1.0", nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.UUID(), nullable=True),
        sa.Column("causation_id", sa.UUID(), nullable=True),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("prev_hash", sa.LargeBinary(), nullable=True),
        sa.Column("hash", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("(n is null) = (hash is null)", name=op.f("ck_event_logs_chained_when_numbered")),
        sa.CheckConstraint("n is null or n >= 1", name=op.f("ck_event_logs_n_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_logs")),
        sa.UniqueConstraint("subject", "n", name=op.f("uq_event_logs_subject_n")),
    )
    op.create_index("ix_event_logs_epoch_xid_seq", "event_logs", ["epoch", "xid", "seq"], unique=True)
    op.create_table(
        "log_epochs",
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("epoch", name=op.f("pk_log_epochs")),
    )
    op.create_table(
        "service_pulses",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_service_pulses")),
    )
    op.create_table(
        "stream_assets",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "type",
            sa.Enum(
                "BACKGROUND",
                "OVERLAY",
                "NFT",
                "EXPRESSION",
                "CHARACTER_BACKGROUND",
                "PROP",
                "AUDIO",
                name="assettype",
                native_enum=False,
                create_constraint=True,
            ),
            nullable=False,
        ),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("metadata", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("path !~ '(^/|(^|/)[.][.](/|$))'", name=op.f("ck_stream_assets_path_inside_store")),
        sa.CheckConstraint("(width is null) = (height is null)", name=op.f("ck_stream_assets_both_sides_or_none")),
        sa.CheckConstraint("char_length(name) between 1 and 200", name=op.f("ck_stream_assets_name_length")),
        sa.CheckConstraint("octet_length(sha256) = 32", name=op.f("ck_stream_assets_sha256_length")),
        sa.CheckConstraint("size > 0", name=op.f("ck_stream_assets_size_positive")),
        sa.CheckConstraint("width is null or (width > 0 and height > 0)", name=op.f("ck_stream_assets_sides_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stream_assets")),
        sa.UniqueConstraint("type", "name", name=op.f("uq_stream_assets_type_name")),
    )
    op.create_index("ix_stream_assets_sha256", "stream_assets", ["sha256"], unique=False)
    op.create_table(
        "users",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("avatar", sa.Text(), nullable=True),
        sa.Column(
            "role",
            sa.Enum(
                "VIEWER", "BIDDER", "OWNER", "OPERATOR", "ADMIN", name="role", native_enum=False, create_constraint=True
            ),
            server_default="BIDDER",
            nullable=False,
        ),
        sa.Column("blocked", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("totp_secret", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("email is null or position('@' in email) > 1", name=op.f("ck_users_email_shape")),
        sa.CheckConstraint(
            "password_hash is null or role in ('OPERATOR','ADMIN')", name=op.f("ck_users_password_staff_only")
        ),
        sa.CheckConstraint(
            "totp_secret is null or role in ('OPERATOR','ADMIN')", name=op.f("ck_users_totp_staff_only")
        ),
        sa.CheckConstraint("char_length(name) between 1 and 80", name=op.f("ck_users_name_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_index(
        "uq_users_email",
        "users",
        [sa.literal_column("lower(email)")],
        unique=True,
        postgresql_where=sa.text("email is not null"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_api_keys_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
    )
    op.create_index(op.f("ix_api_keys_user_id"), "api_keys", ["user_id"], unique=False)
    op.create_table(
        "collections",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("project_name", sa.Text(), nullable=True),
        sa.Column("seller_id", sa.UUID(), nullable=True),
        sa.Column("image", sa.Text(), nullable=True),
        sa.Column("contract_address", sa.Text(), nullable=True),
        sa.Column("blockchain", sa.Text(), nullable=True),
        sa.Column("royalty_percent", sa.Numeric(precision=38, scale=18), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("slug ~ '^[a-z0-9][a-z0-9-]{0,79}$'", name=op.f("ck_collections_slug_shape")),
        sa.CheckConstraint("char_length(name) between 1 and 200", name=op.f("ck_collections_name_length")),
        sa.CheckConstraint(
            "royalty_percent is null or royalty_percent between 0 and 100", name=op.f("ck_collections_royalty_range")
        ),
        sa.ForeignKeyConstraint(["seller_id"], ["users.id"], name=op.f("fk_collections_seller_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collections")),
        sa.UniqueConstraint("slug", name=op.f("uq_collections_slug")),
    )
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("consumer", sa.Text(), nullable=False),
        sa.Column("event_id", sa.UUID(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("replayed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["event_id"], ["event_logs.id"], name=op.f("fk_dead_letters_event_id_event_logs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letters")),
        sa.UniqueConstraint("consumer", "event_id", name=op.f("uq_dead_letters_consumer_event_id")),
    )
    op.create_table(
        "memories",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("character_id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column(
            "kind",
            sa.Enum("SHORT_TERM", "LONG_TERM", name="memorykind", native_enum=False, create_constraint=True),
            nullable=False,
        ),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("embedding", postgresql.ARRAY(sa.REAL()), nullable=True),
        sa.Column("embedding_model", sa.Text(), nullable=True),
        sa.Column("event_id", sa.UUID(), nullable=True),
        sa.Column("importance", sa.REAL(), server_default="0.5", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(embedding is null) = (embedding_model is null)", name=op.f("ck_memories_embedding_with_model")
        ),
        sa.CheckConstraint("char_length(text) between 1 and 4000", name=op.f("ck_memories_text_length")),
        sa.CheckConstraint(
            "embedding is null or cardinality(embedding) between 1 and 8192", name=op.f("ck_memories_embedding_length")
        ),
        sa.CheckConstraint("importance between 0 and 1", name=op.f("ck_memories_importance_range")),
        sa.CheckConstraint(
            "user_id is not null or subject is not null", name=op.f("ck_memories_about_somebody_or_something")
        ),
        sa.ForeignKeyConstraint(
            ["character_id"], ["characters.id"], name=op.f("fk_memories_character_id_characters"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["event_id"], ["event_logs.id"], name=op.f("fk_memories_event_id_event_logs")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_memories_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_memories")),
    )
    op.create_index("ix_memories_character_id_subject", "memories", ["character_id", "subject"], unique=False)
    op.create_index("ix_memories_character_id_user_id", "memories", ["character_id", "user_id"], unique=False)
    op.create_table(
        "nonces",
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_nonces_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("value", name=op.f("pk_nonces")),
    )
    op.create_table(
        "push_subscriptions",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("p256dh", sa.LargeBinary(), nullable=False),
        sa.Column("auth", sa.LargeBinary(), nullable=False),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("endpoint like 'https://%'", name=op.f("ck_push_subscriptions_endpoint_https")),
        sa.CheckConstraint("octet_length(auth) = 16", name=op.f("ck_push_subscriptions_auth_length")),
        sa.CheckConstraint("octet_length(p256dh) = 65", name=op.f("ck_push_subscriptions_p256dh_length")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_push_subscriptions_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push_subscriptions")),
        sa.UniqueConstraint("endpoint", name=op.f("uq_push_subscriptions_endpoint")),
    )
    op.create_index(op.f("ix_push_subscriptions_user_id"), "push_subscriptions", ["user_id"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("expires_at > created_at", name=op.f("ck_sessions_expires_later")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sessions_token_hash")),
    )
    op.create_index(op.f("ix_sessions_user_id"), "sessions", ["user_id"], unique=False)
    op.create_table(
        "social_accounts",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("platform_user_id", sa.Text(), nullable=False),
        sa.Column("handle", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_social_accounts_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_social_accounts")),
        sa.UniqueConstraint("platform", "platform_user_id", name=op.f("uq_social_accounts_platform_platform_user_id")),
    )
    op.create_index(op.f("ix_social_accounts_user_id"), "social_accounts", ["user_id"], unique=False)
    op.create_table(
        "user_preferences",
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("notifications", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("bid_confirmations", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("outbid_alerts", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("auction_reminders", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column(
            "theme",
            sa.Enum("system", "light", "dark", name="theme", native_enum=False, create_constraint=True),
            server_default="system",
            nullable=False,
        ),
        sa.Column("time_zone", sa.Text(), server_default="UTC", nullable=False),
        sa.Column("locale", sa.Text(), server_default="en", nullable=False),
        sa.Column("quiet_hours", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_user_preferences_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_user_preferences")),
    )
    op.create_table(
        "wallets",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_wallets_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wallets")),
        sa.UniqueConstraint("chain", "address", name=op.f("uq_wallets_chain_address")),
    )
    op.create_index(op.f("ix_wallets_user_id"), "wallets", ["user_id"], unique=False)
    op.create_table(
        "webhooks",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column(
            "format",
            sa.Enum("STANDARD", "DISCORD", name="webhookformat", native_enum=False, create_constraint=True),
            server_default="STANDARD",
            nullable=False,
        ),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("event_types", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("url ~ '^https?://'", name=op.f("ck_webhooks_url_http")),
        sa.CheckConstraint("failures >= 0", name=op.f("ck_webhooks_failures_not_negative")),
        sa.CheckConstraint("octet_length(secret) between 24 and 64", name=op.f("ck_webhooks_secret_length")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_webhooks_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
        sa.UniqueConstraint("user_id", "url", name=op.f("uq_webhooks_user_id_url")),
    )
    op.create_table(
        "art_items",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("collection_id", sa.UUID(), nullable=False),
        sa.Column("token_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("image", sa.Text(), nullable=True),
        sa.Column("animation_url", sa.Text(), nullable=True),
        sa.Column("metadata", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("asset_path", sa.Text(), nullable=True),
        sa.Column("asset_sha256", sa.LargeBinary(), nullable=True),
        sa.Column("asset_media_type", sa.Text(), nullable=True),
        sa.Column("asset_width", sa.Integer(), nullable=True),
        sa.Column("asset_height", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "asset_sha256 is null or octet_length(asset_sha256) = 32", name=op.f("ck_art_items_asset_sha256_length")
        ),
        sa.CheckConstraint("char_length(name) between 1 and 200", name=op.f("ck_art_items_name_length")),
        sa.CheckConstraint("char_length(token_id) between 1 and 78", name=op.f("ck_art_items_token_id_length")),
        sa.ForeignKeyConstraint(
            ["collection_id"],
            ["collections.id"],
            name=op.f("fk_art_items_collection_id_collections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_art_items")),
        sa.UniqueConstraint("collection_id", "token_id", name=op.f("uq_art_items_collection_id_token_id")),
    )
    op.create_table(
        "campaigns",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("collection_id", sa.UUID(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "DRAFT",
                "SCHEDULED",
                "ACTIVE",
                "COMPLETED",
                "CANCELLED",
                name="campaignstatus",
                native_enum=False,
                create_constraint=True,
            ),
            server_default="DRAFT",
            nullable=False,
        ),
        sa.Column("rules", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("daily", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("premium_percent", sa.Numeric(precision=38, scale=18), server_default="0", nullable=False),
        sa.Column("fee", sa.Numeric(precision=38, scale=18), server_default="0", nullable=False),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("slug ~ '^[a-z0-9][a-z0-9-]{0,79}$'", name=op.f("ck_campaigns_slug_shape")),
        sa.CheckConstraint("ends_on >= starts_on", name=op.f("ck_campaigns_dates_in_order")),
        sa.CheckConstraint("fee >= 0", name=op.f("ck_campaigns_fee_not_negative")),
        sa.CheckConstraint("premium_percent between 0 and 100", name=op.f("ck_campaigns_premium_range")),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name=op.f("fk_campaigns_collection_id_collections")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
        sa.UniqueConstraint("slug", name=op.f("uq_campaigns_slug")),
    )
    op.create_index(op.f("ix_campaigns_collection_id"), "campaigns", ["collection_id"], unique=False)
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("webhook_id", sa.UUID(), nullable=False),
        sa.Column("event_id", sa.UUID(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "PENDING",
                "SENT",
                "FAILED",
                "SUPPRESSED",
                name="deliverystatus",
                native_enum=False,
                create_constraint=True,
            ),
            server_default="PENDING",
            nullable=False,
        ),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("response_status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(delivered_at is not null) = (status = 'SENT')", name=op.f("ck_webhook_deliveries_time_when_sent")
        ),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_webhook_deliveries_attempts_not_negative")),
        sa.CheckConstraint(
            "response_status is null or response_status between 100 and 599",
            name=op.f("ck_webhook_deliveries_response_status_range"),
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["event_logs.id"], name=op.f("fk_webhook_deliveries_event_id_event_logs")
        ),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("fk_webhook_deliveries_webhook_id_webhooks"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint("webhook_id", "event_id", name=op.f("uq_webhook_deliveries_webhook_id_event_id")),
    )
    op.create_index(
        "ix_webhook_deliveries_due",
        "webhook_deliveries",
        ["next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("status = 'PENDING'"),
    )
    op.create_table(
        "campaign_days",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("campaign_id", sa.UUID(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("pre_auction_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("auction_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("post_auction_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "SCHEDULED",
                "PRE_AUCTION",
                "AUCTION",
                "POST_AUCTION",
                "COMPLETED",
                "CANCELLED",
                name="daystatus",
                native_enum=False,
                create_constraint=True,
            ),
            server_default="SCHEDULED",
            nullable=False,
        ),
        sa.Column("stream_key", sa.LargeBinary(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("number >= 1", name=op.f("ck_campaign_days_number_positive")),
        sa.CheckConstraint(
            "pre_auction_at <= auction_at and auction_at <= post_auction_at and post_auction_at <= ends_at",
            name=op.f("ck_campaign_days_stages_in_order"),
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_campaign_days_campaign_id_campaigns"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_days")),
        sa.UniqueConstraint("campaign_id", "date", name=op.f("uq_campaign_days_campaign_id_date")),
        sa.UniqueConstraint("campaign_id", "number", name=op.f("uq_campaign_days_campaign_id_number")),
    )
    op.create_table(
        "auctions",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("campaign_day_id", sa.UUID(), nullable=True),
        sa.Column("art_item_id", sa.UUID(), nullable=False),
        sa.Column("lot_number", sa.Integer(), nullable=False),
        sa.Column("opens_after_id", sa.UUID(), nullable=True),
        sa.Column(
            "format",
            sa.Enum(
                "ENGLISH",
                "DUTCH",
                "SEALED_FIRST_PRICE",
                "SEALED_SECOND_PRICE",
                name="format",
                native_enum=False,
                create_constraint=True,
            ),
            nullable=False,
        ),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("starting_price", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("terms", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("seller_id", sa.UUID(), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hard_close_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("extension_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closing_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "SCHEDULED",
                "ACTIVE",
                "PAUSED",
                "CLOSING",
                "ENDED",
                "SETTLED",
                "CANCELLED",
                name="status",
                native_enum=False,
                create_constraint=True,
            ),
            server_default="SCHEDULED",
            nullable=False,
        ),
        sa.Column(
            "outcome",
            sa.Enum("SOLD", "PASSED", name="outcome", native_enum=False, create_constraint=True),
            nullable=True,
        ),
        sa.Column("leader_id", sa.UUID(), nullable=True),
        sa.Column("leading_bid_id", sa.UUID(), nullable=True),
        sa.Column("price", sa.Numeric(precision=38, scale=18), nullable=True),
        sa.Column("previous_price", sa.Numeric(precision=38, scale=18), nullable=True),
        sa.Column("rival_maximum", sa.Numeric(precision=38, scale=18), nullable=True),
        sa.Column("reserve_met", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("unopened", postgresql.ARRAY(sa.UUID()), server_default="{}", nullable=False),
        sa.Column("bid_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_number", sa.Integer(), server_default="0", nullable=False),
        sa.Column("log_n", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("log_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(outcome is not null) = (status in ('ENDED','SETTLED'))", name=op.f("ck_auctions_outcome_when_ended")
        ),
        sa.CheckConstraint(
            "outcome is distinct from 'SOLD' or (leader_id is not null and leading_bid_id is not null and price is not null)",
            name=op.f("ck_auctions_sold_to_somebody"),
        ),
        sa.CheckConstraint(
            "bid_count >= 0 and extension_count >= 0 and log_n >= 0", name=op.f("ck_auctions_counts_not_negative")
        ),
        sa.CheckConstraint("lot_number >= 1", name=op.f("ck_auctions_lot_number_positive")),
        sa.CheckConstraint("octet_length(log_hash) = 32", name=op.f("ck_auctions_log_hash_length")),
        sa.CheckConstraint("price is null or price > 0", name=op.f("ck_auctions_price_positive")),
        sa.CheckConstraint("starting_price > 0", name=op.f("ck_auctions_starting_price_positive")),
        sa.CheckConstraint("starts_at < ends_at and ends_at <= hard_close_at", name=op.f("ck_auctions_times_in_order")),
        sa.ForeignKeyConstraint(["art_item_id"], ["art_items.id"], name=op.f("fk_auctions_art_item_id_art_items")),
        sa.ForeignKeyConstraint(
            ["campaign_day_id"], ["campaign_days.id"], name=op.f("fk_auctions_campaign_day_id_campaign_days")
        ),
        sa.ForeignKeyConstraint(["leader_id"], ["users.id"], name=op.f("fk_auctions_leader_id_users")),
        sa.ForeignKeyConstraint(["opens_after_id"], ["auctions.id"], name=op.f("fk_auctions_opens_after_id_auctions")),
        sa.ForeignKeyConstraint(["seller_id"], ["users.id"], name=op.f("fk_auctions_seller_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_auctions")),
        sa.UniqueConstraint("campaign_day_id", "lot_number", name=op.f("uq_auctions_campaign_day_id_lot_number")),
    )
    op.create_index(op.f("ix_auctions_art_item_id"), "auctions", ["art_item_id"], unique=False)
    op.create_index("ix_auctions_status_starts_at", "auctions", ["status", "starts_at"], unique=False)
    op.create_index(
        "uq_auctions_leading_bid_id",
        "auctions",
        ["leading_bid_id"],
        unique=True,
        postgresql_where=sa.text("leading_bid_id is not null"),
    )
    op.create_table(
        "streams",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("campaign_day_id", sa.UUID(), nullable=True),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "STARTING",
                "LIVE",
                "SLATE",
                "ENDED",
                "FAILED",
                name="streamstatus",
                native_enum=False,
                create_constraint=True,
            ),
            server_default="STARTING",
            nullable=False,
        ),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("fps", sa.Integer(), nullable=False),
        sa.Column("scene", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("outputs", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("frames", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("dropped_frames", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("peak_viewers", sa.Integer(), server_default="0", nullable=False),
        sa.Column("summary", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.CheckConstraint(
            "(ended_at is not null) = (status in ('ENDED','FAILED'))", name=op.f("ck_streams_end_when_over")
        ),
        sa.CheckConstraint(
            "ended_at is null or started_at is null or ended_at >= started_at", name=op.f("ck_streams_times_in_order")
        ),
        sa.CheckConstraint("fps between 1 and 120", name=op.f("ck_streams_fps_range")),
        sa.CheckConstraint(
            "frames >= 0 and dropped_frames >= 0 and peak_viewers >= 0", name=op.f("ck_streams_counts_not_negative")
        ),
        sa.CheckConstraint(
            "width >= 2 and height >= 2 and width % 2 = 0 and height % 2 = 0", name=op.f("ck_streams_canvas_even")
        ),
        sa.ForeignKeyConstraint(
            ["campaign_day_id"], ["campaign_days.id"], name=op.f("fk_streams_campaign_day_id_campaign_days")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_streams")),
    )
    op.create_index(op.f("ix_streams_campaign_day_id"), "streams", ["campaign_day_id"], unique=False)
    op.create_index(
        "uq_streams_campaign_day_id_running",
        "streams",
        ["campaign_day_id"],
        unique=True,
        postgresql_where=sa.text("ended_at is null"),
    )
    op.create_table(
        "auction_secrets",
        sa.Column("auction_id", sa.UUID(), nullable=False),
        sa.Column("reserve", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("octet_length(salt) = 32", name=op.f("ck_auction_secrets_salt_length")),
        sa.CheckConstraint("reserve > 0", name=op.f("ck_auction_secrets_reserve_positive")),
        sa.ForeignKeyConstraint(
            ["auction_id"], ["auctions.id"], name=op.f("fk_auction_secrets_auction_id_auctions"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("auction_id", name=op.f("pk_auction_secrets")),
    )
    op.create_table(
        "bids",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("auction_id", sa.UUID(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("event_n", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=38, scale=18), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "PENDING", "ACCEPTED", "REJECTED", "VOIDED", name="bidstatus", native_enum=False, create_constraint=True
            ),
            nullable=False,
        ),
        sa.Column(
            "reason",
            sa.Enum(
                "CANCELLED",
                "NOT_STARTED",
                "PAUSED",
                "ENDED",
                "BLOCKED",
                "SELLER",
                "WALLET_REQUIRED",
                "DEPOSIT_REQUIRED",
                "CURRENCY_MISMATCH",
                "CONFIRMATION_REQUIRED",
                "BELOW_MINIMUM",
                "ALREADY_LEADING",
                name="reason",
                native_enum=False,
                create_constraint=True,
            ),
            nullable=True,
        ),
        sa.Column(
            "source",
            sa.Enum("POST", "WEB", "API", "PROXY", name="source", native_enum=False, create_constraint=True),
            nullable=False,
        ),
        sa.Column("offered_by_house", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("confirm", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=True),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("request_hash", sa.LargeBinary(), nullable=True),
        sa.Column("post_id", sa.Text(), nullable=True),
        sa.Column("transaction_hash", sa.Text(), nullable=True),
        sa.Column("signature", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("(reason is not null) = (status = 'REJECTED')", name=op.f("ck_bids_reason_when_rejected")),
        sa.CheckConstraint("amount is null or amount > 0", name=op.f("ck_bids_amount_positive")),
        sa.CheckConstraint(
            "char_length(idempotency_key) between 1 and 200", name=op.f("ck_bids_idempotency_key_length")
        ),
        sa.CheckConstraint(
            "commitment is null or octet_length(commitment) = 32", name=op.f("ck_bids_commitment_length")
        ),
        sa.CheckConstraint("number >= 1 and event_n >= 1", name=op.f("ck_bids_numbers_positive")),
        sa.ForeignKeyConstraint(["auction_id"], ["auctions.id"], name=op.f("fk_bids_auction_id_auctions")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_bids_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bids")),
        sa.UniqueConstraint("auction_id", "number", name=op.f("uq_bids_auction_id_number")),
        sa.UniqueConstraint("user_id", "idempotency_key", name=op.f("uq_bids_user_id_idempotency_key")),
    )
    op.create_table(
        "chat_messages",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("auction_id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("hidden_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hidden_by_id", sa.UUID(), nullable=True),
        sa.Column("hidden_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(hidden_at is null) = (hidden_reason is null)", name=op.f("ck_chat_messages_hidden_for_a_reason")
        ),
        sa.CheckConstraint("char_length(text) between 1 and 500", name=op.f("ck_chat_messages_text_length")),
        sa.ForeignKeyConstraint(
            ["auction_id"], ["auctions.id"], name=op.f("fk_chat_messages_auction_id_auctions"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["hidden_by_id"], ["users.id"], name=op.f("fk_chat_messages_hidden_by_id_users"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_chat_messages_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chat_messages")),
    )
    op.create_index(
        "ix_chat_messages_auction_id_created_at", "chat_messages", ["auction_id", "created_at"], unique=False
    )
    op.create_index(op.f("ix_chat_messages_user_id"), "chat_messages", ["user_id"], unique=False)
    op.create_table(
        "follows",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("auction_id", sa.UUID(), nullable=True),
        sa.Column("campaign_day_id", sa.UUID(), nullable=True),
        sa.Column("campaign_id", sa.UUID(), nullable=True),
        sa.Column("remind_before_s", sa.Integer(), server_default="900", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "num_nonnulls(auction_id, campaign_day_id, campaign_id) = 1", name=op.f("ck_follows_follows_one_thing")
        ),
        sa.CheckConstraint("remind_before_s between 0 and 604800", name=op.f("ck_follows_remind_before_range")),
        sa.ForeignKeyConstraint(
            ["auction_id"], ["auctions.id"], name=op.f("fk_follows_auction_id_auctions"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["campaign_day_id"],
            ["campaign_days.id"],
            name=op.f("fk_follows_campaign_day_id_campaign_days"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_follows_campaign_id_campaigns"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_follows_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_follows")),
        sa.UniqueConstraint("user_id", "auction_id", name=op.f("uq_follows_user_id_auction_id")),
        sa.UniqueConstraint("user_id", "campaign_day_id", name=op.f("uq_follows_user_id_campaign_day_id")),
        sa.UniqueConstraint("user_id", "campaign_id", name=op.f("uq_follows_user_id_campaign_id")),
    )
    op.create_index(op.f("ix_follows_auction_id"), "follows", ["auction_id"], unique=False)
    op.create_index(op.f("ix_follows_campaign_day_id"), "follows", ["campaign_day_id"], unique=False)
    op.create_index(op.f("ix_follows_campaign_id"), "follows", ["campaign_id"], unique=False)
    op.create_table(
        "notifications",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("event_id", sa.UUID(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "BID_ACCEPTED",
                "BID_REJECTED",
                "BID_VOIDED",
                "OUTBID",
                "WON",
                "LOST",
                "SETTLEMENT",
                "AUCTION_REMINDER",
                "SESSION_REMINDER",
                "CAMPAIGN_NEWS",
                name="notificationkind",
                native_enum=False,
                create_constraint=True,
            ),
            nullable=False,
        ),
        sa.Column(
            "channel",
            sa.Enum(
                "IN_APP",
                "PLATFORM",
                "EMAIL",
                "WEB_PUSH",
                "WEBHOOK",
                name="notificationchannel",
                native_enum=False,
                create_constraint=True,
            ),
            nullable=False,
        ),
        sa.Column("auction_id", sa.UUID(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), server_default="", nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "PENDING",
                "SENT",
                "FAILED",
                "SUPPRESSED",
                name="deliverystatus",
                native_enum=False,
                create_constraint=True,
            ),
            server_default="PENDING",
            nullable=False,
        ),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(sent_at is not null) = (status = 'SENT')", name=op.f("ck_notifications_time_when_sent")),
        sa.CheckConstraint("read_at is null or channel = 'IN_APP'", name=op.f("ck_notifications_read_in_app_only")),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_notifications_attempts_not_negative")),
        sa.ForeignKeyConstraint(
            ["auction_id"], ["auctions.id"], name=op.f("fk_notifications_auction_id_auctions"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["event_id"], ["event_logs.id"], name=op.f("fk_notifications_event_id_event_logs")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_notifications_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        sa.UniqueConstraint(
            "user_id", "event_id", "kind", "channel", name=op.f("uq_notifications_user_id_event_id_kind_channel")
        ),
    )
    op.create_index(op.f("ix_notifications_auction_id"), "notifications", ["auction_id"], unique=False)
    op.create_index(
        "ix_notifications_due",
        "notifications",
        ["next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("status = 'PENDING'"),
    )
    op.create_index("ix_notifications_user_id_created_at", "notifications", ["user_id", "created_at"], unique=False)
    op.create_table(
        "bid_secrets",
        sa.Column("bid_id", sa.UUID(), nullable=False),
        sa.Column("max_amount", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("max_amount > 0", name=op.f("ck_bid_secrets_max_amount_positive")),
        sa.CheckConstraint("octet_length(salt) = 32", name=op.f("ck_bid_secrets_salt_length")),
        sa.ForeignKeyConstraint(["bid_id"], ["bids.id"], name=op.f("fk_bid_secrets_bid_id_bids"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("bid_id", name=op.f("pk_bid_secrets")),
    )
    op.create_table(
        "posts",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("platform_post_id", sa.Text(), nullable=True),
        sa.Column(
            "direction",
            sa.Enum("RECEIVED", "SENT", name="postdirection", native_enum=False, create_constraint=True),
            nullable=False,
        ),
        sa.Column("author_id", sa.Text(), nullable=True),
        sa.Column("author_handle", sa.Text(), nullable=True),
        sa.Column("user_id", sa.UUID(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "kind",
            sa.Enum(
                "BID",
                "QUESTION",
                "OPT_OUT",
                "LINK_WALLET",
                "OTHER",
                "RECEIPT",
                "REPLY",
                "ANNOUNCEMENT",
                "RESULT",
                name="postkind",
                native_enum=False,
                create_constraint=True,
            ),
            nullable=False,
        ),
        sa.Column(
            "result",
            sa.Enum(
                "PENDING",
                "BID_MADE",
                "ASKED",
                "ANSWERED",
                "IGNORED",
                "QUEUED",
                "SENT",
                "FAILED",
                "SKIPPED",
                name="postresult",
                native_enum=False,
                create_constraint=True,
            ),
            nullable=False,
        ),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("in_reply_to", sa.Text(), nullable=True),
        sa.Column("auction_id", sa.UUID(), nullable=True),
        sa.Column("bid_id", sa.UUID(), nullable=True),
        sa.Column("cost", sa.Numeric(precision=38, scale=18), server_default="0", nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.CheckConstraint("(direction = 'SENT') = (idempotency_key is not null)", name=op.f("ck_posts_sent_once")),
        sa.CheckConstraint(
            "direction = 'SENT' or (platform_post_id is not null and author_id is not null and received_at is not null)",
            name=op.f("ck_posts_received_is_known"),
        ),
        sa.CheckConstraint(
            "result <> 'SENT' or (platform_post_id is not null and sent_at is not null)",
            name=op.f("ck_posts_sent_has_id"),
        ),
        sa.CheckConstraint("cost >= 0", name=op.f("ck_posts_cost_not_negative")),
        sa.ForeignKeyConstraint(["auction_id"], ["auctions.id"], name=op.f("fk_posts_auction_id_auctions")),
        sa.ForeignKeyConstraint(["bid_id"], ["bids.id"], name=op.f("fk_posts_bid_id_bids")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_posts_user_id_users"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posts")),
        sa.UniqueConstraint("bid_id", name=op.f("uq_posts_bid_id")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_posts_idempotency_key")),
        sa.UniqueConstraint("platform", "platform_post_id", name=op.f("uq_posts_platform_platform_post_id")),
    )
    op.create_index(op.f("ix_posts_auction_id"), "posts", ["auction_id"], unique=False)
    op.create_index(
        "ix_posts_direction_result_created_at", "posts", ["direction", "result", "created_at"], unique=False
    )
    op.create_index(op.f("ix_posts_user_id"), "posts", ["user_id"], unique=False)
    op.create_table(
        "settlements",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("auction_id", sa.UUID(), nullable=False),
        sa.Column("bid_id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "INVOICED",
                "PAID",
                "DELIVERED",
                "SETTLED",
                "EXPIRED",
                name="settlementstatus",
                native_enum=False,
                create_constraint=True,
            ),
            nullable=False,
        ),
        sa.Column("amount", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("total", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount > 0 and total >= amount", name=op.f("ck_settlements_amounts_in_order")),
        sa.ForeignKeyConstraint(["auction_id"], ["auctions.id"], name=op.f("fk_settlements_auction_id_auctions")),
        sa.ForeignKeyConstraint(["bid_id"], ["bids.id"], name=op.f("fk_settlements_bid_id_bids")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_settlements_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlements")),
        sa.UniqueConstraint("auction_id", "bid_id", name=op.f("uq_settlements_auction_id_bid_id")),
    )
    op.create_index(op.f("ix_settlements_user_id"), "settlements", ["user_id"], unique=False)
    # auctions and bids point at each other
    op.create_foreign_key("fk_auctions_leading_bid_id_bids", "auctions", "bids", ["leading_bid_id"], ["id"])


def downgrade() -> None:
    op.drop_constraint("fk_auctions_leading_bid_id_bids", "auctions", type_="foreignkey")
    op.drop_index(op.f("ix_settlements_user_id"), table_name="settlements")
    op.drop_table("settlements")
    op.drop_index(op.f("ix_posts_user_id"), table_name="posts")
    op.drop_index("ix_posts_direction_result_created_at", table_name="posts")
    op.drop_index(op.f("ix_posts_auction_id"), table_name="posts")
    op.drop_table("posts")
    op.drop_table("bid_secrets")
    op.drop_index("ix_notifications_user_id_created_at", table_name="notifications")
    op.drop_index("ix_notifications_due", table_name="notifications", postgresql_where=sa.text("status = 'PENDING'"))
    op.drop_index(op.f("ix_notifications_auction_id"), table_name="notifications")
    op.drop_table("notifications")
    op.drop_index(op.f("ix_follows_campaign_id"), table_name="follows")
    op.drop_index(op.f("ix_follows_campaign_day_id"), table_name="follows")
    op.drop_index(op.f("ix_follows_auction_id"), table_name="follows")
    op.drop_table("follows")
    op.drop_index(op.f("ix_chat_messages_user_id"), table_name="chat_messages")
    op.drop_index("ix_chat_messages_auction_id_created_at", table_name="chat_messages")
    op.drop_table("chat_messages")
    op.drop_table("bids")
    op.drop_table("auction_secrets")
    op.drop_index(
        "uq_streams_campaign_day_id_running", table_name="streams", postgresql_where=sa.text("ended_at is null")
    )
    op.drop_index(op.f("ix_streams_campaign_day_id"), table_name="streams")
    op.drop_table("streams")
    op.drop_index("ix_auctions_status_starts_at", table_name="auctions")
    op.drop_index(op.f("ix_auctions_art_item_id"), table_name="auctions")
    op.drop_table("auctions")
    op.drop_table("campaign_days")
    op.drop_index(
        "ix_webhook_deliveries_due", table_name="webhook_deliveries", postgresql_where=sa.text("status = 'PENDING'")
    )
    op.drop_table("webhook_deliveries")
    op.drop_index(op.f("ix_campaigns_collection_id"), table_name="campaigns")
    op.drop_table("campaigns")
    op.drop_table("art_items")
    op.drop_table("webhooks")
    op.drop_index(op.f("ix_wallets_user_id"), table_name="wallets")
    op.drop_table("wallets")
    op.drop_table("user_preferences")
    op.drop_index(op.f("ix_social_accounts_user_id"), table_name="social_accounts")
    op.drop_table("social_accounts")
    op.drop_index(op.f("ix_sessions_user_id"), table_name="sessions")
    op.drop_table("sessions")
    op.drop_index(op.f("ix_push_subscriptions_user_id"), table_name="push_subscriptions")
    op.drop_table("push_subscriptions")
    op.drop_table("nonces")
    op.drop_index("ix_memories_character_id_user_id", table_name="memories")
    op.drop_index("ix_memories_character_id_subject", table_name="memories")
    op.drop_table("memories")
    op.drop_table("dead_letters")
    op.drop_table("collections")
    op.drop_index(op.f("ix_api_keys_user_id"), table_name="api_keys")
    op.drop_table("api_keys")
    op.drop_index("uq_users_email", table_name="users", postgresql_where=sa.text("email is not null"))
    op.drop_table("users")
    op.drop_index("ix_stream_assets_sha256", table_name="stream_assets")
    op.drop_table("stream_assets")
    op.drop_table("service_pulses")
    op.drop_table("log_epochs")
    op.drop_index("ix_event_logs_epoch_xid_seq", table_name="event_logs")
    op.drop_table("event_logs")
    op.drop_table("event_cursors")
    op.drop_index("uq_characters_is_default", table_name="characters", postgresql_where=sa.text("is_default"))
    op.drop_table("characters")
