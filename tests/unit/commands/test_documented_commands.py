"""Every command line of README, CONTRIBUTING and docs is one that the bench takes."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from harness.commands import mlperf, sweep, train, trained_sweep_options
from harness.host import cli
from harness.measure import axes

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LEFT_OUT = re.compile(r"…|\.\.\.|\bSCHEME\b|<[a-z]")  # not meant to be typed as it stands
_PLACEHOLDERS = {"AXIS": "bandwidth", "N": "10"}
ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")


class Parsed(BaseException):
    """Ends a way in as soon as its words are understood."""


def command_lines() -> list[tuple[str, str]]:
    """Page and command, from code blocks and from code within a line."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = re.findall(r"^```(?:sh|bash)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
        rest = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
        lines += [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", rest)]
        found += [(page.name, line) for line in lines]
    return found


def words_of(line: str) -> list[str]:
    words = shlex.split(line.replace("[", "").replace("]", "") if "[-" in line else line, comments=True)
    while words and ASSIGNMENT.fullmatch(words[0]):
        words = words[1:]
    return words


BENCH = sorted(
    {(page, line) for page, line in command_lines() if "python -m harness." in line and not LEFT_OUT.search(line)}
)


@pytest.mark.parametrize(("page", "line"), BENCH, ids=[f"{page}: {line[:70]}" for page, line in BENCH])
def test_a_command_of_the_bench_is_understood(page: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = words_of(line[line.index("python -m harness.") :])
    words = [_PLACEHOLDERS.get(word, word) for word in words]
    words = words[: words.index("&&")] if "&&" in words else words
    name, argv = words[2].removeprefix("harness."), words[3:]
    module = importlib.import_module(f"harness.commands.{name}")
    if not argv and name in ("run", "train", "mlperf", "sweep", "accuracy", "retable", "figures", "bench", "model"):
        return  # named as a command, not to be typed as it stands
    whole = argparse.ArgumentParser.parse_args

    def parse(self: argparse.ArgumentParser, *args: Any, **more: Any) -> Any:
        whole(self, *args, **more)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse)
    # There is no run to go on with here: its manifest would know the axis.
    monkeypatch.setattr(
        "harness.sweep.resume.whole_command", lambda given: ["bandwidth"] * given[0].startswith("-") + given
    )
    monkeypatch.setenv("AGILENN_LAB", "")
    monkeypatch.setenv("AGILENN_DATA_DIR", "")
    with pytest.raises(Parsed):
        module.main(argv)


PYTEST = sorted({(page, line) for page, line in command_lines() if re.match(r"(\S+=\S+ )*(\S*/)?pytest ", line)})


@pytest.mark.parametrize(("page", "line"), PYTEST, ids=[f"{page}: {line[:70]}" for page, line in PYTEST])
def test_a_command_of_pytest_names_what_there_is(page: str, line: str, pytestconfig: pytest.Config) -> None:
    words = words_of(line)[1:]
    known = {word.split(":")[0].split("(")[0].strip() for word in pytestconfig.getini("markers")}
    for before, word in zip(["", *words], words, strict=False):
        if before == "-m":
            asked = set(re.findall(r"\w+", word)) - {"or", "and", "not"}
            assert asked <= known, f"{page}: unknown mark in {word}"
        if word.startswith("tests/"):
            assert (ROOT / word).exists(), f"{page}: no {word}"


def test_a_network_without_labels_is_timed_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    """`harness.mlperf --network ic` as the README has it: no mode is needed."""
    assert mlperf.main(["--testbed", "virtual", "--network", "ic", "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("performance on virtual")
    assert mlperf.main(["--testbed", "virtual", "--network", "ic", "--mode", "both", "--dry-run"]) == 2
    assert "leave --mode out" in capsys.readouterr().err


def test_who_trains_is_told_how_commands_find_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = train.where_found(Path("my/cifar10-compact/agilenn"), "cifar10", "compact", "agilenn")
    assert found == (
        "try them: AGILENN_WEIGHTS_DIR=my python -m harness.run --scheme agilenn --dataset cifar10 --profile compact"
    )
    lost = train.where_found(Path("my/agilenn"), "cifar10", "compact", "agilenn")
    assert lost.startswith("other commands look for weights in DIR/cifar10-compact/agilenn: move them there, then")


def test_the_help_of_sweeps_explains_every_axis(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        sweep.main(["--help"])
    assert stop.value.code == 0
    told = " ".join(capsys.readouterr().out.split())
    for name in (*axes.AXES, *trained_sweep_options.NAMES):
        assert re.search(rf"(^| ){name} [A-Z]", told), f"{name} is not explained"


def test_the_readme_is_among_what_was_read() -> None:
    assert sum(page == "README.md" for page, _ in BENCH) > 10
    assert any("mlperf" in line for _, line in BENCH)
    assert len(PYTEST) > 5
    assert cli.Parser  # the same parser everywhere, whose mistakes are one line
