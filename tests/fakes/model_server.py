"""A language model's service on loopback: real HTTP, OpenAI's chat completions, and every way they go wrong."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any


class ModelServer:
    """Answers each request by ``answers``, in turn; the last one again and again. ``requests`` has what was asked."""

    def __init__(self, *answers: "Answer") -> None:
        self.answers = list(answers)
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.url = ""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                headers = {
                    name.lower(): value.strip()
                    for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])
                }
                body = json.loads(await reader.readexactly(int(headers["content-length"])))
                assert head.startswith("POST /v1/chat/completions ")
                self.requests.append(body)
                self.keys.append(headers.get("authorization", ""))
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                sent = await answer(body)
                if sent is None:
                    break
                status, kind, payload = sent
                writer.write(
                    f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(payload)}\r\n\r\n".encode()
                    + payload
                )
                await writer.drain()
        writer.close()


type Answer = Callable[[dict[str, Any]], Any]


def _completion(message: dict[str, Any], finish: str) -> tuple[int, str, bytes]:
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_772_388_000,
        "model": "stub",
        "choices": [
            {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish, "logprobs": None}
        ],
        "usage": {"prompt_tokens": 120, "completion_tokens": 12, "total_tokens": 132},
    }
    return 200, "application/json", json.dumps(body).encode()


def says(text: str, finish: str = "stop") -> Answer:
    """A line."""

    async def answer(_: dict[str, Any]) -> tuple[int, str, bytes]:
        return _completion({"content": text}, finish)

    return answer


def calls(name: str, **arguments: Any) -> Answer:
    """A call of a tool, whether it exists or not."""

    async def answer(_: dict[str, Any]) -> tuple[int, str, bytes]:
        call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        return _completion({"content": None, "tool_calls": [call]}, "tool_calls")

    return answer


def fails(status: int, body: str = '{"error": {"message": "no", "type": "server_error"}}') -> Answer:
    """An error of the service."""

    async def answer(_: dict[str, Any]) -> tuple[int, str, bytes]:
        return status, "application/json", body.encode()

    return answer


def hangs_up() -> Answer:
    """The connection ends without an answer."""

    async def answer(_: dict[str, Any]) -> None:
        return None

    return answer


def waits_for(gate: asyncio.Event, then: Answer) -> Answer:
    """Nothing comes until the gate opens."""

    async def answer(body: dict[str, Any]) -> Any:
        await gate.wait()
        return await then(body)

    return answer


@contextlib.asynccontextmanager
async def model_server(*answers: Answer) -> AsyncIterator[ModelServer]:
    """A service that answers so; its ``url`` is an endpoint as the settings want it."""
    stub = ModelServer(*answers)
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        await stub._serve(reader, writer)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    stub.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield stub
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
