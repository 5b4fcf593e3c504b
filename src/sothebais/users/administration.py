"""What an admin sees of people and may change: their role, and whether they may bid."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from sothebais.errors import Conflict, NotFound
from sothebais.events import log
from sothebais.events.actions import Actor, action
from sothebais.instants import Millis
from sothebais.users.tables import Role, SocialAccount, User, Wallet

STAFF = frozenset({Role.OPERATOR, Role.ADMIN})
#: Accounts shown of one person.
ACCOUNTS_MAX = 20

_PEOPLE = sa.select(
    User.id,
    User.name,
    User.email,
    User.role,
    User.blocked,
    User.created_at,
    sa.func.array(  # array(select …)
        sa.select(SocialAccount.platform + ":" + SocialAccount.handle)
        .where(SocialAccount.user_id == User.id)
        .order_by(SocialAccount.id)
        .limit(ACCOUNTS_MAX)
        .correlate(User)
        .scalar_subquery()
    ).label("accounts"),
    sa.select(sa.func.count())
    .select_from(Wallet)
    .where(Wallet.user_id == User.id)
    .correlate(User)
    .scalar_subquery()
    .label("wallets"),
)


async def people(
    connection: AsyncConnection,
    *,
    role: Role | None = None,
    blocked: bool | None = None,
    name: str | None = None,
    after: UUID | None = None,
    limit: int,
) -> Sequence[Any]:
    """People in the order in which they came; ``name`` is how their names begin."""
    statement = _PEOPLE.where(User.erased_at.is_(None)).order_by(User.id).limit(limit)
    if role is not None:
        statement = statement.where(User.role == role)
    if blocked is not None:
        statement = statement.where(User.blocked.is_(blocked))
    if name is not None:
        statement = statement.where(sa.func.lower(User.name).startswith(name.lower(), autoescape=True))
    if after is not None:
        statement = statement.where(User.id > after)
    return (await connection.execute(statement)).all()


async def person(connection: AsyncConnection, user: UUID) -> Any:
    """One of them. Raises NotFound."""
    row = (await connection.execute(_PEOPLE.where(User.id == user, User.erased_at.is_(None)))).one_or_none()
    if row is None:
        raise NotFound("There is no user with this id.")
    return row


async def change(
    connection: AsyncConnection,
    user: UUID,
    *,
    role: Role | None,
    blocked: bool | None,
    reason: str,
    actor: Actor,
    now: Millis,
) -> bool:
    """Give somebody another role, block or unblock them; whether they lost anything, so that their sessions must end.

    Who stops being staff loses password and second factor with the role. Raises NotFound, or Conflict for the last
    admin who could still act: somebody must be left who can undo it.
    """
    # all admins, in id order, so that two of them cannot lock each other out at once
    locked = await connection.execute(
        sa.select(User.id, User.role, User.blocked)
        .where(sa.or_(User.id == user, User.role == Role.ADMIN), User.erased_at.is_(None))
        .order_by(User.id)
        .with_for_update(key_share=True)
    )
    rows = {row.id: row for row in locked}
    if user not in rows:
        raise NotFound("There is no user with this id.")
    before = rows[user]
    values: dict[str, Any] = {}
    if role is not None and role is not before.role:
        values["role"] = role
        if role not in STAFF:
            values |= {"password_hash": None, "totp_secret": None}
    if blocked is not None and blocked is not before.blocked:
        values["blocked"] = blocked
    if not values:
        return False
    acts_after = values.get("role", before.role) is Role.ADMIN and not values.get("blocked", before.blocked)
    others = any(row.role is Role.ADMIN and not row.blocked for row in rows.values() if row.id != user)
    if before.role is Role.ADMIN and not acts_after and not others:
        raise Conflict("This is the last admin. Make somebody else an admin first.")
    await connection.execute(sa.update(User).where(User.id == user).values(**values))
    await log.append(
        connection,
        [
            action(actor, name, f"user:{user}", at=now, reason=reason, changed=changed)
            for name, changed in _steps(values)
        ],
    )
    return values.get("blocked", False) or "role" in values


def _steps(values: dict[str, Any]) -> list[tuple[str, tuple[str, ...]]]:
    steps: list[tuple[str, tuple[str, ...]]] = []
    if "role" in values:
        steps.append((f"user.role.{str(values['role']).lower()}", ("role",)))
    if "blocked" in values:
        steps.append(("user.block" if values["blocked"] else "user.unblock", ("blocked",)))
    return steps
