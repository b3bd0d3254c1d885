"""A `.tflite` file of one's own becomes an image that speaks the dialect."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.commands import mlperf
from harness.contracts.description import load_description
from harness.contracts.errors import BenchError
from harness.mlperf import networks


def test_a_file_becomes_an_artefact(artefact: Path, tmp_path: Path) -> None:
    file = tmp_path / "My net-1.tflite"
    file.write_bytes((artefact / "device.tflite").read_bytes())
    networks.write_artefact(str(file), tmp_path)
    description = load_description(tmp_path)
    assert (description.label, description.input_shape, description.classes) == ("my_net_1-own-network", (4, 8, 3), 10)
    made = networks.random_inputs(str(file), 5)
    assert [len(one.data) for one in made.inputs] == [96] * 5 and made.classes == 10


@pytest.mark.parametrize(("network", "shape", "classes"), [("ic", (32, 32, 3), 10), ("vww", (96, 96, 3), 2)])
def test_the_benchmarks_architectures(tmp_path: Path, network: str, shape: tuple[int, int, int], classes: int) -> None:
    networks.write_artefact(network, tmp_path)
    description = load_description(tmp_path)
    assert (description.input_shape, description.classes) == (shape, classes)
    assert description.scheme == f"{network}01_random"


def test_what_is_no_network_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="is no network"):
        networks.write_artefact("nope", tmp_path)
    (tmp_path / "x.tflite").write_bytes(b"not one")
    with pytest.raises(BenchError, match=r"x\.tflite"):
        networks.write_artefact(str(tmp_path / "x.tflite"), tmp_path)


@pytest.mark.parametrize(
    ("argv", "what"),
    [
        (["--testbed", "stand-in", "--network", "ic"], "can be flashed"),
        (["--testbed", "virtual", "--network", "ic", "--image", "x"], "both given"),
        (["--testbed", "virtual", "--network", "/no/such", "--mode", "performance"], "is no network"),
    ],
)
def test_bad_requests_are_one_line(capsys: pytest.CaptureFixture[str], argv: list[str], what: str) -> None:
    assert mlperf.main(argv) == 2
    err = capsys.readouterr().err
    assert what in err and "Traceback" not in err


@pytest.mark.slow
def test_a_file_is_timed_on_the_emulated_board(
    artefact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["--testbed", "virtual", "--network", str(artefact / "device.tflite"), "--mode", "performance"]
    assert mlperf.main([*argv, "--iterations", "3", "--out", str(tmp_path)]) == 0, capsys.readouterr().err
    (results,) = tmp_path.glob("results/virtual/*/performance/results.json")
    document = json.loads(results.read_text())
    assert document["model"] == "device-own-network"
    assert [w["iterations"] for w in document["windows"]] == [3] * 5
    assert len({w["elapsed_us"] for w in document["windows"]} & {0}) == 0
