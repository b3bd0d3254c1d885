"""What the picture encoders take on the emulated core, to the cycle; a change is looked at, then pinned anew."""

from __future__ import annotations

import pytest

from testbeds.virtual.codec_cycles import CodecProbe

from .test_picture_codecs import FULL_CHROMA, natural

pytestmark = pytest.mark.slow

CYCLES = {"png": 187_074, "rice": 212_925, "jpeg 75": 92_712, "jpeg 75 4:4:4": 151_237}


@pytest.mark.parametrize("way", CYCLES)
def test_cycles_of_one_picture(way: str) -> None:
    codec, *rest = way.split(" ")
    quality = 75 | (FULL_CHROMA if "4:4:4" in rest else 0)
    with CodecProbe((32, 32, 3), 3, 256, picture=True) as probe:
        first = probe.encode(codec, natural(32, 32).reshape(-1), quality)
        again = probe.encode(codec, natural(32, 32).reshape(-1), quality)
    assert first == again
    assert first.used == codec
    assert first.counts.cycles_with_fills == CYCLES[way]
