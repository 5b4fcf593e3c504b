"""What ERC-721 metadata says of a piece, as far as it can be shown or said. Pure."""

from typing import Any, Final

TRAIT_LENGTH_MAX: Final = 80
TRAITS_MAX: Final = 24
_ARTIST: Final = ("artist", "creator")


def read(metadata: Any) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The artist ("" where none is named), and the other traits with their names; anybody may have written them."""
    artist, found = "", []
    attributes = metadata.get("attributes") if isinstance(metadata, dict) else None
    for attribute in attributes if isinstance(attributes, list) else []:
        if not isinstance(attribute, dict):
            continue
        name, value = attribute.get("trait_type"), attribute.get("value")
        if isinstance(value, bool) or not isinstance(value, str | int | float) or not str(value).strip():
            continue
        value = str(value).strip()[:TRAIT_LENGTH_MAX]
        if isinstance(name, str) and name.lower() in _ARTIST:
            artist = artist or value
        else:
            found.append((str(name or "").strip()[:TRAIT_LENGTH_MAX], value))
    return artist, tuple(found[:TRAITS_MAX])
