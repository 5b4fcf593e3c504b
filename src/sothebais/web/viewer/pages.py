"""The addresses of the pages."""

from typing import Any
from uuid import UUID

from fastapi import FastAPI, Request
from starlette.responses import RedirectResponse, Response

from sothebais import ids
from sothebais.api.live import addresses
from sothebais.api.paging import PAGE_USUAL, page
from sothebais.api.parts import parts_of
from sothebais.auctions import own_bids, repository
from sothebais.auctions.model import Status
from sothebais.errors import NotFound
from sothebais.instants import from_datetime
from sothebais.users.service import Identity
from sothebais.web.viewer import chart, data, people, transcript
from sothebais.web.viewer.rendering import Renderer
from sothebais.web.viewer.static import StaticFiles

BIDS_SHOWN_MAX = 100
ADDRESS_LENGTH_MAX = 200


class Pages:
    """The handlers, with what renders them."""

    def __init__(self, static: StaticFiles, renderer: Renderer) -> None:
        self._static = static
        self._renderer = renderer

    async def home(self, request: Request) -> Response:
        """What is on, tonight's catalogue, results, what comes."""
        shown = await data.home(parts_of(request).database)
        first = shown.on_air or next((lot for lot in shown.catalogue if not lot.over), None)
        return await self._renderer.page(
            request, "home.html", home=shown, first=first, stream=await self._stream(request)
        )

    async def auction(self, request: Request) -> Response:
        """The room while a lot runs; afterwards, at the same address, its record."""
        parts = parts_of(request)
        key = _key(request, "auction_id", "There is no lot at this address.")
        lot = await data.lot(parts.database, key)
        snapshot = await repository.snapshot(parts.database, key)
        bids, _ = await repository.bids(parts.database, key, limit=BIDS_SHOWN_MAX)
        before, after = await data.neighbours(parts.database, lot)
        viewer = await self._renderer.viewer(request)
        mine = await self._mine(request, lot, viewer)
        over = lot.status in (Status.ENDED, Status.SETTLED, Status.CANCELLED)
        drawn = None
        if over:
            points = await data.prices(parts.database, key)
            ended = lot.ended_at or lot.ends_at
            drawn = chart.step_chart(points, starts_at=from_datetime(lot.starts_at), ends_at=from_datetime(ended))
        return await self._renderer.page(
            request,
            "record.html" if over else "room.html",
            viewer=viewer,
            lot=lot,
            snapshot=snapshot,
            bids=bids,
            chart=drawn,
            before=before,
            after=after,
            stream=await self._stream(request),
            host=await transcript.host_name(parts.database),
            **mine,
        )

    async def transcript(self, request: Request) -> Response:
        """What the host said."""
        after = _after(request)
        spoken = await transcript.page(parts_of(request).database, after=after)
        return await self._renderer.page(request, "transcript.html", spoken=spoken, lot=None, paged=after is not None)

    async def lot_transcript(self, request: Request) -> Response:
        """What the host said about one lot."""
        database, after = parts_of(request).database, _after(request)
        key = _key(request, "auction_id", "There is no lot at this address.")
        lot = await data.lot(database, key)
        spoken = await transcript.page(database, auction=key, after=after)
        return await self._renderer.page(request, "transcript.html", spoken=spoken, lot=lot, paged=after is not None)

    async def _mine(self, request: Request, lot: data.LotLine, viewer: Identity | None) -> dict[str, Any]:
        if viewer is None:
            return {"has_bid": False, "follows": False}
        database = parts_of(request).database
        return {
            "has_bid": await data.has_bid(database, lot.id, viewer.user),
            "follows": await people.follows(database, viewer.user, auction=lot.id),
        }

    async def _stream(self, request: Request) -> dict[str, Any]:
        """Whether there is a live picture, and where."""
        parts = parts_of(request)
        url = addresses.stream_url(parts.settings, request.url.scheme, request.url.netloc)
        return {"on_air": await data.on_air(parts.database), "url": url}

    async def campaigns(self, request: Request) -> Response:
        """Every campaign."""
        return await self._renderer.page(
            request, "campaigns.html", campaigns=await data.campaigns(parts_of(request).database)
        )

    async def campaign(self, request: Request) -> Response:
        """One campaign: its days and lots."""
        database = parts_of(request).database
        card, lots = await data.campaign(
            database, _key(request, "campaign_id", "There is no campaign at this address.")
        )
        viewer = await self._renderer.viewer(request)
        follows = viewer is not None and await people.follows(database, viewer.user, campaign=card.id)
        by_day = {day.id: [lot for lot in lots if lot.day == day.id] for day in card.days}
        return await self._renderer.page(
            request, "campaign.html", viewer=viewer, campaign=card, lots=lots, by_day=by_day, follows=follows
        )

    async def me(self, request: Request) -> Response:
        """The signed-in person's own page."""
        viewer = await self._renderer.viewer(request)
        if viewer is None:
            return RedirectResponse("/sign-in?next=/me", status_code=303)
        profile = await people.profile(parts_of(request).database, viewer.user)
        return await self._renderer.page(request, "me.html", viewer=viewer, profile=profile)

    async def my_bids(self, request: Request) -> Response:
        """Every bid the signed-in person made, a page at a time."""
        viewer = await self._renderer.viewer(request)
        if viewer is None:
            return RedirectResponse("/sign-in?next=/me/bids", status_code=303)
        after = _after(request)
        rows = await own_bids.page(parts_of(request).database, viewer.user, after=after, limit=PAGE_USUAL)
        told = page(rows, PAGE_USUAL, own_bids.shown)
        return await self._renderer.page(
            request, "my_bids.html", viewer=viewer, bids=told["items"], following=told["next"], later=after is not None
        )

    async def sign_in(self, request: Request) -> Response:
        """The ways to say who one is."""
        return await self._renderer.page(request, "sign_in.html", following=_own_address(request))

    async def rules(self, request: Request) -> Response:
        """How bidding works, and what becomes of people's data."""
        return await self._renderer.page(request, "rules.html")

    async def about(self, _request: Request) -> Response:
        """An address people guess."""
        return RedirectResponse("/how-bidding-works", status_code=308)

    async def offline(self, request: Request) -> Response:
        """What the browser shows when it cannot reach the house; it keeps this page, which is nobody's."""
        return await self._renderer.fault(request, 200, kind="offline", detail=None)

    async def worker(self, _request: Request) -> Response:
        """The service worker; at the top so that it may look after every page."""
        file = self._static.read("js/worker.js")
        if file is None:
            raise NotFound("There is no service worker.")
        text = file.content.decode().replace("BUILD_HASH", self._static.hash)
        return Response(text, media_type=file.media_type, headers={"cache-control": "no-cache"})


def mount(app: FastAPI, static: StaticFiles, renderer: Renderer) -> None:
    """Add every page and file."""
    pages = Pages(static, renderer)
    routes = {
        "/": pages.home,
        "/auctions/{auction_id}": pages.auction,
        "/auctions/{auction_id}/transcript": pages.lot_transcript,
        "/transcript": pages.transcript,
        "/campaigns": pages.campaigns,
        "/campaigns/{campaign_id}": pages.campaign,
        "/me": pages.me,
        "/me/bids": pages.my_bids,
        "/sign-in": pages.sign_in,
        "/how-bidding-works": pages.rules,
        "/about": pages.about,
        "/offline": pages.offline,
        "/worker.js": pages.worker,
        "/static/{hash}/{path:path}": static.serve,
    }
    for path, handler in routes.items():
        app.add_route(path, handler, methods=["GET"], include_in_schema=False)


def _key(request: Request, name: str, otherwise: str) -> UUID:
    key = ids.parse_id(request.path_params[name])
    if key is None:
        raise NotFound(otherwise)
    return key


def _after(request: Request) -> UUID | None:
    """Where a page goes on, if it is not the first."""
    text = request.query_params.get("after")
    if text is None:
        return None
    key = ids.parse_id(text)
    if key is None:
        raise NotFound("There is no page at this address.")
    return key


def _own_address(request: Request) -> str:
    """Where to go after signing in: a page of this house, or home."""
    address = request.query_params.get("next", "/")
    own = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if own and len(address) <= ADDRESS_LENGTH_MAX else "/"
