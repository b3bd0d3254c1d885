"""Orchestrates: what to run, in which order, on which testbed; what was measured; what it means.

`python -m harness COMMAND` and `python -m harness.COMMAND` are the same. The second finds `harness/commands/COMMAND.py`
because this package's search path has that folder too; a room of the same name (`harness/sweep/`) has a `__main__.py`.
"""

from __future__ import annotations

from os import PathLike as _PathLike
from pathlib import Path as _Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["load"]
__path__ = [*__path__, str(_Path(__file__).parent / "commands")]


def load(run: str | _PathLike[str]) -> DataFrame:
    """Return the samples of a stored run as a table, one row a sample, with the columns of docs/results.md.

    What was not measured is missing (NA), never 0. The run's manifest is in `.attrs["manifest"]`.

    Raises:
        BenchError: there is no run, or it is damaged; or pandas is not installed.
    """
    from harness.contracts.errors import BenchError  # noqa: PLC0415

    try:
        import pandas as pd  # noqa: PLC0415 - whoever only measures needs no table
    except ImportError as e:
        raise BenchError("pandas is not installed", cure="pip install 'agilenn-bench[tables]'") from e

    from harness.runs.store import Store  # noqa: PLC0415

    store = Store.reopen(_Path(run))
    frame = pd.DataFrame(store.rows()).convert_dtypes()
    frame.attrs["manifest"] = store.manifest()
    return frame
