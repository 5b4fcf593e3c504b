"""Wallets that are contracts: ERC-1271, asked of an Ethereum node by JSON-RPC."""

import httpx
import msgspec

from sothebais.clock import Clock
from sothebais.errors import Unavailable
from sothebais.users.proofs import message_hash

#: ``isValidSignature(bytes32,bytes)``: its selector, and the answer that means yes.
SELECTOR = bytes.fromhex("1626ba7e")
YES = SELECTOR.ljust(32, b"\0")
TIMEOUT_S = 5.0
TRIES = 2
TRY_AGAIN_AFTER_S = 0.3
ANSWER_BYTES_MAX = 65_536
WORD = 32


class ContractWallets:
    """Asks contracts whether a signature is theirs. Only the chain that the node speaks of is asked about."""

    def __init__(self, rpc_url: str, chain_id: int, clock: Clock) -> None:
        self._url = rpc_url
        self._chain_id = chain_id
        self._clock = clock

    async def signed(self, text: str, address: str, signature: bytes) -> bool:
        """Whether the contract at ``address`` says that it signed ``text``. Raises Unavailable without an answer."""
        async with httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False) as client:
            chain = await self._ask(client, "eth_chainId")
            if not isinstance(chain, str) or int(chain, 16) != self._chain_id:
                raise Unavailable(
                    f"The Ethereum node speaks of another chain than {self._chain_id}. Ask the house to look at "
                    "SOTHEBAIS_ETHEREUM_RPC_URL and SOTHEBAIS_ETHEREUM_CHAIN_IDS.",
                    retry_after=60,
                )
            call = {"to": address, "data": "0x" + call_data(message_hash(text), signature).hex()}
            answer = await self._ask(client, "eth_call", call, "latest")
        # a revert, an account without code and a longer answer are all a no
        return isinstance(answer, str) and answer.lower() == "0x" + YES.hex()

    async def _ask(self, client: httpx.AsyncClient, method: str, *params: object) -> object:
        """The result of a call; None where the node answers with an error (a revert is one)."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        for left in reversed(range(TRIES)):
            try:
                response = await client.post(self._url, json=body)
                if response.status_code < 500 and response.status_code != 429:
                    answer = msgspec.json.decode(response.content[:ANSWER_BYTES_MAX])
                    if isinstance(answer, dict) and ("result" in answer or "error" in answer):
                        return answer.get("result")
            except (httpx.HTTPError, msgspec.DecodeError):
                pass
            if left:
                await self._clock.sleep(TRY_AGAIN_AFTER_S)
        # the address of a node may hold a key: it is not named
        raise Unavailable(
            "The Ethereum node does not answer, so this wallet cannot be checked. Try again.", retry_after=5
        )


def call_data(digest: bytes, signature: bytes) -> bytes:
    """The call of ``isValidSignature``: the hash, the place of the bytes, their length, the bytes in whole words."""
    padded = signature + bytes(-len(signature) % WORD)
    return SELECTOR + digest + (2 * WORD).to_bytes(WORD) + len(signature).to_bytes(WORD) + padded
