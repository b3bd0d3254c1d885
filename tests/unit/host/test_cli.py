"""Ways in end with one line and the right exit code, whatever happens in them."""

from __future__ import annotations

import ast
import fcntl
import os
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.errors import BenchError
from harness.host import cli

from ...support.commands import heed_signals


def test_a_bench_error_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    def body(argv: list[str]) -> int:
        raise BenchError("no board\nat all", cure="plug one in")

    assert cli.way_in(body, []) == 2
    assert capsys.readouterr().err == "error: no board at all: plug one in\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_unwind_the_stack(number: signal.Signals, code: int) -> None:
    given_back = []

    def body(argv: list[str]) -> int:
        try:
            os.kill(os.getpid(), number)
            time.sleep(5)
        finally:
            os.kill(os.getpid(), number)  # a second one while giving back is ignored
            given_back.append(True)
        return 0

    before = signal.getsignal(number)
    assert cli.way_in(body, []) == code
    assert given_back == [True]
    assert signal.getsignal(number) is before


def test_an_option_is_never_taken_for_a_longer_one() -> None:
    """`--image 3` is picture 3 of one command, and was three pictures of another."""
    parser = cli.Parser(prog="x")
    parser.add_argument("--images", type=int)
    parser.add_subparsers(dest="axis").add_parser("bandwidth").add_argument("--rates")
    for words in (["--image=3", "bandwidth"], ["bandwidth", "--rate", "6M"]):
        with pytest.raises(BenchError, match="unrecognized arguments"):
            parser.parse_args(words)


def test_every_parser_of_the_tree_takes_whole_options_only() -> None:
    root = Path(__file__).resolve().parents[3]
    plain = [
        f"{path.relative_to(root)}:{node.lineno}"
        for folder in ("harness", "testbeds", "baselines")
        for path in (root / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and (ast.unparse(node.func).endswith("ArgumentParser") or _adds_a_plain_parser(node, folder))
        and not any(word.arg == "allow_abbrev" for word in node.keywords)
    ]
    assert not plain


def _adds_a_plain_parser(node: ast.Call, folder: str) -> bool:
    """Those of harness/ come from `cli.Parser`, whose sub-commands are of its own class."""
    return folder == "testbeds" and ast.unparse(node.func).endswith("add_parser")


@pytest.mark.parametrize(("text", "value"), [("270k", 270e3), ("6M", 6e6), ("1G", 1e9), ("1000", 1e3), ("1.5M", 1.5e6)])
def test_rates(text: str, value: float) -> None:
    assert cli.rate(text) == value


@pytest.mark.parametrize("text", ["0", "-5", "abc", "", "k", "nan", "inf", "1e30", "0M"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(BenchError, match="rate"):
        cli.rate(text)


@given(st.text(max_size=12))
def test_any_text_is_a_rate_or_a_bench_error(text: str) -> None:
    try:
        assert 0 < cli.rate(text) <= 1e11
    except BenchError as e:
        assert "\n" not in str(e)


def test_a_list_names_each_value_once() -> None:
    assert cli.rates("1M, 2M,1000k") == [1e6, 2e6]
    assert cli.names("a,b,a") == ["a", "b"]
    for empty in ("", " , "):
        with pytest.raises(BenchError):
            cli.names(empty)
        with pytest.raises(BenchError):
            cli.rates(empty)


@pytest.mark.parametrize("text", ["0", "-3", "x", "1.5", "101"])
def test_whole_numbers_are_bounded(text: str) -> None:
    with pytest.raises(BenchError, match="--images"):
        cli.whole(1, 100, "--images")(text)


def test_a_rate_reads_back() -> None:
    assert [cli.rate_text(r) for r in (270e3, 6e6, 2e9, 50)] == ["270 kbit/s", "6 Mbit/s", "2 Gbit/s", "50 bit/s"]


_BODY = """
import pathlib, sys, time
from harness.host import cli
def body(argv):
    folder = pathlib.Path(argv[0])
    try:
        (folder / "up").touch()
        time.sleep(60)
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.write("unwinding")
            stream.flush()
        (folder / "down").touch()
sys.exit(cli.way_in(body, sys.argv[1:]))
"""


def test_a_closed_terminal_unwinds_the_stack_too(tmp_path: Path) -> None:
    """What is said while everything is given back must not fail for want of a terminal."""
    master, slave = os.openpty()

    def own_terminal() -> None:
        heed_signals()
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        [sys.executable, "-c", _BODY, str(tmp_path)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        preexec_fn=own_terminal,  # noqa: PLW1509 - nothing holds a lock here
        cwd=Path(__file__).parents[3],
    )
    os.close(slave)
    while not (tmp_path / "up").exists():
        assert process.poll() is None
        time.sleep(0.05)
    os.close(master)
    assert process.wait(60) == 129
    assert (tmp_path / "down").exists()


def test_what_ignores_a_hang_up_goes_on_doing_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def body(argv: list[str]) -> int:
        os.kill(os.getpid(), signal.SIGHUP)
        return 7

    try:
        assert cli.way_in(body, []) == 7
    finally:
        signal.signal(signal.SIGHUP, before)
