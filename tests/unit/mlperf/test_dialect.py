"""The host's parser: whole lines become messages, anything else is noise, and nothing makes it fail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.mlperf import dialect
from harness.mlperf.dialect import LineReader, parse


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("m-ready", dialect.Ready),
        ("m-init-done\r", dialect.InitDone),
        ("m-load-done", dialect.LoadDone),
        ("m-warmup-done", dialect.WarmupDone),
        ("m-infer-done", dialect.InferDone),
        ("m-timestamp-mode-energy", dialect.TimestampMode),
        ("help text", dialect.Noise),
        ("m-redy", dialect.Noise),
        ("xm-ready", dialect.Noise),
        ("m-lap-us-", dialect.Noise),
        ("m-lap-us-12a", dialect.Noise),
        ("m-lap-us-123456789012345678901", dialect.Noise),
        ("m-results-[]", dialect.Noise),
        ("m-results-[0.1,x]", dialect.Noise),
        ("m-results-[0.1,nan]", dialect.Noise),
        ("m-results-[1e99]", dialect.Results),
        ("m-results-[0.1,,0.2]", dialect.Noise),
        ("m-results-[0.1", dialect.Noise),
        ("m-buffer-0a-1", dialect.Noise),
    ],
)
def test_kinds_of_lines(line: str, kind: type[dialect.Message]) -> None:
    assert type(parse(line)) is kind


def test_numbers_and_texts_are_read() -> None:
    lap, expecting, name = parse("m-lap-us-1234567"), parse("m-[Expecting 3072 bytes]"), parse("m-name-dut-[My board]")
    assert isinstance(lap, dialect.Lap) and lap.value == 1_234_567
    assert isinstance(expecting, dialect.Expecting) and expecting.value == 3072
    assert isinstance(name, dialect.Name) and name.said == "My board"
    model, refusal = parse("m-model-[ic01]"), parse("e-[Unknown command: foo]")
    assert isinstance(model, dialect.Model) and model.said == "ic01"
    assert isinstance(refusal, dialect.Refusal) and refusal.said == "Unknown command: foo"
    buffer = parse("m-buffer-00-ff-7A")
    assert isinstance(buffer, dialect.Buffer) and buffer.data == b"\x00\xff\x7a"


@pytest.mark.parametrize("text", ["0.004,-1.500,3", "0.004, -1.500 , 3", "0.004,-1.5,3,"])
def test_results_with_the_spellings_that_devices_use(text: str) -> None:
    message = parse(f"m-results-[{text}]")
    assert isinstance(message, dialect.Results) and message.values == (0.004, -1.5, 3.0)


def test_more_results_than_any_network_has_are_noise() -> None:
    assert isinstance(parse("m-results-[" + ",".join(["0"] * 1025) + "]"), dialect.Noise)


@given(st.text(max_size=200))
def test_any_text_is_some_message(text: str) -> None:
    assert isinstance(parse(text), dialect.Message)


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_any_bytes_in_any_pieces_give_the_same_messages(pieces: list[bytes]) -> None:
    apart, together = LineReader(), LineReader()
    one_by_one = [message for piece in pieces for message in apart.feed(piece)]
    assert one_by_one == list(together.feed(b"".join(pieces)))
    assert len(apart.pending) <= 80 * 4


@given(
    st.lists(st.sampled_from([b"m-ready", b"m-lap-us-17", b"m-load-done"]), max_size=8),
    st.binary(max_size=40).filter(lambda b: b"\n" not in b),
)
def test_after_a_damaged_line_the_next_ones_are_whole_again(lines: list[bytes], damage: bytes) -> None:
    reader = LineReader()
    stream = damage + b"\r\n" + b"".join(line + b"\r\n" for line in lines)
    messages = list(reader.feed(stream))
    assert [m.text.encode() for m in messages[len(messages) - len(lines) :]] == lines


def test_a_line_without_end_takes_bounded_memory_and_is_reported_once() -> None:
    reader = LineReader()
    for _ in range(100):
        assert not list(reader.feed(b"x" * 10_000))
    assert len(reader._line) <= dialect.MAX_LINE_BYTES
    messages = list(reader.feed(b"\nm-ready\n"))
    assert isinstance(messages[0], dialect.Noise) and "longer than" in messages[0].text
    assert isinstance(messages[1], dialect.Ready)


def test_a_byte_that_is_no_text_makes_its_line_noise() -> None:
    message = next(iter(LineReader().feed(b"m-re\xffady\r\n")))
    assert isinstance(message, dialect.Noise)


@given(st.binary(max_size=200), st.integers(1, 36))
def test_chunks_carry_the_data_within_the_command_length(data: bytes, chunk_bytes: int) -> None:
    commands = list(dialect.hex_chunks(data, chunk_bytes))
    assert all(len(command) < dialect.COMMAND_CHARS for command in commands)
    assert bytes.fromhex("".join(command.removeprefix("db ") for command in commands)) == data
