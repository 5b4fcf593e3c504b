"""The OpenAPI document: what FastAPI finds, and what holds of every operation and is written in no route.

Who may call it, the errors that can come from the door, the sign-in and the database, the idempotency header, and an
example of each body are added here, so that a route only says what is its own.
"""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from sothebais.api import access
from sothebais.api.auth import COOKIE, maybe_identity
from sothebais.api.door import PREFIX
from sothebais.api.models.auctions import BidAnswer, BidRequest
from sothebais.api.models.base import Problem
from sothebais.api.routes import bids
from sothebais.api.writes import KEY_LENGTH_MAX, METHODS
from sothebais.users.tables import Role

PROBLEM = "application/problem+json"
JSON = "application/json"
DEPTH_MAX = 8
_REF = "#/components/schemas/"

#: Statuses and what they mean wherever nothing else is said.
MEANINGS = {
    400: "The request cannot be read",
    401: "Nobody is signed in, or the session or key has ended",
    403: "Signed in, but not allowed to do this; or the request came from another site",
    404: "There is nothing with this id, or this caller may not know that there is",
    409: "The present state does not allow this, or the Idempotency-Key was used before (its first request may be in hand)",
    413: "The body is too long",
    422: "A field is not valid; `errors` or `field` names it",
    429: "Too many requests; `Retry-After` says when to come back",
    503: "A part the house needs does not answer; nothing was kept unless the code is OUTCOME_UNKNOWN",
}
TAGS = {
    "catalogue": "Collections, art items and their pictures.",
    "campaigns": "Series of auction days, their schedules and calendars.",
    "auctions": "Lots, bids, logs, and what operators do to them.",
    "settlement": "Invoices, payment and delivery of sold lots.",
    "stream": "The show: the broadcast, its scenes and its files.",
    "chat": "What is said in the rooms of lots.",
    "sign-in": "Becoming somebody.",
    "me": "The person who is signed in.",
    "events": "What happens, as it happens.",
    "admin": "The house from inside.",
    "operations": "What machines ask.",
}
SCHEMES: dict[str, Any] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A session token from a sign-in.",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "The pages' session. Writes are taken from the house's own pages only.",
    },
    "apiKey": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "sbk_…",
        "description": "A program's key (`POST /api/v1/admin/api-keys`), within its scopes.",
    },
}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}}
_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key and body repeats the first answer for a day.",
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH_MAX},
    "example": "3f0c1b6e-close-lot-7",
}


def build(app: FastAPI) -> dict[str, Any]:
    """The whole document, made once."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schema["paths"].setdefault(bids.PATH, {})["post"] = bids.OPENAPI
        components = schema.setdefault("components", {})
        components.setdefault("securitySchemes", {}).update(SCHEMES)
        schemas = components.setdefault("schemas", {})
        for model in (BidAnswer, BidRequest, Problem):
            own = model.model_json_schema(ref_template=_REF + "{model}")
            schemas |= own.pop("$defs", {})
            schemas[model.__name__] = own
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        needs = dict(_needs(app))
        for path, method, operation in operations(schema):
            _complete(path, method, operation, needs.get((path, method), _Needs(None, anybody=False)))
            _with_examples(operation, schemas)
        used = {tag for _, _, operation in operations(schema) for tag in operation.get("tags", ())}
        schema["tags"] = [{"name": tag, "description": TAGS.get(tag, tag)} for tag in sorted(used)]
        app.openapi_schema = schema
    return app.openapi_schema


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each operation with its path and method."""
    for path, item in schema["paths"].items():
        for method, operation in item.items():
            if method in ("get", "put", "post", "delete", "patch", "head", "options"):
                yield path, method, operation


class _Needs:
    """Who may call a route: the least role, or anybody, known or not."""

    def __init__(self, role: Role | None, *, anybody: bool) -> None:
        self.role = role
        self.anybody = anybody


def _needs(app: FastAPI) -> Iterator[tuple[tuple[str, str], _Needs]]:
    for context in iter_route_contexts(app.routes):
        if not isinstance(context.original_route, APIRoute):
            continue
        calls = list(_calls(context.dependant))
        role = next((access.ROLES[call] for call in calls if call in access.ROLES), None)
        for method in context.methods or ():
            yield (context.path_format or "", method.lower()), _Needs(role, anybody=maybe_identity in calls)


def _calls(dependant: Dependant) -> Iterator[Any]:
    for dependency in dependant.dependencies:
        yield dependency.call
        yield from _calls(dependency)


def _complete(path: str, method: str, operation: dict[str, Any], needs: _Needs) -> None:
    responses: dict[str, Any] = operation.setdefault("responses", {})
    statuses: set[int] = set()
    if path.startswith(PREFIX):
        statuses |= _of_the_door(path, method, operation)
    bearer: list[dict[str, list[str]]] = [{name: []} for name in SCHEMES]
    if needs.role is not None:
        statuses |= {401, 403}
        operation.setdefault("security", bearer)
        operation["description"] = f"{operation.get('description', '')}\n\nNeeds the role {needs.role}.".strip()
    elif needs.anybody:
        operation.setdefault("security", [{}, *bearer])
    elif operation.get("security"):
        operation["security"] = bearer
        statuses |= {401, 403}
    else:
        operation.setdefault("security", [])
    if (
        method.upper() in METHODS
        and path.startswith(PREFIX)
        and not path.startswith(f"{PREFIX}auth/")
        and path != bids.PATH
    ):
        statuses.add(409)
        operation.setdefault("parameters", []).append(dict(_IDEMPOTENCY))
    for status in statuses:
        responses.setdefault(str(status), {})
    for name, response in responses.items():
        if name.isdigit() and int(name) >= 400:
            own = {kind: content for kind, content in response.get("content", {}).items() if _is_own(content)}
            response["content"] = {**own, PROBLEM: {"schema": {"$ref": f"{_REF}Problem"}}}
            _describe(int(name), response)
        response.setdefault("description", "Done")


def _of_the_door(path: str, method: str, operation: dict[str, Any]) -> set[int]:
    statuses = {429, 503}
    if operation.get("parameters") or method != "get":
        statuses.add(422)
    if "{" in path:
        statuses.add(404)
    if method != "get":
        statuses |= {413, 403}
    if "requestBody" in operation:
        statuses.add(400)
    return statuses


def _is_own(content: dict[str, Any]) -> bool:
    """Whether an error may answer with something that is no problem document (``/readyz`` does, and pages do)."""
    schema = content.get("schema")
    return schema is None or schema.get("$ref") not in (f"{_REF}Problem", f"{_REF}HTTPValidationError")


def _describe(status: int, response: dict[str, Any]) -> None:
    said = response.get("description")
    if not said or said in ("Validation Error", "Conflict", "Not Found", "Bad Request", "Unauthorized", "Forbidden",
                            "Too Many Requests", "Service Unavailable", "Unprocessable Content",
                            "Unprocessable Entity", "Content Too Large"):  # fmt: skip
        response["description"] = MEANINGS.get(status, said or "An error")
    if status in (429, 503):
        response.setdefault("headers", {}).update(_RETRY_AFTER)


def _with_examples(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    bodies = [operation.get("requestBody", {})]
    bodies += [response for status, response in operation["responses"].items() if status.startswith("2")]
    for body in bodies:
        content = body.get("content", {}).get(JSON)
        if content is not None and "example" not in content and "examples" not in content and content.get("schema"):
            content["example"] = example(content["schema"], schemas)


def example(schema: dict[str, Any], schemas: dict[str, Any], depth: int = 0) -> Any:
    """A value that the schema describes: its own example where it has one, else the simplest."""
    if depth > DEPTH_MAX:
        return None
    if "$ref" in schema:
        return example(schemas[schema["$ref"].removeprefix(_REF)], schemas, depth + 1)
    for name in ("example", "const", "default"):
        if schema.get(name) is not None:
            return schema[name]
    if schema.get("examples"):
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    for name in ("anyOf", "oneOf", "allOf"):
        if name in schema:
            return example(schema[name][0], schemas, depth + 1)
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        properties = schema.get("properties", {})
        return {name: example(part, schemas, depth + 1) for name, part in properties.items()}
    if kind == "array":
        return [example(schema.get("items", {}), schemas, depth + 1)]
    plain: dict[Any, Any] = {"string": "text", "integer": schema.get("minimum", 1), "number": 1.5, "boolean": True}
    return plain.get(kind)
