"""Hooks around a run: words and no shell, one line when they fail, and nothing is measured then."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.commands import sweep
from harness.contracts.errors import BenchError
from harness.host import cli
from harness.lab import hooks, labfile
from harness.lab.hooks import HooksSection

_NOTE = (
    "import os, sys; open(sys.argv[1], 'a').write(' '.join([sys.argv[2], os.environ['AGILENN_RUN_TESTBED']]) + chr(10))"
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGILENN_CACHE_DIR", str(tmp_path / "cache"))


def _notes(path: Path, word: str) -> tuple[str, ...]:
    return (sys.executable, "-c", _NOTE, str(path), word)


def _fails(code: int = 3) -> tuple[str, ...]:
    return (sys.executable, "-c", f"import sys; print('no such; outlet $HOME'); sys.exit({code})")


@contextmanager
def _block(path: Path) -> Iterator[None]:
    with path.open("a") as f:
        f.write("measured\n")
    yield


def test_both_are_called_around_the_run_and_logged(tmp_path: Path) -> None:
    said, run = tmp_path / "said", tmp_path / "run"
    run.mkdir()
    section = HooksSection(before=(*_notes(said, "on"), "--token", "hush"), after=_notes(said, "off"))
    with hooks.around(section, "esp32", run), _block(said):
        pass
    assert said.read_text().splitlines() == ["on esp32", "measured", "off esp32"]
    text = (run / "logs" / "lab.log").read_text()
    assert text.count("exit code 0 after") == 2
    assert "--token '***'" in text
    assert "hush" not in text


def test_a_hook_that_fails_before_keeps_the_block_from_being_entered(tmp_path: Path) -> None:
    said = tmp_path / "said"
    section = HooksSection(before=_fails(), after=_notes(said, "off"))
    with (
        pytest.raises(BenchError, match=r"the hook before the run failed: .* ended with 3 \(no such; outlet \$HOME\)"),
        hooks.around(section, "esp32"),
        _block(said),
    ):
        pass
    assert not said.exists()
    with (
        pytest.raises(BenchError, match="the hook before the run failed: no-such-program can't be started"),
        hooks.around(HooksSection(before=("no-such-program",)), "esp32"),
    ):
        pass
    slow = HooksSection(before=(sys.executable, "-c", "import time; time.sleep(60)"), timeout_s=0.3)
    with pytest.raises(BenchError, match=r"took longer than 0\.3 s"), hooks.around(slow, "esp32"):
        pass


def test_after_a_failure_the_hook_is_called_and_its_own_failure_hides_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = tmp_path / "said"
    with pytest.raises(BenchError, match="gone"), hooks.around(HooksSection(after=_notes(said, "off")), "esp32"):
        raise BenchError("the board is gone")
    assert said.read_text() == "off esp32\n"
    with pytest.raises(KeyboardInterrupt), hooks.around(HooksSection(after=_fails()), "esp32"):
        raise KeyboardInterrupt
    assert "the hook after the run failed" in caplog.text
    with (
        pytest.raises(BenchError, match="the hook after the run failed"),
        hooks.around(HooksSection(after=_fails()), "x"),
    ):
        pass


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[hooks]\nbefore = 'lab-power on'", "hooks.before: must be a list of words"),
        ("[hooks]\nafter = []", "hooks.after: must have at least 1"),
        ("[hooks]\nbefore = ['a', 3]", "hooks.before.1"),
        ("[hooks]\nbefroe = ['a']", "unknown key 'hooks.befroe'"),
        ("[testbeds.esp32.supply]\ncycle = 'uhubctl -a cycle'", "supply.cycle: must be a list of words"),
    ],
)
def test_a_shell_string_is_refused_with_the_key(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "lab.toml"
    path.write_text(text)
    with pytest.raises(BenchError) as error:
        labfile.load(path)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_sweep_whose_hook_fails_measures_nothing_and_ends_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "lab.toml"
    path.write_text("[hooks]\nbefore = ['false']")
    monkeypatch.setenv(labfile.VARIABLE, str(path))
    out = tmp_path / "run"
    assert cli.way_in(sweep.main, ["bandwidth", "--rates", "1M", "--schemes", "local_only", "--out", str(out)]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith("error: the hook before the run failed: false ended with 1")
    assert not out.exists()
