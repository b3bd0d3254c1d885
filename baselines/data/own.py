"""Describes data sets of the user's own: `NAME.toml` in the data folder says which file holds the pictures.

```toml
file = "flowers.npz"     # x_train, y_train, x_test, y_test: uint8 [n, h, w, 3] and [n]; names: the class names
checksum = ""            # SHA-256 as a run's manifest names it; "" takes the file as it is
flips = true             # false where a mirror image is of another class, or of none (digits, letters)
```
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import Field

from harness.contracts.errors import BenchError
from harness.contracts.toml import Strict, read_toml

_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,23}")


class OwnDataSet(Strict):
    """Holds what one `NAME.toml` says."""

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.npz$")]
    checksum: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    flips: bool = True


def names(folder: Path) -> list[str]:
    """Return the names of the data sets that TOML files of `folder` describe."""
    return sorted(path.stem for path in folder.glob("*.toml")) if folder.is_dir() else []


def read(folder: Path, name: str) -> OwnDataSet | None:
    """Return the description of `name`, or None where there is none.

    Raises:
        BenchError: the file is wrong, or the name can't be that of a data set.
    """
    path = folder / f"{name}.toml"
    if not path.is_file():
        return None
    found = read_toml(path, OwnDataSet)
    if not _NAME.fullmatch(name):
        raise BenchError(
            f"{path}: '{name}' can't be the name of a data set", cure="use a to z, 0 to 9 and _, at most 24 characters"
        )
    if not (folder / found.file).is_file():
        raise BenchError(f"{path}: file {found.file} is not in {folder}", cure="put it there")
    return found
