"""Collections, art items and their pictures over HTTP, in a real house with a real asset store."""

import io
from typing import Any

import httpx
import pytest
from PIL import Image
from tests.fakes.house import a_collection, a_lot, a_user, signed_in
from tests.fakes.trials import rows_of

from sothebais import ids
from sothebais.bootstrap import House
from sothebais.catalog.assets import AssetFolder, AssetStore
from sothebais.catalog.renditions import Renditions
from sothebais.users.tables import Role

API = "/api/v1"


def a_picture(width: int = 1600, height: int = 900, *, kind: str = "PNG", alpha: bool = False) -> bytes:
    picture = Image.radial_gradient("L").resize((width, height)).convert("RGBA" if alpha else "RGB")
    if alpha:
        picture.putalpha(Image.linear_gradient("L").resize((width, height)))
    out = io.BytesIO()
    picture.save(out, kind)
    return out.getvalue()


def opened(answer: httpx.Response) -> Any:
    return Image.open(io.BytesIO(answer.content))


def is_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["code"] == code, body
    return body


async def staff(house: House, client: httpx.AsyncClient, handle: str = "olga", role: Role = Role.OPERATOR) -> Any:
    await a_user(house, handle, role=role)
    _, headers = await signed_in(client, handle)
    return headers


async def test_a_collection_and_its_items_are_made_read_changed_and_removed_by_operators(
    house: House, client: httpx.AsyncClient
) -> None:
    operator = await staff(house, client)
    seller = await a_user(house, "seller", role=Role.OWNER)
    body = {"slug": "nouns", "name": " Nouns\u200f ", "description": "One a day.\nFor ever.", "royalty_percent": "2.5",
            "seller_id": str(seller), "image": "ipfs://bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi"}  # fmt: skip
    made = await client.post(f"{API}/collections", json=body, headers=operator)
    assert made.status_code == 201, made.text
    collection = made.json()
    assert (collection["name"], collection["royalty_percent"], collection["item_count"]) == ("Nouns", "2.5", 0)
    item = {"collection_id": collection["id"], "token_id": "7", "name": "Noun 7", "animation_url": "https://a.example/7",
            "attributes": [{"trait_type": "Head", "value": "Bell"}]}  # fmt: skip
    first = (await client.post(f"{API}/art-items", json=item, headers=operator)).json()
    second = (await client.post(f"{API}/art-items", json=item | {"token_id": "3"}, headers=operator)).json()
    assert (first["position"], second["position"], first["picture"]) == (0, 1, None)
    assert first["attributes"] == [{"trait_type": "Head", "value": "Bell"}]
    again = await client.post(f"{API}/art-items", json=item, headers=operator)
    assert is_problem(again, 409, "CONFLICT")["field"] == "token_id"
    is_problem(await client.post(f"{API}/collections", json=body, headers=operator), 409, "CONFLICT")

    changed = await client.patch(
        f"{API}/art-items/{first['id']}", json={"name": "Noun VII", "animation_url": None}, headers=operator
    )
    assert (changed.json()["name"], changed.json()["animation_url"]) == ("Noun VII", None)
    renamed = await client.patch(
        f"{API}/collections/{collection['id']}", json={"name": "More nouns", "seller_id": None}, headers=operator
    )
    assert (renamed.json()["name"], renamed.json()["seller_id"], renamed.json()["item_count"]) == (
        "More nouns",
        None,
        2,
    )

    listed = await client.get(f"{API}/art-items", params={"collection_id": collection["id"], "limit": 1})
    assert [one["token_id"] for one in listed.json()["items"]] == ["7"]
    rest = await client.get(
        f"{API}/art-items", params={"collection_id": collection["id"], "limit": 1, "after": listed.json()["next"]}
    )
    assert ([one["token_id"] for one in rest.json()["items"]], rest.json()["next"]) == (["3"], None)

    assert (await client.delete(f"{API}/art-items/{second['id']}", headers=operator)).status_code == 204
    assert (await client.delete(f"{API}/collections/{collection['id']}", headers=operator)).status_code == 204
    is_problem(await client.get(f"{API}/art-items/{first['id']}"), 404, "NOT_FOUND")
    actions = [row["action"] for row in await rows_of(house, "select action from audit order by id")]
    assert actions == ["collection.create", "art_item.create", "art_item.create", "art_item.change",
                       "collection.change", "art_item.delete", "collection.delete"]  # fmt: skip


async def test_what_is_wrong_with_an_item_or_a_collection_is_named_and_nothing_is_kept(
    house: House, client: httpx.AsyncClient
) -> None:
    operator = await staff(house, client)
    _, (item,) = await a_collection(house, slug="old")
    known = (await client.get(f"{API}/collections")).json()["items"][0]["id"]
    good = {"slug": "new", "name": "New"}
    for wrong in ({"name": "\u0000 \u200f"}, {"slug": "New"}, {"royalty_percent": "100.1"}, {"royalty_percent": "-1"},
                  {"image": "javascript:alert(1)"}, {"image": "data:image/png;base64,AA"}, {"seller_id": str(ids.new_id())},
                  {"seller_id": "x"}, {"contract_address": "0x12"}, {"more": 1}, {"description": "x" * 10_001}):  # fmt: skip
        is_problem(await client.post(f"{API}/collections", json=good | wrong, headers=operator), 422, "INVALID_INPUT")
    piece = {"collection_id": known, "token_id": "2", "name": "Two"}
    for wrong in ({"token_id": "../2"}, {"name": ""}, {"attributes": [{"trait_type": "x"}]}, {"attributes": [{}] * 101},
                  {"animation_url": "file:///etc/passwd"}, {"image": "http://127.0.0.1/2.png"}, {"image": "2.png"},
                  {"image": "data:image/png;base64,AAAA"}, {"attributes": [{"value": {"deep": 1}}]}):  # fmt: skip
        is_problem(await client.post(f"{API}/art-items", json=piece | wrong, headers=operator), 422, "INVALID_INPUT")
    lost = piece | {"collection_id": str(ids.new_id())}
    is_problem(await client.post(f"{API}/art-items", json=lost, headers=operator), 404, "NOT_FOUND")
    for body in ({"name": None}, {"name": "\u200f"}, {"token_id": "9"}, {"description": None}):
        is_problem(await client.patch(f"{API}/art-items/{item}", json=body, headers=operator), 422, "INVALID_INPUT")
    counted = await rows_of(house, "select (select count(*) from collections) c, (select count(*) from art_items) i")
    assert (counted[0]["c"], counted[0]["i"]) == (1, 1)


async def test_an_item_in_a_lot_keeps_its_picture_and_stays(house: House, client: httpx.AsyncClient) -> None:
    operator = await staff(house, client)
    _, (item,) = await a_collection(house)
    collection = (await client.get(f"{API}/art-items/{item}")).json()["collection_id"]
    put = await client.put(f"{API}/art-items/{item}/image", content=a_picture(), headers=operator)
    assert put.status_code == 200, put.text
    before = put.json()["picture"]
    lot = await a_lot(house, item=item)
    other = await client.put(f"{API}/art-items/{item}/image", content=a_picture(100, 100), headers=operator)
    is_problem(other, 409, "CONFLICT")
    is_problem(await client.delete(f"{API}/art-items/{item}", headers=operator), 409, "CONFLICT")
    is_problem(await client.delete(f"{API}/collections/{collection}", headers=operator), 409, "CONFLICT")
    assert (await client.get(f"{API}/art-items/{item}")).json()["picture"] == before
    await client.patch(f"{API}/art-items/{item}", json={"name": "Renamed"}, headers=operator)
    assert (await client.get(f"{API}/auctions/{lot}")).json()["title"] == "Lot 1"


async def test_only_operators_change_the_catalogue(house: House, client: httpx.AsyncClient) -> None:
    _, (item,) = await a_collection(house)
    owner = await staff(house, client, "owner", Role.OWNER)
    _, bidder = await signed_in(client, "bo")
    for headers, status, code in ((owner, 403, "FORBIDDEN"), (bidder, 403, "FORBIDDEN"), ({}, 401, "UNAUTHENTICATED")):
        for method, path, body in (
            ("POST", "/collections", {"slug": "a", "name": "A"}),
            ("PATCH", f"/art-items/{item}", {"name": "B"}),
            ("DELETE", f"/art-items/{item}", None),
            ("PUT", f"/art-items/{item}/image", None),
        ):
            answer = await client.request(method, API + path, json=body, headers=headers)
            is_problem(answer, status, code)
    assert (await client.get(f"{API}/art-items/{item}")).json()["name"] == "Piece 1"


async def test_a_picture_is_served_as_stored_or_sized_and_a_caller_who_has_it_gets_nothing(
    house: House, client: httpx.AsyncClient
) -> None:
    operator = await staff(house, client)
    _, (item,) = await a_collection(house)
    path = f"{API}/art-items/{item}/image"
    is_problem(await client.get(path), 404, "NOT_FOUND")
    await client.put(path, content=a_picture(alpha=True), headers=operator)
    known = (await client.get(f"{API}/art-items/{item}")).json()["picture"]
    assert (known["width"], known["height"], known["media_type"]) == (1600, 900, "image/png")

    whole = await client.get(known["url"])
    assert whole.headers["content-type"] == "image/png"
    assert whole.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in whole.headers["content-security-policy"]
    assert opened(whole).size == (1600, 900)
    assert (await client.get(path)).headers["cache-control"] == "public, max-age=60"

    webp = await client.get(
        known["url"], params={"v": known["sha256"][:16], "width": 640}, headers={"accept": "image/webp,*/*"}
    )
    jpeg = await client.get(path, params={"width": 640}, headers={"accept": "image/*"})
    assert [one.headers["content-type"] for one in (webp, jpeg)] == ["image/webp", "image/jpeg"]
    assert [opened(one).size for one in (webp, jpeg)] == [(640, 360)] * 2
    assert opened(webp).mode == "RGBA"
    assert webp.headers["vary"] == "Accept"
    assert webp.headers["etag"] != jpeg.headers["etag"] != whole.headers["etag"]
    for answer, params, accept in ((whole, {}, "*/*"), (jpeg, {"width": 640}, "*/*")):
        same = await client.get(
            path, params=params, headers={"if-none-match": answer.headers["etag"], "accept": accept}
        )
        assert (same.status_code, same.content) == (304, b"")
        assert same.headers["etag"] == answer.headers["etag"]
    other = await client.get(path, params={"width": 320}, headers={"if-none-match": jpeg.headers["etag"]})
    assert (other.status_code, opened(other).size) == (200, (320, 180))
    for wrong in ("width=641", "width=0", "width=x", f"v={'x' * 65}"):
        is_problem(await client.get(f"{path}?{wrong}"), 422, "INVALID_INPUT")
    for wrong in (b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", a_picture()[:500]):
        is_problem(await client.put(path, content=wrong, headers=operator), 422, "INVALID_INPUT")
    assert (await client.get(f"{API}/art-items/{item}")).json()["picture"] == known


async def test_a_small_picture_is_not_enlarged(house: House, client: httpx.AsyncClient) -> None:
    operator = await staff(house, client)
    _, (item,) = await a_collection(house)
    await client.put(f"{API}/art-items/{item}/image", content=a_picture(100, 50, kind="JPEG"), headers=operator)
    assert opened(await client.get(f"{API}/art-items/{item}/image?width=1280")).size == (100, 50)


async def test_pictures_come_from_any_asset_store_and_a_sized_one_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    store = AssetStore(f"memory://renditions-{ids.new_id().hex}")
    asset = store.put(a_picture(), "png", AssetFolder.NFTS)
    made: list[int] = []
    from sothebais.catalog import renditions

    render = renditions.render
    monkeypatch.setattr(renditions, "render", lambda data, width, form: made.append(width) or render(data, width, form))
    import asyncio

    first = Renditions(store)
    key, digest = asset.key, asset.sha256.hex()
    served = await asyncio.gather(*(first.sized(key, digest, 320, "webp") for _ in range(20)))
    assert len({one.sha256 for one in served}) == 1
    # another process, with an empty memory, finds it in the store
    assert await Renditions(store).sized(key, digest, 320, "webp") == served[0]
    assert made == [320]


async def test_the_pictures_in_memory_are_bounded_and_the_idlest_goes_first() -> None:
    store = AssetStore(f"memory://bounded-{ids.new_id().hex}")
    assets = [store.put(bytes([number]) * 1_000, "png", AssetFolder.NFTS) for number in range(4)]
    kept = Renditions(store, kept_bytes_max=2_500)
    for asset in assets:
        await kept.original(asset.key, asset.sha256.hex(), "image/png")
        assert kept.kept_bytes <= 2_500
    assert kept.kept_bytes == 2_000
