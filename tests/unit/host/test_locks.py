"""One run a board, told by the kernel: the second run hears who has it, a killed one leaves nothing."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from harness.artefacts.artefacts import Artefact
from harness.contracts.errors import BenchError
from harness.contracts.testbed import Network
from harness.device.bringup import Board, State
from harness.device.stand_in import StandInTestbed
from harness.host import locks
from harness.host.locks import BoardBusy

HOLD = """
import sys, time
from harness.host import locks
held = locks.take(sys.argv[1])
print("got", flush=True)
time.sleep(60)
"""


def _other(identity: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, identity, "--rate", "6M"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "got\n"
    return process


def test_the_second_run_is_told_who_has_the_board_and_a_kill_frees_it() -> None:
    other = _other("usb-0001")
    try:
        with pytest.raises(BoardBusy) as error:
            locks.take("usb-0001")
        assert f"pid {other.pid} on " in str(error.value)
        assert "--rate 6M" in str(error.value)
        assert error.value.exit_code == 2
        assert "\n" not in str(error.value)
        held = locks.holder("usb-0001")
        assert held is not None and held.pid == other.pid
        locks.take("usb-0002").release()  # another board is free
    finally:
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert other.stdout is not None
        other.stdout.close()
    assert locks.holder("usb-0001") is None
    locks.take("usb-0001").release()


def test_children_of_a_run_do_not_keep_its_board() -> None:
    lock = locks.take("a")
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"], close_fds=False)
    lock.release()
    lock.release()
    try:
        locks.take("a").release()
    finally:
        child.kill()
        child.wait()


def test_a_note_that_says_nothing_is_no_obstacle() -> None:
    for note in (b"", b"\xff\xff", b"[1]", b'{"user": 1}', b"x" * 9000):
        lock = locks.take("b")
        next(locks.folder().glob("b-*")).write_bytes(note)
        with pytest.raises(BoardBusy, match="left no note"):
            locks.take("b")
        lock.release()


def test_identities_of_any_text_have_files_of_their_own() -> None:
    names = ["rfc2217://a:1", "rfc2217://a:2", "../../etc/x", "", "ü" * 300]
    held = [locks.take(name) for name in names]
    files = list(locks.folder().iterdir())
    assert len(files) == len(names)
    assert {f.parent for f in files} == {locks.folder()}
    assert all(stat.S_IMODE(f.stat().st_mode) == 0o666 for f in files)
    assert stat.S_IMODE(locks.folder().stat().st_mode) == 0o1777
    for lock in held:
        lock.release()


def test_a_folder_that_can_not_be_used_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(locks.VARIABLE, str(tmp_path / "file" / "below"))
    with pytest.raises(BenchError, match="AGILENN_LOCK_DIR"):
        locks.take("a")
    monkeypatch.setenv(locks.VARIABLE, str(tmp_path))
    path = locks._path("a")
    path.symlink_to(tmp_path / "elsewhere")  # somebody's trap in a shared folder
    with pytest.raises(BenchError, match="can't be opened"):
        locks.take("a")


class Attached(StandInTestbed):
    """A stand-in that is one certain board."""

    identity = "usb-stand-in"  # type: ignore[assignment]


def test_a_board_is_locked_from_flash_to_close(local_artefact: Artefact, network: Network, tmp_path: Path) -> None:
    image = tmp_path / "image.elf"
    image.write_bytes(b"elf")

    def board() -> Board:
        return Board(Attached(local_artefact), local_artefact, image, network)

    first, second = board(), board()
    first.to(State.READY)
    with pytest.raises(BoardBusy, match=f"pid {os.getpid()}"):
        second.to(State.READY)
    assert second.testbed.steps == []  # type: ignore[attr-defined]
    first.recover()
    first.close()
    second.to(State.READY)
    second.close()
    assert locks.holder("usb-stand-in") is None


def test_a_board_that_can_not_be_given_back_is_unlocked_all_the_same(
    local_artefact: Artefact, network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = Board(Attached(local_artefact), local_artefact, tmp_path, network)
    board.to(State.FLASHED)

    def fail() -> None:
        raise OSError("gone")

    monkeypatch.setattr(board.testbed, "close", fail)
    with pytest.raises(OSError, match="gone"):
        board.close()
    assert locks.holder("usb-stand-in") is None
