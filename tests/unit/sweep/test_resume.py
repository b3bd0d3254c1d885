"""Going on with a stopped sweep: the manifest knows the command, `--resume DIR` needs nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.contracts.errors import BenchError
from harness.host import cli
from harness.runs.store import Store
from harness.sweep.resume import SEVERAL, command, whole_command

from ...support import runs

STARTED = ["bandwidth", "--schemes", "agilenn", "--rates", "270k,6M", "--images=4"]


def stopped(folder: Path, words: list[str] | None = None, **more: Any) -> Path:
    store = Store.create(folder)
    argv = ["python3.11", "-m", "harness.sweep", *(words or [*STARTED, "--out", str(folder)])]
    store.write_manifest(runs.manifest(argv=argv, status="stopped", **more))
    return folder


def test_a_command_without_resume_stays_as_it_is() -> None:
    assert whole_command(["loss", "--out", "x"]) == ["loss", "--out", "x"]


@pytest.mark.parametrize("given", [[], ["bandwidth"]])
@pytest.mark.parametrize("joined", [False, True])
def test_the_folder_alone_is_enough(tmp_path: Path, given: list[str], joined: bool) -> None:
    run = stopped(tmp_path / "run")
    resume = [f"--resume={run}"] if joined else ["--resume", str(run)]
    assert whole_command([*given, *resume]) == [*STARTED, "--resume", str(run)]


def test_it_is_enough_a_second_time_and_options_may_be_added(tmp_path: Path) -> None:
    run = stopped(tmp_path / "run", [*STARTED, "--resume", "elsewhere"])
    assert whole_command(["--resume", str(run), "--jobs", "1"]) == [*STARTED, "--jobs", "1", "--resume", str(run)]


def test_another_axis_is_named_with_the_command_to_go_on(tmp_path: Path) -> None:
    run = stopped(tmp_path / "run")
    with pytest.raises(BenchError) as e:
        whole_command(["loss", "--resume", str(run)])
    assert str(e.value) == f"{run} holds a sweep of 'bandwidth', not of 'loss': go on with it by: {command(run)}"


def test_what_holds_no_sweep_says_so(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="holds no sweep"):
        whole_command(["--resume", str(stopped(tmp_path / "hil", kind="hil"))])
    with pytest.raises(BenchError, match="holds no run"):
        whole_command(["--resume", str(tmp_path / "nowhere")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(BenchError, match="holds no run"):
        whole_command(["--resume", str(tmp_path / "empty")])


def test_several_testbeds_are_gone_on_with_together(tmp_path: Path) -> None:
    words = [*STARTED, "--testbed", "native,virtual", "--out", str(tmp_path)]
    (tmp_path / SEVERAL).write_text(json.dumps({"command": words}))
    expected = [*STARTED, "--testbed", "native,virtual", "--resume", str(tmp_path)]
    assert whole_command(["--resume", str(tmp_path)]) == expected
    (tmp_path / SEVERAL).unlink()  # an older bench wrote it at the end only
    for name in ("native", "virtual"):
        stopped(tmp_path / name, [*STARTED, "--testbed", name, "--out", str(tmp_path / name)])
    assert whole_command(["--resume", str(tmp_path)]) == expected


@pytest.mark.parametrize("stop", [KeyboardInterrupt, cli.Terminated])
def test_who_is_interrupted_is_told_how_to_go_on(stop: type[BaseException], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(stop), cli.going_on(cli.same_command("harness.train", ["agilenn", "--out", "a b"], "--resume")):
        raise stop
    assert capsys.readouterr().err == "to go on: python -m harness.train agilenn --out 'a b' --resume\n"
    with pytest.raises(BenchError), cli.going_on(lambda: "x"):
        raise BenchError("something else")
    assert capsys.readouterr().err == ""
