"""Every error leaves as an RFC 9457 problem document."""

from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response

from sothebais.errors import InvalidInput, NotFound, SothebaisError, Unavailable

log = structlog.get_logger(__name__)

PROBLEM = "application/problem+json"
_TYPE = "https://sothebais.example/problems/"
_RETRY_S = 1


def problem(error: SothebaisError) -> Response:
    """The problem document of an error: type, title, status, detail, code and the fields of the case."""
    body = error.fields | {
        "type": _TYPE + error.code.lower().replace("_", "-"),
        "title": error.title,
        "status": error.status,
        "detail": error.message,
        "code": error.code,
    }
    headers = {}
    if "retry_after" in error.fields:
        headers["Retry-After"] = str(max(1, round(error.fields["retry_after"])))
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(msgspec.json.encode(body), status_code=error.status, media_type=PROBLEM, headers=headers)


def install(app: FastAPI) -> None:
    """Give the app its error handlers."""
    app.add_exception_handler(SothebaisError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(DBAPIError, _database)
    app.add_exception_handler(PoolTimeout, _database)
    app.add_exception_handler(OSError, _database)
    app.add_exception_handler(Exception, _unknown)


async def unexpected(request: Request, error: Exception) -> Response:
    """The answer to an error that a handler did not expect, where no application stands around the handler."""
    if isinstance(error, SothebaisError):
        return problem(error)
    if isinstance(error, HTTPException):
        return await _http(request, error)
    if isinstance(error, DBAPIError | PoolTimeout | OSError):
        return await _database(request, error)
    return await _unknown(request, error)


async def _known(_request: Request, error: Exception) -> Response:
    return problem(error if isinstance(error, SothebaisError) else SothebaisError(str(error)))


async def _invalid(_request: Request, error: Exception) -> Response:
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    fields: list[dict[str, Any]] = [
        {"field": ".".join(str(part) for part in fault["loc"][1:]) or str(fault["loc"][0]), "message": fault["msg"]}
        for fault in faults
    ]
    detail = "; ".join(f"{fault['field']}: {fault['message']}" for fault in fields)
    return problem(InvalidInput(detail or "The request is not valid.", errors=fields))


async def _http(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    phrase = HTTPStatus(status).phrase

    class Plain(SothebaisError):
        code = phrase.upper().replace(" ", "_").replace("-", "_")
        title = phrase

    Plain.status = status
    if status == HTTPStatus.NOT_FOUND:
        return problem(NotFound("There is nothing at this address."))
    return problem(Plain(str(getattr(error, "detail", phrase))))


async def _database(_request: Request, error: Exception) -> Response:
    log.warning("api.database_unavailable", error=repr(error))
    return problem(Unavailable("The house cannot read its books at the moment. Try again.", retry_after=_RETRY_S))


async def _unknown(request: Request, error: Exception) -> Response:
    log.error("api.crashed", path=request.url.path, error=repr(error), exc_info=error)
    return problem(SothebaisError("Something went wrong on our side. It has been written down."))
