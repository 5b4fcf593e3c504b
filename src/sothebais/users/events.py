"""What the log is told about people: facts without values, which may be personal or secret."""

from datetime import datetime
from uuid import UUID

from sothebais.clock import from_datetime
from sothebais.events import log
from sothebais.events.types.base import Source
from sothebais.users.tables import Role


def action(
    user: UUID,
    name: str,
    *,
    at: datetime,
    role: Role,
    actor: UUID | None = None,
    target: str | None = None,
    reason: str | None = None,
    changed: tuple[str, ...] = (),
) -> log.Record:
    """``user:action``: somebody did something to their own account, or ``actor`` did it for them."""
    data = {
        "actor": str(actor or user),
        "role": str(role),
        "action": name,
        "target": target or f"user:{user}",
        "reason": reason,
        "changed": list(changed),
    }
    return log.event("user:action", f"user:{user}", data, at=from_datetime(at), source=Source.ADMIN_FRONTEND)


def wallet_linked(
    user: UUID, wallet: UUID, chain: str, method: str, *, at: datetime, linked: bool = True
) -> log.Record:
    """``user:wallet:linked``: a wallet was proven, or given up."""
    data = {"user": str(user), "wallet": str(wallet), "chain": chain, "method": method, "linked": linked}
    return log.event("user:wallet:linked", f"user:{user}", data, at=from_datetime(at), source=Source.ADMIN_FRONTEND)
