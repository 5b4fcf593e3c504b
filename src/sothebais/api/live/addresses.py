"""Whose connection it is: the address behind our own proxies, and the site a browser's page came from. Pure."""

import ipaddress
from collections.abc import Sequence
from itertools import count, islice, pairwise
from urllib.parse import urlsplit

from sothebais.config import Settings
from sothebais.errors import ConfigurationError

STREAM_PATH = "/api/v1/stream"

type Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def site(origin: str) -> str | None:
    """``host`` or ``host:port`` of an Origin, with the scheme's own port left out; None for what is none."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return host if port in (None, {"http": 80, "https": 443}[parts.scheme]) else f"{host}:{port}"


def from_our_pages(origin: str | None, host: str | None, *, public_url: str | None, ports: Sequence[int]) -> bool:
    """Whether a browser's connection was opened by a page of this house.

    Such a page is at ``public_url``, at the address that was asked itself, or, where no ``public_url`` is set, on the
    same host at one of the house's own ``ports``. No page can change the Origin its browser sends.
    """
    theirs = None if origin is None else site(origin)
    if theirs is None:
        return False
    if public_url is not None and theirs == site(public_url):
        return True
    if host is None:
        return False
    asked = site(f"http://{host}")
    if theirs in (asked, host):
        return True
    if public_url is not None or asked is None:
        return False
    name = urlsplit(f"http://{asked}").hostname
    return urlsplit(f"http://{theirs}").hostname == name and (urlsplit(f"http://{theirs}").port or 80) in ports


def gateway_ports(settings: Settings) -> list[int]:
    """The ports of the gateways that event-handler starts: from ``live_port`` on, without those of other services."""
    taken = {settings.port, settings.engine_port, settings.events_port, settings.stream_port}
    free = (port for port in count(settings.live_port) if port not in taken)
    return list(islice(free, settings.live_gateways))


def stream_url(settings: Settings, scheme: str, netloc: str) -> str:
    """Where the stream's addresses begin (``/preview``, ``/hls/live.m3u8``, ``/frame.png`` below it), for a page that was
    asked for at ``scheme://netloc``: the proxy's word, else the page's own address behind a proxy, else its host at
    ``stream_port``."""
    if settings.stream_url is not None:
        return settings.stream_url
    if settings.public_url is not None:
        return settings.public_url + STREAM_PATH
    name = urlsplit(f"{scheme}://{netloc}").hostname or settings.host
    host = f"[{name}]" if ":" in name else name
    return f"{scheme}://{host}:{settings.stream_port}{STREAM_PATH}"


def client_address(peer: str, forwarded_for: str | None, proxies: Sequence[Network]) -> str:
    """The peer's own address; behind our own proxies the last one that is not theirs."""
    hops = [peer, *reversed([hop.strip() for hop in (forwarded_for or "").split(",") if hop.strip()])]
    for hop, following in pairwise(hops):
        if not _is_ours(hop, proxies):
            return hop
        if _parsed(following) is None:
            return hop
    return hops[-1]


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """The networks of a setting. Raises ConfigurationError."""
    try:
        return tuple(ipaddress.ip_network(text, strict=False) for text in texts)
    except ValueError as error:
        raise ConfigurationError(f"SOTHEBAIS_LIVE_TRUSTED_PROXIES: {error}.") from None


def _is_ours(address: str, proxies: Sequence[Network]) -> bool:
    parsed = _parsed(address)
    return parsed is not None and any(parsed in proxy for proxy in proxies)


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None
