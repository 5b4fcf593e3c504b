"""Fetching pictures from addresses somebody else wrote: ``data:``, ``ipfs://`` and ``http(s)://``.

Hard boundary: an address must not make this machine talk to itself or to its network. Names are resolved here, every
address they resolve to must be public, and the connection goes to the address that was checked; so for each redirect.
"""

import asyncio
import base64
import binascii
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import quote, unquote, unquote_to_bytes

import httpx

from sothebais.clock import Clock, SystemClock
from sothebais.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """Bounds of one fetch. ``total_s`` is for one try, redirects included."""

    bytes_max: int = 20 * 1024 * 1024
    connect_s: float = 5.0
    silence_s: float = 10.0
    total_s: float = 30.0
    redirects_max: int = 5
    tries_max: int = 3
    pause_s: float = 0.5


LIMITS: Final = FetchLimits()
CONNECTIONS_MAX: Final = 8

_CID = re.compile(r"[A-Za-z0-9]{46,120}", re.ASCII)
_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_PORTS: Final = {"http": 80, "https": 443}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

type Resolver = Callable[[str, int], Awaitable[list[str]]]


class _AgainLater(Exception):
    """A failure that may be gone on the next try."""


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, also when it stands inside another."""
    ip = ipaddress.ip_address(address.split("%", 1)[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip.sixtofour is not None:
            return is_public(str(ip.sixtofour))
        if ip.teredo is not None:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


async def _resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class PublicOnly(httpx.AsyncBaseTransport):
    """A transport that connects to public addresses only, except for ``trusted`` hosts (``host:port``)."""

    def __init__(self, trusted: frozenset[str], resolve: Resolver = _resolve) -> None:
        # without kept connections none can be shared by two names of one address, which have different certificates
        self._inner = httpx.AsyncHTTPTransport(
            limits=httpx.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=0), trust_env=False
        )
        self._trusted = trusted
        self._resolve = resolve

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        port = url.port or _PORTS[url.scheme]
        if f"{url.host}:{port}" in self._trusted:
            return await self._inner.handle_async_request(request)
        try:
            addresses = await self._resolve(url.host, port)
        except (OSError, UnicodeError) as error:
            raise _AgainLater(f"the name {url.host} cannot be resolved") from error
        # all of them: a name with one private address is no name to trust
        if not addresses or not all(is_public(address) for address in addresses):
            raise InvalidInput(
                f"image: {url.host} is not on the public internet; pictures are not fetched from private addresses.",
                field="image",
            )
        pinned = httpx.Request(
            request.method,
            url.copy_with(host=addresses[0]),
            headers=request.headers,
            extensions={**request.extensions, "sni_hostname": url.host},
        )
        return await self._inner.handle_async_request(pinned)

    async def aclose(self) -> None:
        await self._inner.aclose()


class Fetcher:
    """Fetches pictures; an async context manager. At most ``CONNECTIONS_MAX`` connections at a time.

    ``ipfs_gateways`` are tried in order for ``ipfs://``, and may be on a private address: the operator chose them.
    """

    def __init__(
        self,
        *,
        ipfs_gateways: Iterable[str] = (),
        limits: FetchLimits = LIMITS,
        clock: Clock | None = None,
        resolve: Resolver = _resolve,
        trusted: frozenset[str] = frozenset(),
    ) -> None:
        self._gateways = [_gateway(address) for address in ipfs_gateways]
        self._limits = limits
        self._clock = clock or SystemClock()
        hosts = {f"{url.host}:{url.port or _PORTS[url.scheme]}" for url in self._gateways}
        self._client = httpx.AsyncClient(
            transport=PublicOnly(trusted | hosts, resolve),
            follow_redirects=False,
            trust_env=False,
            timeout=httpx.Timeout(limits.silence_s, connect=limits.connect_s),
            # a compressed answer could be a bomb, and pictures are compressed already
            headers={"accept": "image/*,*/*;q=0.5", "accept-encoding": "identity", "user-agent": "sothebais"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def fetch(self, address: str) -> bytes:
        """The bytes at an address. Raises InvalidInput with what is wrong and what to do."""
        scheme = address.split(":", 1)[0].lower()
        if scheme == "data":
            return decode_data_address(address, self._limits.bytes_max)
        if scheme == "ipfs":
            return await self._fetch_ipfs(address)
        if scheme in _PORTS:
            return await self._fetch_url(_url(address))
        raise InvalidInput(f"image: {scheme} addresses are not fetched; use https or ipfs.", field="image")

    async def _fetch_ipfs(self, address: str) -> bytes:
        cid, _, path = address[len("ipfs:") :].strip("/").removeprefix("ipfs/").partition("/")
        # written with %20 by some and with a space by others: the same file
        parts = [unquote(part) for part in path.split("/")] if path else []
        if not _CID.fullmatch(cid) or any(part in {".", ".."} or "/" in part for part in parts):
            raise InvalidInput("image: that is not an IPFS address like ipfs://CID/1.png.", field="image")
        if not self._gateways:
            raise InvalidInput(
                "image: is on IPFS and no gateway is set. Name one with --ipfs-gateway https://… (it serves /ipfs/CID).",
                field="image",
            )
        fault: InvalidInput | None = None
        for gateway in self._gateways:
            place = "/".join((gateway.path.rstrip("/"), "ipfs", cid, *(quote(part, safe="") for part in parts)))
            try:
                return await self._fetch_url(gateway.copy_with(path=place))
            except InvalidInput as error:
                fault = error
        assert fault is not None
        raise fault

    async def _fetch_url(self, url: httpx.URL) -> bytes:
        tries = 0
        while True:
            tries += 1
            try:
                async with asyncio.timeout(self._limits.total_s):
                    return await self._follow(url)
            except (httpx.TransportError, TimeoutError, _AgainLater) as error:
                if tries >= self._limits.tries_max:
                    raise InvalidInput(
                        f"image: {url.host} could not be read in {tries} tries ({str(error) or type(error).__name__}). "
                        "Import again later.",
                        field="image",
                    ) from error
            await self._clock.sleep(self._limits.pause_s * 2 ** (tries - 1))

    async def _follow(self, url: httpx.URL) -> bytes:
        for _ in range(self._limits.redirects_max + 1):
            async with self._client.stream("GET", url) as response:
                if response.is_redirect:
                    url = _url(str(url.join(response.headers["location"])))
                    continue
                if response.status_code in _TRY_AGAIN:
                    raise _AgainLater(f"it answered {response.status_code}")
                if response.status_code != 200:
                    raise InvalidInput(f"image: {url.host} answered {response.status_code} for it.", field="image")
                if response.headers.get("content-encoding", "identity").lower() != "identity":
                    raise InvalidInput(f"image: {url.host} sent it compressed, unasked.", field="image")
                return await self._body(response)
        raise InvalidInput(f"image: more than {self._limits.redirects_max} redirects.", field="image")

    async def _body(self, response: httpx.Response) -> bytes:
        data = bytearray()
        async for chunk in response.aiter_raw():
            data += chunk
            if len(data) > self._limits.bytes_max:
                raise InvalidInput(
                    f"image: has more than {self._limits.bytes_max:,} bytes; that is too large.", field="image"
                )
        return bytes(data)


def _url(address: str) -> httpx.URL:
    try:
        url = httpx.URL(address)
    except (httpx.InvalidURL, ValueError):
        raise InvalidInput("image: the address is malformed.", field="image") from None
    if url.scheme not in _PORTS or not url.host:
        raise InvalidInput("image: the address leads to neither http nor https.", field="image")
    if url.userinfo:
        raise InvalidInput("image: the address holds a user name or password; those are not sent.", field="image")
    return url


def _gateway(address: str) -> httpx.URL:
    try:
        return _url(address)
    except InvalidInput:
        raise InvalidInput(
            f"{address!r:.100} is no IPFS gateway; one looks like https://host.", field="ipfs_gateways"
        ) from None


def decode_data_address(address: str, bytes_max: int) -> bytes:
    """The content of a ``data:`` address. Raises InvalidInput."""
    head, comma, body = address[len("data:") :].partition(",")
    if not comma:
        raise InvalidInput("image: the data address has no comma, so no content.", field="image")
    if len(body) > bytes_max * 3:
        raise InvalidInput(f"image: has more than {bytes_max:,} bytes; that is too large.", field="image")
    try:
        data = unquote_to_bytes(body)
        if head.rstrip().lower().endswith(";base64"):
            data = base64.b64decode(b"".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("image: the data address is not valid base64.", field="image") from None
    if len(data) > bytes_max:
        raise InvalidInput(f"image: has more than {bytes_max:,} bytes; that is too large.", field="image")
    return data
