"""A speech service on loopback that speaks the real protocol: ``POST /v1/audio/speech``, and misbehaves when told."""

import asyncio
import contextlib
import json
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np


def wav(pcm: np.ndarray, rate: int) -> bytes:
    """A streamed WAV file, its lengths unknown, as such services send it."""
    samples = (np.clip(pcm, -1, 1) * 32_767).astype("<i2").tobytes()
    layout = struct.pack("<HHIIHH", 1, 1, rate, rate * 2, 2, 16)
    unknown = struct.pack("<I", 0xFFFFFFFF)
    return b"RIFF" + unknown + b"WAVEfmt " + struct.pack("<I", 16) + layout + b"data" + unknown + samples


@dataclass
class Answer:
    """One answer; ``late``: not while the test runs, ``cut`` after half of it, ``repeat`` its body without end in sight."""

    status: int = 200
    kind: str = "audio/wav"
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    late: bool = False
    cut: bool = False
    repeat: int = 1


@dataclass
class VoiceService:
    """``answers`` are given in turn, the last one again and again; ``asked`` is what came."""

    answers: list[Answer]
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if ": " in line)
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.headers.append(headers | {":path": head[0]})
            self.asked.append(json.loads(body) if body else {})
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            await self._answer(writer, answer)
        writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, answer: Answer) -> None:
        if answer.late:
            await self.closing.wait()
            return
        extra = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        length = len(answer.body) * answer.repeat
        writer.write(
            f"HTTP/1.1 {answer.status} Whatever\r\ncontent-type: {answer.kind}\r\ncontent-length: {length}\r\n"
            f"{extra}connection: close\r\n\r\n".encode()
        )
        if answer.cut:
            writer.write(answer.body[: len(answer.body) // 2])
            await writer.drain()
            return
        for _ in range(answer.repeat):
            writer.write(answer.body)
            await writer.drain()


@contextlib.asynccontextmanager
async def voice_service(*answers: Answer) -> AsyncIterator[VoiceService]:
    """A running service; ``url`` is what a house is given."""
    service = VoiceService(list(answers))
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    service.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with server:
        try:
            yield service
        finally:
            service.closing.set()
