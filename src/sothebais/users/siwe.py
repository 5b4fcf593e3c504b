"""Reading the message of EIP-4361, exactly as its grammar has it. Pure: values in, values out.

The text is what a person saw in their wallet and signed, so nothing is guessed: one character more, less or elsewhere
and it is refused. The same text with "Solana" in its first line and base58 in its second is what Solana wallets sign.
Who signed, and whether the message is for this house and this moment, is judged elsewhere (``proofs``, ``wallets``).
"""

import ipaddress
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum

from sothebais.errors import InvalidInput
from sothebais.instants import Millis, from_datetime

MESSAGE_LENGTH_MAX = 4_096


class Chain(StrEnum):
    """The chains whose wallets can sign in; the value is what ``wallets.chain`` holds."""

    ETHEREUM = "ethereum"
    SOLANA = "solana"


@dataclass(frozen=True)
class Message:
    """A message as its grammar reads it. The instants are kept beside their texts, which are what was signed."""

    chain: Chain
    scheme: str | None
    domain: str
    address: str
    statement: str | None
    uri: str
    version: str
    chain_id: str
    nonce: str
    issued_at: str
    expiration_time: str | None = None
    not_before: str | None = None
    request_id: str | None = None
    #: None without the line "Resources:"; empty where nothing follows it.
    resources: tuple[str, ...] | None = None

    @property
    def issued(self) -> Millis:
        """When it was issued."""
        return instant(self.issued_at)

    @property
    def expires(self) -> Millis | None:
        """From when on it counts no more."""
        return None if self.expiration_time is None else instant(self.expiration_time)

    @property
    def valid_from(self) -> Millis | None:
        """Before when it does not count yet."""
        return None if self.not_before is None else instant(self.not_before)


# RFC 3986, appendix A
_UNRESERVED = r"A-Za-z0-9._~\-"
_SUB = r"!$&'()*+,;="
_PCT = r"%[0-9A-Fa-f]{2}"
_PCHAR = rf"(?:[{_UNRESERVED}{_SUB}:@]|{_PCT})"
_REG_NAME = rf"(?:[{_UNRESERVED}{_SUB}]|{_PCT})*"
_IP_LITERAL = rf"\[(?:[0-9A-Fa-f:.]+|[vV][0-9A-Fa-f]+\.[{_UNRESERVED}{_SUB}:]+)\]"
_AUTHORITY = rf"(?:(?:[{_UNRESERVED}{_SUB}:]|{_PCT})*@)?(?P<host>{_IP_LITERAL}|{_REG_NAME})(?::[0-9]*)?"
_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*"
_QUERY = rf"(?:{_PCHAR}|[/?])*"
_URI = re.compile(
    rf"{_SCHEME}:(?://{_AUTHORITY}(?:/{_PCHAR}*)*|/(?:{_PCHAR}+(?:/{_PCHAR}*)*)?|{_PCHAR}+(?:/{_PCHAR}*)*|)"
    rf"(?:\?{_QUERY})?(?:\#{_QUERY})?",
    re.ASCII,
)
_DOMAIN = re.compile(_AUTHORITY, re.ASCII)

_ADDRESS = {Chain.ETHEREUM: r"0x[0-9A-Fa-f]{40}", Chain.SOLANA: r"[1-9A-HJ-NP-Za-km-z]{32,44}"}
_CHAIN_ID = {Chain.ETHEREUM: r"[0-9]+", Chain.SOLANA: r"(?:solana:)?[0-9A-Za-z]+"}
_STATEMENT = rf"[{_UNRESERVED}{_SUB}:/?#\[\]@ ]+"
_DATE_TIME = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})[Tt](?P<hours>\d{2}):(?P<minutes>\d{2}):(?P<seconds>\d{2})(?P<fraction>\.\d+)?"
    r"(?:[Zz]|(?P<sign>[+-])(?P<off_hours>\d{2}):(?P<off_minutes>\d{2}))",
    re.ASCII,
)


def _grammar(chain: Chain) -> re.Pattern[str]:
    account = chain.value.capitalize()
    return re.compile(
        rf"(?:(?P<scheme>{_SCHEME})://)?(?P<domain>[^ \n]+) wants you to sign in with your {account} account:\n"
        rf"(?P<address>{_ADDRESS[chain]})\n"
        r"\n"
        rf"(?:(?P<statement>{_STATEMENT})\n)?"
        r"\n"
        r"URI: (?P<uri>[^ \n]+)\n"
        r"Version: (?P<version>1)\n"
        rf"Chain ID: (?P<chain_id>{_CHAIN_ID[chain]})\n"
        r"Nonce: (?P<nonce>[A-Za-z0-9]{8,})\n"
        r"Issued At: (?P<issued_at>[^ \n]+)"
        r"(?:\nExpiration Time: (?P<expiration_time>[^ \n]+))?"
        r"(?:\nNot Before: (?P<not_before>[^ \n]+))?"
        rf"(?:\nRequest ID: (?P<request_id>{_PCHAR}*))?"
        r"(?:\nResources:(?P<resources>(?:\n- [^ \n]+)*))?",
        re.ASCII,
    )


_GRAMMARS = {chain: _grammar(chain) for chain in Chain}


def parse(text: str, chain: Chain = Chain.ETHEREUM) -> Message:
    """The message of a text. Raises InvalidInput, saying what does not fit, for anything outside the grammar.

    An Ethereum address must have the capitals of EIP-55, which ``proofs.checksummed`` checks: that needs a hash.
    """
    if len(text) > MESSAGE_LENGTH_MAX:
        raise _refused(f"it is longer than {MESSAGE_LENGTH_MAX} characters")
    found = _GRAMMARS[chain].fullmatch(text)
    if found is None:
        raise _refused("its lines are not those of EIP-4361, in their order and spelling")
    if not _is_authority(found["domain"]):
        raise _refused("its domain is not an authority of RFC 3986")
    for name in ("issued_at", "expiration_time", "not_before"):
        if found[name] is not None:
            instant(found[name])
    listed = found["resources"]
    resources = None if listed is None else tuple(line.removeprefix("- ") for line in listed.split("\n")[1:])
    for uri in (found["uri"], *(resources or ())):
        if not is_uri(uri):
            raise _refused("an address in it is not a URI of RFC 3986")
    return Message(chain=chain, **(found.groupdict() | {"resources": resources}))


def compose(message: Message) -> str:
    """The text of a message; what ``parse`` reads back."""
    scheme = "" if message.scheme is None else f"{message.scheme}://"
    lines = [
        f"{scheme}{message.domain} wants you to sign in with your {message.chain.value.capitalize()} account:",
        message.address,
        "",
        *([] if message.statement is None else [message.statement]),
        "",
        f"URI: {message.uri}",
        f"Version: {message.version}",
        f"Chain ID: {message.chain_id}",
        f"Nonce: {message.nonce}",
        f"Issued At: {message.issued_at}",
    ]
    for label, value in (
        ("Expiration Time", message.expiration_time),
        ("Not Before", message.not_before),
        ("Request ID", message.request_id),
    ):
        if value is not None:
            lines.append(f"{label}: {value}")
    if message.resources is not None:
        lines += ["Resources:", *(f"- {uri}" for uri in message.resources)]
    return "\n".join(lines)


def is_uri(text: str) -> bool:
    """Whether a text is a URI of RFC 3986, with its scheme."""
    found = _URI.fullmatch(text)
    return found is not None and _is_host(found["host"])


def instant(text: str) -> Millis:
    """The instant of an RFC 3339 date-time, cut to milliseconds. Raises InvalidInput for any other text."""
    found = _DATE_TIME.fullmatch(text)
    try:
        if found is None:
            raise ValueError(text)
        year, month, day = (int(part) for part in found["day"].split("-"))
        micros = int(((found["fraction"] or ".0")[1:] + "000000")[:6])
        zone: timezone = UTC
        if found["sign"] is not None:
            hours, minutes = int(found["off_hours"]), int(found["off_minutes"])
            if hours > 23 or minutes > 59:
                raise ValueError(text)
            offset = timedelta(hours=hours, minutes=minutes)
            zone = timezone(offset if found["sign"] == "+" else -offset)
        # a leap second is in the grammar, and Python's datetime has none
        seconds = int(found["seconds"])
        leap = timedelta(seconds=1 if seconds == 60 else 0)
        at = datetime(
            year, month, day, int(found["hours"]), int(found["minutes"]), min(seconds, 59) if leap else seconds,
            micros, tzinfo=zone,
        )  # fmt: skip
        return max(0, from_datetime((at + leap).astimezone(UTC)))
    except (ValueError, OverflowError):
        raise _refused("a time in it is not a date-time of RFC 3339") from None


def _is_authority(text: str) -> bool:
    found = _DOMAIN.fullmatch(text)
    return found is not None and found["host"] != "" and _is_host(found["host"])


def _is_host(host: str | None) -> bool:
    """A literal address must be one; a name is a name whatever it spells."""
    if host is None or not host.startswith("[") or host[1] in "vV":
        return True
    try:
        ipaddress.IPv6Address(host[1:-1])
    except ValueError:
        return False
    return True


def _refused(why: str) -> InvalidInput:
    return InvalidInput(f"The message cannot be used: {why}.", field="message")
