"""Compares a model's bytes on the board with those of TensorFlow Lite's reference kernels."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from importlib import import_module, util
from pathlib import Path
from typing import Any

import numpy as np

from baselines.networks.quiet import silenced

# Either package has the reference kernels; the first found is used.
_INTERPRETERS = ("ai_edge_litert.interpreter", "tensorflow.lite.python.interpreter")
ABSENT = "neither ai-edge-litert nor tensorflow is installed: pip install ai-edge-litert"


@dataclass(frozen=True)
class Agreement:
    """Says how the board's output bytes compare with the reference interpreter's, over all outputs.

    largest: the largest difference, in steps of the output's scale. same_top: samples whose largest value (of the last
    output) is at the same place. interpreter: package and kernels that ran it.
    """

    samples: int
    bytes: int
    different: int
    largest: int
    same_top: int
    interpreter: str

    @property
    def share(self) -> float:
        return self.different / self.bytes


def compare(
    file: Path, report: Any, fed: np.ndarray, ours: list[list[np.ndarray]]
) -> tuple[Agreement | None, str | None]:
    """Run the reference on `fed` and compare; returns (agreement, None), or (None, why there is none).

    Args:
        report: the generator's, whose borders say which tensors are compared.
        fed: inputs [n, ...] as the file takes them.
        ours: int8 bytes of each output for each of them.
    """
    name = next((n for n in _INTERPRETERS if util.find_spec(n.partition(".")[0]) is not None), None)
    if name is None:
        return None, ABSENT
    package = name.partition(".")[0].replace("_", "-")
    try:
        interpreter, kernels = _interpreter(name, file)
    except (RuntimeError, ValueError) as e:
        return None, f"the interpreter refuses the model: {str(e).splitlines()[0][:200]}"
    entry = interpreter.get_input_details()[0]
    interpreter.resize_tensor_input(entry["index"], fed.shape[1:])
    interpreter.allocate_tensors()
    total = different = largest = same_top = 0
    for x, mine in zip(fed, ours, strict=True):
        interpreter.set_tensor(entry["index"], x)
        interpreter.invoke()
        theirs = [interpreter.get_tensor(b.tensor).reshape(-1).astype(np.int16) for b in report.outputs]
        for a, b in zip(mine, theirs, strict=True):
            off = np.abs(a.astype(np.int16) - b)
            total += off.size
            different += int(np.count_nonzero(off))
            largest = max(largest, int(off.max(initial=0)))
        same_top += int(np.argmax(mine[-1]) == np.argmax(theirs[-1]))
    return Agreement(len(fed), total, different, largest, same_top, f"{package}, {kernels} kernels"), None


def _interpreter(name: str, file: Path) -> tuple[Any, str]:
    """Return an interpreter and which kernels it has: the reference's, or its usual ones where those lack an
    operator.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with warnings.catch_warnings(), silenced():
        warnings.simplefilter("ignore")  # TensorFlow's interpreter announces its successor
        module = import_module(name)
        kinds = module.OpResolverType

        def opened(kind: Any) -> Any:
            found = module.Interpreter(
                model_path=str(file), experimental_op_resolver_type=kind, experimental_preserve_all_tensors=True
            )
            found.allocate_tensors()
            return found

        try:
            return opened(kinds.BUILTIN_REF), "reference"
        except (RuntimeError, ValueError):
            return opened(kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES), "optimised"
