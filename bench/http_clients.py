"""The clients of ``bench.http``: a process that writes and reads plain sockets, and imports next to nothing."""

import asyncio
import gc
import json
import sys
import time
from decimal import Decimal
from typing import Any

import uvloop


async def bids(
    port: int, path: str, tokens: list[str], name: str, seconds: float, increment: str, currency: str
) -> dict[str, Any]:
    """One connection for each token; how long each answer took, and what came."""
    step, unit = Decimal(increment), currency.encode()
    # who bids changes with every bid, so that hardly anybody bids against himself
    heads = [
        (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/json\r\n"
        ).encode()
        for token in tokens
    ]
    waits: list[float] = []
    statuses: dict[int, int] = {}
    number = 0
    samples: list[str] = []
    loop = asyncio.get_running_loop()

    class Client(asyncio.Protocol):
        """One connection."""

        def __init__(self, head: bytes) -> None:
            self.head = head
            self.done = loop.create_future()
            self.buffer = b""
            self.asked: float | None = None

        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def warm(self) -> None:
            """Be recognised once before anything is measured."""
            self.transport.write(self.head.replace(b"POST", b"GET", 1).replace(b"/bids", b"", 1) + b"\r\n")

        def ask(self) -> None:
            nonlocal number
            if loop.time() >= end:
                if not self.done.done():
                    self.done.set_result(None)
                return
            amount = (100 + number) * step
            body = b'{"amount":"%s","currency":"%s"}' % (str(amount).encode(), unit)
            key = f"{name}-{number}".encode()
            number += 1
            self.asked = time.perf_counter()
            self.transport.write(
                heads[number % len(heads)]
                + b"Idempotency-Key: "
                + key
                + b"\r\nContent-Length: %d\r\n\r\n" % len(body)
                + body
            )

        def data_received(self, data: bytes) -> None:
            self.buffer += data
            head_end = self.buffer.find(b"\r\n\r\n")
            if head_end < 0:
                return
            at = self.buffer.lower().find(b"content-length:", 0, head_end)
            length = int(self.buffer[at + 15 : self.buffer.find(b"\r\n", at)])
            if len(self.buffer) < head_end + 4 + length:
                return
            if self.asked is None:
                self.buffer = b""
                self.done.set_result(None)
                return
            waits.append(time.perf_counter() - self.asked)
            status = int(self.buffer[9:12])
            statuses[status] = statuses.get(status, 0) + 1
            if len(waits) % 97 == 1:
                samples.append(self.buffer[head_end + 4 :].decode())
            self.buffer = b""
            self.ask()

        def connection_lost(self, error: Exception | None) -> None:
            if not self.done.done():
                self.done.set_exception(error or ConnectionError("closed"))

    made = [(await loop.create_connection(lambda head=head: Client(head), "127.0.0.1", port))[1] for head in heads]
    for client in made:
        client.warm()
    await asyncio.gather(*(client.done for client in made))
    start = loop.time()
    end = start + seconds
    for client in made:
        client.done = loop.create_future()
        client.ask()
    await asyncio.gather(*(client.done for client in made))
    took = loop.time() - start
    for client in made:
        client.transport.close()
    return {"waits": waits, "statuses": statuses, "seconds": took, "samples": samples}


if __name__ == "__main__":
    gc.disable()
    print(json.dumps(uvloop.run(bids(**json.load(sys.stdin)))))
