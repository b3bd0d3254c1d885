"""The context codec against its oracle, at its limits, and against bytes that no encoder wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from baselines.export.context_tables import bits_per_picture, context_counts, learn_tables
from harness.contracts.codecs import CODEC_IDS
from harness.contracts.context import TOTAL, ContextTables
from harness.contracts.errors import BenchError
from testbeds.firmware.host.hostlib import PAYLOAD_HEAD, CodecLibrary, PayloadError

from .firmware_helpers import context_oracle

CONTEXT = CODEC_IDS["context"]


@st.composite
def tables(draw: st.DrawFn) -> ContextTables:
    """Any tables: most classes skewed, as learnt ones are, up to a frequency of 1 and all the rest."""
    n, width, channels = draw(st.integers(2, 16)), draw(st.integers(1, 7)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    classes = draw(st.integers(1, 6))
    sharp = draw(st.sampled_from([0.02, 0.3, 3.0]))
    rows = []
    for _ in range(classes):
        row = 1 + np.floor(rng.dirichlet(np.full(n, sharp)) * (TOTAL - n)).astype(int)
        row[rng.integers(n)] += TOTAL - row.sum()
        rows.append(row.tolist())
    class_of = rng.integers(0, classes, (channels, n * n)).tolist()
    return ContextTables(n_symbols=n, width=width, channels=channels, class_of=class_of, frequencies=rows)


def features(t: ContextTables, rng: np.random.Generator, rows: int, likely: float) -> np.ndarray:
    """Symbols of `rows` rows: the likeliest of the first class, or any with the share 1 - likely."""
    count = rows * t.width * t.channels
    usual = int(np.argmax(t.frequencies[0]))
    return np.where(rng.random(count) < likely, usual, rng.integers(0, t.n_symbols, count)).astype(np.uint8)


@settings(max_examples=400)
@given(tables(), st.integers(1, 12), st.sampled_from([0.0, 0.7, 1.0]), st.integers(0, 2**32 - 1))
def test_it_writes_what_the_oracle_writes_and_reads_it_back(
    codecs: CodecLibrary, t: ContextTables, rows: int, likely: float, seed: int
) -> None:
    symbols = features(t, np.random.default_rng(seed), rows, likely)
    model = codecs.model(t)
    body = codecs.encode_body("context", symbols, t.n_symbols, model=model)
    wanted = context_oracle(symbols.tolist(), t)
    if len(wanted) <= 2 * symbols.size + 16:  # the room that encode_body gives
        assert body == wanted
    assert np.array_equal(codecs.decode_body(CONTEXT, wanted, t.n_symbols, symbols.size, model), symbols)


@pytest.mark.slow
@settings(max_examples=1000)
@given(tables(), st.integers(1, 20), st.binary(max_size=120))
def test_foreign_bodies_are_refused_or_are_what_an_encoder_writes(
    codecs: CodecLibrary, t: ContextTables, rows: int, body: bytes
) -> None:
    model, count = codecs.model(t), rows * t.width * t.channels
    try:
        symbols = codecs.decode_body(CONTEXT, body, t.n_symbols, count, model)
    except PayloadError:
        return
    assert context_oracle(symbols.tolist(), t) == body


@settings(max_examples=300)
@given(tables(), st.integers(1, 12), st.integers(0, 2**32 - 1), st.data())
def test_a_longer_body_and_a_damaged_payload_are_refused(
    codecs: CodecLibrary, t: ContextTables, rows: int, seed: int, data: st.DataObject
) -> None:
    symbols, model = features(t, np.random.default_rng(seed), rows, 0.9), codecs.model(t)
    body = context_oracle(symbols.tolist(), t)
    with pytest.raises(PayloadError):
        codecs.decode_body(CONTEXT, body + b"\0", t.n_symbols, symbols.size, model)
    payload = bytearray(codecs.encode(symbols, t.n_symbols, "context", 1, 2, model=model))
    at = data.draw(st.integers(0, len(payload) - 1))
    cut = bytes(payload[:at])
    payload[at] ^= data.draw(st.integers(1, 255))
    for wrong in (cut, bytes(payload)):
        with pytest.raises(PayloadError):
            codecs.decode(wrong, t.n_symbols, symbols.size, model)


@settings(max_examples=200)
@given(tables(), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_it_costs_no_more_than_stored_whatever_the_symbols(
    codecs: CodecLibrary, t: ContextTables, rows: int, seed: int
) -> None:
    symbols, model = features(t, np.random.default_rng(seed), rows, 0.0), codecs.model(t)
    data = codecs.encode(symbols, t.n_symbols, "context", 1, 2, model=model)
    assert len(data) <= len(codecs.encode(symbols, t.n_symbols, "stored", 1, 2))
    assert np.array_equal(codecs.decode(data, t.n_symbols, symbols.size, model), symbols)


@pytest.mark.parametrize("n", [2, 3, 8, 16])
def test_learnt_tables_code_close_to_their_entropy_and_far_below_lzw(codecs: CodecLibrary, n: int) -> None:
    """Maps with runs, half of them of channels that are nearly always 0: what features look like."""
    rng = np.random.default_rng(n)
    shape = (8, 8, 6)
    keep = rng.random((300, *shape)) < 0.8
    fresh = rng.integers(0, n, (300, *shape)) * (rng.random((300, *shape)) < [0.02, 0.1, 0.3, 0.5, 0.8, 0.05])
    maps = fresh.copy()
    for x in range(1, 8):
        maps[:, :, x] = np.where(keep[:, :, x], maps[:, :, x - 1], fresh[:, :, x])
    symbols = maps.reshape(300, -1).astype(np.uint8)
    t = learn_tables(symbols[:200], n, shape)
    assert t == learn_tables(symbols[:200], n, shape)
    sizes = [len(codecs.encode_body("context", one, n, model=codecs.model(t))) for one in symbols[200:]]
    ideal = bits_per_picture(t, context_counts(symbols[200:], n, shape), 100) / 8
    assert ideal < np.mean(sizes) < ideal + 1.5
    assert np.mean(sizes) < 0.8 * np.mean([len(codecs.encode_body("lzw", one, n)) for one in symbols[200:]])


def test_symbols_that_training_never_showed_can_be_sent(codecs: CodecLibrary) -> None:
    t = learn_tables(np.zeros((10, 48), np.uint8), 8, (4, 4, 3))
    symbols = np.full(48, 7, np.uint8)
    model = codecs.model(t)
    assert np.array_equal(codecs.decode(codecs.encode(symbols, 8, "context", 0, 0, model=model), 8, 48, model), symbols)


def test_other_features_and_missing_tables_are_refused(codecs: CodecLibrary) -> None:
    t = learn_tables(np.zeros((10, 48), np.uint8), 8, (4, 4, 3))
    symbols = np.zeros(48, np.uint8)
    with pytest.raises(ValueError, match="no tables"):
        codecs.encode(symbols, 8, "context", 0, 0)
    with pytest.raises(ValueError, match="no tables"):
        codecs.encode(symbols[:40], 8, "context", 0, 0, model=codecs.model(t))
    body = codecs.encode_body("context", symbols, 8, model=codecs.model(t))
    for model in (None, codecs.model(learn_tables(np.zeros((10, 48), np.uint8), 4, (4, 4, 3)))):
        with pytest.raises(PayloadError, match="context is not 48 symbols"):
            codecs.decode_body(CONTEXT, body, 8, 48, model)
    for n, shape in ((256, (4, 4, 3)), (8, (2, 512, 9)), (16, (4, 4, 65))):
        with pytest.raises(BenchError, match="the context codec"):
            learn_tables(np.zeros((1, shape[0] * shape[1] * shape[2]), np.uint8), n, shape)


@pytest.mark.parametrize(
    "change",
    [
        {"frequencies": [[4096] + [0] * 7]},
        {"frequencies": [[4000] + [1] * 7]},
        {"frequencies": []},
        {"class_of": [[0] * 63 + [1]]},
        {"class_of": [[0] * 63]},
        {"n_symbols": 17},
        {"width": 5000},
    ],
)
def test_tables_that_would_lead_the_c_code_astray_are_not_read(change: dict[str, object]) -> None:
    good = {
        "n_symbols": 8, "width": 4, "channels": 1, "class_of": [[0] * 64], "frequencies": [[4089] + [1] * 7],
    }  # fmt: skip
    ContextTables.model_validate(good)
    with pytest.raises(ValidationError):
        ContextTables.model_validate(good | change)


def test_a_scheme_sends_what_the_library_reads(library_of, tmp_path: Path) -> None:
    """The device's own path: tables compiled in, a slice of a wider map, odd widths left to the others."""
    t = learn_tables(np.random.default_rng(0).integers(0, 4, (50, 32)).astype(np.uint8), 4, (4, 4, 2))
    library = library_of(codec="context", context=t.model_dump())
    rng = np.random.default_rng(1)
    for _ in range(50):
        library.run_local(rng.integers(0, 256, 48).astype(np.uint8))
        symbols, message = library.symbols(), library.message(7)
        assert message[1] in (0, CONTEXT)
        assert len(message) <= PAYLOAD_HEAD + 8
        assert np.array_equal(library.decode(message, 4, 32, library.model(t)), symbols)
