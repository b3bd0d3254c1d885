"""The harness' end of the emulator's control line."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from harness.contracts.errors import SampleFailed
from testbeds.virtual.client import Emulator

pytestmark = pytest.mark.slow


@pytest.fixture
def line() -> Iterator[tuple[Emulator, socket.socket]]:
    """A client whose emulator is the test."""
    ours, theirs = socket.socketpair()
    client = Emulator.__new__(Emulator)
    client._socket, client._lock, client._number = ours, threading.Lock(), 0
    client._buffer, client._command_s = bytearray(), 0.2
    client._process = SimpleNamespace(kill=lambda: None, poll=lambda: None)  # type: ignore[assignment]
    with ours, theirs:
        yield client, theirs


def test_a_late_answer_is_not_taken_for_the_next_one(line: tuple[Emulator, socket.socket]) -> None:
    """On a busy host a command was waited for in vain; every answer after it was the one before."""
    client, emulator = line
    with pytest.raises(SampleFailed, match="did not answer 'link'"):
        client.ask("link")
    for answer in ({"id": 1, "ok": True}, {"id": 2, "ok": True, "fault": None}):
        emulator.sendall(json.dumps(answer).encode() + b"\n")
    assert client.ask("status")["fault"] is None
