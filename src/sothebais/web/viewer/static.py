"""Stylesheets, scripts, pictures and fonts: read once, addressed by the hash of all of them, kept by browsers for ever.

One hash for the whole set, in the path, so that modules and stylesheets can name each other by relative addresses.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from sothebais.web.viewer import tokens

MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ttf": "font/ttf",
}
FONTS: Final = {
    "font_caladea": ("Caladea-Regular.ttf", "Caladea-Italic.ttf", "Caladea-Bold.ttf"),
    "font_manrope": ("Manrope-VariableFont_wght.ttf",),
}
IMMUTABLE: Final = "public, max-age=31536000, immutable"
HASH_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as it is sent."""

    content: bytes
    media_type: str


class StaticFiles:
    """Every static file by its path below ``/static/HASH/``; ``more`` names folders of packages that add theirs."""

    def __init__(self, *, base: str = "/static", more: Mapping[str, str] = MappingProxyType({})) -> None:
        self._base = base
        self._files = _collect({"": __package__} | dict(more))
        digest = hashlib.sha256()
        for path, file in sorted(self._files.items()):
            digest.update(path.encode() + b"\0" + hashlib.sha256(file.content).digest())
        self.hash = digest.hexdigest()[:HASH_DIGITS]

    def url(self, path: str) -> str:
        """The address of a file. Raises KeyError for one that is not there, so that a page cannot name it."""
        if path not in self._files:
            raise KeyError(f"there is no static file {path}")
        return f"{self._base}/{self.hash}/{path}"

    def read(self, path: str) -> StaticFile | None:
        """A file, if there is one of this path."""
        return self._files.get(path)

    async def serve(self, request: Request) -> Response:
        """The file; immutable under the present hash, not to be kept under an older one."""
        file = self._files.get(request.path_params["path"])
        if file is None:
            return PlainTextResponse("There is no such file.", status_code=404)
        current = request.path_params["hash"] == self.hash
        headers = {"cache-control": IMMUTABLE if current else "no-cache", "etag": f'"{self.hash}"'}
        return Response(file.content, media_type=file.media_type, headers=headers)


def _collect(packages: Mapping[str, str]) -> dict[str, StaticFile]:
    files = {"css/tokens.css": StaticFile(tokens.stylesheet().encode(), MEDIA_TYPES[".css"])}
    for folder, package in packages.items():
        for path, entry in _walk(resources.files(package) / "static", PurePosixPath(folder)):
            media_type = MEDIA_TYPES.get(path.suffix)
            if media_type is not None:
                files[str(path)] = StaticFile(entry.read_bytes(), media_type)
    for package, names in FONTS.items():
        for name in names:
            files[f"fonts/{name}"] = StaticFile(
                (resources.files(package) / "files" / name).read_bytes(), MEDIA_TYPES[".ttf"]
            )
    return files


def _walk(folder: Traversable, path: PurePosixPath) -> list[tuple[PurePosixPath, Traversable]]:
    found: list[tuple[PurePosixPath, Traversable]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _walk(entry, path / entry.name)
        else:
            found.append((path / entry.name, entry))
    return found
