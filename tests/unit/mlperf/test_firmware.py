"""Our firmware answers the dialect beside its frames, on this host and on the emulated board, with the same results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.commands import mlperf
from harness.device.device import Device
from harness.mlperf.client import Dut
from harness.mlperf.faults import Faults, FaultyLine
from harness.mlperf.inputs import synthetic
from harness.mlperf.lines import LoopPort, StepClock
from testbeds.firmware.toolchain.build import build

pytestmark = pytest.mark.slow

PICTURES = synthetic(5, size=96)


def dut_of(device: Any, faults: Faults | None = None) -> Dut:
    device.boot()
    clock = StepClock()
    dut = Dut(LoopPort(FaultyLine(device, faults or Faults()), clock), "here", clock=clock)
    return dut


def logits(firmware_here: Any, data: bytes) -> tuple[float, ...]:
    """What the host library's float logits look like with three decimals."""
    library = firmware_here.library
    _, raw = library.run_local(np.frombuffer(data, np.uint8))
    return tuple(float(f"{abs(x):.3f}") * (-1 if x < 0 else 1) for x in library.local_logits(raw))


def test_the_board_answers_with_the_host_librarys_logits(firmware_here: Any, board: Any) -> None:
    wanted = [logits(firmware_here, one.data) for one in PICTURES.inputs]
    assert len(set(wanted)) == len(wanted)
    for device in (board, firmware_here):
        dut = dut_of(device)
        assert dut.connect().model == "local_only-tiny-compact"
        for one, scores in zip(PICTURES.inputs, wanted, strict=True):
            assert dut.run_input(one.data, 1, 0).results == pytest.approx(scores, abs=1e-9)


def test_laps_of_the_board_are_its_cycles_and_repeat_exactly(board: Any) -> None:
    """A window lasts N times one inference plus the lap line that is printed within it."""
    runs = {}
    for n in (10, 20, 30):
        dut = dut_of(board)
        dut.connect()
        runs[n] = dut.run_input(PICTURES.inputs[0].data, n, 1).elapsed_us
        again = dut_of(board)
        again.connect()
        assert again.run_input(PICTURES.inputs[0].data, n, 1).elapsed_us == runs[n]
    ten = runs[20] - runs[10]
    assert abs(runs[30] - runs[20] - ten) <= 2  # whole microseconds
    # "m-lap-us-" and its digits and CR LF: ten bits a byte at 1 Mbaud.
    assert 10 * len("m-lap-us-1\r\n") <= runs[10] - ten <= 10 * len("m-lap-us-1234567\r\n") + 20


def test_lost_bytes_on_the_boards_console_are_recovered_from(board: Any, firmware_here: Any) -> None:
    wanted = logits(firmware_here, PICTURES.inputs[1].data)
    for seed in range(3):
        dut = dut_of(board, Faults(lose_rx=0.01, lose_tx=0.002, most=3, seed=seed))
        dut.connect()
        assert dut.run_input(PICTURES.inputs[1].data, 2, 1).results == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("name", ["firmware_here", "board"])
def test_frames_and_text_share_the_console(name: str, request: pytest.FixtureRequest) -> None:
    firmware = request.getfixturevalue(name)
    firmware.boot()
    one = PICTURES.inputs[2]
    clock = StepClock()
    port = LoopPort(firmware, clock)
    device, dut = Device(port), Dut(port, "here", clock=clock)
    assert device.hello().name == "local_only-tiny-compact"
    dut.connect()
    by_text = dut.run_input(one.data, 1, 0).results
    assert device.hello().image_bytes == 96  # the first frame after text is not lost
    device.load(one.data)
    result = device.infer(1)
    assert result.label == int(np.argmax(by_text))
    # A frame may have changed the picture: text asks for it again.
    assert firmware.feed(b"infer 1 0%") == b"e-[No input is loaded]\r\nm-ready\r\n"
    assert dut.run_input(one.data, 1, 0).results == by_text
    assert device.stats().frames_dropped == 0


def test_frames_whose_pictures_spell_commands_stay_frames(firmware_here: Any) -> None:
    firmware_here.boot()
    clock = StepClock()
    device = Device(LoopPort(firmware_here, clock))
    device.load((b"%db%infer 1 1%timestam%resul%" * 4)[:96])
    assert device.infer(1).status == "ok"
    assert device.stats().frames_dropped == 0


def test_the_way_in_runs_an_image_on_the_emulated_board(
    artefact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], firmware_here: Any
) -> None:
    folder = tmp_path / "inputs"
    folder.mkdir()
    rows = []
    for one in PICTURES.inputs:
        (folder / one.name).write_bytes(one.data)
        rows.append(f"{one.name},10,{int(np.argmax(logits(firmware_here, one.data)))}")
    (folder / "y_labels.csv").write_text("\n".join(rows))
    image = build(artefact, "stm32f746")
    argv = ["--testbed", "virtual", "--image", str(image), "--inputs", str(folder), "--out", str(tmp_path / "out")]
    code = mlperf.main(argv)
    captured = capsys.readouterr()
    assert code == 0, captured.err
    assert "modelled" in captured.out and "100.0 %" in captured.out and "5 %" in captured.out
    home = tmp_path / "out" / "results" / "virtual" / "local_only-tiny-compact"
    performance = json.loads((home / "performance" / "results.json").read_text())
    assert performance["time_source"] == "modelled" and len(performance["windows"]) == 5
    assert json.loads((home / "accuracy" / "results.json").read_text())["top1"] == 1.0


@pytest.mark.parametrize("content", [b"no image at all", b"\x7fELF but damaged"])
def test_a_file_that_is_no_image_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    image = tmp_path / "image.elf"
    image.write_bytes(content)
    code = mlperf.main(
        ["--testbed", "virtual", "--image", str(image), "--inputs", str(_one_input(tmp_path)), "--out", str(tmp_path)]
    )
    err = capsys.readouterr().err
    assert code == 2
    assert err.strip().splitlines()[-1].startswith("error: ") and "image.elf" in err and "Traceback" not in err


def _one_input(tmp_path: Path) -> Path:
    folder = tmp_path / "inputs"
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"\x00" * 96)
    (folder / "y_labels.csv").write_text("a.bin,10,0\n")
    return folder
