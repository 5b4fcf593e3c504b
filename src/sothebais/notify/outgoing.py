"""HTTP to addresses that somebody else wrote: webhooks and push services.

Hard boundary: such an address must not make this machine talk to itself or to its network. Names are resolved here,
every address they resolve to must be public, and the connection goes to an address that was checked. Redirects are not
followed, and nothing of an answer is read but its status and headers.
"""

import asyncio
import socket
import ssl
from typing import Final

import httpx
import msgspec

from sothebais.catalog.fetch import Resolver, is_public
from sothebais.errors import InvalidInput

CONNECT_S: Final = 5.0
SILENCE_S: Final = 10.0
TOTAL_S: Final = 15.0
CONNECTIONS_MAX: Final = 32
URL_LENGTH_MAX: Final = 2_000
RETRY_AFTER_S_MAX: Final = 3_600.0
_PORTS: Final = {"http": 80, "https": 443}


class Answer(msgspec.Struct, frozen=True):
    """What came back; ``status`` None when nothing did, and ``error`` says why."""

    status: int | None = None
    error: str | None = None
    retry_after_s: float | None = None


async def resolve_name(host: str, port: int) -> list[str]:
    """The addresses of a name, as this machine finds them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class Outgoing:
    """Sends to public addresses only, or with ``private`` to any."""

    def __init__(
        self, *, private: bool = False, resolve: Resolver = resolve_name, tls: ssl.SSLContext | None = None
    ) -> None:
        self._private = private
        self._resolve = resolve
        self._client = httpx.AsyncClient(
            verify=True if tls is None else tls,
            # a kept connection could be shared by two names of one address
            limits=httpx.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=0),
            follow_redirects=False,
            trust_env=False,
            timeout=httpx.Timeout(SILENCE_S, connect=CONNECT_S),
            headers={"user-agent": "sothebais", "accept": "*/*"},
        )

    async def check(self, address: str, *, schemes: frozenset[str] = frozenset({"https"}), field: str = "url") -> None:
        """Raise InvalidInput, saying what to do, unless the address may be sent to."""
        url = parse(address, schemes=schemes, field=field)
        try:
            async with asyncio.timeout(CONNECT_S):
                await self._address_of(url)
        except _Refused as error:
            raise InvalidInput(f"{field}: {error}", field=field) from None
        except TimeoutError:
            raise InvalidInput(f"{field}: the name {url.host} could not be resolved in time.", field=field) from None

    async def post(self, address: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Post it once. Whatever goes wrong is in the answer."""
        try:
            url = parse(address, schemes=frozenset(_PORTS), field="url")
            async with asyncio.timeout(TOTAL_S):
                host = await self._address_of(url)
                request = self._client.build_request("POST", url, content=body, headers=headers)
                # to the address that was checked; host header, certificate and server name stay the name's
                request.url = url.copy_with(host=host)
                request.extensions = {**request.extensions, "sni_hostname": url.host}
                response = await self._client.send(request, stream=True)
                await response.aclose()
        except (_Refused, InvalidInput) as error:
            return Answer(error=str(error))
        except TimeoutError:
            return Answer(error=f"No answer within {TOTAL_S:g} s.")
        except (httpx.HTTPError, OSError, ssl.SSLError) as error:
            return Answer(error=f"{type(error).__name__}: {error}"[:200])
        return Answer(status=response.status_code, retry_after_s=_retry_after(response.headers.get("retry-after")))

    async def close(self) -> None:
        """Let connections go."""
        await self._client.aclose()

    async def _address_of(self, url: httpx.URL) -> str:
        try:
            addresses = await self._resolve(url.host, url.port or _PORTS[url.scheme])
        except (OSError, UnicodeError):
            raise _Refused(f"the name {url.host} cannot be resolved.") from None
        if not addresses:
            raise _Refused(f"the name {url.host} cannot be resolved.")
        # all of them: a name with one private address is no name to trust
        if not self._private and not all(is_public(address) for address in addresses):
            raise _Refused(f"{url.host} is not on the public internet; nothing is sent to private addresses.")
        return addresses[0]


class _Refused(Exception):
    """An address that must not be sent to."""


def parse(address: str, *, schemes: frozenset[str], field: str) -> httpx.URL:
    """The address. Raises InvalidInput for one that is malformed, of another scheme, or holds a password."""
    try:
        url = httpx.URL(address)
        well = len(address) <= URL_LENGTH_MAX and url.scheme in schemes and bool(url.host)
    except (httpx.InvalidURL, ValueError):
        well = False
    if not well:
        wanted = " or ".join(sorted(schemes))
        raise InvalidInput(f"{field}: that is no {wanted} address like https://host/path.", field=field)
    if url.userinfo:
        raise InvalidInput(f"{field}: the address holds a user name or password; those are not sent.", field=field)
    return url


def _retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header, bounded; None for a date or nonsense."""
    if value is None or not value.isascii() or not value.isdigit() or len(value) > 9:
        return None
    return min(float(value), RETRY_AFTER_S_MAX)
