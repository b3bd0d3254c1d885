"""Keeps what device and module say to one another as lines for people: bounded, secrets masked, binary counted."""

from __future__ import annotations

import re
from collections import deque

from testbeds.timebase import MILLISECOND

MOST_LINES = 1000  # the last ones, which are kept until somebody takes them
_MOST_CHARACTERS = 1100  # above a whole line of 256 bytes, each as \xhh: none is cut before secrets are masked
_MASK = "***"
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"')
_SECRET_AT = {"CWJAP": 1, "MQTTUSERCFG": 2}  # command -> which of its quoted arguments is a password
_COMMAND = re.compile(rf"({'|'.join(_SECRET_AT)})=", re.IGNORECASE)
_RECEIVED = re.compile(rb'\+MQTTSUBRECV:\d+,"(?:\\.|[^"\\])*",(\d+),')


class Dialogue:
    """Keeps the last lines until they are taken. Any thread may take them while another one adds some."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=MOST_LINES)

    def heard(self, line: bytes, at: int) -> None:
        """Note a line from the device; CR and what is empty are left out."""
        if text := masked(_printable(line)):
            self._add(">", text, at)

    def heard_payload(self, count: int, at: int) -> None:
        """Note that a raw publish is complete."""
        self._add(">", f"({count} bytes of payload)", at)

    def said(self, data: bytes, at: int) -> None:
        """Note what the module sends; of a message from the broker the head and the number of its bytes."""
        if found := _RECEIVED.search(data):
            data = data[: found.end()] + f"({found[1].decode()} bytes)".encode()
        for line in data.split(b"\n"):
            if text := masked(_printable(line)):  # a module that echoes says passwords too
                self._add("<", text, at)

    def happened(self, what: str, at: int) -> None:
        """Note what nobody said."""
        self._add("-", what, at)

    def take(self) -> list[str]:
        """Return the lines since the last call, the times on the module's own clock."""
        out = []
        while self._lines:
            out.append(self._lines.popleft())
        return out

    def _add(self, way: str, text: str, at: int) -> None:
        self._lines.append(f"{at / MILLISECOND:.3f} ms {way} {text[:_MOST_CHARACTERS]}")


def masked(line: str) -> str:
    """Return a command line without the password that it may hold, wherever in the line the command begins."""
    if (command := _COMMAND.search(line)) is None:
        return line
    number = _SECRET_AT[command[1].upper()]
    quoted = list(_QUOTED.finditer(line, command.end()))
    if len(quoted) <= number or '"' in _QUOTED.sub("", line[command.end() :]):
        return line[: command.end()] + _MASK  # the line is damaged: nobody knows what is what
    secret = quoted[number]
    rest = line[secret.end() :]
    if _COMMAND.search(rest):
        rest = masked(rest)
    return f'{line[: secret.start()]}"{_MASK}"{rest}'


def _printable(data: bytes) -> str:
    """Return ASCII, with everything else as `\\xhh`."""
    text = data.rstrip(b"\r").decode("ascii", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
