"""Names the codes of what a device sends, and the numbers that stand for them in frames and payloads."""

from __future__ import annotations

from typing import Literal, get_args

Codec = Literal["stored", "lzw", "shuffle", "png", "rice", "jpeg", "context"]

CODECS: tuple[str, ...] = get_args(Codec)  # by their number on the wire (docs/protocol.md)
CODEC_IDS = {name: number for number, name in enumerate(CODECS)}
PICTURE_CODECS = ("png", "rice", "jpeg")  # of whole pictures; the others take symbols or bytes
FEATURE_CODECS = ("context", "lzw", "shuffle", "stored")
