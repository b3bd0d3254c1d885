"""Writes the folder of a trained scheme: description, device graph, recipe, history."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path
from typing import Any

from baselines.data import DataSet
from baselines.recipes.files import marks
from baselines.recipes.hashing import as_tree, recipe_hash
from harness.contracts import tomlout
from harness.contracts.context import CONTEXT, ContextTables
from harness.contracts.description import DESCRIPTION, GRAPH, DeviceDescription
from harness.contracts.errors import BenchError
from harness.contracts.files import replacing
from harness.contracts.paths import cache_dir
from harness.contracts.toml import Strict


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write atomically.

    Raises:
        BenchError: the file can't be written.
    """
    with replacing(path, "--out") as f:
        f.write(data)


def write_summary(folder: Path, summary: dict[str, Any]) -> None:
    """Write `summary.toml`."""
    write_text(folder / "summary.toml", tomlout.dumps(summary))


def write_artefact(
    folder: Path,
    description: DeviceDescription,
    *,
    graph: bytes | None,
    recipe: Strict,
    history: Path | None,
    context: ContextTables | None = None,
) -> None:
    """Write description, graph, recipe, history and the context codec's tables into `folder`."""
    write_context(folder, context)
    write_text(folder / DESCRIPTION, tomlout.dumps(description.model_dump(mode="json")))
    if graph is not None:
        write_bytes(folder / GRAPH, graph)
    write_text(folder / "recipe.toml", tomlout.dumps(as_tree(recipe)))
    if history is not None and history.exists():
        shutil.copyfile(history, folder / "history.csv")


def write_context(folder: Path, tables: ContextTables | None) -> None:
    """Write the context codec's tables; for None, remove those of an earlier export, which would count in the hash."""
    path = folder / CONTEXT
    if tables is not None:
        write_text(path, tomlout.dumps(tables.model_dump(mode="json")))
        return
    try:
        path.unlink(missing_ok=True)
    except NotADirectoryError:
        return  # nothing of an earlier export there; writing the rest says what is wrong with the folder
    except OSError as e:
        raise BenchError(f"can't remove {path} ({e.strerror})", cure="check the folder's permissions") from e


def versions() -> dict[str, str]:
    """Return what made the artefact: language, libraries, processor kind."""
    import keras  # noqa: PLC0415 - training only
    import numpy as np  # noqa: PLC0415
    import tensorflow as tf  # noqa: PLC0415

    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
    }


def work_folder(scheme: str, recipe: Strict, data: DataSet) -> Path:
    """Return where a training keeps checkpoints and logs: a folder per scheme, recipe and data, to resume from.

    The codec is chosen at export and changes nothing that is trained: every codec goes on from the same folder.
    """
    if "codec" in type(recipe).model_fields:
        recipe = recipe.model_copy(update={"codec": "lzw"})
    named = marks(recipe, data.name)
    return cache_dir() / "training" / f"{scheme}-{recipe_hash(recipe, data=data.checksum, **named)}"
