"""Opens TensorFlow Lite's interpreter, from whichever package has it: LiteRT's own, which is small, or TensorFlow."""

from __future__ import annotations

import os
import warnings
from importlib import import_module, util
from types import ModuleType
from typing import Any

from baselines.networks.quiet import silenced
from harness.contracts.errors import BenchError

# Both have the same kernels; the first found is used.
_MODULES = ("ai_edge_litert.interpreter", "tensorflow.lite.python.interpreter")
CURE = "pip install 'agilenn-bench[litert]'"
ABSENT = f"neither ai-edge-litert nor tensorflow is installed: {CURE}"


def module() -> ModuleType | None:
    """Return the module with the interpreter, None where no package has it."""
    name = next((n for n in _MODULES if util.find_spec(n.partition(".")[0]) is not None), None)
    if name is None:
        return None
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silenced():
        return import_module(name)


def interpreter(flat: bytes) -> Any:
    """Return an interpreter for a model, whose tensors are not allocated yet.

    Raises:
        BenchError: no package has it.
    """
    found = module()
    if found is None:
        raise BenchError("no TensorFlow Lite interpreter is installed", cure=CURE)
    with silenced(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a notice that the interpreter moves to another package
        return found.Interpreter(model_content=flat, num_threads=2)
