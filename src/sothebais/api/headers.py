"""The headers that keep a browser from being used against its owner. Made once per application, sent with every answer."""

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

from sothebais.config import Settings

type Headers = tuple[tuple[bytes, bytes], ...]

LOCAL_HOSTS: Final = ("127.0.0.1", "localhost")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")

HSTS_S = 63_072_000
#: What no page of the house asks a browser for.
_UNUSED = (
    "accelerometer", "ambient-light-sensor", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer",
    "microphone", "midi", "payment", "serial", "usb",
)  # fmt: skip


def always(settings: Settings) -> Headers:
    """Headers that no answer may do without."""
    secure = settings.public_url is not None and settings.public_url.lower().startswith("https:")
    return (
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"same-origin"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"permissions-policy", ", ".join(f"{name}=()" for name in _UNUSED).encode()),
        *(((b"strict-transport-security", f"max-age={HSTS_S}; includeSubDomains".encode()),) if secure else ()),
    )


def defaults(settings: Settings) -> Headers:
    """Headers that an answer may say otherwise by itself: a picture that other sites may show, a page with its own policy."""
    return (
        (b"content-security-policy", content_security_policy(settings).encode()),
        (b"x-frame-options", b"DENY"),
        (b"cross-origin-resource-policy", b"same-origin"),
    )


def content_security_policy(settings: Settings, host: str | None = None) -> str:
    """Everything from this house alone, nothing inline, framed by nobody. ``host`` is the name the page was asked for by:
    without addresses of their own the house's other services are reached at the same."""
    hosts = _hosts(host)
    stream = stream_origins(settings, hosts)
    shown = " ".join(("'self'", *(origin for origin in stream if origin.startswith("http"))))
    connect = " ".join(dict.fromkeys(("'self'", *live_origins(settings, hosts), *stream)))
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"img-src {shown} data:",
            f"connect-src {connect}",
            "font-src 'self'",
            f"media-src {shown} blob:",
            "manifest-src 'self'",
            "worker-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        )
    )


def _hosts(asked: str | None) -> tuple[str, ...]:
    """This machine's names, and the one a page was asked for by, if it is a name."""
    if asked is None or asked in LOCAL_HOSTS:
        return LOCAL_HOSTS
    if _NAME.fullmatch(asked):
        return (*LOCAL_HOSTS, asked)
    try:
        return (*LOCAL_HOSTS, f"[{ipaddress.IPv6Address(asked)}]")
    except ValueError:
        return LOCAL_HOSTS


def live_origins(settings: Settings, hosts: tuple[str, ...] = LOCAL_HOSTS) -> tuple[str, ...]:
    """Where live updates come from beside the page's own address: the gateways, on their port or at their own address."""
    found = {settings.live_url, settings.public_url} - {None}
    if found:
        origins = {urlsplit(str(address)) for address in found}
        secure = {"https": "wss", "http": "ws"}
        return tuple(sorted(f"{secure.get(one.scheme, one.scheme)}://{one.netloc}" for one in origins))
    ports = (settings.port, *range(settings.live_port, settings.live_port + settings.live_gateways))
    return tuple(f"ws://{host}:{port}" for host in hosts for port in ports)


def stream_origins(settings: Settings, hosts: tuple[str, ...] = LOCAL_HOSTS) -> tuple[str, ...]:
    """Where the live picture comes from beside the page's own address: over HTTP (stills, HLS) and over a WebSocket."""
    if settings.stream_url is not None:
        one = urlsplit(settings.stream_url)
        return (f"{one.scheme}://{one.netloc}", f"{one.scheme.replace('http', 'ws', 1)}://{one.netloc}")
    if settings.public_url is not None:
        return ()  # beside the pages
    return tuple(f"{scheme}://{host}:{settings.stream_port}" for scheme in ("http", "ws") for host in hosts)
