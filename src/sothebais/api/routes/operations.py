"""``/healthz``, ``/readyz``, ``/metrics``: what a machine asks."""

import asyncio

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import JSONResponse, Response

from sothebais.api.parts import parts_of

PROBE_TIMEOUT_S = 2.0

router = APIRouter(tags=["operations"])


@router.get("/healthz", summary="Alive")
async def healthz() -> dict[str, str]:
    """The process answers; says nothing of its dependencies."""
    return {"status": "ok"}


@router.get("/readyz", summary="Ready, with each dependency by name", responses={503: {"description": "Not ready"}})
async def readyz(request: Request) -> Response:
    """Each dependency by name: ``ok`` or what is wrong. 503 when one of them fails."""
    probes = parts_of(request).probes
    outcomes = await asyncio.gather(
        *(asyncio.wait_for(probe(), PROBE_TIMEOUT_S) for probe in probes.values()), return_exceptions=True
    )
    checks = {
        name: "ok" if outcome is None else f"{type(outcome).__name__}: {outcome}"[:200]
        for name, outcome in zip(probes, outcomes, strict=True)
    }
    ready = all(check == "ok" for check in checks.values())
    return JSONResponse({"status": "ok" if ready else "not ready", "checks": checks}, status_code=200 if ready else 503)


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
async def metrics() -> Response:
    """Counters and timings of this process."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
