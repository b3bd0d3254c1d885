"""What every device that speaks the dialect does: the stand-in, and the C sources that go into the firmware."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.mlperf.faults import Engine
from testbeds.firmware.eembc.host import CDut

pytestmark = pytest.mark.slow

INFER_US = 12_345  # of the devices in conftest.py
INPUT_BYTES = 96
READY = b"m-ready\r\n"


def say(device: Engine, command: str) -> list[str]:
    """The lines of one answer, without the closing m-ready, which is checked."""
    answer = device.feed(command.encode() + b"%")
    assert answer.endswith(READY)
    return answer[: -len(READY)].decode().splitlines()


def load(device: Engine, data: bytes) -> list[str]:
    assert say(device, f"db load {len(data)}") == [f"m-[Expecting {len(data)} bytes]"]
    lines: list[str] = []
    for start in range(0, len(data), 31):
        lines += say(device, f"db {data[start : start + 31].hex()}")
    return lines


def test_start(device: Engine) -> None:
    lines = device.boot().decode().split("\r\n")
    assert lines == ["m-timestamp-mode-performance", "m-lap-us-0", "m-init-done", "m-ready", ""]


def test_name_and_profile(device: Engine) -> None:
    assert re.fullmatch(r"m-name-dut-\[[^\]]+\]", say(device, "name")[0])
    profile, model = say(device, "profile")
    assert re.fullmatch(r"m-profile-\[[^\]]+\]", profile)
    assert model == "m-model-[ic01]"


def test_load_is_done_at_the_last_byte_and_shows_what_it_holds(any_device: Engine) -> None:
    data = bytes(range(INPUT_BYTES))
    assert load(any_device, data) == ["m-load-done"]
    shown = say(any_device, f"db print {INPUT_BYTES} 0")
    assert b"".join(bytes.fromhex(line.removeprefix("m-buffer-").replace("-", "")) for line in shown) == data
    assert all(line.count("-") == 9 for line in shown)
    assert say(any_device, "db print 3 8") == ["m-buffer-08-09-0a"]
    assert say(any_device, "db print 16 90") == ["m-buffer-5a-5b-5c-5d-5e-5f"]
    assert say(any_device, "db print 4 96") == []
    assert say(any_device, "db print") == ["m-buffer-00-01-02-03-04-05-06-07", "m-buffer-08-09-0a-0b-0c-0d-0e-0f"]


def test_upper_case_digits_are_digits(any_device: Engine) -> None:
    say(any_device, f"db load {INPUT_BYTES}")
    say(any_device, "db AbFf")
    assert say(any_device, "db print 2 0") == ["m-buffer-ab-ff"]


def test_infer_says_its_counts_its_laps_and_its_results(device: Engine) -> None:
    load(device, bytes(INPUT_BYTES - 1) + b"\x07")
    lines = say(device, "infer 20 3")
    assert lines[0:3] == ["m-warmup-start-3", "m-warmup-done", "m-infer-start-20"]
    laps = [int(line.removeprefix("m-lap-us-")) for line in lines[3:5]]
    assert laps == [3 * INFER_US, 23 * INFER_US]
    assert lines[5] == "m-infer-done"
    scores = [f"{0.9 if i == 7 else 0.011:.3f}" for i in range(10)]
    assert lines[6:] == [f"m-results-[{','.join(scores)}]"]
    assert say(device, "results") == lines[6:]
    assert say(device, "timestamp") == [f"m-lap-us-{23 * INFER_US}"]


def test_infer_without_numbers_is_one_inference_after_ten(any_device: Engine) -> None:
    load(any_device, bytes(INPUT_BYTES))
    lines = say(any_device, "infer")
    assert lines[0] == "m-warmup-start-10" and lines[2] == "m-infer-start-1"


@pytest.mark.parametrize(
    "command",
    [
        "nonsense",
        "Name",
        "db",
        "db load",
        "db load 0",
        "db load 97",
        "db load -1",
        "db load 9999999999",
        "db load 96x",
        "db 0",
        "db xy",
        "db 00",
        "db print x",
        "db print 1 y",
        "infer 0",
        "infer -1",
        "infer 1 x",
        "infer 1",
        "infer 1000001 0",
        "infer 99999999999999999999 0",
        "results",
        "x" * 81,
        "name" + " " * 600,
    ],
)
def test_what_cant_be_obeyed_is_refused(any_device: Engine, command: str) -> None:
    answer = any_device.feed(command.encode() + b"%")
    if len(command) > 80 and not answer:  # C, on a shared console: too long to be a command, so left alone
        answer = any_device.feed(b"sync1%")
    assert re.fullmatch(rb"e-\[[ -~]+\]\r\nm-ready\r\n", answer)
    assert say(any_device, "name")


def test_an_unknown_word_is_quoted(any_device: Engine) -> None:
    assert say(any_device, "sync0042") == ["e-[Unknown command: sync0042]"]


def test_a_half_loaded_input_is_not_inferred(any_device: Engine) -> None:
    say(any_device, f"db load {INPUT_BYTES}")
    say(any_device, "db 0011")
    assert say(any_device, "infer 1 0")[0].startswith("e-[")


def test_a_refused_command_changes_no_input_byte(any_device: Engine) -> None:
    say(any_device, f"db load {INPUT_BYTES}")
    say(any_device, "db 1122")
    for bad in ("db 334", "db 33zz", "db 33-4"):
        assert say(any_device, bad)[0].startswith("e-[")
    say(any_device, "db 44")
    assert say(any_device, "db print 8 0") == ["m-buffer-11-22-44"]


def test_more_bytes_than_announced_are_left_out(any_device: Engine) -> None:
    data = bytes(range(INPUT_BYTES))
    say(any_device, f"db load {INPUT_BYTES}")
    for start in range(0, 93, 31):
        assert say(any_device, "db " + data[start : start + 31].hex()) == []
    assert say(any_device, "db " + (data[93:] + b"\xee\xee").hex()) == ["m-load-done"]
    assert say(any_device, "db ff")[0].startswith("e-[")
    assert say(any_device, "db print 8 88") == ["m-buffer-58-59-5a-5b-5c-5d-5e-5f"]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=st.binary(max_size=120).filter(lambda b: b"%" not in b))
def test_after_any_noise_two_syncs_bring_it_back(device: Engine, noise: bytes) -> None:
    device.feed(noise + b"sync1%")
    assert device.feed(b"sync2%") == b"e-[Unknown command: sync2]\r\nm-ready\r\n"


C_DUT = CDut(
    lambda data: [float(byte) for byte in data[:4]], input_bytes=8, results=4
)  # one for all: fast, and stateful


@settings(max_examples=300)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from(
                [
                    b"%",
                    b"\x00",
                    b" ",
                    b"db ",
                    b"db load 8%",
                    b"db 0011%",
                    b"db print 9 9%",
                    b"name%",
                    b"results%",
                    b"sync",
                ]
            ),
            st.builds(lambda n, w: b"infer %d %d%%" % (n, w), st.integers(-1, 3), st.integers(-1, 3)),
        ),
        max_size=30,
    )
)
def test_fuzzed_c_answers_whole_lines_and_stays_alive(pieces: list[bytes]) -> None:
    answer = C_DUT.feed(b"".join(pieces))
    assert answer == b"" or answer.endswith(READY)
    assert re.fullmatch(rb"[ -~\r\n]*", answer)
    C_DUT.feed(b"\x00")
    assert C_DUT.feed(b"name%") == b"m-name-dut-[c-dialect]\r\nm-ready\r\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.000"),
        (-0.0, "0.000"),
        (0.0004, "0.000"),
        (-0.0004, "0.000"),
        (0.0006, "0.001"),
        (-1.5, "-1.500"),
        (0.9996, "1.000"),
        (12.34567, "12.346"),
        (1e9, "2000000.000"),
        (-1e30, "-2000000.000"),
        (float("inf"), "2000000.000"),
        (float("nan"), "nan"),
    ],
)
def test_scores_of_the_c_side_have_three_decimals(value: float, text: str) -> None:
    device = CDut(lambda data: [value], input_bytes=1, results=1)
    load(device, b"\x00")
    assert say(device, "infer 1 0")[-1] == f"m-results-[{text}]"


@pytest.mark.parametrize("clock_us", [0, 9, 10, 4_294_967_295, 4_294_967_296, 2**64 - 1])
def test_time_stamps_of_the_c_side_are_64_bits_wide(clock_us: int) -> None:
    device = CDut(lambda data: [0.0], input_bytes=1, results=1)
    device.clock_us = clock_us
    assert say(device, "timestamp") == [f"m-lap-us-{clock_us}"]
