"""The OpenAPI document is complete, and the API does what it says: for anybody, a bidder and an admin."""

import asyncio
import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.generation import GenerationMode
from tests.fakes.house import Administrator, a_collection, a_user, an_open_lot, bid, running_engine
from tests.fakes.live import application
from tests.fakes.sign_ins import FakeX, an_x

from sothebais.api import openapi
from sothebais.bootstrap import House
from sothebais.config import Settings
from sothebais.db.engine import create_engine
from sothebais.embedded.servers import Servers
from sothebais.users.tables import Role

TEMPLATE = "house_template"
EXAMPLES, EXAMPLES_SLOW = 3, 60
#: What ends sessions is asked with one of its own each time: the tester is not signed out half-way.
SIGNS_OUT = re.compile(r"/auth/logout$|/me/sessions")
#: Of a stream without end so much is read.
ENDLESS = re.compile(r"/events/stream$")
STREAM_S, STREAM_EVENTS = 1.5, 1
ANSWER_S = 20.0
#: Of everything schemathesis checks, what the document promises.
PROMISED = ("not_a_server_error", "status_code_conformance", "content_type_conformance",
            "response_headers_conformance", "response_schema_conformance")  # fmt: skip


class Served:
    """A house that listens, with one of everything in it."""

    def __init__(self, url: str, schema: dict[str, Any], tokens: dict[str, str | None]) -> None:
        self.url, self.schema, self.tokens = url, schema, tokens

    def headers(self, who: str, *, fresh: bool = False) -> dict[str, str]:
        """With which somebody asks; ``fresh``: by a session that only this request has."""
        token = self.tokens[who]
        if token is None:
            return {}
        if fresh:
            answer = httpx.post(f"{self.url}/api/v1/auth/sandbox", json={"handle": who}, timeout=20)
            token = answer.raise_for_status().json()["token"]
        return {"authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def x() -> Iterator[FakeX]:
    with an_x() as made:
        yield made


@pytest.fixture(scope="module")
def served(
    administrator: Administrator, servers: Servers, tmp_path_factory: pytest.TempPathFactory, x: FakeX
) -> Iterator[Served]:
    """On a thread of its own, as schemathesis asks from this one."""
    name = "test_openapi"
    database = administrator.create(name, TEMPLATE)
    made = Settings(
        data_dir=tmp_path_factory.mktemp("openapi"),
        database_url=database,
        redis_url=servers.redis_url,
        sandbox=True,
        reads_per_second=1e6,
        writes_per_second=1e6,
        bids_per_user_per_second=1e6,
        bids_per_address_per_second=1e6,
        **x.settings(),
    )
    ready, stop = threading.Event(), threading.Event()
    found: list[Served] = []
    failed: list[BaseException] = []

    async def serve() -> None:
        pool = create_engine(database, name="openapi", pool_size=5)
        house = House(made, database, str(servers.redis_url), pool)
        store = house.store()
        async with running_engine(house) as engine, application(house, store, engine) as app:
            url = f"http://{app.host}"
            lot = await an_open_lot(house, engine)
            await bid(engine, lot, await a_user(house), "1")
            await a_collection(house, 3)
            tokens: dict[str, str | None] = {"anonymous": None}
            async with httpx.AsyncClient(base_url=url) as client:
                for role in (Role.BIDDER, Role.ADMIN):
                    handle = role.value.lower()
                    await a_user(house, handle, role=role)
                    client.cookies.clear()
                    answer = await client.post("/api/v1/auth/sandbox", json={"handle": handle})
                    tokens[handle] = answer.json()["token"]
                document = (await client.get("/api/openapi.json")).raise_for_status().json()
            found.append(Served(url, document, tokens))
            ready.set()
            while not stop.is_set():
                await asyncio.sleep(0.05)
        await store.close()
        await pool.dispose()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            failed.append(error)
        ready.set()

    thread = threading.Thread(target=run, name="openapi-house")
    thread.start()
    try:
        assert ready.wait(60)
        assert not failed, failed
        yield found[0]
    finally:
        stop.set()
        thread.join(30)
        administrator.drop(name)
    assert not failed, failed


def test_every_operation_is_documented_whole(served: Served) -> None:
    document = served.schema
    assert document["openapi"].startswith("3.1")
    schemes = document["components"]["securitySchemes"]
    assert {"bearer", "cookie", "apiKey"} == set(schemes)
    described = {tag["name"] for tag in document["tags"]}
    seen_ids = set()
    faults = []
    for path, method, operation in openapi.operations(document):
        where = f"{method.upper()} {path}"
        seen_ids.add(operation["operationId"])
        if not operation.get("tags") or not set(operation["tags"]) <= described:
            faults.append(f"{where}: no tag")
        if len(operation.get("summary", "")) < 3 or len(operation.get("description", "")) < 10:
            faults.append(f"{where}: no summary or description")
        if "security" not in operation:
            faults.append(f"{where}: does not say who may call it")
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if body is not None and "example" not in body and "examples" not in body:
            faults.append(f"{where}: no example of its body")
        responses = operation["responses"]
        if not any(status.startswith(("2", "3", "1")) for status in responses):
            faults.append(f"{where}: no success")
        if path.startswith("/api/v1/"):
            needed = {"429", "503"} | ({"404"} if "{" in path else set())
            needed |= {"401", "403"} if operation["security"] and {} not in operation["security"] else set()
            needed |= {"422", "413"} if body is not None else set()
            if missing := needed - set(responses):
                faults.append(f"{where}: does not document {sorted(missing)}")
        for status, response in responses.items():
            if len(response.get("description", "")) < 2:
                faults.append(f"{where}: {status} has no description")
            known = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
            if status[0] in "45" and path != "/readyz" and not known.items() <= response["content"].items():
                faults.append(f"{where}: {status} is no problem document")
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path" and f"{{{parameter['name']}}}" not in path:
                faults.append(f"{where}: {parameter['name']} is not in the path")
    assert not faults, "\n".join(faults)
    assert len(seen_ids) == sum(1 for _ in openapi.operations(document)), "operation ids are unique"


def test_every_reference_in_the_document_leads_somewhere(served: Served) -> None:
    schemas = served.schema["components"]["schemas"]
    wanted = set(re.findall(r"#/components/schemas/([\w.-]+)", str(served.schema)))
    assert wanted <= set(schemas)
    assert "HTTPValidationError" not in schemas


def exercise(served: Served, who: str, examples: int, modes: list[GenerationMode]) -> list[str]:
    """Ask every operation with made-up values; what went against the document."""
    load_all_checks()
    checks = [CHECKS.get_one(name) for name in PROMISED]
    schema = schemathesis.openapi.from_dict(served.schema)
    schema.config.update(base_url=served.url)
    schema.config.max_stream_events = STREAM_EVENTS
    theirs = served.headers(who)
    faults: list[str] = []

    def asking(path: str, label: str) -> Callable[..., None]:
        read_s = STREAM_S if ENDLESS.search(path) else ANSWER_S

        def ask(case: schemathesis.Case) -> None:
            headers = served.headers(who, fresh=True) if SIGNS_OUT.search(path) else theirs
            # where it is sent on to is another's
            answer = case.call(headers=headers, timeout=(ANSWER_S, read_s), allow_redirects=False)
            try:
                case.validate_response(answer, checks=checks, headers=headers)
            except (AssertionError, BaseExceptionGroup) as error:
                text = " | ".join(line for line in str(error).splitlines() if line.strip())[:700]
                faults.append(f"{who}: {label}: {answer.status_code} {text}")

        return ask

    for result in schema.get_all_operations():
        operation = result.ok()
        for mode in modes:
            # schemathesis can make no value for some operations in one of the modes
            with contextlib.suppress(schemathesis.errors.InvalidSchema, Unsatisfiable):
                strategy = operation.as_strategy(generation_mode=mode)
                seed(20270327)(
                    settings(
                        max_examples=examples,
                        database=None,
                        deadline=None,
                        phases=[Phase.generate],
                        verbosity=Verbosity.quiet,
                        suppress_health_check=list(HealthCheck),
                    )(given(case=strategy)(asking(operation.path, operation.label)))
                )()
    return faults


@pytest.mark.parametrize("who", ["anonymous", "bidder", "admin"])
def test_the_api_does_what_its_document_says(served: Served, who: str, only_loopback: list[str]) -> None:
    faults = exercise(served, who, EXAMPLES, [GenerationMode.POSITIVE])
    faults += exercise(served, who, 1, [GenerationMode.NEGATIVE])
    only_loopback.clear()  # made-up addresses of hooks are looked up, in vain
    assert not faults, "\n".join(faults)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("who", ["anonymous", "bidder", "admin"])
def test_the_api_does_what_its_document_says_for_long(served: Served, who: str, only_loopback: list[str]) -> None:
    faults = exercise(served, who, EXAMPLES_SLOW, [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
    only_loopback.clear()
    assert not faults, "\n".join(faults)
