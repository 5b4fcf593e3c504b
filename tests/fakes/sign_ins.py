"""What signs in: wallets, contracts on a real EVM, an X that speaks X's payloads, a software authenticator."""

import base64
import contextlib
import hashlib
import json
import secrets
import struct
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import base58
import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_tester import EthereumTester, PyEVMBackend
from eth_tester.exceptions import TransactionFailed
from pydantic import SecretStr
from webauthn.helpers import bytes_to_base64url, encode_cbor

from sothebais.users import siwe
from sothebais.users.siwe import Chain, Message

API = "/api/v1"
HOST = "house.test"


class EthereumWallet:
    """An account that signs messages."""

    def __init__(self) -> None:
        self.account = Account.create()
        self.address: str = self.account.address

    chain = Chain.ETHEREUM
    chain_id = "1"

    def sign(self, text: str) -> str:
        signed = Account.sign_message(encode_defunct(text=text), self.account.key).signature
        return "0x" + bytes(signed).hex()


class SolanaWallet:
    """The same of Solana."""

    chain = Chain.SOLANA
    chain_id = "mainnet"

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.address = base58.b58encode(self._key.public_key().public_bytes_raw()).decode()

    def sign(self, text: str) -> str:
        return base58.b58encode(self._key.sign(text.encode())).decode()


class ContractWallet:
    """A contract that takes its owner's signatures (ERC-1271), at its address on an EVM."""

    chain = Chain.ETHEREUM
    chain_id = "1"

    def __init__(self, evm: "Evm") -> None:
        self.owner = EthereumWallet()
        self.address = evm.deploy(erc1271_code(bytes.fromhex(self.owner.address[2:])))

    def sign(self, text: str) -> str:
        return self.owner.sign(text)


type AnyWallet = EthereumWallet | SolanaWallet | ContractWallet


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def a_message(wallet: AnyWallet, nonce: str, **changed: Any) -> Message:
    """What a good page would have the wallet sign."""
    now = datetime.now(UTC)
    fields: dict[str, Any] = {
        "chain": wallet.chain,
        "scheme": None,
        "domain": HOST,
        "address": wallet.address,
        "statement": "Sign in to the house.",
        "uri": f"http://{HOST}",
        "version": "1",
        "chain_id": wallet.chain_id,
        "nonce": nonce,
        "issued_at": iso(now),
        "expiration_time": iso(now + timedelta(minutes=5)),
    }
    return Message(**(fields | changed))


async def a_nonce(client: httpx.AsyncClient) -> str:
    answer = await client.post(f"{API}/auth/nonce")
    assert answer.status_code == 201, answer.text
    nonce: str = answer.json()["nonce"]
    return nonce


async def a_proof(client: httpx.AsyncClient, wallet: AnyWallet, **changed: Any) -> dict[str, str]:
    """The body of a sign-in or a link: a fresh nonce, a message with ``changed`` fields, its signature."""
    nonce = changed.pop("nonce", None) or await a_nonce(client)
    text = siwe.compose(a_message(wallet, nonce, **changed))
    return {"message": text, "signature": wallet.sign(text), "chain": wallet.chain.value}


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


# A real EVM behind JSON-RPC

_OPS = {
    "SHR": 0x1C, "SHL": 0x1B, "EQ": 0x14, "BYTE": 0x1A, "CALLDATALOAD": 0x35, "CODECOPY": 0x39, "POP": 0x50,
    "MLOAD": 0x51, "MSTORE": 0x52, "JUMPI": 0x57, "GAS": 0x5A, "JUMPDEST": 0x5B, "DUP1": 0x80, "RETURN": 0xF3,
    "STATICCALL": 0xFA, "REVERT": 0xFD,
}  # fmt: skip


def assemble(*source: str | bytes | tuple[str, str]) -> bytes:
    """Bytes are pushed, names are operations, ``("label", x)`` is a place to jump to, ``("to", x)`` its address."""
    code, places, wanted = bytearray(), {}, []
    for part in source:
        if isinstance(part, bytes):
            code += bytes([0x5F + len(part)]) + part
        elif isinstance(part, tuple) and part[0] == "label":
            places[part[1]] = len(code)
            code.append(_OPS["JUMPDEST"])
        elif isinstance(part, tuple):
            wanted.append((len(code) + 1, part[1]))
            code += b"\x60\x00"
        else:
            code.append(_OPS[part])
    for at, name in wanted:
        code[at] = places[name]
    return bytes(code)


def erc1271_code(owner: bytes) -> bytes:
    """``isValidSignature`` of a wallet with one owner: recovers the signer with the precompile and compares."""
    zero, word = b"\x00", b"\x20"
    return assemble(
        zero, "CALLDATALOAD", b"\xe0", "SHR", bytes.fromhex("1626ba7e"), "EQ", ("to", "known"), "JUMPI",
        zero, zero, "REVERT",
        ("label", "known"),
        b"\x04", "CALLDATALOAD", zero, "MSTORE",
        b"\xa4", "CALLDATALOAD", zero, "BYTE", word, "MSTORE",
        b"\x64", "CALLDATALOAD", b"\x40", "MSTORE",
        b"\x84", "CALLDATALOAD", b"\x60", "MSTORE",
        word, b"\x80", b"\x80", zero, b"\x01", "GAS", "STATICCALL", "POP",
        b"\x80", "MLOAD", owner, "EQ", ("to", "yes"), "JUMPI",
        b"\xff\xff\xff\xff", b"\xe0", "SHL", zero, "MSTORE", word, zero, "RETURN",
        ("label", "yes"),
        bytes.fromhex("1626ba7e"), b"\xe0", "SHL", zero, "MSTORE", word, zero, "RETURN",
    )  # fmt: skip


class Evm:
    """py-evm, and the few methods of JSON-RPC that are asked for, over HTTP."""

    def __init__(self) -> None:
        self._tester = EthereumTester(PyEVMBackend())
        self._from = self._tester.get_accounts()[0]
        self.chain_id = 1
        self.url = ""
        #: How many of the next requests are answered with 503.
        self.failures = 0
        self.asked: list[str] = []

    def deploy(self, runtime: bytes) -> str:
        init = assemble(len(runtime).to_bytes(2), "DUP1", b"\x0c", b"\x00", "CODECOPY", b"\x00", "RETURN")
        assert len(init) == 12
        sent = self._tester.send_transaction(
            {"from": self._from, "gas": 1_000_000, "data": "0x" + (init + runtime).hex()}
        )
        address: str = self._tester.get_transaction_receipt(sent)["contract_address"]
        return siwe_checksum(address)

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(asked["method"])
        reply = {"jsonrpc": "2.0", "id": asked["id"]}
        if asked["method"] == "eth_chainId":
            return reply | {"result": hex(self.chain_id)}
        assert asked["method"] == "eth_call"
        call, block = asked["params"]
        assert block == "latest"
        try:
            result = self._tester.call({"from": self._from, "gas": 1_000_000, **call})
        except TransactionFailed as error:
            return reply | {"error": {"code": 3, "message": f"execution reverted: {error}"}}
        return reply | {"result": result}


def siwe_checksum(address: str) -> str:
    from sothebais.users.proofs import checksummed

    return checksummed(address)


@contextlib.contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A handler on a port of loopback; its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class _Quiet(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def reply(self, status: int, body: Any) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json; charset=utf-8")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextlib.contextmanager
def an_evm() -> Iterator[Evm]:
    """A chain of one node."""
    evm = Evm()

    class Handler(_Quiet):
        def do_POST(self) -> None:
            asked = json.loads(self.body())
            if evm.failures:
                evm.failures -= 1
                self.reply(503, b"busy")
                return
            self.reply(200, evm.answer(asked))

    with serving(Handler) as evm.url:
        yield evm


# X


class FakeX:
    """The two addresses of X that a sign-in asks, with X's payloads, and its consent page as a function."""

    CLIENT_ID = "house-client"
    CLIENT_SECRET = "house-client-secret"

    def __init__(self) -> None:
        self.url = ""
        self.person: dict[str, Any] = {"id": "2244994945", "name": "Ana B.", "username": "ana_b"}
        self.token_status = 200
        self.users_failures = 0
        self._codes: dict[str, dict[str, str]] = {}
        self._tokens: dict[str, dict[str, Any]] = {}

    def settings(self) -> dict[str, Any]:
        """With which a house takes this for X."""
        return {
            "x_client_id": self.CLIENT_ID,
            "x_client_secret": SecretStr(self.CLIENT_SECRET),
            "x_authorize_url": f"{self.url}/i/oauth2/authorize",
            "x_token_url": f"{self.url}/2/oauth2/token",
            "x_users_url": f"{self.url}/2/users/me",
        }

    def consent(self, address: str) -> dict[str, str]:
        """What a person's yes puts into the callback's query."""
        parts = urlsplit(address)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{self.url}/i/oauth2/authorize"
        asked = {name: values[0] for name, values in parse_qs(parts.query, strict_parsing=True).items()}
        assert asked["response_type"] == "code"
        assert asked["client_id"] == self.CLIENT_ID
        assert asked["code_challenge_method"] == "S256"
        assert asked["scope"].split() == ["users.read", "tweet.read"]
        code = secrets.token_urlsafe(24)
        self._codes[code] = asked
        return {"state": asked["state"], "code": code}

    def token(self, form: dict[str, str], authorization: str | None) -> tuple[int, dict[str, Any]]:
        if self.token_status != 200:
            return self.token_status, {
                "title": "Service Unavailable",
                "type": "about:blank",
                "status": self.token_status,
            }
        expected = base64.b64encode(f"{self.CLIENT_ID}:{self.CLIENT_SECRET}".encode()).decode()
        if authorization != f"Basic {expected}":
            return 401, {"error": "unauthorized_client", "error_description": "Missing valid authorization header"}
        asked = self._codes.pop(form.get("code", ""), None)
        verifier = form.get("code_verifier", "").encode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier).digest()).rstrip(b"=").decode()
        if (
            asked is None
            or form.get("grant_type") != "authorization_code"
            or form.get("redirect_uri") != asked["redirect_uri"]
            or challenge != asked["code_challenge"]
        ):
            return 400, {
                "error": "invalid_request",
                "error_description": "Value passed for the authorization code was invalid.",
            }
        token = secrets.token_urlsafe(32)
        self._tokens[token] = dict(self.person)
        return 200, {"token_type": "bearer", "expires_in": 7200, "access_token": token, "scope": asked["scope"]}

    def me(self, authorization: str | None) -> tuple[int, dict[str, Any]]:
        if self.users_failures:
            self.users_failures -= 1
            return 503, {"title": "Service Unavailable", "type": "about:blank", "status": 503}
        person = self._tokens.get((authorization or "").removeprefix("Bearer "))
        if person is None:
            return 401, {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"}
        return 200, {"data": person}


@contextlib.contextmanager
def an_x() -> Iterator[FakeX]:
    """X on this machine."""
    x = FakeX()

    class Handler(_Quiet):
        def do_POST(self) -> None:
            form = {name: values[0] for name, values in parse_qs(self.body().decode()).items()}
            assert self.path == "/2/oauth2/token"
            self.reply(*x.token(form, self.headers.get("authorization")))

        def do_GET(self) -> None:
            assert urlsplit(self.path).path == "/2/users/me"
            self.reply(*x.me(self.headers.get("authorization")))

    with serving(Handler) as x.url:
        yield x


# A passkey


class Authenticator:
    """One passkey in software: ES256, no attestation, a counter."""

    def __init__(self, origin: str = f"http://{HOST}", rp_id: str = HOST) -> None:
        self.origin, self.rp_id = origin, rp_id
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.credential_id = secrets.token_bytes(32)
        self.count = 0

    def _client_data(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}).encode()

    def _authenticator_data(self, flags: int) -> bytes:
        self.count += 1
        return hashlib.sha256(self.rp_id.encode()).digest() + struct.pack(">BI", flags, self.count)

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """The answer of ``navigator.credentials.create``."""
        assert options["rp"]["id"] == self.rp_id
        assert any(one["alg"] == -7 for one in options["pubKeyCredParams"])
        numbers = self.key.public_key().public_numbers()
        cose = encode_cbor({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)})
        data = (
            self._authenticator_data(0x45)
            + bytes(16)
            + struct.pack(">H", len(self.credential_id))
            + self.credential_id
            + cose
        )
        attestation = encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})
        return self._credential(
            {
                "clientDataJSON": bytes_to_base64url(self._client_data("webauthn.create", options["challenge"])),
                "attestationObject": bytes_to_base64url(attestation),
            }
        )

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """The answer of ``navigator.credentials.get``."""
        client_data, data = self._client_data("webauthn.get", options["challenge"]), self._authenticator_data(0x05)
        signature = self.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))
        return self._credential(
            {
                "clientDataJSON": bytes_to_base64url(client_data),
                "authenticatorData": bytes_to_base64url(data),
                "signature": bytes_to_base64url(signature),
            }
        )

    def _credential(self, response: dict[str, str]) -> dict[str, Any]:
        name = bytes_to_base64url(self.credential_id)
        return {"id": name, "rawId": name, "type": "public-key", "response": response, "clientExtensionResults": {}}
