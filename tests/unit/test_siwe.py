"""Sign-In with Ethereum: the reference vectors of EIP-4361, the grammar at its edges, and who signed."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import base58
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eth_account import Account
from eth_account.messages import encode_defunct
from hypothesis import given
from hypothesis import strategies as st

from sothebais.errors import InvalidInput
from sothebais.users import proofs, siwe
from sothebais.users.siwe import Chain, Message

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "siwe-vectors.json").read_text(encoding="utf-8"))
MESSAGE = siwe.parse(VECTORS["parsed"][0]["message"])


def named(name: str) -> Any:
    return pytest.mark.parametrize("vector", VECTORS[name], ids=lambda vector: vector["what"])


@named("parsed")
def test_a_reference_message_is_read_field_by_field(vector: dict[str, Any]) -> None:
    message = siwe.parse(vector["message"])
    fields = {name: value for name, value in asdict(message).items() if value is not None and name != "chain"}
    if "resources" in fields:
        fields["resources"] = list(fields["resources"])
    assert fields == vector["fields"]
    assert siwe.compose(message) == vector["message"]


@named("refused")
def test_a_reference_message_outside_the_grammar_is_refused(vector: dict[str, Any]) -> None:
    # the capitals of an address are checked beside the grammar
    if "capitals" in vector["what"]:
        address = vector["message"].split("\n")[1]
        assert address != proofs.checksummed(address)
    with pytest.raises(InvalidInput, match="cannot be used"):
        siwe.parse(vector["message"])


@pytest.mark.parametrize("uri", VECTORS["not_uris"])
def test_a_reference_address_that_is_no_uri_is_refused(uri: str) -> None:
    assert not siwe.is_uri(uri)
    with pytest.raises(InvalidInput):
        siwe.parse(siwe.compose(replace(MESSAGE, uri=uri)))


@named("verified")
def test_a_reference_signature_is_judged_as_the_reference_judges_it(vector: dict[str, Any]) -> None:
    message = Message(chain=Chain.ETHEREUM, scheme=None, **vector["fields"])
    text, at = siwe.compose(message), siwe.instant(vector["at"])
    assert siwe.parse(text) == message
    signature = proofs.signature_bytes(vector["signature"])
    holds = (
        signature is not None
        and proofs.signer(text, signature) == message.address
        and (message.expires is None or message.expires > at)
        and (message.valid_from is None or message.valid_from <= at)
        and message.domain == vector.get("expected_domain", message.domain)
        and message.nonce == vector.get("expected_nonce", message.nonce)
    )
    assert holds is vector["valid"]


@pytest.mark.parametrize(
    "changed",
    [
        lambda text: text + "\n",
        lambda text: "\n" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("Nonce: ", "nonce: "),
        lambda text: text.replace("Chain ID: 1", "Chain ID: 1 "),
        lambda text: text.replace("Chain ID: 1", "Chain ID: ١"),
        lambda text: text.replace("Version: 1", "Version: １"),
        lambda text: text.replace("I accept", "I aссept"),
        lambda text: text.replace("service.org wants", "service.org  wants"),
        lambda text: text.replace("service.org wants", "[::zz] wants"),
        lambda text: text.replace("service.org wants", "@ wants"),
        lambda text: text.replace("0xC0", "0XC0"),
        lambda text: text.replace("Ethereum account", "Solana account"),
        lambda text: text + "x" * siwe.MESSAGE_LENGTH_MAX,
    ],
)
def test_one_character_elsewhere_is_refused(changed: Any) -> None:
    text = siwe.compose(MESSAGE)
    with pytest.raises(InvalidInput, match="cannot be used"):
        siwe.parse(changed(text))


def test_optional_parts_are_read_where_they_are_empty_or_all_there() -> None:
    whole = replace(
        MESSAGE,
        scheme="https",
        expiration_time="2021-10-01T00:00:00+02:00",
        not_before="2021-09-30T23:59:60Z",
        request_id="",
        resources=(),
    )
    assert siwe.parse(siwe.compose(whole)) == whole
    assert whole.expires == siwe.instant("2021-09-30T22:00:00Z")
    # a leap second is the second after
    assert whole.valid_from == siwe.instant("2021-10-01T00:00:00Z")


@pytest.mark.parametrize(
    "text",
    ["2021-02-30T00:00:00Z", "2021-01-01T24:00:00Z", "2021-01-01 00:00:00Z", "2021-01-01T00:00:00", "now", "",
     "2021-01-01T00:00:00+24:00", "2021-01-01T00:00:61Z", "0000-01-01T00:00:00Z"],
)  # fmt: skip
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="RFC 3339"):
        siwe.instant(text)


@given(st.text(max_size=300))
def test_no_text_makes_the_parser_fail_otherwise(text: str) -> None:
    for chain in Chain:
        try:
            siwe.parse(text, chain)
        except InvalidInput:
            continue
        raise AssertionError(f"{text!r} was read")


def test_capitals_are_those_of_the_examples_of_eip_55() -> None:
    for address in (
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
    ):
        assert proofs.checksummed(address.lower()) == address


def test_an_account_is_known_by_its_signature_and_no_copy_of_it_counts() -> None:
    account = Account.create()
    text = "héllo\nwörld"
    signed = Account.sign_message(encode_defunct(text=text), account.key).signature
    assert proofs.signer(text, signed) == account.address
    assert proofs.signer(text + " ", signed) != account.address
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    mirrored = signed[:32] + (order - int.from_bytes(signed[32:64])).to_bytes(32) + bytes([55 - signed[64]])
    assert proofs.signer(text, mirrored) is None
    for broken in (b"", signed[:64], signed + b"\0", bytes(65), b"\xff" * 65, signed[:64] + b"\x1d"):
        assert proofs.signer(text, broken) is None


@pytest.mark.parametrize(
    "text", ["", "0x", "0x1", "0xzz", "dc35", "0x" + "00" * (proofs.SIGNATURE_BYTES_MAX + 1), "0x١١"]
)
def test_a_signature_is_hex_digits_and_not_too_many(text: str) -> None:
    assert proofs.signature_bytes(text) is None
    assert proofs.signature_bytes("0x" + "00" * proofs.SIGNATURE_BYTES_MAX) is not None


def test_a_solana_account_is_known_by_its_signature() -> None:
    key = Ed25519PrivateKey.generate()
    address = base58.b58encode(key.public_key().public_bytes_raw()).decode()
    message = replace(MESSAGE, chain=Chain.SOLANA, address=address, chain_id="mainnet")
    text = siwe.compose(message)
    assert siwe.parse(text, Chain.SOLANA) == message
    signature = base58.b58encode(key.sign(text.encode())).decode()
    assert proofs.solana_signed(text, address, signature)
    assert not proofs.solana_signed(text + " ", address, signature)
    for bad in ("", "0", "l" * 88, base58.b58encode(bytes(64)).decode(), base58.b58encode(bytes(63)).decode()):
        assert not proofs.solana_signed(text, address, bad)
        assert not proofs.solana_signed(text, bad or "1", signature)
