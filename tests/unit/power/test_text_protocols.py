"""The streams of LPM01A and INA bridge, cut anywhere, damaged anyhow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contracts.errors import BenchError
from harness.power.ina_lines import LineParser, crc8, fill, frame
from harness.power.lpm01a import Lpm01aProbe
from harness.power.lpm01a_format import AsciiParser, BinaryParser, Parser, with_gaps
from harness.power.standins.lpm01a import StandinLpm01a, _encode_ascii, _encode_binary


def values(parser: Parser) -> list[float]:
    return np.concatenate(parser.stream.samples).tolist() if parser.stream.samples else []


def test_the_samples_of_the_boards_own_help_decode_as_it_says() -> None:
    ascii_, binary = AsciiParser(), BinaryParser()
    ascii_.feed(b"6409-07\r\n")
    binary.feed(bytes.fromhex("52A0"))
    assert values(ascii_) == [pytest.approx(640.9e-6)]
    assert values(binary) == [pytest.approx(0x2A0 / 16**5)]
    assert values(binary) == [pytest.approx(640.9e-6, rel=1e-3)]


@given(st.floats(1e-8, 0.05))
def test_both_encodings_keep_a_value_to_their_digits(value: float) -> None:
    ascii_, binary = AsciiParser(), BinaryParser()
    ascii_.feed(_encode_ascii(value))
    binary.feed(_encode_binary(value) + b"\xf0\xf4\xff\xff")  # a last byte 0xF0 waits for what follows it
    assert values(ascii_)[0] == pytest.approx(value, rel=6e-4)
    assert values(binary)[0] == pytest.approx(value, rel=2.5e-3)


@given(st.data())
def test_a_binary_stream_may_be_cut_anywhere(data: st.DataObject) -> None:
    samples = data.draw(st.lists(st.integers(0, 0xEFFF), max_size=40))
    stream = b"\xf0\xf3\x00\x00\x00\x00\x00\xff\xff"
    stream += b"".join(s.to_bytes(2, "big") for s in samples) + b"\xf0\xf2hello\xff\xff" + b"\xf0\xf4\xff\xff"
    parser = BinaryParser()
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        parser.feed(stream[:size])
        stream = stream[size:]
    assert values(parser) == [(s & 0xFFF) * 16.0 ** -(s >> 12) for s in samples]
    assert parser.stream.done
    assert parser.stream.stamps == [(0, 0)]
    assert parser.stream.bad_lines == 0


@pytest.mark.parametrize("make", [AsciiParser, BinaryParser, LineParser])
@settings(max_examples=60)
@given(chunks=st.lists(st.binary(max_size=200), max_size=5))
def test_garbage_never_raises(make: type, chunks: list[bytes]) -> None:
    parser = make()
    for chunk in chunks:
        parser.feed(chunk)
    if isinstance(parser, LineParser):
        assert parser.readings.numbers == []
    else:
        assert sum(map(len, parser.stream.samples)) == parser.stream.count
        assert parser.stream.count <= sum(map(len, chunks))


def test_a_line_without_end_does_not_grow() -> None:
    for parser in (AsciiParser(), LineParser()):
        parser.feed(b"S" * 100_000)
        assert len(parser._rest) == 0


def test_a_stretch_that_is_short_of_samples_is_lost_as_a_whole() -> None:
    parser = AsciiParser()
    parser.feed(b"TimeStamp: 000s 000ms, buff 00%\r\n" + b"1000-06\r\n" * 1000)
    parser.feed(b"TimeStamp: 001s 000ms, buff 00%\r\n" + b"1000-06\r\n" * 990)
    parser.feed(b"TimeStamp: 002s 000ms, buff 00%\r\n" + b"event 1 ris\r\n" + b"1000-06\r\n" * 7)
    found, lost = with_gaps(parser.stream, 1000.0)
    assert len(found) == 2007
    assert np.array_equal(np.flatnonzero(lost), np.arange(1000, 2000))
    assert parser.stream.events == [(1990, "ris")]


def test_a_refused_command_and_a_foreign_port_are_one_line() -> None:
    with StandinLpm01a() as standin, Lpm01aProbe(standin.path) as probe:
        assert standin.settings["volt"] == "3300m"
        with pytest.raises(BenchError, match="refuses 'volt 9'"):
            probe._command("volt 9")


@pytest.mark.parametrize(("text", "check"), [(b"123456789", 0xF4), (b"", 0x00)])
def test_the_check_is_the_known_crc8(text: bytes, check: int) -> None:
    assert crc8(text) == check


@given(st.data())
def test_a_damaged_byte_of_a_bridge_line_never_becomes_another_number(data: st.DataObject) -> None:
    number, current = data.draw(st.integers(0, 2**32 - 1)), data.draw(st.integers(-(2**15), 2**15 - 1))
    line = bytearray(frame(f"S,{number},5000,{current},2640,3"))
    at, bit = data.draw(st.integers(0, len(line) - 1)), data.draw(st.integers(0, 7))
    line[at] ^= 1 << bit
    parser = LineParser()
    parser.feed(bytes(line) + b"\n")
    assert parser.readings.numbers in ([], [number])
    assert parser.readings.current in ([], [current])


def test_bridge_samples_are_placed_by_their_numbers_across_the_wrap() -> None:
    parser = LineParser()
    parser.feed(frame("H,1,INA228,3125,195.3125,1000"))
    for number, time_us in ((2**32 - 1, 10), (0, 1010), (3, 4010)):
        parser.feed(frame(f"S,{number},{time_us},100,16896,1"))
    header = parser.readings.header
    assert header is not None
    found = fill(parser.readings, header)
    assert found.lost.tolist() == [False, False, True, True, False]
    assert found.period_us == 1000.0
    assert found.current_a[0] == pytest.approx(100 * 3.125e-6)
    assert found.voltage_v[0] == pytest.approx(3.3)
    parser.feed(frame("S,1,9000,100,16896,1"))
    with pytest.raises(ValueError, match="go back"):
        fill(parser.readings, header)
