"""Slowing down who guesses: failures are counted by account and by network address, for every process alike.

The waits grow twofold. A pair of account and address is slowed down early; an account alone only after many failures
and never for long, so that a stranger cannot keep its owner out.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from prometheus_client import Counter
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais.errors import RateLimited
from sothebais.users.tables import SignInFailure

#: Failures so far apart have nothing to do with each other.
FAILURES = Counter("sothebais_sign_in_failures_total", "Passwords and codes that were wrong")
FORGOTTEN_AFTER = timedelta(hours=1)
SWEPT_AT_ONCE_MAX = 50
_DOUBLINGS_MAX = 20


@dataclass(frozen=True)
class Patience:
    """So many failures are free; then the wait is 1 s, 2 s, 4 s … up to ``wait_s_max``."""

    free: int
    wait_s_max: int

    def wait_s(self, failures: int) -> int:
        """How long to wait after that many failures."""
        over = failures - self.free
        return 0 if over <= 0 else min(self.wait_s_max, 1 << min(over - 1, _DOUBLINGS_MAX))


PAIR = Patience(free=5, wait_s_max=900)
ACCOUNT = Patience(free=20, wait_s_max=60)
ADDRESS = Patience(free=30, wait_s_max=900)


class Throttle:
    """Counts failures in PostgreSQL. Whether the account exists makes no difference to anything here."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def check(self, account: str, address: str) -> None:
        """Raises RateLimited while this account or this address has to wait."""
        statement = sa.select(sa.func.max(SignInFailure.blocked_until), sa.func.clock_timestamp()).where(
            SignInFailure.who.in_(list(_keys(account, address)))
        )
        async with self._engine.connect() as connection:
            until, now = (await connection.execute(statement)).one()
        if until is not None and until > now:
            wait = (until - now).total_seconds()
            raise RateLimited(
                f"Too many failed sign-ins. Wait {max(1, round(wait))} s, then try again.", retry_after=wait
            )

    async def failed(self, account: str, address: str) -> None:
        """Count one more failure."""
        FAILURES.inc()
        async with self._engine.begin() as connection:
            now: datetime = (await connection.execute(sa.select(sa.func.clock_timestamp()))).scalar_one()
            # rows in one order, so that two failures at once never wait for each other
            for who, patience in sorted(_keys(account, address).items()):
                fresh = insert(SignInFailure).values(who=who, failures=1, last_at=now)
                failures = (
                    await connection.execute(
                        fresh.on_conflict_do_update(
                            index_elements=[SignInFailure.who],
                            set_={
                                "failures": sa.case(
                                    (SignInFailure.last_at < now - FORGOTTEN_AFTER, 1),
                                    else_=SignInFailure.failures + 1,
                                ),
                                "last_at": now,
                            },
                        ).returning(SignInFailure.failures)
                    )
                ).scalar_one()
                if wait := patience.wait_s(failures):
                    await connection.execute(
                        sa.update(SignInFailure)
                        .where(SignInFailure.who == who)
                        .values(blocked_until=now + timedelta(seconds=wait))
                    )
            past = (
                sa.select(SignInFailure.who)
                .where(SignInFailure.last_at < now - FORGOTTEN_AFTER)
                .limit(SWEPT_AT_ONCE_MAX)
                .with_for_update(skip_locked=True)
            )
            await connection.execute(sa.delete(SignInFailure).where(SignInFailure.who.in_(past.scalar_subquery())))

    async def succeeded(self, account: str, address: str) -> None:
        """The account's own failures are forgotten; the address keeps its own, it may be trying many accounts."""
        keys = [who for who, patience in _keys(account, address).items() if patience is not ADDRESS]
        async with self._engine.begin() as connection:
            await connection.execute(sa.delete(SignInFailure).where(SignInFailure.who.in_(keys)))


def _keys(account: str, address: str) -> dict[bytes, Patience]:
    account = account.lower()
    return {
        _hash("pair", account, address): PAIR,
        _hash("account", account): ACCOUNT,
        _hash("address", address): ADDRESS,
    }


def _hash(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode()).digest()
