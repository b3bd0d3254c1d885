"""Saves checkpoints: every variable of a training and where it stands, in one .npz that is written atomically."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from harness.contracts import reading
from harness.contracts.errors import BenchError
from harness.contracts.files import replacing


def save(path: Path, variables: list[Any], state: dict[str, Any]) -> None:
    """Write the values of `variables` (in this order) and the JSON-able `state`.

    Raises:
        BenchError: the file can't be written.
    """
    arrays: dict[str, Any] = {f"v{i:04d}": np.asarray(variable) for i, variable in enumerate(variables)}
    with replacing(path, "AGILENN_CACHE_DIR") as f:
        np.savez(f, state=np.frombuffer(json.dumps(state).encode(), dtype=np.uint8), **arrays)


def load(path: Path, variables: list[Any]) -> dict[str, Any]:
    """Put the values of a checkpoint into `variables` and return its state.

    Raises:
        BenchError: the file is damaged or of another network or recipe.
    """
    try:
        arrays = reading.npz_of(path, "start again without --resume")
        state: dict[str, Any] = reading.parsed_json(arrays["state"].tobytes())
        values = [arrays[f"v{i:04d}"] for i in range(len(arrays) - 1)]
    except (LookupError, ValueError) as e:
        raise BenchError(f"{path} is damaged ({e})", cure="start again without --resume") from e
    shapes = [tuple(value.shape) for value in values]
    if shapes != [tuple(variable.shape) for variable in variables]:
        raise BenchError(f"{path} is of another network or recipe", cure="start again without --resume")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    return state
