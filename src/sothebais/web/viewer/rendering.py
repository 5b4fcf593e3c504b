"""From a template and its values to a page; what every page knows stands here."""

from collections.abc import Sequence
from typing import Any, Final

import structlog
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from sqlalchemy.exc import DBAPIError
from starlette.requests import Request
from starlette.responses import HTMLResponse

from sothebais import media
from sothebais.api.auth import maybe_identity
from sothebais.api.headers import content_security_policy
from sothebais.api.parts import ApiParts
from sothebais.clock import isoformat
from sothebais.errors import SothebaisError
from sothebais.users.service import Identity
from sothebais.web.viewer import people, words
from sothebais.web.viewer.data import Piece
from sothebais.web.viewer.static import StaticFiles

log = structlog.get_logger(__name__)

THEME_COOKIE: Final = "sothebais_theme"
THEMES: Final = ("light", "dark")
#: The zone that nobody chose; then the browser's own counts.
ZONE_UNSET: Final = "UTC"
#: So many digits of its hash make a picture's address unchanging.
VERSION_LENGTH: Final = 16


class Renderer:
    """Renders templates of this house, and those of the packages ``more``."""

    def __init__(self, static: StaticFiles, parts: ApiParts, *, more: Sequence[str] = ()) -> None:
        self._parts = parts
        self._environment = Environment(
            loader=ChoiceLoader([PackageLoader(package) for package in (__package__, *more)]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals |= {"static": static.url, "picture": picture, "media": media}
        self._environment.filters |= {
            "amount": words.amount,
            "moment": words.moment,
            "instant": words.instant,
            "handle": words.handle,
            "paragraphs": words.paragraphs,
            "plural": words.plural,
            "refusal": words.refusal,
        }
        self._environment.globals |= {"cash": words.cash, "bid_words": words.bid_words, "lot_state": words.lot_state}

    async def page(
        self, request: Request, template: str, *, status: int = 200, viewer: Identity | None = None, **values: Any
    ) -> HTMLResponse:
        """A page for whoever asks; ``viewer`` where the caller knows already."""
        viewer = viewer or await self.viewer(request)
        wishes = {} if viewer is None else await people.wishes_of(self._parts.database, viewer.user)
        return self._respond(request, template, status, viewer, wishes, values)

    async def viewer(self, request: Request) -> Identity | None:
        """Who is signed in, if anybody."""
        return await maybe_identity(request)

    async def fault(self, request: Request, status: int, **values: Any) -> HTMLResponse:
        """A page that says what went wrong; made even where nobody can be asked who is signed in."""
        try:
            viewer = await self.viewer(request)
        except (SothebaisError, DBAPIError, OSError, TimeoutError) as error:
            log.info("pages.viewer_unknown", error=repr(error))
            viewer = None
        return self._respond(request, "fault.html", status, viewer, {}, {"status": status} | values)

    def _respond(
        self,
        request: Request,
        template: str,
        status: int,
        viewer: Identity | None,
        wishes: dict[str, Any],
        values: dict[str, Any],
    ) -> HTMLResponse:
        theme = request.cookies.get(THEME_COOKIE) or wishes.get("theme")
        zone = wishes.get("time_zone", ZONE_UNSET)
        known = {
            "viewer": viewer,
            "me": None if viewer is None else {"id": str(viewer.user), "handle": viewer.name},
            "theme": theme if theme in THEMES else None,
            "zone": None if zone == ZONE_UNSET else zone,
            "sandbox": self._parts.settings.sandbox,
            "with_x": self._parts.settings.x_client_id is not None,
            "path": request.url.path,
            "server_time": isoformat(self._parts.clock.now()),
        }
        html = self._environment.get_template(template).render(known | values)
        policy = content_security_policy(self._parts.settings, request.url.hostname)
        return HTMLResponse(html, status_code=status, headers={"content-security-policy": policy})


def picture(piece: Piece, width: int) -> str:
    """The address of a piece's picture, no wider than that; it never changes, for the hash is part of it."""
    return f"/api/v1/art-items/{piece.id}/image?width={width}&v={(piece.picture or '')[:VERSION_LENGTH]}"
