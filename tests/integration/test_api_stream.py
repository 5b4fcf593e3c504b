"""The show over HTTP: what is on, what operators ask of it, scenes looked at first, files in and out."""

import asyncio
import io
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest
import sqlalchemy as sa
from PIL import Image
from tests.fakes.house import a_user, an_open_lot, signed_in, whole_log
from tests.fakes.media_files import animation, sound, still, video
from tests.fakes.trials import rows_of

from sothebais import ids
from sothebais.api.models.stream import PLAIN_SCENE, SceneNow, ScenePut, StreamConfig, StreamNow
from sothebais.api.models.stream import StreamAsset as AssetBody
from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.config import Settings
from sothebais.db.engine import connect
from sothebais.state import keys
from sothebais.state.store import StateStore, Write
from sothebais.stream import commands
from sothebais.users.tables import Role

STREAM = "/api/v1/stream"
BYTES_MAX = 600_000


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"stream_asset_bytes_max": BYTES_MAX, "writes_per_second": 1e6})


@pytest.fixture
async def operator(house: House, client: httpx.AsyncClient) -> dict[str, str]:
    await a_user(house, "olga", role=Role.OPERATOR)
    return (await signed_in(client, "olga"))[1]


def is_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["code"] == code, body
    return body


async def started(client: httpx.AsyncClient, operator: dict[str, str], **more: Any) -> str:
    answer = await client.post(f"{STREAM}/start", json={"title": "Evening"} | more, headers=operator)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["stream"]["id"])


async def updates(house: House) -> list[dict[str, Any]]:
    return [event.decoded() for event in await whole_log(house.database_url) if event.type == "stream:scene:update"]


async def test_a_stream_is_started_shown_and_asked_to_stop(
    house: House, client: httpx.AsyncClient, operator: dict[str, str], store: StateStore
) -> None:
    assert (await client.get(STREAM)).json() == {"stream": None}
    assert set((await client.get(f"{STREAM}/scene")).json().values()) == {None}
    key = {"idempotency-key": "start-1"}
    first = await client.post(f"{STREAM}/start", json={"title": "Evening", "fps": 60}, headers=operator | key)
    again = await client.post(f"{STREAM}/start", json={"title": "Evening", "fps": 60}, headers=operator | key)
    assert (first.status_code, again.json()) == (201, first.json())
    body = is_problem(await client.post(f"{STREAM}/start", json={"title": "B"}, headers=operator), 409, "CONFLICT")
    assert body["stream"] == first.json()["stream"]["id"]
    stream = UUID(body["stream"])
    state = {
        "id": str(stream), "status": "LIVE", "scene": "intermission",
        "outputs": [{"name": "x", "kind": "RTMP", "status": "UP", "since": 1, "reason": None}],
    }  # fmt: skip
    await store.force([Write(keys.stream(stream), 1, msgspec.json.encode(state))])
    shown = (await client.get(STREAM)).json()
    StreamNow.model_validate(shown)
    now = shown["stream"]
    assert (now["status"], now["canvas"], now["fps"], now["scene"]) == ("STARTING", "1280x720", 60, "intermission")
    assert now["outputs"] == state["outputs"]
    assert now["preview"].startswith("ws://")
    assert now["preview"].endswith("/api/v1/stream/preview")
    assert now["hls"].endswith("/hls/live.m3u8")
    for wrong in ({}, {"reason": " "}, {"reason": "x" * 501}):
        is_problem(await client.post(f"{STREAM}/stop", json=wrong, headers=operator), 422, "INVALID_INPUT")
    assert (await client.get(STREAM)).json()["stream"]["stop"] is None
    stopped = (await client.post(f"{STREAM}/stop", json={"reason": "Midnight."}, headers=operator)).json()["stream"]
    assert stopped["stop"]["cause"] == "Midnight."
    late = (await client.post(f"{STREAM}/stop", json={"reason": "Again."}, headers=operator)).json()["stream"]
    assert late["stop"] == stopped["stop"]
    audit = await rows_of(house, "select action, reason from audit order by at, id")
    assert [(row["action"], row["reason"]) for row in audit] == [("stream.start", None), ("stream.stop", "Midnight.")]


async def test_without_a_stream_there_is_nothing_to_stop_or_to_put_on(
    house: House, client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    is_problem(await client.post(f"{STREAM}/stop", json={"reason": "a"}, headers=operator), 404, "NOT_FOUND")
    is_problem(await client.post(f"{STREAM}/slate", json={"reason": "a"}, headers=operator), 404, "NOT_FOUND")
    is_problem(await client.put(f"{STREAM}/scene", json={"reason": "a"}, headers=operator), 409, "CONFLICT")
    document = {"document": PLAIN_SCENE, "reason": "a"}
    is_problem(await client.put(f"{STREAM}/scene", json=document, headers=operator), 409, "CONFLICT")
    assert await rows_of(house, "select 1 from stream_scenes") == []
    for wrong, field in (
        ({}, "title"), ({"title": " \t"}, "title"), ({"title": "a", "canvas": "1x1"}, "canvas"),
        ({"title": "a", "fps": 29}, "fps"), ({"campaign_day_id": "x"}, "campaign_day_id"),
    ):  # fmt: skip
        answer = is_problem(await client.post(f"{STREAM}/start", json=wrong, headers=operator), 422, "INVALID_INPUT")
        assert field in answer["detail"]
    missing = {"campaign_day_id": str(ids.new_id())}
    is_problem(await client.post(f"{STREAM}/start", json=missing, headers=operator), 404, "NOT_FOUND")
    assert await rows_of(house, "select 1 from streams") == []


async def test_a_slate_goes_on_with_its_sentence_and_comes_off(
    house: House, client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    await started(client, operator)
    off = {"reason": "The line is back.", "on": False}
    is_problem(await client.post(f"{STREAM}/slate", json=off, headers=operator), 409, "CONFLICT")
    on = {"reason": "Line lost", "sentence": "The line is lost.", "meaning": "Bids count."}
    shown = (await client.post(f"{STREAM}/slate", json=on, headers=operator)).json()["stream"]["slate"]
    assert (shown["sentence"], shown["meaning"]) == ("The line is lost.", "Bids count.")
    async with house.engine.connect() as connection:
        wanted = await commands.desired(connection)
    assert wanted.slate is not None
    assert wanted.slate.notice.sentence == "The line is lost."
    scene = (await client.get(f"{STREAM}/scene")).json()
    assert (scene["chosen_by"], scene["scene"]) == ("SLATE", {"name": "slate", "revision": 0})
    assert (await client.post(f"{STREAM}/slate", json=off, headers=operator)).json()["stream"]["slate"] is None
    told = await updates(house)
    assert [(one["scene"], one["previous_scene"], one["cause"], one["sentence"]) for one in told] == [
        ("slate", "intermission", "Line lost", "The line is lost."),
        ("automatic", "slate", "The line is back.", None),
    ]
    too_long = {"reason": "a", "sentence": "x" * 91}
    is_problem(await client.post(f"{STREAM}/slate", json=too_long, headers=operator), 422, "INVALID_INPUT")


async def test_a_scene_is_stored_shown_by_name_and_given_back_to_the_auction(
    house: House, client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    stream = await started(client, operator)

    async def put(**body: Any) -> dict[str, Any]:
        answer = await client.put(f"{STREAM}/scene", json={"reason": "A look"} | body, headers=operator)
        assert answer.status_code == 200, answer.text
        ScenePut.model_validate(answer.json())
        return answer.json()  # type: ignore[no-any-return]

    first = await put(document=PLAIN_SCENE, transition="zoom", duration_ms=900)
    assert (first["scene"]["revision"], first["stored"], first["stream_id"]) == (1, True, stream)
    same = await put(document=PLAIN_SCENE)
    assert (same["scene"]["revision"], same["stored"]) == (1, False)
    kept = await put(document=PLAIN_SCENE | {"theme": "light"}, on_air=False)
    assert (kept["scene"]["revision"], kept["stream_id"]) == (2, None)
    on = (await client.get(f"{STREAM}/scene")).json()
    SceneNow.model_validate(on)
    assert (on["chosen_by"], on["scene"]) == ("OPERATOR", {"name": "plain", "revision": 1})
    assert on["document"]["canvas"] == {"width": 1920, "height": 1080}
    await put(name="plain")
    await put(name="auction")
    await put(name="plain", revision=1)
    await put()
    assert (await client.get(f"{STREAM}/scene")).json()["chosen_by"] == "AUTOMATIC"
    told = await updates(house)
    assert [(one["scene"], one["revision"], one["transition"], one["duration"]) for one in told] == [
        ("plain", 1, "zoom", 900), ("plain", 1, "fade", 600), ("plain", 2, "fade", 600), ("auction", 0, "fade", 600),
        ("plain", 1, "fade", 600), ("automatic", 0, "fade", 600),
    ]  # fmt: skip
    assert all(one["actor"] and one["cause"] == "A look" for one in told)

    override = PLAIN_SCENE | {"name": "auction"}
    await put(document=override, on_air=False)
    async with house.engine.connect() as connection:
        wanted = await commands.desired(connection)
    assert (wanted.override, wanted.revisions) == (None, (("auction", 1), ("plain", 2)))
    listed = (await client.get(f"{STREAM}/scenes", headers=operator)).json()["items"]
    lines = {(one["name"], one["orientation"]): one for one in listed}
    assert (lines["auction", "WIDE"]["revision"], lines["auction", "WIDE"]["built_in"]) == (1, True)
    assert (lines["auction", "VERTICAL"]["revision"], lines["plain", "WIDE"]["built_in"]) == (0, False)
    history = (await client.get(f"{STREAM}/scenes?name=auction", headers=operator)).json()["items"]
    assert [one["revision"] for one in history] == [1, 0]
    built_in = await client.get(f"{STREAM}/scenes/auction?revision=0", headers=operator)
    assert len(built_in.json()["document"]["quadrants"]) == 4
    is_problem(await client.get(f"{STREAM}/scenes/none", headers=operator), 404, "NOT_FOUND")
    is_problem(await client.get(f"{STREAM}/scenes?name=none", headers=operator), 404, "NOT_FOUND")


async def test_a_scene_that_cannot_be_shown_is_refused_with_the_path_of_the_fault(
    house: House, client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    await started(client, operator)
    sounding = await client.post(
        f"{STREAM}/assets?name=bell&type=AUDIO", content=sound("wav", "pcm_s16le"), headers=operator
    )
    assert sounding.status_code == 201
    image = {"type": "image", "id": "i", "source": "BACKGROUND/none"}
    for document, path in (
        ({}, "name"),
        (PLAIN_SCENE | {"canvas": {"width": 1000, "height": 1000}}, "canvas"),
        (PLAIN_SCENE | {"canvas": {"width": 1080, "height": 1920}}, "canvas"),
        (PLAIN_SCENE | {"name": "automatic"}, "name"),
        (PLAIN_SCENE | {"overlay": [{"type": "text", "id": "t", "text": 5}]}, "overlay[0].text"),
        (PLAIN_SCENE | {"overlay": [{"type": "text", "id": "t", "text": "a\x00b"}]}, "overlay[0].text"),
        (PLAIN_SCENE | {"overlay": [image | {"source": "OVERLAY/\x00"}]}, "overlay[0].source"),
        (PLAIN_SCENE | {"overlay": [image]}, "overlay[0].source"),
        (
            PLAIN_SCENE | {"quadrants": {"bottom_left": {"elements": [image]}}},
            "quadrants.bottom_left.elements[0].source",
        ),
        (PLAIN_SCENE | {"background": [image | {"source": "AUDIO/bell"}]}, "background[0].source"),
    ):
        for body in ({"document": document, "reason": "a"}, {"document": document}):
            where = f"{STREAM}/scene" + ("" if "reason" in body else "?preview=true")
            if path == "canvas" and document["canvas"]["height"] == 1920 and "reason" not in body:
                continue  # it can be looked at, and not be put on a wide stream
            refused = is_problem(await client.put(where, json=body, headers=operator), 422, "SCENE_REFUSED")
            assert refused["path"] == path
    for body, status, code in (
        ({"document": PLAIN_SCENE, "name": "auction", "reason": "a"}, 422, "INVALID_INPUT"),
        ({"document": PLAIN_SCENE}, 422, "INVALID_INPUT"),
        ({"name": "none", "reason": "a"}, 404, "NOT_FOUND"),
        ({"name": "auction", "revision": 7, "reason": "a"}, 404, "NOT_FOUND"),
        ({"name": "auction", "on_air": False, "reason": "a"}, 422, "INVALID_INPUT"),
        ({"name": "auction", "duration_ms": 5_001, "reason": "a"}, 422, "INVALID_INPUT"),
    ):
        is_problem(await client.put(f"{STREAM}/scene", json=body, headers=operator), status, code)
    raw = b'{"reason": "a", "document": {"name": "\\ud800"}}'
    headers = operator | {"content-type": "application/json"}
    is_problem(await client.put(f"{STREAM}/scene", content=raw, headers=headers), 422, "INVALID_INPUT")
    for path in ("scenes/%00", "scenes?name=%00", "scenes/none?revision=1", "scenes/auction?revision=5"):
        is_problem(await client.get(f"{STREAM}/{path}", headers=operator), 404, "NOT_FOUND")
    assert await rows_of(house, "select 1 from stream_scenes") == []
    assert await updates(house) == []
    assert (await client.get(f"{STREAM}/scene")).json()["chosen_by"] == "AUTOMATIC"


async def test_a_preview_is_a_picture_and_changes_nothing(
    house: House, client: httpx.AsyncClient, operator: dict[str, str], engine: AuctionEngine
) -> None:
    asset = await client.post(
        f"{STREAM}/assets?name=red&type=OVERLAY", content=still(colour="#ff0000"), headers=operator
    )
    assert asset.status_code == 201
    document = PLAIN_SCENE | {
        "overlay": [{"type": "image", "id": "mark", "source": "OVERLAY/red", "x": 0, "y": 0, "width": 60, "height": 40}]
    }

    async def preview(path: str = "", **body: Any) -> Image.Image:
        answer = await client.put(f"{STREAM}/scene?preview=true{path}", json=body, headers=operator)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "image/png"
        return Image.open(io.BytesIO(answer.content)).convert("RGB")

    picture = await preview(document=document)
    assert picture.size == (1280, 720)
    assert picture.getpixel((20, 13)) == (255, 0, 0)
    assert (await preview("&orientation=VERTICAL", name="auction")).size == (720, 1280)
    wide = await preview(name="auction")
    await an_open_lot(house, engine)
    assert (await preview(name="auction")).size == wide.size
    is_problem(await client.put(f"{STREAM}/scene?preview=true", json={}, headers=operator), 422, "INVALID_INPUT")
    assert await rows_of(house, "select 1 from stream_scenes") == []
    assert await updates(house) == []


async def test_a_change_rings_the_stream_managers_bell_within_a_tenth_of_a_second(
    house: House, client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    await started(client, operator)
    listener = await connect(house.database_url, name="bell")
    rung: asyncio.Queue[float] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    try:
        await listener.add_listener(commands.CHANNEL, lambda *_: rung.put_nowait(loop.time()))
        for body in ({"name": "auction"}, {"document": PLAIN_SCENE}, {}):
            asked = loop.time()
            answer = await client.put(f"{STREAM}/scene", json=body | {"reason": "a"}, headers=operator)
            assert answer.status_code == 200
            assert await asyncio.wait_for(rung.get(), 5) - asked < 1
    finally:
        await listener.close()


async def test_assets_come_in_are_listed_given_out_replaced_and_removed(
    house: House, client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    made = []
    for name, type_, data in (
        ("wall", "BACKGROUND", still("JPEG")), ("moving", "NFT", animation()), ("clip", "NFT", video(frames=10)),
        ("bed", "AUDIO", sound("flac", "flac")),
    ):  # fmt: skip
        answer = await client.post(
            f"{STREAM}/assets", params={"name": name, "type": type_}, content=data, headers=operator
        )
        assert answer.status_code == 201, answer.text
        AssetBody.model_validate(answer.json())
        made.append(answer.json())
    assert [one["reference"] for one in made] == ["BACKGROUND/wall", "NFT/moving", "NFT/clip", "AUDIO/bed"]
    page = (await client.get(f"{STREAM}/assets?limit=3", headers=operator)).json()
    rest = (await client.get(f"{STREAM}/assets?after={page['next']}", headers=operator)).json()
    assert [*page["items"], *rest["items"]] == made
    assert rest["next"] is None
    only = (await client.get(f"{STREAM}/assets?type=AUDIO", headers=operator)).json()["items"]
    assert only == made[3:]
    clip = made[2]
    file = await client.get(clip["url"], headers=operator)
    assert (file.headers["content-type"], len(file.content)) == ("video/mp4", clip["size"])
    assert "immutable" in file.headers["cache-control"]
    assert "sandbox" in file.headers["content-security-policy"]
    tag = {"if-none-match": file.headers["etag"]}
    assert (await client.get(clip["url"], headers=operator | tag)).status_code == 304
    replaced = await client.put(f"{STREAM}/assets/{clip['id']}/file", content=still(), headers=operator)
    assert (replaced.json()["media_type"], replaced.json()["id"]) == ("image/png", clip["id"])
    assert (await client.get(f"{STREAM}/assets/{clip['id']}", headers=operator)).json() == replaced.json()
    for path in (f"{STREAM}/assets/{clip['id']}", f"{STREAM}/assets/{ids.new_id()}"):
        status = (await client.delete(path, headers=operator)).status_code
        assert status == (204 if clip["id"] in path else 404)
    is_problem(await client.get(f"{STREAM}/assets/{clip['id']}/file", headers=operator), 404, "NOT_FOUND")
    is_problem(await client.get(f"{STREAM}/assets/x", headers=operator), 404, "NOT_FOUND")


async def test_uploads_are_bounded_repeat_their_answer_and_are_for_the_staff(
    house: House, client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    where = f"{STREAM}/assets?name=wall&type=BACKGROUND"
    large = is_problem(await client.post(where, content=bytes(BYTES_MAX + 1), headers=operator), 413, "TOO_LARGE")
    assert large["bytes_max"] == BYTES_MAX
    bound = await client.post(where, content=bytes(BYTES_MAX), headers=operator)
    assert "no picture that can be recognised" in is_problem(bound, 422, "INVALID_INPUT")["detail"]
    is_problem(await client.post(where, headers=operator), 422, "INVALID_INPUT")
    is_problem(await client.post(f"{STREAM}/assets?type=NFT", content=still(), headers=operator), 422, "INVALID_INPUT")
    is_problem(await client.post(where, content=still()), 401, "UNAUTHENTICATED")
    _, bidder = await signed_in(client, "bo")
    is_problem(await client.post(where, content=still(), headers=bidder), 403, "FORBIDDEN")
    is_problem(
        await client.post(where, content=bytes(house.settings.body_bytes_max + 1), headers=bidder), 413, "TOO_LARGE"
    )
    assert await rows_of(house, "select 1 from stream_assets") == []
    key = operator | {"idempotency-key": "wall-1"}
    first = await client.post(where, content=still(), headers=key)
    again = await client.post(where, content=still(), headers=key)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    is_problem(await client.post(where, content=still(colour="#000000"), headers=key), 409, "IDEMPOTENCY_KEY_REUSED")
    is_problem(await client.post(where, content=still(colour="#000000"), headers=operator), 409, "CONFLICT")
    async with house.engine.connect() as connection:
        assert (await connection.execute(sa.text("select count(*) from stream_assets"))).scalar_one() == 1


async def test_config_and_schema_say_what_may_be(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{STREAM}/config")
    StreamConfig.model_validate(answer.json())
    assert answer.json()["assets"]["bytes_max"] == BYTES_MAX
    again = await client.get(f"{STREAM}/config", headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304
    schema = await client.get(f"{STREAM}/scene/schema")
    assert schema.headers["content-type"] == "application/schema+json"
    assert schema.json()["title"] == "Scene"
