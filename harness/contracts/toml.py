"""Reads TOML files checked by pydantic: a wrong key, type or range is one line with file, key and cure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.contracts import reading
from harness.contracts.errors import BenchError
from harness.contracts.problems import first_problem


class Strict(BaseModel):
    """Serves as the base of every configuration model: unknown keys are errors, and values never change after
    reading.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


Model = TypeVar("Model", bound=BaseModel)


def read_toml(path: Path, model: type[Model], context: Mapping[str, Any] | None = None) -> Model:
    """Read `path` as `model`, whose validators may look at `context`.

    Raises:
        BenchError: the file is missing, unreadable, no TOML, or a key is unknown, missing or out of range.
    """
    tree = reading.toml_of(path, "check path and encoding, or mend that line")
    try:
        return model.model_validate(tree, context=context)
    except ValidationError as e:
        what, cure = first_problem(e, model)
        raise BenchError(f"{path}: {what}", cure=cure) from e
