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
        # only who signs in by it has an address to himself; anybody else's is a place to write to, and proves nothing
        sa.Index(
            "uq_users_email",
            sa.text("lower(email)"),
            unique=True,
            postgresql_where=sa.text("password_hash is not null"),
        ),
        sa.CheckConstraint("password_hash is null or email is not null", name="password_needs_email"),
    )

    id: Mapped[Id]
    name: Mapped[str]
    email: Mapped[str | None]
    avatar: Mapped[str | None]
    role: Mapped[Role] = mapped_column(checked_enum(Role), server_default=Role.BIDDER)
    blocked: Mapped[bool] = mapped_column(server_default=sa.false())
    password_hash: Mapped[str | None]
    #: Encrypted, see ``secret_box``.
    totp_secret: Mapped[bytes | None]
    #: The time step of the last code that was taken: none is taken twice.
    totp_last_step: Mapped[int | None] = mapped_column(sa.BigInteger)
    #: While the person is being forgotten they are blocked, so that no bid of theirs slips in between.
    erasing_since: Mapped[datetime | None]
    #: When the person asked to be forgotten; what remains is a pseudonym.
    erased_at: Mapped[datetime | None]
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
    #: False after an unsubscribe: e-mail alone is off, whatever else is on.
    by_email: Mapped[bool] = mapped_column(server_default=sa.true())
    #: The address that was asked whether it wants mail, and the one that said yes: no other gets any.
    asked_email: Mapped[str | None]
    confirmed_email: Mapped[str | None]
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
    #: What the browser called itself, so that its owner recognises it in the list.
    user_agent: Mapped[str | None]
    created_at: Mapped[Created]
    last_seen_at: Mapped[Instant]
    expires_at: Mapped[Instant]
    revoked_at: Mapped[datetime | None]


class Nonce(Base):
    """A single-use challenge of a sign-in. ``data`` is what the second half of the ceremony needs of the first."""

    __tablename__ = "nonces"
    __table_args__ = (
        sa.Index("ix_nonces_expires_at", "expires_at"),
        sa.CheckConstraint("tries >= 0", name="tries_not_negative"),
    )

    value: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[str]
    user_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    tries: Mapped[int] = mapped_column(server_default="0")
    data: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
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


class Passkey(Base):
    """A WebAuthn credential of somebody on the staff."""

    __tablename__ = "passkeys"
    __table_args__ = (
        sa.CheckConstraint("sign_count >= 0", name="sign_count_not_negative"),
        sa.CheckConstraint("char_length(name) between 1 and 80", name="name_length"),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    credential_id: Mapped[bytes] = mapped_column(unique=True)
    public_key: Mapped[bytes]
    sign_count: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    created_at: Mapped[Created]
    last_used_at: Mapped[datetime | None]


class RecoveryCode(Base):
    """A code for the day the second factor is lost: hashed, good once."""

    __tablename__ = "recovery_codes"
    __table_args__ = (sa.UniqueConstraint("user_id", "code_hash"),)

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    code_hash: Mapped[bytes]
    created_at: Mapped[Created]
    used_at: Mapped[datetime | None]


class SignInFailure(Base):
    """How often a sign-in failed of late, by account and address; ``who`` is a hash, so the table names nobody."""

    __tablename__ = "sign_in_failures"
    __table_args__ = (
        sa.CheckConstraint("failures >= 1", name="failures_positive"),
        sa.Index("ix_sign_in_failures_last_at", "last_at"),
    )

    who: Mapped[bytes] = mapped_column(primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[Instant]
    blocked_until: Mapped[datetime | None]
