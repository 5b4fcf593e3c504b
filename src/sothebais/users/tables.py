"""Tables of people."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from sothebais.db.base import Base, Created, Id, Instant, checked_enum


class Role(StrEnum):
    """What a person may do; each role may do what the ones before it may."""

    VIEWER = "VIEWER"
    BIDDER = "BIDDER"
    OWNER = "OWNER"
    OPERATOR = "OPERATOR"
    ADMIN = "ADMIN"


class Theme(StrEnum):
    """How the pages look."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


class User(Base):
    """A person. Password hash and TOTP secret only for staff; accounts and wallets have tables of their own."""

    __tablename__ = "users"
    __table_args__ = (
        sa.CheckConstraint("char_length(name) between 1 and 80", name="name_length"),
        sa.CheckConstraint("email is null or position('@' in email) > 1", name="email_shape"),
        sa.CheckConstraint("password_hash is null or role in ('OPERATOR','ADMIN')", name="password_staff_only"),
        sa.CheckConstraint("totp_secret is null or role in ('OPERATOR','ADMIN')", name="totp_staff_only"),
        sa.Index("uq_users_email", sa.text("lower(email)"), unique=True, postgresql_where=sa.text("email is not null")),
    )

    id: Mapped[Id]
    name: Mapped[str]
    email: Mapped[str | None]
    avatar: Mapped[str | None]
    role: Mapped[Role] = mapped_column(checked_enum(Role), server_default=Role.BIDDER)
    blocked: Mapped[bool] = mapped_column(server_default=sa.false())
    password_hash: Mapped[str | None]
    totp_secret: Mapped[bytes | None]
    created_at: Mapped[Created]


class Wallet(Base):
    """A proven wallet; belongs to one user."""

    __tablename__ = "wallets"
    __table_args__ = (sa.UniqueConstraint("chain", "address"),)

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    chain: Mapped[str]
    address: Mapped[str]
    verified_at: Mapped[Instant]
    method: Mapped[str]


class SocialAccount(Base):
    """An account on a platform, known by the platform's own id, never by its handle."""

    __tablename__ = "social_accounts"
    __table_args__ = (sa.UniqueConstraint("platform", "platform_user_id"),)

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    platform: Mapped[str]
    platform_user_id: Mapped[str]
    handle: Mapped[str]
    created_at: Mapped[Created]


class UserPreference(Base):
    """How a person wants to be told and shown things; one row per user."""

    __tablename__ = "user_preferences"

    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    notifications: Mapped[bool] = mapped_column(server_default=sa.true())
    bid_confirmations: Mapped[bool] = mapped_column(server_default=sa.true())
    outbid_alerts: Mapped[bool] = mapped_column(server_default=sa.true())
    auction_reminders: Mapped[bool] = mapped_column(server_default=sa.true())
    theme: Mapped[Theme] = mapped_column(checked_enum(Theme), server_default=Theme.SYSTEM)
    time_zone: Mapped[str] = mapped_column(server_default="UTC")
    locale: Mapped[str] = mapped_column(server_default="en")
    quiet_hours: Mapped[dict[str, Any] | None]


class Session(Base):
    """A sign-in. Only the SHA-256 of its token is kept."""

    __tablename__ = "sessions"
    __table_args__ = (sa.CheckConstraint("expires_at > created_at", name="expires_later"),)

    id: Mapped[Id]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    method: Mapped[str]
    created_at: Mapped[Created]
    last_seen_at: Mapped[Instant]
    expires_at: Mapped[Instant]
    revoked_at: Mapped[datetime | None]


class Nonce(Base):
    """A single-use challenge of a sign-in."""

    __tablename__ = "nonces"

    value: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[str]
    user_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    created_at: Mapped[Created]
    expires_at: Mapped[Instant]
    used_at: Mapped[datetime | None]


class ApiKey(Base):
    """A program's key: hashed, scoped, revocable."""

    __tablename__ = "api_keys"

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    key_hash: Mapped[bytes] = mapped_column(unique=True)
    scopes: Mapped[list[Any]]
    created_at: Mapped[Created]
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
