"""A server of plain sockets, for what no HTTP library can be made to send."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

Script = Callable[["Connection"], None]
Before = Callable[["Connection"], bool]


class Connection:
    """One client, after its request has been read."""

    def __init__(self, sock: socket.socket, server: RawServer) -> None:
        self.sock = sock
        self.server = server
        self.request = b""

    def read_request(self) -> bool:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self.sock.recv(65536)
            if not piece:
                return False
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        while len(body) < length:
            piece = self.sock.recv(65536)
            if not piece:
                return False
            body += piece
        self.request = head + b"\r\n\r\n" + body
        self.server.requests.append(self.request)
        return True

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def drip(self, data: bytes, pause: float) -> None:
        for byte in data:
            self.send(bytes([byte]))
            time.sleep(pause)

    def wait_for_client(self) -> None:
        """Hold the connection open until the client leaves."""
        with contextlib.suppress(OSError):
            while self.sock.recv(65536):
                pass
        self.server.left.set()

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


class RawServer:
    """Runs a script for each request; ``requests`` and ``connections`` say what came."""

    def __init__(
        self,
        script: Script,
        context: ssl.SSLContext | None = None,
        before: Before | None = None,
    ) -> None:
        """``before`` runs on a new connection, before TLS; False from it ends the connection."""
        self.script = script
        self.context = context
        self.before = before
        self.requests: list[bytes] = []
        self.connections = 0
        self.left = threading.Event()
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self._stopping = False

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        scheme, host = ("https", "localhost") if self.context else ("http", "127.0.0.1")
        return f"{scheme}://{host}:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopping = True
        with contextlib.suppress(OSError):
            # Wakes the thread that accepts.
            socket.create_connection(self._listener.getsockname(), 1).close()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    def _start(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopping:
            try:
                sock, _ = self._listener.accept()
            except TimeoutError:
                continue
            if self._stopping:
                sock.close()
                return
            # What a script sends apart travels apart, and at once.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(10)
            self.connections += 1
            self._sockets.append(sock)
            self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, ssl.SSLError):
            if self.before is not None and not self.before(Connection(sock, self)):
                sock.close()
                return
            if self.context is not None:
                sock = self.context.wrap_socket(
                    sock, server_side=True, do_handshake_on_connect=False
                )
                self._sockets.append(sock)
                _shake_hands(sock)
            with sock:
                connection = Connection(sock, self)
                while connection.read_request():
                    before = sock.fileno()
                    self.script(connection)
                    if sock.fileno() != before or not _keeps(connection):
                        break
        sock.close()


def _shake_hands(sock: ssl.SSLSocket) -> None:
    try:
        sock.do_handshake()
    except ssl.SSLError:
        # What a client has sent already would turn the closing into a reset, which may overtake
        # the alert that tells it why.
        sock.settimeout(1)
        with contextlib.suppress(OSError):
            while socket.socket.recv(sock, 65536):
                pass
        raise


def _keeps(connection: Connection) -> bool:
    return getattr(connection, "keep", False)


def head(*lines: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"
