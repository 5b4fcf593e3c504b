"""Canonical JSON and the hash chain. Pure."""

import hashlib
from typing import Any

import msgspec

from sothebais.instants import Millis

#: What the first event of a lot names as the hash before it.
GENESIS = bytes(32)

_encoder = msgspec.json.Encoder(order="sorted")


def canonical(value: Any) -> bytes:
    """Canonical JSON: keys sorted, no white space, UTF-8. Only strings, whole numbers, booleans, null, lists, objects."""
    return _encoder.encode(value)


def chain_hash(data: bytes, n: int, prev_hash: bytes, timestamp: Millis, event_type: str) -> bytes:
    """SHA-256 over the canonical JSON of data, n, prev_hash, timestamp and type; ``data`` is canonical already.

    The five keys stand in alphabetical order, so the text is put together instead of encoded twice.
    """
    digest = hashlib.sha256(b'{"data":')
    digest.update(data)
    digest.update(f',"n":{n},"prev_hash":"{prev_hash.hex()}","timestamp":{timestamp},"type":"{event_type}"}}'.encode())
    return digest.digest()
