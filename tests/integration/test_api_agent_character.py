"""The host's character and memories over HTTP: staff only, versioned, audited."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from tests.fakes.house import a_user, signed_in, whole_log
from tests.fakes.sign_ins import API

from sothebais import ids
from sothebais.agent import characters, repository
from sothebais.agent.memory.model import NewMemory
from sothebais.agent.memory.service import Memories
from sothebais.agent.sable import SABLE
from sothebais.api.models.agent_character import PLAIN_CHARACTER, CharacterNow, CharacterPut, MemoryPage
from sothebais.bootstrap import House
from sothebais.users.tables import Role

FILES = Path(__file__).parent.parent / "data" / "characters"
CHARACTER, MEMORIES = f"{API}/agent/character", f"{API}/agent/memories"


@pytest.fixture
async def staff(house: House, client: httpx.AsyncClient) -> dict[str, str]:
    await a_user(house, "otto", role=Role.OPERATOR)
    _, headers = await signed_in(client, "otto")
    client.cookies.clear()
    return headers


async def test_without_configuration_sable_hosts(
    client: httpx.AsyncClient, staff: dict[str, str], connection: Any
) -> None:
    answer = await client.get(CHARACTER, headers=staff)
    assert answer.status_code == 200, answer.text
    body = CharacterNow.model_validate(answer.json())
    assert (body.character["name"], body.version) == ("Sable", 1)
    assert set(body.character["expressions"]) == set(SABLE.expressions)
    same = await client.get(CHARACTER, headers=staff | {"if-none-match": answer.headers["etag"]})
    assert same.status_code == 304
    assert await connection.fetchval("select count(*) from characters") == 1


async def test_a_character_is_changed_in_versions_with_its_audit(
    house: House, client: httpx.AsyncClient, staff: dict[str, str], connection: Any
) -> None:
    first = (await client.get(CHARACTER, headers=staff)).json()
    body = {"character": PLAIN_CHARACTER, "reason": "a shorter one", "version": 1}
    answer = await client.put(CHARACTER, json=body, headers=staff)
    assert answer.status_code == 200, answer.text
    put = CharacterPut.model_validate(answer.json())
    assert (put.version, put.character["bio"], put.dropped) == (2, PLAIN_CHARACTER["bio"], [])
    # the same once more is no change, and an old version is nobody's to overwrite
    again = await client.put(CHARACTER, json=body | {"version": 2}, headers=staff)
    assert (again.status_code, again.json()["version"]) == (200, 2)
    late = await client.put(CHARACTER, json=body | {"character": first["character"]}, headers=staff)
    assert (late.status_code, late.json()["version"]) == (409, 2)
    assert (await client.get(CHARACTER, headers=staff)).json()["version"] == 2
    actions = [event.decoded() for event in await whole_log(house.database_url) if event.type == "user:action"]
    (change,) = [one for one in actions if one["action"] == "character.change"]
    assert change["reason"] == "a shorter one"
    assert {"bio", "lore", "topics"} <= set(change["changed"])
    # the version before is still there
    assert (await characters.at_version(house.engine, 1)).character == SABLE
    before = await client.get(f"{CHARACTER}?version=1", headers=staff)
    assert (before.json()["version"], before.json()["character"]) == (1, first["character"])
    assert (await client.get(f"{CHARACTER}?version=3", headers=staff)).status_code == 404
    assert await connection.fetchval("select array_agg(version order by version) from character_versions") == [1, 2]


async def test_an_elizaos_file_goes_in_and_comes_out_without_its_secrets(
    client: httpx.AsyncClient, staff: dict[str, str], connection: Any
) -> None:
    document = json.loads((FILES / "bartholomew-0.1.json").read_text())
    body = {"character": document, "reason": "a guest"}
    answer = await client.put(f"{CHARACTER}?format=elizaos", json=body, headers=staff)
    assert answer.status_code == 200, answer.text
    assert answer.json()["dropped"] == ["settings.secrets"]
    assert any(note.startswith("system:") for note in answer.json()["notes"])
    del document["settings"]["secrets"]
    exported = await client.get(f"{CHARACTER}?format=elizaos", headers=staff)
    assert exported.json()["character"] == document
    assert "not-a-real-token" not in await connection.fetchval("select characters::text from characters")
    own = (await client.get(CHARACTER, headers=staff)).json()["character"]
    assert set(own["expressions"]) == set(SABLE.expressions), "its pictures are those that were there"


async def test_a_broken_file_is_refused_field_by_field_and_nothing_changes(
    house: House, client: httpx.AsyncClient, staff: dict[str, str], connection: Any
) -> None:
    await client.get(CHARACTER, headers=staff)
    before = await connection.fetchval("select characters::text from characters")
    document = json.loads((FILES / "broken.json").read_text())
    answer = await client.put(f"{CHARACTER}?format=elizaos", json={"character": document, "reason": "x"}, headers=staff)
    assert answer.status_code == 422
    assert answer.json()["code"] == "CHARACTER_REFUSED"
    assert {"path": "messageExamples[1]", "expected": "must be a list of lines"} in answer.json()["faults"]
    for body in ({"character": PLAIN_CHARACTER, "reason": "  "}, {"character": PLAIN_CHARACTER}, {"reason": "x"}):
        assert (await client.put(CHARACTER, json=body, headers=staff)).status_code == 422
    assert await connection.fetchval("select characters::text from characters") == before
    assert not [event for event in await whole_log(house.database_url) if event.type == "user:action"]


async def test_versions_are_kept_up_to_a_number(house: House, connection: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from msgspec.structs import replace

    from sothebais.events.actions import Actor

    monkeypatch.setattr(repository, "VERSIONS_MAX", 3)
    who = Actor(await a_user(house, "otto", role=Role.OPERATOR), "OPERATOR")
    for n in range(4):
        await characters.put(house.engine, replace(SABLE, bio=(f"Bio {n}",)), who, house.now(), reason="x")
    assert await connection.fetchval("select array_agg(version order by version) from character_versions") == [3, 4, 5]


async def test_memories_are_listed_and_forgotten_by_the_staff(
    house: House, client: httpx.AsyncClient, staff: dict[str, str], connection: Any
) -> None:
    stored = await characters.present(house.engine)
    memory = Memories(house.engine, house.clock, stored.id)
    ana, bob = await a_user(house, "ana"), await a_user(house, "bob")
    for n in range(3):
        await memory.remember(
            [NewMemory(key=f"{n}", text=f"They told you: “I own boat {'abc'[n]}.”", importance=0.5, user=ana)]
        )
    await memory.remember([NewMemory(key="b", text="They told you: “I sing.”", importance=0.5, user=bob)])
    first = (await client.get(f"{MEMORIES}?limit=3", headers=staff)).json()
    MemoryPage.model_validate(first)
    rest = (await client.get(f"{MEMORIES}?limit=3&after={first['next']}", headers=staff)).json()
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (3, 1, None)
    of_bob = (await client.get(f"{MEMORIES}?user_id={bob}", headers=staff)).json()["items"]
    assert [one["text"] for one in of_bob] == ["They told you: “I sing.”"]
    address = f"{MEMORIES}/{of_bob[0]['id']}"
    assert (await client.delete(address, headers=staff)).status_code == 422
    assert (await client.delete(f"{address}?reason=%20", headers=staff)).status_code == 422
    assert await connection.fetchval("select count(*) from memories") == 4
    assert (await client.delete(f"{address}?reason=asked%20to", headers=staff)).status_code == 204
    assert (await client.delete(f"{address}?reason=asked%20to", headers=staff)).status_code == 404
    assert (await client.delete(f"{MEMORIES}/{ids.new_id()}?reason=x", headers=staff)).status_code == 404
    assert await connection.fetchval("select count(*) from memories where user_id = $1", bob) == 0
    events = await whole_log(house.database_url)
    (step,) = [event for event in events if event.type == "user:action"]
    told = [event for event in events if event.type == "agent:memory:update"][-1]
    assert (step.decoded()["action"], step.decoded()["reason"]) == ("memory.forget", "asked to")
    assert (told.decoded()["action"], told.causation_id) == ("FORGOTTEN", step.id)
    assert "sing" not in str([event.data for event in events])


async def test_nobody_but_the_staff_reads_or_changes_the_host(
    house: House, client: httpx.AsyncClient, staff: dict[str, str], connection: Any
) -> None:
    _, bob = await signed_in(client, "bob")
    client.cookies.clear()
    body = {"character": PLAIN_CHARACTER, "reason": "mine"}
    await client.get(CHARACTER, headers=staff)
    for headers, status in ((bob, 403), ({}, 401)):
        assert (await client.get(CHARACTER, headers=headers)).status_code == status
        assert (await client.put(CHARACTER, json=body, headers=headers)).status_code == status
        assert (await client.get(MEMORIES, headers=headers)).status_code == status
        assert (await client.delete(f"{MEMORIES}/{ids.new_id()}?reason=x", headers=headers)).status_code == status
    assert await connection.fetchval("select max(version) from characters") == 1
    assert UUID((await client.get(CHARACTER, headers=staff)).json()["id"])
