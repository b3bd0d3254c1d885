"""Every example of docs/protocol.md, made by the C code and by the oracles."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from testbeds.firmware.host.hostlib import CodecLibrary

from .firmware_helpers import Scripted, frame, logits_reply, lzw_oracle, message, received, stored_oracle, tlv

DOCUMENT = Path(__file__).parents[3] / "docs" / "protocol.md"
SYMBOLS = [3, 2, 1, 0, 0, 0, 0, 1]


def block(kind: str, name: str) -> str:
    found = re.search(rf"```{kind} {name}\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert found, f"docs/protocol.md has no block {kind} {name}"
    return found[1]


def documented(name: str) -> bytes:
    return bytes.fromhex(block("hex", name))


def test_hello(scripted: Callable[..., Scripted]) -> None:
    assert documented("hello") == frame(1, 1)
    assert scripted().library.console(documented("hello"))


def test_message(codecs: CodecLibrary) -> None:
    data = codecs.encode(np.array(SYMBOLS, np.uint8), 4, "stored", 0x1234, 0xCAFEF00D)
    assert documented("message-stored") == data == message(stored_oracle(SYMBOLS, 4), 0, 0x1234, 0xCAFEF00D)


def test_reply(codecs: CodecLibrary) -> None:
    body = struct.pack("<2f", 1.0, -2.5)
    assert documented("reply") == codecs.seal(body, 0, 0x1234, 0xCAFEF00D) == message(body, 0, 0x1234, 0xCAFEF00D)


def test_lzw(codecs: CodecLibrary) -> None:
    body = codecs.encode_body("lzw", np.zeros(16, np.uint8), 2)
    assert documented("lzw-zeros") == body == lzw_oracle([0] * 16, 2)


def test_dialogue(scripted: Callable[..., Scripted]) -> None:
    board = scripted()
    settings = tlv(
        (1, b"lab"),
        (2, b"secret"),
        (3, b"10.0.0.1"),
        (4, struct.pack("<H", 1883)),
        (5, b"user"),
        (6, b"pass"),
        (7, b"agile/t/b"),
        (8, struct.pack("<I", 4_000_000)),
        (10, b"dev1"),
    )
    board.ask(2, settings)
    board.ask(3)
    assert "".join(f"{line.decode()}\n" for line in board.lines) == block("at", "bring-up")
    board.lines.clear()
    board.reply = lambda p: received(logits_reply(p, [0.0, 1.0, 0.0]))
    board.load(bytes([200] * 48))
    assert board.infer(1)["status"] == 0
    size = len(board.published[0])
    assert "".join(f"{line.decode()}\n" for line in board.lines).replace(f",{size},", ",18,") == block("at", "publish")
