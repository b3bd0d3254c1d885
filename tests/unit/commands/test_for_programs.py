"""What other programs read: JSON of what prints tables, OpenMetrics text, completion scripts, histories."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.datum import read_run
from harness.commands import claims, compare, completion, export, history, recommend, report
from harness.runs.paths import REFERENCE
from harness.show import openmetrics

RUN = REFERENCE / "runs" / "cifar10-bandwidth"
LINE = re.compile(r'agilenn_\w+\{(\w+="(\\.|[^"\\])*",?)+\} -?[\d.e+-]+')


def _json(capsys: pytest.CaptureFixture[str], main: Any, *words: str, code: int = 0) -> Any:
    capsys.readouterr()
    assert main([*words]) == code
    return json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_tables_are_printed_as_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    told = _json(capsys, report.main, str(RUN), "--json")
    assert told["axis"] == "bandwidth" and told["figures"]
    assert told == _json(capsys, export.main, str(RUN), "--format", "json")
    beside = _json(capsys, compare.main, str(RUN), "published", "--json")
    assert beside["cifar10"]["ratios"] and beside["cifar10"]["claims"]
    same = _json(capsys, compare.main, str(RUN), str(RUN), "--json")
    assert same["points"] and not any(point["worse"] for point in same["points"])
    judged = _json(capsys, claims.main, "--json")
    assert {"name", "holds", "rule"} <= judged[0].keys()
    options = ("--rate", "2M", "--min-accuracy", "85", "--runs", str(RUN), "--json")
    assert _json(capsys, recommend.main, *options)["schemes"][0]["fits"] is True


@pytest.mark.slow
def test_openmetrics_text_keeps_to_the_format(capsys: pytest.CaptureFixture[str]) -> None:
    assert export.main([str(RUN)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "# EOF" and lines.count("# EOF") == 1
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names)) > 3  # a family stands in one piece
    units = dict(line.split()[2:] for line in lines if line.startswith("# UNIT"))
    assert units["agilenn_total_ms"] == "ms" and all(name.endswith(f"_{unit}") for name, unit in units.items())
    samples = [line for line in lines if not line.startswith("#")]
    assert all(LINE.fullmatch(line) for line in samples)
    ours = [d for d in read_run(RUN).data if (d.metric, d.scheme, d.x) == ("total_ms", "agilenn", 2e6)]
    wanted = f'scheme="agilenn",source="{ours[0].source}",axis="bandwidth",at="2e+06",part="value"}} {ours[0].value!r}'
    assert sum(line.startswith("agilenn_total_ms{") and line.endswith(wanted) for line in samples) == 1


def test_labels_are_escaped() -> None:
    assert openmetrics._escaped('a"b\\c\nd') == 'a\\"b\\\\c\\nd'


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_and_options(shell: str) -> None:
    known = {"report": completion.options_of("report"), "export": ["--format", "--help"]}
    assert {"--serve", "--port", "--json", "--help"} <= set(known["report"])
    script = completion.script(shell, known)
    assert "agilenn-bench" in script and "report" in script and "--serve" in script


def test_bash_completes_by_the_script(tmp_path: Path) -> None:
    if (bash := shutil.which("bash")) is None:
        pytest.skip("no bash here")
    (tmp_path / "script").write_text(completion.script("bash", {"report": ["--serve"], "recommend": ["--rate"]}))
    ask = 'source ./script; COMP_WORDS=({}); COMP_CWORD={}; _agilenn_bench; echo "${{COMPREPLY[*]}}"'

    def completed(words: str, at: int) -> str:
        done = subprocess.run(
            [bash, "-c", ask.format(words, at)], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    assert completed("agilenn-bench rep", 1) == "report"
    assert completed("agilenn-bench report --s", 2) == "--serve"


@pytest.mark.slow
def test_a_history_of_equal_runs_has_no_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(3):
        shutil.copytree(RUN, tmp_path / str(i), ignore=shutil.ignore_patterns("plots", "*.html", "tables"))
    assert history.main([str(tmp_path)]) == 0
    assert "0 of" in capsys.readouterr().out
    assert _json(capsys, history.main, str(tmp_path), "--json") == []
