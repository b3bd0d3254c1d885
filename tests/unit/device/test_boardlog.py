"""The board's log: every frame in words, no secret, a bounded size, and never a measurement that it stops."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.artefacts.artefacts import Artefact
from harness.contracts.errors import BenchError
from harness.contracts.testbed import Crash
from harness.device import bringup, decoded, messages
from harness.device.boardlog import BoardLog, BoundedFile, Logs
from harness.device.bringup import Board, State
from harness.device.device import Patience
from harness.device.frames import Frame
from harness.device.stand_in import StandInTestbed

from ...support.benches import make_jobs, rows_of

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGILENN_CACHE_DIR", str(tmp_path / "cache"))


def test_bring_up_and_a_sample_are_told_in_words(make_bench: Callable[..., Any], tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    bench, _ = make_bench()
    rows = rows_of(bench, make_jobs([3]), 1)
    logged = rows_of(type(bench)(**(vars(bench) | {"logs": Logs(run)})), make_jobs([3]), 1)
    assert logged == rows  # a log changes no value
    text = "".join(path.read_text() for path in sorted((run / "logs").iterdir()))
    assert {path.name for path in (run / "logs").iterdir()} == {"stand_in-00.log", "stand_in-01.log"}
    assert all(STAMP.match(line) for line in text.splitlines())
    for told in (
        "board  flashed",
        "> HELLO #1",
        "< HELLO #1 is near-tiny-compact",
        "password=***",
        "broker=127.0.0.1",
        "< CONNECT #3 status 0 associated",
        "> LOAD #5 48 bytes at 0",
        "cycles local",
        "sample",
        ": far, image 3",
    ):
        assert told in text, told
    assert "hush" not in text


def test_secrets_are_masked_however_they_are_written(tmp_path: Path) -> None:
    own = BoardLog("esp32", tmp_path)
    own.hide('a"b,c', "pässword", "")
    own.note("tool", 'esptool --psk a"b,c: exit code 0\nsaid a"b,c')
    own.note("module", r'> AT+X="a\"b\,c"')
    own.note("noise", "p\\xc3\\xa4ssword and pässword")
    own.close()
    text = (tmp_path / "logs" / "esp32.log").read_text()
    assert text.count("***") == 5
    assert "ssword" not in text
    assert 'a"b' not in text
    assert "\n    said ***\n" in text  # what belongs to a line stands below it


def test_frames_of_any_bytes_are_worded_and_config_shows_no_password() -> None:
    config = b"".join(
        bytes((tag, len(v))) + v for tag, v in ((1, b"lab"), (2, b"hush"), (6, b"hush"), (4, b"\x5b\x07"))
    )
    assert decoded.worded(Frame(messages.CONFIG, 7, config)) == (
        "CONFIG #7 ssid=lab, wifi password=***, password=***, port=1883"
    )
    assert decoded.worded(Frame(messages.NAK, 2, b"\x04no such\0")) == "NAK #2 code 4: no such"
    assert decoded.worded(Frame(messages.CONFIG, 7, b"\x02")) == "CONFIG #7 1 bytes, which are none of it"


@given(st.integers(0, 255), st.integers(0, 65535), st.binary(max_size=80))
def test_no_frame_is_beyond_words(kind: int, sequence: int, payload: bytes) -> None:
    text = decoded.worded(Frame(kind, sequence, payload))
    assert f"#{sequence}" in text
    assert text.isprintable()


def test_a_log_is_bounded_and_keeps_the_beginning_and_the_end(tmp_path: Path) -> None:
    file = BoundedFile(tmp_path / "logs" / "b", 1000)
    for n in range(1000):
        file.write(b"line %04d\n" % n)
    file.close()
    first, later, before = (
        (tmp_path / "logs" / f"b{end}").read_bytes() for end in (".log", ".later.log", ".later.1.log")
    )
    assert max(map(len, (first, later, before))) <= 1000
    assert first.startswith(b"line 0000\n")
    assert first.count(b"\n") == 100
    assert later.endswith(b"line 0999\n")
    assert (before + later).startswith(b"line 0800\n")  # no gap between the two
    again = BoundedFile(tmp_path / "logs" / "b", 1000)  # a run that goes on
    again.write(b"resumed\n")
    again.close()
    assert (tmp_path / "logs" / "b.log").read_bytes() == first
    assert (tmp_path / "logs" / "b.later.log").read_bytes() == b"resumed\n"


def test_a_log_waits_for_its_folder_and_is_not_lost_without_one(tmp_path: Path) -> None:
    own = BoardLog("x", tmp_path / "run")
    own.note("board", "flashed")
    assert not (tmp_path / "run").exists()
    (tmp_path / "run").mkdir()
    own.note("board", "booted")
    own.close()
    assert len((tmp_path / "run" / "logs" / "x.log").read_text().splitlines()) == 2
    never = BoardLog("x", tmp_path / "never")
    never.note("board", "not booted")
    never.close()
    assert "not booted" in (tmp_path / "cache" / "logs" / "x.log").read_text()
    assert not (tmp_path / "never").exists()


def test_a_log_that_can_not_be_written_is_told_once_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "logs").write_text("in the way")
    own = BoardLog("x", tmp_path)
    for _ in range(3):
        own.note("board", "flashed")
    own.close()
    assert [r.levelname for r in caplog.records if "can't be written" in r.message] == ["WARNING"]


def test_everything_is_live_at_debug_level_only(
    make_board: Callable[..., Board], local_artefact: Artefact, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "harness"):
        make_board(local_artefact).to(State.READY)
    live = [r.getMessage() for r in caplog.records if r.levelno == logging.DEBUG]
    assert any("> HELLO #1" in line for line in live)
    assert any("CONFIG #2" in line for line in live)
    assert not any("hush" in line for line in live)


def test_why_a_board_did_not_come_up_is_in_its_log(local_artefact: Artefact, network: Any, tmp_path: Path) -> None:
    testbed = StandInTestbed(local_artefact)
    testbed.device.faults.extend(["nak"])
    board = Board(testbed, local_artefact, tmp_path / "i.elf", network, kept=BoardLog("b", tmp_path))
    with pytest.raises(BenchError):
        board.to(State.READY)
    board.close()
    text = (tmp_path / "logs" / "b.log").read_text()
    assert "NAK #1 code 1: no" in text
    assert "not booted: the device refused request 0x01" in text


def test_a_sample_that_a_crash_lost_is_taken_again_and_the_registers_are_in_the_log(
    make_bench: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(
        bringup, "EMULATED", Patience(timeout_s=0.05, attempts=1, hello_s=0.5, infer_s=0.05, infer_attempts=1)
    )
    crashed: list[StandInTestbed] = []

    def spoil(testbed: StandInTestbed) -> None:
        if not crashed:
            crashed.append(testbed)
            testbed.left = Crash("bus error at pc 0x08000123 in flow_infer", ("cfsr 00000200", "r0 00000007"))
            testbed.device.faults.extend([None] * 5 + ["silent"])  # HELLO CONFIG CONNECT STATS LOAD, then INFER

    bench, _ = make_bench(spoil)
    (tmp_path / "run").mkdir()
    rows = rows_of(type(bench)(**(vars(bench) | {"logs": Logs(tmp_path / "run")})), make_jobs([3]), 1)
    told = "the firmware crashed: bus error at pc 0x08000123 in flow_infer"
    assert [(row["status"], row["attempts"]) for row in rows].count(("ok", 2)) == 1  # taken again, once
    assert f"{told}: the device did not answer" in caplog.text
    text = "".join(path.read_text() for path in (tmp_path / "run" / "logs").iterdir())
    assert "crash  bus error at pc 0x08000123 in flow_infer\n    cfsr 00000200\n    r0 00000007\n" in text
    assert sum("crashed: bus error" in r.getMessage() for r in caplog.records if r.levelno == logging.WARNING) == 1
