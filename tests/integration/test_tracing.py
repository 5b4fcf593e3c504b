"""One trace from the request to the publication, seen by a collector that speaks the real protocol."""

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.fakes.house import an_open_lot, eventually, running, signed_in

from sothebais.auctions.engine import AuctionEngine
from sothebais.bootstrap import House
from sothebais.state.store import StateStore
from sothebais.telemetry.tracing import tracing


class Collector:
    """What was sent to it, as flat spans."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                request = ExportTraceServiceRequest.FromString(body)
                for resource in request.resource_spans:
                    for scope in resource.scope_spans:
                        collector.spans += scope.spans
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}/v1/traces"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    tracing.shutdown()
    made.close()


async def test_a_bid_is_one_trace_from_the_request_to_the_publication(
    house: House,
    engine: AuctionEngine,
    store: StateStore,
    client: httpx.AsyncClient,
    connection: Any,
    collector: Collector,
) -> None:
    lot = await an_open_lot(house, engine)
    _, headers = await signed_in(client, "ana")
    tracing.configure("test", collector.endpoint)
    caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = await client.post(
        f"/api/v1/auctions/{lot}/bids",
        json={"amount": "2", "max_amount": "7.77", "currency": "ETH"},
        headers={**headers, "traceparent": caller},
    )
    assert answer.status_code == 201
    correlation = await connection.fetchval("select correlation_id from event_logs where type = 'auction:bid:accepted'")
    relay = house.relay(store)
    async with running(relay.run()):

        async def published() -> bool:
            return relay.position is not None and str(relay.position) == answer.json()["auction"]["position"]

        await eventually(published, "the relay publishes the bid")
    tracing.shutdown()  # sends what waits
    mine = {span.name: span for span in collector.spans if span.trace_id == correlation.bytes}
    request = mine["POST /api/v1/auctions/{auction_id}/bids"]
    assert {"bid.decide", "event.publish"} <= mine.keys()
    assert mine["bid.decide"].parent_span_id == mine["event.publish"].parent_span_id == request.span_id
    assert request.links[0].trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    attributes = {attribute.key: attribute.value for attribute in request.attributes}
    assert attributes["http.response.status_code"].int_value == 201
    assert "7.77" not in str(collector.spans)


async def test_without_an_endpoint_nothing_is_recorded_and_a_dead_one_stops_nobody(
    house: House, engine: AuctionEngine, client: httpx.AsyncClient, collector: Collector
) -> None:
    lot = await an_open_lot(house, engine)
    _, headers = await signed_in(client, "ana")
    assert not tracing.on
    bid = {"amount": "2", "currency": "ETH"}
    assert (await client.post(f"/api/v1/auctions/{lot}/bids", json=bid, headers=headers)).status_code == 201
    assert collector.spans == []
    tracing.configure("test", "http://127.0.0.1:9/v1/traces")
    bid = {"amount": "3", "currency": "ETH"}
    answer = await client.post(
        f"/api/v1/auctions/{lot}/bids", json=bid, headers={**headers, "traceparent": "not a traceparent"}
    )
    assert answer.status_code in (201, 409)
