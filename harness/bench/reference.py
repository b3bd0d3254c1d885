"""Compares a model's bytes on the board with those of TensorFlow Lite's reference kernels."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from baselines.networks.lite_interpreter import ABSENT, module
from baselines.networks.quiet import silenced


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
    found = module()
    if found is None:
        return None, ABSENT
    package = found.__name__.partition(".")[0].replace("_", "-")
    try:
        interpreter, kernels = _interpreter(found, file)
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


def _interpreter(found: ModuleType, file: Path) -> tuple[Any, str]:
    """Return an interpreter and which kernels it has: the reference's, or its usual ones where those lack an
    operator.
    """
    with warnings.catch_warnings(), silenced():
        warnings.simplefilter("ignore")  # TensorFlow's interpreter announces its successor
        kinds = found.OpResolverType

        def opened(kind: Any) -> Any:
            one = found.Interpreter(
                model_path=str(file), experimental_op_resolver_type=kind, experimental_preserve_all_tensors=True
            )
            one.allocate_tensors()
            return one

        try:
            return opened(kinds.BUILTIN_REF), "reference"
        except (RuntimeError, ValueError):
            return opened(kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES), "optimised"
