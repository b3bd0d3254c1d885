"""`python -m harness.model`: any int8 model with its time, causes, memory, energy and bytes."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from harness.bench import model_report, reference
from harness.commands.model import main
from harness.contracts.errors import BenchError
from testbeds.firmware.generator.compose import Composer
from testbeds.firmware.generator.model import Operator
from testbeds.firmware.generator.writer import write_model

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A small network with a float32 border, as the converter writes it by default."""
    c = Composer((8, 8, 4), seed=1)
    outside = c.tensor("picture", (1, 8, 8, 4), None, dtype="float32")
    c.model.operators.append(Operator(0, "QUANTIZE", [outside], [0]))
    c.model.inputs[0] = outside
    x = c.pool("MAX_POOL_2D", c.activation(0, "HARD_SWISH"), 2)
    x = c.dense(c.reshape(x, (1, 64)), 5)
    y = c.tensor("scores", (1, 5), None, dtype="float32")
    c.model.operators.append(Operator(len(c.model.operators), "DEQUANTIZE", [x], [y]))
    path = tmp_path_factory.mktemp("model") / "m.tflite"
    path.write_bytes(write_model(c.finish(y)))
    return path


@pytest.fixture(scope="module")
def report(file):
    return model_report.measure_model(file, samples=4)[0]


def test_causes_add_up_to_each_layer_s_cycles(report):
    assert [layer.operator for layer in report.layers] == ["HARD_SWISH", "MAX_POOL_2D", "FULLY_CONNECTED"]
    for layer in report.layers:
        assert sum(layer.causes.values()) == layer.cycles > 0
        assert set(layer.causes) == set(model_report.CAUSES) and min(layer.causes.values()) >= 0


def test_time_memory_and_energy_follow_from_cycles_and_the_clock(report, file):
    assert report.latency_ms == pytest.approx(report.cycles / 216e3)
    assert report.energy_uj == pytest.approx((102 + 0.02 * 216) * 3.3 * report.latency_ms)  # mA * V * ms = uJ
    assert report.ram_bytes == report.arena_bytes + report.scratch_bytes
    slow = model_report.measure_model(file, samples=0, clock_mhz=108)[0]
    assert slow.cycles == report.cycles and slow.latency_ms == pytest.approx(2 * report.latency_ms)
    assert (slow.agreement, slow.not_compared) == (None, "left out")


def test_bytes_are_compared_with_the_reference_interpreter(report):
    pytest.importorskip("tensorflow")
    assert (report.agreement.samples, report.agreement.bytes) == (4, 20)
    assert report.agreement.largest <= 1
    assert "reference" in report.agreement.interpreter


def test_a_difference_is_counted(report, file):
    pytest.importorskip("tensorflow")
    fed = np.zeros((2, 1, 8, 8, 4), np.float32)
    entry = type("R", (), {"outputs": _outputs(file)})
    far = [[np.full(5, 100, np.int8)], [np.full(5, 100, np.int8)]]
    found, reason = reference.compare(file, entry, fed, far)
    assert reason is None and found.different > 0 and found.largest > 1 and found.share == found.different / 10


def _outputs(file):
    from testbeds.firmware.generator.borders import fold  # noqa: PLC0415
    from testbeds.firmware.generator.model import read_model  # noqa: PLC0415

    return fold(read_model(file)).outputs


def test_without_an_interpreter_the_rest_is_told_and_why_bytes_are_not(monkeypatch, file):
    monkeypatch.setattr(reference, "module", lambda: None)
    assert reference.compare(file, None, np.zeros(0), []) == (None, reference.ABSENT)


def test_json_and_the_table_say_the_same(capsys, monkeypatch, file, tmp_path):
    assert main([str(file), "--samples", "0", "--json", "--picture", str(tmp_path / "bars.png")]) == 0
    said = json.loads(capsys.readouterr().out)
    assert all((tmp_path / f"bars.{kind}").stat().st_size > 1000 for kind in ("png", "pdf", "svg"))
    assert said["inputs"] == ["picture: float32 [1, 8, 8, 4] (QUANTIZE folded)"]
    assert said["sources"]["energy"].startswith("modelled")
    monkeypatch.setenv("COLUMNS", "80")
    assert main([str(file), "--samples", "0"]) == 0
    text = capsys.readouterr().out
    assert f"{said['cycles']:,} cycles" in text
    assert "…" not in text  # no word is broken at 80 columns


def test_inputs_of_one_s_own_are_taken_and_checked(file, tmp_path):
    good, wrong = tmp_path / "good.npy", tmp_path / "wrong.npy"
    np.save(good, np.random.default_rng(0).random((3, 8, 8, 4), np.float32))
    np.save(wrong, np.zeros((3, 8, 8, 4), np.uint8))
    assert len(model_report._inputs(good, _entry(file), 16)) == 3
    for path in (wrong, tmp_path / "none.npy", file):
        with pytest.raises(BenchError, match=r"float32 \[n, 8, 8, 4\]"):
            model_report._inputs(path, _entry(file), 16)


def _entry(file):
    from testbeds.firmware.generator.borders import fold  # noqa: PLC0415
    from testbeds.firmware.generator.model import read_model  # noqa: PLC0415

    return fold(read_model(file)).inputs[0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--board", "uno"], "no cycle model for the board 'uno'"),
        (["--mhz", "400"], "no current is known for a core clock of 400 MHz"),
        (["--mhz", "fast"], "no clock in MHz"),
        (["--samples", "-1"], "out of range"),
    ],
)
def test_what_a_user_can_cure_is_one_line(file, options, said):
    with pytest.raises(BenchError, match=said):
        main([str(file), *options])


def test_a_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "x.tflite").write_bytes(b"no model")
    with pytest.raises(BenchError, match=r"is no \.tflite file"):
        main([str(tmp_path / "x.tflite")])


def test_the_documented_example_is_what_its_command_prints(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    command = re.search(r"^python -m harness\.model (\S+)$", text, re.MULTILINE)[1]
    assert main([str(ROOT / command), "--samples", "0"]) == 0
    printed = {line.rstrip() for line in capsys.readouterr().out.splitlines()}
    shown = text[text.index("board   ") : text.index(" ...")].splitlines()
    shown = [line for line in shown if line and not line.startswith(("bytes ", "        ", " ──"))]
    assert len(shown) >= 7 and set(shown) <= printed
