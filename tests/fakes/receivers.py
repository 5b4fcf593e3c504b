"""Real servers on loopback that take what the house sends: a mail server, and an HTTP server with or without TLS."""

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any

import msgspec
from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Mailbox:
    """What a mail server was handed; ``answers`` are given to the next recipients instead of a yes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mails: list[EmailMessage] = []
        self.answers: list[str] = []
        #: A mail waits for this before it is taken.
        self.gate = threading.Event()
        self.gate.set()

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if self.answers:
            return self.answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        await asyncio.to_thread(self.gate.wait, 20)
        mail = BytesParser(policy=default).parsebytes(envelope.content)
        with self._lock:
            self._mails.append(mail)  # type: ignore[arg-type]
        return "250 taken"

    @property
    def mails(self) -> list[EmailMessage]:
        with self._lock:
            return list(self._mails)

    def to(self, address: str) -> list[EmailMessage]:
        return [mail for mail in self.mails if mail["To"] == address]


class _OnFreePort(Controller):
    def _trigger_server(self) -> None:
        # a free port is known only after binding; the controller's own look would be at port 0
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextlib.contextmanager
def mail_server(mailbox: Mailbox, port: int = 0) -> Iterator[int]:
    """A mail server; its port."""
    controller = _OnFreePort(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


class Seen(msgspec.Struct):
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


class HttpReceiver:
    """Takes POSTs; ``answers`` are given in turn, then 204. An answer: a status, or the raw bytes of one."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.answers: list[int | bytes] = []
        self.url = ""
        self.gate = asyncio.Event()
        self.gate.set()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            line = (await reader.readline()).decode()
            headers = {}
            while (field := (await reader.readline()).decode().strip()) != "":
                name, _, value = field.partition(":")
                headers[name.lower()] = value.strip()
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.seen.append(Seen(line.split()[1], headers, body))
            await self.gate.wait()
            answer = self.answers.pop(0) if self.answers else 204
            if isinstance(answer, int):
                answer = f"HTTP/1.1 {answer} so\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode()
            writer.write(answer)
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def http_receiver(tls: ssl.SSLContext | None = None) -> AsyncIterator[HttpReceiver]:
    """An HTTP server."""
    receiver = HttpReceiver()
    server = await asyncio.start_server(receiver.handle, "127.0.0.1", 0, ssl=tls)
    scheme = "http" if tls is None else "https"
    receiver.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield receiver


def certificates(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's TLS for 127.0.0.1, and a client's that trusts it alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "cert.pem").write_bytes(pem)
    (folder / "key.pem").write_bytes(private)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    client = ssl.create_default_context(cadata=pem.decode())
    return server, client
