"""A real RTMP server for tests: nginx with its RTMP module, as a child process on loopback ports of its own.

    with rtmp_server(tmp_path) as server:
        publish(server.publish_url("key"))          # rtmp://127.0.0.1:…/live/key
        found = probe(server.play_url("key"))
        server.kill(); server.start()               # the same port again
        server.recordings("key")                    # FLV files, one for each time somebody published

``rtmp_server(…, tls=True)`` has RTMPS too, with a certificate for ``localhost`` by an authority of its own (``server.ca_file``).
Needs the Debian packages nginx-light (or nginx), libnginx-mod-rtmp and libnginx-mod-stream; without them a test is an
announced skip, and a failure in CI.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes.certificates import Authority

MODULES = (Path("/usr/lib/nginx/modules"), Path("/usr/share/nginx/modules"), Path("/usr/lib64/nginx/modules"))
START_TIMEOUT_S = 10
STOP_TIMEOUT_S = 5
_INTERVAL_S = 0.02


def needed(found: object, what: str) -> None:
    """Announce a skip where something is missing; in CI it is a failure."""
    if found:
        return
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(f"there is no {what} here, and CI must have it")
    pytest.skip(f"there is no {what} here; install nginx, libnginx-mod-rtmp and libnginx-mod-stream to run this test")


def nginx_program() -> str | None:
    """Where nginx is; ``/usr/sbin`` is not on everybody's path."""
    return shutil.which("nginx", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin")))


def nginx_module(name: str) -> Path | None:
    """The file of a dynamic module."""
    return next((folder / name for folder in MODULES if (folder / name).is_file()), None)


def free_port() -> int:
    """A loopback port that nobody has now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class RtmpServer:
    """One nginx. ``start`` after ``stop`` or ``kill`` has the same ports; what was recorded stays."""

    APPLICATION = "live"

    def __init__(self, folder: Path, *, tls: bool = False, certified_for: str = "localhost") -> None:
        self.folder = folder
        self.records = folder / "records"
        self.records.mkdir(parents=True)
        self.port = free_port()
        self.tls_port: int | None = None
        self.ca_file: Path | None = None
        self._program = nginx_program()
        needed(self._program, "nginx")
        self._rtmp = nginx_module("ngx_rtmp_module.so")
        needed(self._rtmp, "RTMP module of nginx")
        self._stream: Path | None = None
        if tls:
            self._stream = nginx_module("ngx_stream_module.so")
            needed(self._stream, "stream module of nginx")
            self.tls_port = free_port()
            authority = Authority("The tests' own authority")
            self.ca_file = authority.write(folder / "ca.pem")
            authority.issue(folder / "server.pem", folder / "server.key", names=(certified_for,))
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """What nginx said so far."""
        said = self.folder / "error.log"
        return said.read_text(errors="replace") if said.exists() else ""

    def publish_url(self, key: str, *, tls: bool = False) -> str:
        """Where a stream of this key is sent; by RTMPS with ``tls``."""
        if tls:
            assert self.tls_port is not None, "this server has no TLS"
            return f"rtmps://localhost:{self.tls_port}/{self.APPLICATION}/{key}"
        return f"rtmp://127.0.0.1:{self.port}/{self.APPLICATION}/{key}"

    def play_url(self, key: str) -> str:
        """Where it is read; a reader is given nothing before the next key frame."""
        return self.publish_url(key)

    def recordings(self, key: str) -> list[Path]:
        """The FLV files of a key, oldest first. A file is whole once its publisher left or the server stopped."""
        return sorted(self.records.glob(f"{key}-*.flv"), key=lambda path: (path.stat().st_mtime_ns, path.name))

    def start(self) -> None:
        """Start it; returns when it takes connections."""
        assert not self.running, "the server runs already"
        self._starts += 1
        (self.folder / "nginx.conf").write_text(self._configuration())
        log = self.folder / "error.log"
        command = [str(self._program), "-p", f"{self.folder}/", "-c", "nginx.conf", "-e", str(log)]
        with (self.folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        for port in filter(None, (self.port, self.tls_port)):
            while not self._answers(port):
                if not self.running or time.monotonic() > deadline:
                    said = self.log + (self.folder / "output.log").read_text(errors="replace")
                    self.kill()
                    raise AssertionError(f"nginx does not listen on port {port}: {said[-2_000:]}")
                time.sleep(_INTERVAL_S)

    def _answers(self, port: int) -> bool:
        with contextlib.closing(socket.socket()) as sock:
            sock.settimeout(1)
            return sock.connect_ex(("127.0.0.1", port)) == 0

    def stop(self) -> None:
        """End it as a service manager would; connections are closed, recordings are whole."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash would."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """It lives, and neither reads nor answers: what a stalled network looks like."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on where it was."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_TIMEOUT_S)

    def _configuration(self) -> str:
        user = f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""
        load = "".join(f"load_module {path};\n" for path in (self._rtmp, self._stream) if path)
        tls = ""
        if self.tls_port is not None:
            tls = f"""
stream {{
    server {{
        listen 127.0.0.1:{self.tls_port} ssl;
        ssl_certificate {self.folder}/server.pem;
        ssl_certificate_key {self.folder}/server.key;
        ssl_protocols TLSv1.2 TLSv1.3;
        tcp_nodelay on;
        proxy_pass 127.0.0.1:{self.port};
    }}
}}
"""
        # one process: to kill it is to kill all of it
        return f"""{load}{user}
daemon off;
master_process off;
pid {self.folder}/nginx.pid;
error_log {self.folder}/error.log notice;
events {{ worker_connections 256; }}
rtmp {{
    access_log off;
    server {{
        listen 127.0.0.1:{self.port};
        chunk_size 4096;
        timeout 30s;
        ping 30s;
        application {self.APPLICATION} {{
            live on;
            wait_key on;
            wait_video on;
            record all;
            record_path {self.records};
            record_suffix -{self._starts:03d}-%H%M%S.flv;
            record_unique on;
        }}
    }}
}}
{tls}"""


@contextlib.contextmanager
def rtmp_server(folder: Path, *, tls: bool = False, certified_for: str = "localhost") -> Iterator[RtmpServer]:
    """A server that runs, and is gone afterwards."""
    server = RtmpServer(folder / "rtmp", tls=tls, certified_for=certified_for)
    server.start()
    try:
        yield server
    finally:
        server.stop()
