"""`python -m harness.mlperf` with the stand-in on a pty, opened by pyserial as a board would be."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import serial

from harness.commands import mlperf
from harness.mlperf.faults import Faults, FaultyLine
from harness.mlperf.lines import PtyDevice
from harness.mlperf.standin import StandinDut

pytestmark = pytest.mark.slow


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = mlperf.main(argv)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_both_procedures_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--testbed", "stand-in", "--infer-us", "61570", "--limit", "6", "--out", str(tmp_path))
    assert code == 0
    assert "top-1" in out and "100.0 %" in out and "assumed" in out
    home = tmp_path / "results" / "stand-in" / "ic"
    performance = json.loads((home / "performance" / "results.json").read_text())
    # The first lap's own line (at most 25 bytes of 10 bits at 115200 baud) is inside the window.
    for window in performance["windows"]:
        assert window["iterations"] == 10
        assert 615_700 <= window["elapsed_us"] <= 615_700 + 25 * 10e6 / 115_200 + 1
    assert json.loads((home / "accuracy" / "results.json").read_text())["top1"] == 1.0
    assert "dut: m-name-dut-[stand-in]" in (home / "performance" / "log.txt").read_text()
    assert len((home / "accuracy" / "predictions.csv").read_text().splitlines()) == 7


def test_the_same_seed_gives_the_same_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    for name in ("a", "b"):
        code, _, _ = run(
            capsys,
            "--testbed",
            "stand-in",
            "--mode",
            "performance",
            "--iterations",
            "25",
            "--out",
            str(tmp_path / name),
        )
        assert code == 0
        texts.append((tmp_path / name / "results" / "stand-in" / "ic" / "performance" / "results.json").read_text())
    assert texts[0] == texts[1]


def test_a_port_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Accuracy only: with --port time counts as real, and the stand-in's is not."""
    folder = tmp_path / "inputs"
    folder.mkdir()
    rows = []
    for i in range(3):
        (folder / f"{i}.bin").write_bytes(bytes([i, 3]))
        rows.append(f"{i}.bin,10,{i + 3 if i else 9}")
    (folder / "y_labels.csv").write_text("\n".join(rows))

    class OnTime(StandinDut):
        infer_us: int = 0

    with PtyDevice(OnTime(infer_us=0)) as device:
        argv = ["--port", device.path, "--inputs", str(folder), "--mode", "accuracy", "--system", "own"]
        code, out, err = run(capsys, *argv, "--out", str(tmp_path / "out"))
    assert code == 0, err
    assert "66.7 %" in out
    assert (tmp_path / "out" / "results" / "own" / "ic" / "accuracy" / "results.txt").exists()


@pytest.mark.parametrize(
    ("argv", "what"),
    [
        ([], "no device was named"),
        (["--testbed", "nope"], "unknown testbed 'nope'"),
        (["--testbed", "stand-in", "--limit", "0"], "--limit 0"),
        (["--testbed", "stand-in", "--limit", "x"], "--limit 'x'"),
        (["--testbed", "stand-in", "--limit", "3", "--mode", "performance"], "has 3 inputs"),
        (["--testbed", "stand-in", "--lose", "1"], "--lose 1.0"),
        (["--testbed", "stand-in", "--image", "x.elf"], "can't be put on the stand-in"),
        (["--testbed", "virtual", "--image", "/no/such.elf"], "is no file"),
        (["--testbed", "stand-in", "--chunk-bytes", "249"], "--chunk-bytes 249"),
        (["--testbed", "stand-in", "--iterations", "0"], "--iterations 0"),
        (["--testbed", "stand-in", "--inputs", "/no/such"], "y_labels.csv"),
        (["--testbed", "stand-in", "--out", "/proc/none"], "can't be written"),
        (["--testbed", "stand-in", "--mode", "energy"], "invalid choice"),
        (["--port", "/dev/no-such-port", "--testbed", "stand-in"], "can't be opened"),
    ],
)
def test_bad_requests_are_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, argv: list[str], what: str
) -> None:
    code, _, err = run(capsys, *(argv if "--out" in argv else [*argv, "--out", str(tmp_path)]))
    said = [line for line in err.splitlines() if line.strip()]
    assert code == 2
    assert what in said[-1] and said[-1].startswith("error: ")
    assert "Traceback" not in err


def test_a_dry_run_writes_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = run(capsys, "--testbed", "stand-in", "--dry-run", "--out", str(tmp_path / "x"))
    assert code == 0 and "20 inputs" in out
    assert not (tmp_path / "x").exists()


def test_help_imports_nothing_heavy() -> None:
    code = """
import sys, harness.commands.mlperf
try:
    harness.commands.mlperf.main(["--help"])
finally:
    assert "tensorflow" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "--testbed" in done.stdout


def test_a_stopped_run_gives_everything_back_and_keeps_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "harness.mlperf", "--testbed", "stand-in", "--mode", "accuracy"]
    command += ["--limit", "3000"]
    process = subprocess.Popen([*command, "--out", str(tmp_path)], stderr=subprocess.PIPE, text=True)
    predictions = tmp_path / "results" / "stand-in" / "ic" / "accuracy" / "predictions.csv"
    waited = threading.Event()
    for _ in range(600):
        if predictions.exists() and predictions.stat().st_size > 200:
            break
        waited.wait(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err and "interrupted" in err
    assert predictions.read_text().splitlines()[0] == "input,label,predicted,scores"
    assert not (predictions.parent / "results.txt").exists()


def test_a_pty_device_is_given_back() -> None:
    before = {path.name for path in Path("/proc/self/fd").iterdir()}
    device = PtyDevice(FaultyLine(StandinDut(), Faults()))
    with serial.Serial(device.path, timeout=5) as port:
        port.write(b"name%")
        assert port.read_until(b"m-name-dut-[stand-in]\r\n").endswith(b"[stand-in]\r\n")
    device.close()
    device.close()
    assert {path.name for path in Path("/proc/self/fd").iterdir()} == before


def test_the_commands_in_the_docs_are_commands() -> None:
    text = (Path(__file__).parents[3] / "docs" / "mlperf.md").read_text(encoding="utf-8")
    commands = [
        line.split("#")[0].split()[3:] for line in text.splitlines() if line.startswith("python -m harness.mlperf")
    ]
    assert len(commands) >= 5
    for argv in commands:
        mlperf._parser().parse_args(argv)
    options = set(re.findall(r"--[a-z][a-z-]+", text))
    known = {option for action in mlperf._parser()._actions for option in action.option_strings}
    assert options <= known, options - known
