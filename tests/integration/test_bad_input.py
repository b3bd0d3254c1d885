"""What a user can get wrong ends in one clear line and exit code 2, before anything is started."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tflite

from harness.commands.edge import main as edge
from harness.commands.run import main as run
from harness.commands.sweep import main as sweep
from harness.contracts.paths import weights_dir
from harness.host import cli

from ..support.commands import but_progress


def _line(capsys: pytest.CaptureFixture[str], body: object, *argv: str) -> str:
    assert cli.way_in(body, list(argv)) == 2  # type: ignore[arg-type]
    said = capsys.readouterr()
    assert said.out == ""
    err = but_progress(said.err)
    assert err.count("\n") == 1, err
    assert err.startswith("error: ")
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["sideways"], "unknown sweep axis 'sideways': choose from bandwidth"),
        ([], "AXIS"),
        (["bandwidth", "--schemes", "magic"], "unknown scheme 'magic': choose from"),
        (["bandwidth", "--schemes", ","], "empty list"),
        (["bandwidth", "--testbed", "moon"], "unknown testbed 'moon': choose from"),
        (["bandwidth", "--dataset", "mnist3d"], "unknown data set 'mnist3d': choose from"),
        (["bandwidth", "--profile", "huge"], "no trained weights at"),
        (["bandwidth", "--rates", "0"], "rate '0' is out of range"),
        (["bandwidth", "--rates=-5"], "rate '-5' is out of range"),
        (["bandwidth", "--rates", "abc"], "'abc' is no rate"),
        (["bandwidth", "--rates", "1M,,x"], "'x' is no rate"),
        (["bandwidth", "--images", "0"], "--images 0 is out of range"),
        (["bandwidth", "--images", "-3"], "--images -3 is out of range"),
        (["bandwidth", "--images", "1.5"], "--images '1.5' is no whole number"),
        (["bandwidth", "--seed", "abc"], "--seed 'abc' is no whole number"),
        (["bandwidth", "--seed", "-1"], "--seed -1 is out of range"),
        (["bandwidth", "--jobs", "0"], "--jobs 0 is out of range"),
        (["bandwidth", "--repeat-until", "5%"], "equal samples of an emulated board are equal"),
        (["bandwidth", "--repeat-until", "often"], "'often' is no share"),
        (["bandwidth", "--repeat-until", "200%"], "share '200%' is out of range"),
        (["bandwidth", "--max-samples", "0"], "--max-samples 0 is out of range"),
        (
            ["frequency", "--testbed", "native", "--clocks", "100M", "--rate", "none", "--max-samples", "3"],
            "than --images",
        ),
        (["frequency", "--testbed", "native", "--clocks", "64M"], "can't be clocked at 64 MHz"),
        (["bandwidth", "--deadline", "soon"], "'soon' is no time"),
        (["bandwidth", "--deadline", "0ms"], "is not above 0"),
        (["bandwidth", "--nonsense"], "unrecognized arguments: --nonsense"),
        (["bandwidth", "--resume", "/nowhere"], "holds no run"),
    ],
)
def test_sweep(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert words in _line(capsys, sweep, *argv)


def test_missing_data_say_what_to_put_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder is a file here, so that nothing is fetched."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("AGILENN_DATA_DIR", "as it was")  # restored afterwards
    line = _line(capsys, sweep, "bandwidth", "--dry-run", "--data-dir", str(tmp_path / "file"))
    assert str(tmp_path / "file") in line
    assert "--data-dir" in line


def test_an_output_folder_that_can_not_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert "can't be written" in _line(capsys, sweep, "bandwidth", "--out", str(tmp_path / "file" / "run"))


def test_an_output_folder_that_holds_something(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "precious").touch()
    assert "not empty" in _line(capsys, sweep, "bandwidth", "--out", str(tmp_path))
    assert [p.name for p in tmp_path.iterdir()] == ["precious"]


@pytest.mark.parametrize("damage", ["absent", "folder", "garbage"])
def test_unreadable_weights(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "cifar10-compact" / "local_only"
    monkeypatch.setenv("AGILENN_WEIGHTS_DIR", str(tmp_path))
    if damage != "absent":
        folder.mkdir(parents=True)
    if damage == "folder":
        (folder / "description.toml").mkdir()
    elif damage == "garbage":
        (folder / "description.toml").write_bytes(b"\xff\xfe not toml")
    line = _line(capsys, sweep, "bandwidth", "--schemes", "local_only", "--out", str(tmp_path / "run"))
    assert str(folder) in line
    assert not (tmp_path / "run").exists()


def test_an_operator_that_the_generator_lacks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The committed network with one operator renamed in its flatbuffer."""
    folder = tmp_path / "cifar10-compact" / "local_only"
    shutil.copytree(weights_dir() / "cifar10-compact" / "local_only", folder)
    graph = bytearray((folder / "device.tflite").read_bytes())
    model = tflite.Model.GetRootAs(graph, 0)
    code = model.OperatorCodes(0)
    assert code is not None
    table = code._tab
    for slot, size in ((4, 1), (10, 4)):  # deprecated_builtin_code, builtin_code
        if offset := table.Offset(slot):
            at = table.Pos + offset
            graph[at : at + size] = int(tflite.BuiltinOperator.LEAKY_RELU).to_bytes(size, "little")
    (folder / "device.tflite").write_bytes(graph)
    monkeypatch.setenv("AGILENN_WEIGHTS_DIR", str(tmp_path))
    line = _line(capsys, sweep, "bandwidth", "--schemes", "local_only", "--out", str(tmp_path / "run"))
    assert "LEAKY_RELU" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--scheme", "magic"], "unknown scheme 'magic'"),
        ([], "--scheme"),
        (["--scheme", "agilenn", "--image", "-1"], "--image -1 is out of range"),
        (["--scheme", "agilenn", "--rate", "fast"], "'fast' is no rate"),
    ],
)
def test_run(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert words in _line(capsys, run, *argv)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["somewhere", "--broker", "nonsense"], "is no address"),
        (["somewhere", "--broker", "10.0.0.9:1883"], "not on loopback and no password"),
        (["somewhere", "--broker", "127.0.0.1:1883"], "no trained weights at somewhere"),
    ],
)
def test_edge(argv: list[str], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("AGILENN_MQTT_PASSWORD", raising=False)
    assert words in _line(capsys, edge, *argv)


@pytest.mark.parametrize("module", ["harness.sweep", "harness.run", "harness.edge", "harness.accuracy"])
def test_help_is_quick_and_needs_no_tensorflow(module: str) -> None:
    code = (
        "import runpy, sys\n"
        "sys.argv = ['x', '--help']\n"
        "try:\n  runpy.run_module('" + module + "', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as e:\n  assert e.code == 0\n"
        "assert 'tensorflow' not in sys.modules and 'matplotlib' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout
