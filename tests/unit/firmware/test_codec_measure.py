"""The codecs' code for the board writes what the host's writes, and its cycles are what is told of them."""

from __future__ import annotations

import numpy as np
import pytest

from baselines.export.context_tables import learn_tables
from harness.bench.codecs import entropies
from testbeds.firmware.host.hostlib import PAYLOAD_HEAD, CodecLibrary
from testbeds.virtual.codec_cycles import CodecProbe

SHAPE = (16, 16, 19)


def maps(count: int, seed: int) -> np.ndarray:
    """Symbols of 8 that look like features: mostly 0, alike along a row, some channels busier than others."""
    rng = np.random.default_rng(seed)
    fresh = rng.integers(0, 8, (count, *SHAPE)) * (rng.random((count, *SHAPE)) < np.linspace(0.05, 0.5, SHAPE[2]))
    keep = rng.random(fresh.shape) < 0.7
    for x in range(1, SHAPE[1]):
        fresh[:, :, x] = np.where(keep[:, :, x], fresh[:, :, x - 1], fresh[:, :, x])
    return fresh.reshape(count, -1).astype(np.uint8)


@pytest.mark.slow
def test_features_by_every_codec(codecs: CodecLibrary) -> None:
    tables = learn_tables(maps(200, 0), 8, SHAPE)
    model = codecs.model(tables)
    one = maps(1, 1)[0]
    cycles, sizes = {}, {}
    with CodecProbe(SHAPE, 24, 8, tables=tables) as probe:
        for codec in ("stored", "lzw", "shuffle", "context"):
            got = probe.encode(codec, one)
            assert got == probe.encode(codec, one), "the same symbols take the same cycles"
            wanted = codecs.encode(one, 8, codec, 0, 0, model=model)
            assert (got.body_bytes, got.used) == (len(wanted) - PAYLOAD_HEAD, codec)
            cycles[codec], sizes[codec] = got.counts.cycles_with_fills, got.body_bytes
        noise = np.random.default_rng(2).integers(0, 8, one.size).astype(np.uint8)
        worst = probe.encode("context", noise)
    assert sizes["context"] < 0.8 * sizes["lzw"]
    assert cycles["context"] < cycles["lzw"]
    assert (worst.used, worst.body_bytes) == ("stored", sizes["stored"])
    assert worst.counts.cycles_with_fills < 2 * cycles["lzw"]


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["stored", "lzw", "png", "rice", "jpeg"])
def test_pictures(codecs: CodecLibrary, codec: str) -> None:
    ramp = np.add.outer(np.arange(32) * 3, np.arange(32) * 2)[:, :, None] + np.array([0, 20, 40])
    picture = (ramp % 256).astype(np.uint8).reshape(-1)
    with CodecProbe((32, 32, 3), 3, 256, picture=True) as probe:
        got = probe.encode(codec, picture)
    wanted = codecs.encode(picture, 256, codec, 0, 0, rows=32)
    assert (got.body_bytes, got.used) == (len(wanted) - PAYLOAD_HEAD, codec)


def test_entropies_of_what_is_known() -> None:
    shape = (1, 4096, 2)
    rng = np.random.default_rng(0)
    coin = rng.integers(0, 2, 4096)
    found = entropies(np.stack([coin, coin], axis=1).reshape(1, -1).astype(np.uint8), 2, shape)
    assert found["order 0"] == pytest.approx(8192 / 8, rel=1e-3)  # a bit a symbol
    assert found["channel, left, above"] == pytest.approx(8192 / 8, rel=1e-2)  # coins know nothing of their neighbours
    assert found["order 1"] < 0.93 * found["order 0"]  # every second symbol repeats the one sent before it
    still = entropies(np.tile(np.array([0, 1], np.uint8), 4096)[None], 2, shape)
    assert (still["channel"], still["order 0"]) == (0.0, pytest.approx(1024))
