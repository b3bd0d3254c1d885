"""Starts the library under Keras, and keeps its native parts from writing to the terminal."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import sys
from collections.abc import Iterator

from harness.contracts.errors import BenchError

log = logging.getLogger(__name__)


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Send file descriptors 1 and 2 nowhere for the duration: native code writes there past every Python setting.

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


def backend_name() -> str:
    """Return what Keras computes with: `tensorflow`, unless KERAS_BACKEND says `jax` (which is for training alone).

    Raises:
        BenchError: it names another one.
    """
    name = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if name not in ("tensorflow", "jax"):
        raise BenchError(f"KERAS_BACKEND is {name!r}", cure="unset it, or choose tensorflow or jax")
    return name


def has_tensorflow() -> bool:
    """Say whether TensorFlow is installed, without importing it."""
    try:
        return importlib.util.find_spec("tensorflow") is not None
    except ImportError:
        return False


def start_training(threads: int) -> None:
    """Import what Keras computes with: TensorFlow with `threads` threads, or JAX (which takes every core) without it.

    Raises:
        BenchError: it is not installed.
    """
    if backend_name() == "tensorflow":
        start_tensorflow(threads)
        return
    if importlib.util.find_spec("jax") is None:
        raise BenchError("KERAS_BACKEND is jax, which is not installed", cure="pip install 'agilenn-bench[jax]'")
    import keras  # noqa: F401, PLC0415 - this is the place where it is paid for


def start_tensorflow(threads: int) -> None:
    """Import TensorFlow with at most `threads` threads, no more than this process has cores.

    Its start-up notices (missing GPU libraries, oneDNN) are silenced.

    Raises:
        BenchError: it is not installed, or Keras is to compute with something else.
    """
    if backend_name() != "tensorflow":
        raise BenchError(
            f"KERAS_BACKEND is {backend_name()}, which is for training alone; this runs on TensorFlow",
            cure="unset KERAS_BACKEND",
        )
    if not has_tensorflow():
        raise BenchError(
            "TensorFlow is not installed",
            cure="pip install 'agilenn-bench[train]'; KERAS_BACKEND=jax trains without it",
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    threads = min(threads, len(os.sched_getaffinity(0)))  # two threads on one core spin while they wait for each other
    with silenced():
        import tensorflow as tf  # noqa: PLC0415 - this is the place where it is paid for

        _use_cores(threads)
        tf.get_logger().setLevel("ERROR")  # else it warns of every graph that is built anew, as each training's is
        tf.zeros(1)  # TensorFlow looks for devices now, and says so


def _use_cores(count: int) -> None:
    """Let the process use `count` cores. This takes effect before the first operation only; a later call is logged."""
    import tensorflow as tf  # noqa: PLC0415

    try:
        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(min(count, 2))
    except RuntimeError:
        log.info("TensorFlow runs already; its thread counts stay")
