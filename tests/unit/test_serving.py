"""How requests reach the applications: the address that limits count is the visitor's, and nobody can choose it."""

from pathlib import Path
from typing import Any

import pytest

from sothebais import config
from sothebais.roles import server_config


@pytest.mark.parametrize(
    ("peer", "forwarded", "counted"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        # somebody who is no proxy of ours says so in vain
        ("203.0.113.9", "198.51.100.7", "203.0.113.9"),
        ("10.1.2.3", "198.51.100.7", "198.51.100.7"),
        # what was in the header before our proxy added to it is the visitor's own claim
        ("10.1.2.3", "192.0.2.1, 198.51.100.7", "198.51.100.7"),
        ("127.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("127.0.0.1", None, "127.0.0.1"),
    ],
)
async def test_the_address_is_the_visitors(tmp_path: Path, peer: str, forwarded: str | None, counted: str) -> None:
    seen: list[str] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope["client"][0])

    settings = config.load(data_dir=tmp_path, live_trusted_proxies=["10.0.0.0/8"])
    served = server_config(app, settings)
    served.load()
    headers = [] if forwarded is None else [(b"x-forwarded-for", forwarded.encode())]
    scope = {"type": "http", "client": (peer, 1_234), "headers": headers, "scheme": "http"}

    async def nothing(*_given: Any) -> Any:
        return {}

    await served.loaded_app(scope, nothing, nothing)
    assert seen == [counted]
