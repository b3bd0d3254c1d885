"""A serial port on the network, as `ser2net` gives one: raw TCP (`socket://`) or RFC 2217 (`rfc2217://`).

Stands in for a machine that holds boards. One client at a time, on loopback, without any protection: in a lab, use
ser2net behind the lab's own network.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from typing import Any, Literal

import serial
import serial.rfc2217

_POLL_S = 0.1


class LinelessPort(serial.Serial):
    """A port without modem lines, as a pty is: setting them does nothing, they read as off."""

    cts = dsr = ri = cd = property(lambda self: False)

    def _update_dtr_state(self) -> None:
        pass

    def _update_rts_state(self) -> None:
        pass

    def _update_break_state(self) -> None:
        pass


class SerialServer:
    """Serves an open `port` at `url` until closed. Use as a context manager."""

    def __init__(self, port: serial.Serial, kind: Literal["rfc2217", "socket"]) -> None:
        self._port = port
        self._kind = kind
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"{kind}://127.0.0.1:{self._listener.getsockname()[1]}"
        self._ending = threading.Event()
        self._dropping = threading.Event()
        port.timeout = 0
        self._thread = threading.Thread(target=self._serve, name="serial-server", daemon=True)
        self._thread.start()

    def drop(self) -> None:
        """End the present connection, as a network that fails does."""
        self._dropping.set()

    def __enter__(self) -> SerialServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join(5)
        self._listener.close()

    def write(self, data: bytes) -> None:
        """For the port manager, which answers the client's negotiations."""
        if self._client is not None:
            self._client.sendall(data)

    _client: socket.socket | None = None

    def _serve(self) -> None:
        while not self._ending.is_set():
            if not select.select([self._listener], [], [], _POLL_S)[0]:
                continue
            with contextlib.suppress(OSError):
                client, _ = self._listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._client = client
                self._dropping.clear()
                try:
                    self._talk(client)
                finally:
                    self._client = None
                    client.close()

    def _talk(self, client: socket.socket) -> None:
        manager: Any = serial.rfc2217.PortManager(self._port, self) if self._kind == "rfc2217" else None  # type: ignore[arg-type]
        waited: list[Any] = [client, self._port.fileno()]
        while not (self._ending.is_set() or self._dropping.is_set()):
            readable, _, _ = select.select(waited, [], [], _POLL_S)
            if client in readable:
                data = client.recv(4096)
                if not data:
                    return
                self._port.write(b"".join(manager.filter(data)) if manager else data)
            if self._port.fileno() in readable and (data := self._port.read(4096)):
                client.sendall(b"".join(manager.escape(data)) if manager else data)
