"""The C codecs against oracles, and against bytes that no encoder wrote."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbeds.firmware.host.hostlib import CodecLibrary, PayloadError

from .firmware_helpers import lzw_oracle, message, shuffle_oracle, stored_oracle

alphabets = st.sampled_from([2, 3, 5, 8, 16, 17, 100, 255, 256])


@st.composite
def streams(draw: st.DrawFn, longest: int = 400) -> tuple[int, list[int]]:
    """An alphabet and symbols of it, with the runs that real features have."""
    n = draw(alphabets)
    runs = draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(1, 30)), min_size=1, max_size=60))
    return n, [symbol for symbol, length in runs for _ in range(length)][:longest]


@given(streams())
def test_lzw_writes_what_the_oracle_writes_and_reads_it_back(
    codecs: CodecLibrary, stream: tuple[int, list[int]]
) -> None:
    n, symbols = stream
    body = codecs.encode_body("lzw", np.array(symbols, np.uint8), n)
    assert body == lzw_oracle(symbols, n)
    assert codecs.decode_body(1, body, n, len(symbols)).tolist() == symbols


@given(streams())
def test_stored_writes_what_the_oracle_writes_and_reads_it_back(
    codecs: CodecLibrary, stream: tuple[int, list[int]]
) -> None:
    n, symbols = stream
    body = codecs.encode_body("stored", np.array(symbols, np.uint8), n)
    assert body == stored_oracle(symbols, n)
    assert codecs.decode_body(0, body, n, len(symbols)).tolist() == symbols


@given(streams())
def test_shuffle_is_read_by_the_oracle_and_by_its_decoder(codecs: CodecLibrary, stream: tuple[int, list[int]]) -> None:
    n, symbols = stream
    body = codecs.encode_body("shuffle", np.array(symbols, np.uint8), n)
    assert shuffle_oracle(body, n, len(symbols)) == symbols
    assert codecs.decode_body(2, body, n, len(symbols)).tolist() == symbols


@pytest.mark.parametrize("count", [8191, 8192, 8193, 20_001])
@pytest.mark.parametrize("n", [2, 100, 256])
def test_shuffle_across_blocks(codecs: CodecLibrary, n: int, count: int) -> None:
    rng = np.random.default_rng(count)
    symbols = (rng.integers(0, n, count) * (rng.random(count) < 0.3)).astype(np.uint8)
    body = codecs.encode_body("shuffle", symbols, n)
    assert shuffle_oracle(body, n, count) == symbols.tolist()
    assert np.array_equal(codecs.decode_body(2, body, n, count), symbols)


def test_shuffle_takes_small_features_well_below_their_bytes(codecs: CodecLibrary) -> None:
    sparse = np.zeros(2048, np.uint8)
    sparse[::7] = np.arange(293) % 16
    assert len(codecs.encode_body("shuffle", sparse, 256)) < 2048 // 3
    noise = np.random.default_rng(0).integers(0, 256, 2048).astype(np.uint8)
    assert len(codecs.encode_body("shuffle", noise, 256)) <= 2048 + 2048 // 255 + 2


@pytest.mark.parametrize("n", [2, 8, 256])
def test_lzw_past_the_frozen_dictionary(codecs: CodecLibrary, n: int) -> None:
    symbols = np.random.default_rng(n).integers(0, n, 60_000).astype(np.uint8)
    body = codecs.encode_body("lzw", symbols, n)
    assert body == lzw_oracle(symbols.tolist(), n)
    assert np.array_equal(codecs.decode_body(1, body, n, symbols.size), symbols)


def test_lzw_reads_the_code_of_the_entry_that_it_is_about_to_make(codecs: CodecLibrary) -> None:
    zeros = np.zeros(300, np.uint8)
    assert np.array_equal(codecs.decode_body(1, codecs.encode_body("lzw", zeros, 2), 2, 300), zeros)


@given(streams(), st.sampled_from(["stored", "lzw", "shuffle"]))
def test_a_payload_is_never_larger_than_stored(codecs: CodecLibrary, stream: tuple[int, list[int]], codec: str) -> None:
    n, symbols = stream
    data = codecs.encode(np.array(symbols, np.uint8), n, codec, 7, 0xDEADBEEF)
    stored, coded = stored_oracle(symbols, n), codecs.encode_body(codec, np.array(symbols, np.uint8), n)
    number = ["stored", "lzw", "shuffle"].index(codec)
    best, used = (coded, number) if len(coded) < len(stored) else (stored, 0)
    assert data == message(best, used, 7, 0xDEADBEEF)
    assert codecs.decode(data, n, len(symbols)).tolist() == symbols


@pytest.mark.slow
@settings(max_examples=1500)
@given(st.binary(max_size=200), alphabets, st.integers(1, 2000), st.integers(0, 4))
def test_foreign_bodies_give_whole_symbols_or_an_error(
    codecs: CodecLibrary, body: bytes, n: int, count: int, codec: int
) -> None:
    try:
        symbols = codecs.decode_body(codec, body, n, count)
    except PayloadError:
        return
    assert symbols.size == count
    assert int(symbols.max()) < n
    assert codec in (0, 1, 2)


@pytest.mark.slow
@settings(max_examples=500)
@given(streams(), st.data())
def test_a_cut_or_longer_body_is_refused(
    codecs: CodecLibrary, stream: tuple[int, list[int]], data: st.DataObject
) -> None:
    n, symbols = stream
    codec = data.draw(st.sampled_from([0, 1, 2]))
    body = codecs.encode_body(["stored", "lzw", "shuffle"][codec], np.array(symbols, np.uint8), n)
    cut = data.draw(st.integers(0, len(body) - 1))
    for wrong in (body[:cut], body + b"\0"):
        with pytest.raises(PayloadError):
            codecs.decode_body(codec, wrong, n, len(symbols))


@pytest.mark.slow
@settings(max_examples=500)
@given(streams(longest=60), st.data())
def test_any_changed_byte_of_a_payload_is_noticed(
    codecs: CodecLibrary, stream: tuple[int, list[int]], data: st.DataObject
) -> None:
    n, symbols = stream
    payload = bytearray(codecs.encode(np.array(symbols, np.uint8), n, "lzw", 1, 2))
    payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(PayloadError):
        codecs.decode(bytes(payload), n, len(symbols))


@settings(max_examples=500)
@given(st.binary(max_size=64))
def test_random_bytes_are_no_payload(codecs: CodecLibrary, data: bytes) -> None:
    with pytest.raises(PayloadError):
        codecs.decode(data, 8, 100)


def test_a_header_that_promises_too_much_allocates_nothing(codecs: CodecLibrary) -> None:
    data = bytearray(message(b"abc", 0, 1, 2))
    data[8:12] = (0xFFFFFFFF).to_bytes(4, "little")
    with pytest.raises(PayloadError, match="wrong size"):
        codecs.header(bytes(data))


def test_unknown_codec_and_bad_symbols_are_value_errors(codecs: CodecLibrary) -> None:
    with pytest.raises(ValueError, match="unknown codec"):
        codecs.encode(np.zeros(3, np.uint8), 2, "gif", 0, 0)
    with pytest.raises(ValueError, match="alphabet"):
        codecs.encode(np.array([4], np.uint8), 4, "lzw", 0, 0)
    with pytest.raises(PayloadError, match="codec 9"):
        codecs.decode_body(9, b"", 2, 1)
