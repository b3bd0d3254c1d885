"""The other tests of this folder once more, on code that reports every stray access and undefined operation."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
FLAGS = "-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"


@pytest.mark.soak
def test_the_firmware_under_address_and_undefined_behaviour_sanitizers() -> None:
    gcc = shutil.which("gcc")
    assert gcc, "this test needs gcc with its sanitizers: apt install gcc"
    library = subprocess.run([gcc, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True).stdout
    files = ["test_codecs.py", "test_frames.py", "test_at.py", "test_decisions.py", "test_protocol.py", "test_flow.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(str(HERE / name) for name in files)],
        env=os.environ
        | {"AGILENN_TEST_SANITIZERS": FLAGS, "LD_PRELOAD": library.strip(), "ASAN_OPTIONS": "detect_leaks=0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
