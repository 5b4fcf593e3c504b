"""Where this house is found: what a wallet signs for, a passkey is bound to, X returns to."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from sothebais.errors import Unavailable

_LOOPBACK = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?", re.ASCII)


@dataclass(frozen=True)
class Origin:
    """Scheme and host with its port, as a browser writes them."""

    scheme: str
    netloc: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"

    @property
    def host(self) -> str:
        """The host alone."""
        return urlsplit(str(self)).hostname or ""

    def has(self, uri: str) -> bool:
        """Whether an address lies in this house."""
        try:
            parts = urlsplit(uri)
        except ValueError:
            return False
        return parts.scheme.lower() == self.scheme and parts.netloc.lower() == self.netloc


def house_origin(public_url: str | None, scheme: str, host: str) -> Origin:
    """The house's origin: the configured one, else the one the request came to where that is this very machine.

    Any other host name in a request is its sender's word: a page in between would make the house sign its visitors in
    for it. Raises Unavailable then.
    """
    if public_url is not None:
        parts = urlsplit(public_url.lower())
        return Origin(parts.scheme, parts.netloc)
    if not _LOOPBACK.fullmatch(host.lower()):
        raise Unavailable(
            "This house does not know its own address yet, so nothing can be signed for it. Set SOTHEBAIS_PUBLIC_URL.",
            retry_after=60,
        )
    return Origin(scheme, host.lower())
