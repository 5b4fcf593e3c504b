"""Signing in with a wallet, and linking one: Sign-In with Ethereum (EIP-4361), and Solana's messages of the same form."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sothebais import ids
from sothebais.clock import Clock, Millis
from sothebais.errors import Conflict, NotFound, ProofRefused
from sothebais.events import log
from sothebais.users import accounts, events, proofs, siwe
from sothebais.users.contract_wallets import ContractWallets
from sothebais.users.nonces import LIFE_S, Nonces, Purpose
from sothebais.users.origin import Origin
from sothebais.users.service import Identity, SessionService
from sothebais.users.siwe import Chain, Message
from sothebais.users.tables import Wallet

#: A signer's clock may be so far ahead of this one.
CLOCK_SKEW_MS = 60_000
#: A message is good for as long as its nonce; the nonce is asked for first.
AGE_MS_MAX = LIFE_S * 1_000 + CLOCK_SKEW_MS
SOLANA_CHAIN_IDS = frozenset({"mainnet", "solana:mainnet"})
WALLETS_MAX = 20


@dataclass(frozen=True)
class Proof:
    """A wallet that was proven, and how."""

    chain: str
    address: str
    method: str

    @property
    def short(self) -> str:
        """The address as a name."""
        return f"{self.address[:6]}…{self.address[-4:]}"


class Wallets:
    """Proves wallets, and keeps whose they are."""

    def __init__(
        self,
        engine: AsyncEngine,
        clock: Clock,
        nonces: Nonces,
        sessions: SessionService,
        *,
        chain_ids: tuple[int, ...],
        contracts: ContractWallets | None,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._nonces = nonces
        self._sessions = sessions
        self._chain_ids = chain_ids
        self._contracts = contracts

    async def sign_in(
        self, text: str, signature: str, chain: Chain, origin: Origin, *, user_agent: str | None = None
    ) -> tuple[Identity, str]:
        """A session for the wallet's owner, who is made on first sight. Raises ProofRefused."""
        proof = await self.prove(text, signature, chain, origin)
        async with self._engine.begin() as connection:
            await _claim(connection, proof)
            user = await _owner(connection, proof)
            if user is None:
                user = await accounts.new_user(connection, proof.short)
                await self._add(connection, user, proof)
            return await self._sessions.open(connection, user, proof.method.lower(), user_agent=user_agent)

    async def link(self, user: UUID, text: str, signature: str, chain: Chain, origin: Origin) -> dict[str, Any]:
        """Add a wallet to somebody who is signed in. Raises ProofRefused, and Conflict for somebody else's wallet."""
        proof = await self.prove(text, signature, chain, origin)
        async with self._engine.begin() as connection:
            await _claim(connection, proof)
            await accounts.lock(connection, user)
            owner = await _owner(connection, proof)
            if owner is not None and owner != user:
                raise Conflict(
                    "This wallet belongs to another user of this house. Sign in with it, or unlink it there."
                )
            if owner is None:
                count = sa.select(sa.func.count()).where(Wallet.user_id == user)
                if (await connection.execute(count)).scalar_one() >= WALLETS_MAX:
                    raise Conflict(f"You have {WALLETS_MAX} wallets already. Unlink one first.")
                await self._add(connection, user, proof)
            same = sa.select(Wallet).where(Wallet.chain == proof.chain, Wallet.address == proof.address)
            return _shown((await connection.execute(same)).one())

    async def of(self, user: UUID) -> list[dict[str, Any]]:
        """The person's wallets."""
        statement = sa.select(Wallet).where(Wallet.user_id == user).order_by(Wallet.id)
        async with self._engine.connect() as connection:
            return [_shown(row) for row in await connection.execute(statement)]

    async def one(self, user: UUID, wallet: UUID) -> dict[str, Any]:
        """One of the person's wallets. Raises NotFound."""
        async with self._engine.connect() as connection:
            row = (await connection.execute(_mine(user, wallet))).one_or_none()
        if row is None:
            raise NotFound("You have no wallet with this id.")
        return _shown(row)

    async def unlink(self, user: UUID, wallet: UUID) -> None:
        """Give a wallet up. Raises NotFound, and Conflict where nothing else is left to sign in by."""
        async with self._engine.begin() as connection:
            now, _ = await accounts.lock(connection, user)
            row = (await connection.execute(_mine(user, wallet))).one_or_none()
            if row is None:
                raise NotFound("You have no wallet with this id.")
            await connection.execute(sa.delete(Wallet).where(Wallet.id == wallet))
            await accounts.keep_a_way_in(connection, user)
            gone = events.wallet_linked(user, wallet, row.chain, row.method, at=now, linked=False)
            await log.append(connection, [gone])

    async def prove(self, text: str, signature: str, chain: Chain, origin: Origin) -> Proof:
        """Whose wallet signed this message, for this house, now, for the first time. Raises ProofRefused, InvalidInput."""
        message = siwe.parse(text, chain)
        self._check_place(message, origin)
        self._check_time(message, self._clock.now())
        # used up before the signature is looked at: a message that was shown once is worth nothing afterwards
        if await self._nonces.take(Purpose.WALLET, message.nonce) is None:
            raise ProofRefused("The message's nonce is not one of this house, was used, or is over. Ask for a new one.")
        if chain is Chain.SOLANA:
            if not proofs.solana_signed(text, message.address, signature):
                raise ProofRefused("The signature is not that of the message's address.")
            return Proof(chain.value, message.address, "ED25519")
        return Proof(chain.value, message.address, await self._ethereum(text, message, signature))

    def _check_place(self, message: Message, origin: Origin) -> None:
        if message.domain.lower() != origin.netloc:
            raise ProofRefused(f"The message is for {message.domain}, not for {origin.netloc}. Sign one made here.")
        if message.scheme is not None and message.scheme.lower() != origin.scheme:
            raise ProofRefused(f"The message is for {message.scheme}, this house is at {origin.scheme}.")
        if not origin.has(message.uri):
            raise ProofRefused(f"The message's URI is not in this house: it must begin with {origin}.")
        if message.chain is Chain.SOLANA:
            if message.chain_id not in SOLANA_CHAIN_IDS:
                raise ProofRefused(f"Chain ID must be one of {', '.join(sorted(SOLANA_CHAIN_IDS))}.")
            return
        if message.address != proofs.checksummed(message.address):
            raise ProofRefused("The address does not have the capitals of EIP-55.")
        # leading zeros aside, as many digits as anybody's chain has
        if len(message.chain_id) > 20 or int(message.chain_id) not in self._chain_ids:
            raise ProofRefused(f"Chain ID must be one of {', '.join(str(one) for one in self._chain_ids)}.")

    def _check_time(self, message: Message, now: Millis) -> None:
        if message.issued > now + CLOCK_SKEW_MS:
            raise ProofRefused("The message was issued in the future. Set the clock of your device.")
        if message.issued < now - AGE_MS_MAX:
            raise ProofRefused(f"The message was issued more than {AGE_MS_MAX // 60_000} minutes ago. Sign a new one.")
        if message.expires is not None and message.expires <= now:
            raise ProofRefused("The message has expired. Sign a new one.")
        if message.valid_from is not None and message.valid_from > now + CLOCK_SKEW_MS:
            raise ProofRefused("The message is not valid yet.")

    async def _ethereum(self, text: str, message: Message, signature: str) -> str:
        given = proofs.signature_bytes(signature)
        if given is None:
            raise ProofRefused("The signature must be hex digits after 0x.")
        if proofs.signer(text, given) == message.address:
            return "SIWE"
        if self._contracts is None:
            raise ProofRefused(
                "The signature is not that of the message's address. If that is a contract wallet: this house does not "
                "know a node to ask (SOTHEBAIS_ETHEREUM_RPC_URL is not set)."
            )
        if int(message.chain_id) != self._chain_ids[0]:
            raise ProofRefused(
                f"The signature is not an account's, and contracts are only asked on chain {self._chain_ids[0]}."
            )
        if not await self._contracts.signed(text, message.address, given):
            raise ProofRefused("The signature is not that of the message's address, as an account or as a contract.")
        return "ERC1271"

    async def _add(self, connection: AsyncConnection, user: UUID, proof: Proof) -> None:
        wallet = ids.new_id()
        now = (await connection.execute(sa.select(sa.func.now()))).scalar_one()
        await connection.execute(
            insert(Wallet).values(
                id=wallet, user_id=user, chain=proof.chain, address=proof.address, verified_at=now, method=proof.method
            )
        )
        await log.append(connection, [events.wallet_linked(user, wallet, proof.chain, proof.method, at=now)])


async def _claim(connection: AsyncConnection, proof: Proof) -> None:
    """Two first sights of one wallet must not make two users; taken before any row is."""
    name = f"wallet:{proof.chain}:{proof.address}"
    await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, 0))))


async def _owner(connection: AsyncConnection, proof: Proof) -> UUID | None:
    statement = sa.select(Wallet.user_id).where(Wallet.chain == proof.chain, Wallet.address == proof.address)
    found: UUID | None = (await connection.execute(statement)).scalar_one_or_none()
    return found


def _mine(user: UUID, wallet: UUID) -> sa.Select[Any]:
    return sa.select(Wallet).where(Wallet.id == wallet, Wallet.user_id == user)


def _shown(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "chain": row.chain,
        "address": row.address,
        "method": row.method,
        "verified_at": row.verified_at,
    }
