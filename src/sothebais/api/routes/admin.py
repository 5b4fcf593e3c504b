"""The house from inside: its processes, its metrics, and every step its staff took."""

import math
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Query, Request
from prometheus_client import REGISTRY

from sothebais.api import paging, services
from sothebais.api.access import Admin, Operator
from sothebais.api.models.admin import AuditPage, Metrics, Services
from sothebais.api.paging import After, Limit
from sothebais.api.parts import parts_of
from sothebais.clock import from_datetime, isoformat, parse_iso, to_datetime
from sothebais.errors import InvalidInput
from sothebais.users.tables import User

router = APIRouter(prefix="/admin", tags=["admin"])

#: Series of one metric that are shown.
SAMPLES_MAX = 200
_PREFIXES = ("sothebais_", "process_", "python_")

_AUDIT = sa.table(
    "audit",
    sa.column("id", sa.Uuid),
    sa.column("at", sa.DateTime(timezone=True)),
    sa.column("actor_id", sa.Uuid),
    sa.column("action", sa.Text),
    sa.column("subject", sa.Text),
    sa.column("reason", sa.Text),
    sa.column("type", sa.Text),
    sa.column("source", sa.Text),
    sa.column("correlation_id", sa.Uuid),
    sa.column("data", sa.JSON),
)

type Filter = Annotated[str | None, Query(max_length=100)]


@router.get("/services", summary="Processes of the house", responses={200: {"model": Services}}, response_model=None)
async def get_services(request: Request, _person: Operator) -> dict[str, Any]:
    """Every process that has said within a day that it is alive, with what it can reach; and what this one can."""
    parts = parts_of(request)
    found = await services.checks(parts)
    async with parts.database.connect() as connection:
        running = await services.processes(connection)
        pulses = await services.pulses(connection)
    return {
        "server_time": isoformat(parts.clock.now()),
        "version": services.house_version(),
        "processes": running,
        "pulses": pulses,
        "checks": found,
    }


@router.get("/metrics", summary="Metrics of this process", responses={200: {"model": Metrics}}, response_model=None)
async def get_metrics(
    request: Request,
    _person: Operator,
    name: Annotated[str | None, Query(max_length=100, description="Only metrics whose name begins so.")] = None,
) -> dict[str, Any]:
    """As JSON: counters and gauges as they are, a histogram as its count, sum and mean."""
    digests = [
        _digest(family)
        for family in REGISTRY.collect()
        if family.name.startswith(_PREFIXES) and (name is None or family.name.startswith(name))
    ]
    return {
        "server_time": isoformat(parts_of(request).clock.now()),
        "metrics": sorted(digests, key=lambda digest: digest["name"]),
    }


def _digest(family: Any) -> dict[str, Any]:
    samples = []
    sums: dict[tuple[tuple[str, str], ...], dict[str, float]] = {}
    for sample in family.samples:
        if sample.name.endswith(("_bucket", "_created")):
            continue
        if family.type == "histogram":
            part = sample.name.rpartition("_")[2]
            sums.setdefault(tuple(sorted(sample.labels.items())), {})[part] = sample.value
        else:
            samples.append({"labels": dict(sample.labels), "value": _number(sample.value)})
    for labels, parts in sums.items():
        count, total = parts.get("count", 0.0), parts.get("sum", 0.0)
        mean = total / count if count else 0.0
        for statistic, value in (("count", count), ("sum", total), ("mean", mean)):
            samples.append({"labels": {**dict(labels), "statistic": statistic}, "value": _number(value)})
    return {
        "name": family.name,
        "kind": family.type,
        "help": family.documentation,
        "samples": samples[:SAMPLES_MAX],
    }


def _number(value: float) -> float | None:
    """JSON has no infinity and no NaN."""
    return value if math.isfinite(value) else None


@router.get("/audit", summary="Every step of the staff", responses={200: {"model": AuditPage}}, response_model=None)
async def get_audit(
    request: Request,
    _person: Admin,
    actor: Annotated[str | None, Query(max_length=36, description="Only steps of this person (id).")] = None,
    action: Annotated[str | None, Query(max_length=100, description="Only actions that begin so.")] = None,
    subject: Annotated[
        str | None, Query(max_length=100, description="Only about this: auction:{id}, user:{id} …")
    ] = None,
    since: Annotated[str | None, Query(max_length=40, description="Only steps from then on.")] = None,
    until: Annotated[str | None, Query(max_length=40, description="Only steps before then.")] = None,
    after: After = None,
    limit: Limit = paging.PAGE_USUAL,
) -> dict[str, Any]:
    """The last one first: who, what, about what, why. Nothing can be changed in it or taken from it."""
    view = _AUDIT.c
    statement = (
        sa.select(*view, User.name.label("actor"))
        .select_from(_AUDIT.outerjoin(User, User.id == view.actor_id))
        .order_by(view.id.desc())
        .limit(limit + 1)
    )
    person = paging.query_id(actor, "actor")
    if person is not None:
        statement = statement.where(view.actor_id == person)
    if action is not None:
        statement = statement.where(view.action.startswith(_text(action, "action"), autoescape=True))
    if subject is not None:
        statement = statement.where(view.subject == _text(subject, "subject"))
    if since is not None:
        statement = statement.where(view.at >= _moment(since, "since"))
    if until is not None:
        statement = statement.where(view.at < _moment(until, "until"))
    cursor = paging.after_id(after)
    if cursor is not None:
        statement = statement.where(view.id < cursor)
    async with parts_of(request).database.connect() as connection:
        rows = (await connection.execute(statement)).all()
    return paging.page(rows, limit, _entry)


def _entry(row: Any) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "at": isoformat(from_datetime(row.at)),
        "actor_id": str(row.actor_id),
        "actor": row.actor,
        "action": row.action,
        "subject": row.subject,
        "reason": row.reason,
        "type": row.type,
        "source": row.source,
        "correlation_id": None if row.correlation_id is None else str(row.correlation_id),
        "data": row.data,
    }


def _text(value: str, field: str) -> str:
    if not value.isprintable():
        raise InvalidInput(f"{field} has characters that cannot be shown.", field=field)
    return value


def _moment(text: str, field: str) -> Any:
    try:
        return to_datetime(parse_iso(text))
    except (ValueError, OverflowError):
        raise InvalidInput(f"{field}: an instant looks like 2027-03-27T17:15:00Z.", field=field) from None
