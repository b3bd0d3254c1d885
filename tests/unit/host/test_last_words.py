"""Why a process ended, found among what its libraries said."""

from __future__ import annotations

import io
import signal
import subprocess
import sys

import pytest

from harness.contracts.errors import BenchError
from harness.edge import launch
from harness.host import last_words

CUDA = (
    "2026-01-01 10:00:00.123456: E external/local_xla/cuda/cuda_fft.cc:477] Unable to register cuFFT factory\n"
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
    "E0000 00:00:1767225600.000000    4242 cuda_dnn.cc:8310] Unable to register cuDNN factory\n"
    "W0000 00:00:1767225600.000000    4242 gpu_device.cc:2344] Cannot dlopen some GPU libraries.\n"
    "To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow.\n"
)
TRACE = (
    "Traceback (most recent call last):\n"
    '  File "x.py", line 3, in <module>\n'
    "    import tensorflow\n"
    "MemoryError: Unable to allocate 2.00 GiB\n"
)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("", ""),
        (CUDA, ""),
        (f"{CUDA}error: weights are damaged: train again\n{CUDA}", "weights are damaged: train again"),
        (TRACE + CUDA, "MemoryError: Unable to allocate 2.00 GiB"),
        (CUDA + TRACE, "MemoryError: Unable to allocate 2.00 GiB"),
        (f"{CUDA}Fatal Python error: Aborted\n\nThread 0x1:\n  File x\n", "Fatal Python error: Aborted"),
        (f"{CUDA}terminate called recursively\n{CUDA}", "terminate called recursively"),
        ("1767225600: Error: Address already in use\n", "1767225600: Error: Address already in use"),
        ("x.py:3: DeprecationWarning: old\n", ""),
    ],
)
def test_the_reason_is_told_and_not_the_chatter(said: str, found: str) -> None:
    assert last_words.of(said) == found


@pytest.mark.parametrize(
    ("code", "said", "told"),
    [
        (-9, CUDA, "the edge server was killed by SIGKILL and did not say why: see that the machine has memory"),
        (1, f"{TRACE}{CUDA}", "the edge server ended with code 1: MemoryError: Unable to allocate 2.00 GiB"),
        (2, f"{CUDA}error: weights: train\n", "the edge server ended with code 2: weights: train"),
    ],
)
def test_an_edge_that_died_tells_its_own_error(code: int, said: str, told: str) -> None:
    assert str(launch._died(code, io.BytesIO(said.encode()))).startswith(told)


def test_an_edge_that_we_gave_up_did_not_run_out_of_memory() -> None:
    words = [sys.executable, "-c", "input(); input()"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        with pytest.raises(BenchError, match=r"was not ready after 0\.2 s: try again when this machine has less to do"):
            launch._ready(process, io.BytesIO(b"Could not find cuda drivers"), 0.2)
        assert process.wait() == -signal.SIGKILL
