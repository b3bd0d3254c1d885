"""Keep TensorFlow's native libraries from talking on the terminal while they start."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """File descriptors 1 and 2 to nowhere for the duration: native code writes there past every Python setting.

    An exception inside leaves as usual, and what Python writes to its own streams afterwards is seen.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(1), os.dup(2)]
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 1)
        os.dup2(null, 2)
        yield
    finally:
        for number, kept in zip((1, 2), saved, strict=True):
            os.dup2(kept, number)
            os.close(kept)
        os.close(null)


def start_tensorflow(threads: int) -> None:
    """Import TensorFlow with at most `threads` threads, no more than this process has cores.

    Its start-up notices (missing GPU libraries, oneDNN) are silenced.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    threads = min(threads, len(os.sched_getaffinity(0)))  # two threads on one core spin while they wait for each other
    with silenced():
        import tensorflow as tf  # noqa: PLC0415 - this is the place where it is paid for

        from baselines.training.loop import use_cores  # noqa: PLC0415

        use_cores(threads)
        tf.get_logger().setLevel("ERROR")  # else it warns of every graph that is built anew, as each training's is
        tf.zeros(1)  # looks for devices now, and says so
