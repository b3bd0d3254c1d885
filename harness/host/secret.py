"""Reads a secret that a file only points to: an environment variable, or a key file that nobody else may read."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, ValidatorFunctionWrapHandler, WrapValidator, model_validator
from pydantic.functional_validators import AfterValidator
from pydantic_core import PydanticCustomError

from harness.contracts.errors import BenchError
from harness.contracts.toml import Strict

_MOST_BYTES = 4096


def _from_folder(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder", Path())
    return Path(folder) / path.expanduser()


LabPath = Annotated[Path, AfterValidator(_from_folder)]  # relative to the file that names it


class _Pointer(Strict):
    env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    file: LabPath | None = None

    @model_validator(mode="after")
    def _one(self) -> _Pointer:
        if (self.env is None) == (self.file is None):
            raise ValueError("give either env or file")
        return self

    def read(self) -> str:
        """Return the secret itself, from where it is kept; it goes nowhere but into memory.

        Raises:
            BenchError: the variable is not set, or the file can't be read, is empty, or others may read it.
        """
        if self.env is not None:
            if value := os.environ.get(self.env, ""):
                return value
            raise BenchError(f"the environment variable {self.env} is not set", cure=f"export {self.env}=…")
        return _read_key_file(self.file or Path())


def _pointed(value: Any, handler: ValidatorFunctionWrapHandler) -> _Pointer:
    if not isinstance(value, (dict, _Pointer)):
        raise PydanticCustomError(
            "secret", 'a secret is never in this file: give { env = "NAME" } or { file = "PATH" }'
        )
    made: _Pointer = handler(value)
    return made


Secret = Annotated[_Pointer, WrapValidator(_pointed)]


def _read_key_file(path: Path) -> str:
    try:
        with path.open("rb") as f:
            mode = os.fstat(f.fileno()).st_mode
            if stat.S_IMODE(mode) & 0o077:
                raise BenchError(f"key file {path} may be read by others", cure=f"chmod 600 {path}")
            data = f.read(_MOST_BYTES + 1)
    except OSError as e:
        raise BenchError(f"key file {path} can't be read ({e.strerror})", cure="check its path and owner") from e
    if len(data) > _MOST_BYTES:
        raise BenchError(f"key file {path} is longer than {_MOST_BYTES} bytes", cure="is it the right file?")
    try:
        text = data.decode("utf-8").strip("\r\n")
    except UnicodeDecodeError as e:
        raise BenchError(f"key file {path} is no UTF-8 text", cure="is it the right file?") from e
    if not text:
        raise BenchError(f"key file {path} is empty", cure="put the secret in it, and nothing else")
    return text
