"""Takes one point of a training sweep: its recipe, its row, trained only where no row is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from harness.contracts.context import why_not
from harness.runs import trained_rows as rows
from harness.runs.trained_rows import Row
from harness.training.sweep.axes import AXES, Setting
from harness.training.sweep.plan import Budget

if TYPE_CHECKING:
    from baselines.recipes.recipe import AgileNNRecipe
    from baselines.schemes.agilenn.trial import Trial, Trials

CODEC = "lzw"  # the paper's, so that payloads stand beside its figures whatever codec the recipe has
FLOAT_BYTES = 4  # what the paper's compression rates seem to be relative to: float32 features


@dataclass(frozen=True)
class Base:
    """Holds what all points share: recipe as the user asked for it, data set, budget."""

    dataset: str
    profile: str
    overrides: Mapping[str, str]
    budget: Budget
    file: Path | None = None
    seed: int = 0

    def recipe(self, setting: Setting | None = None) -> AgileNNRecipe:
        """Return the recipe of a point; of the base itself without one.

        Raises:
            BenchError: a wrong key or value.
        """
        from baselines.recipes.loading import load_recipe  # noqa: PLC0415 - found late, like every baseline
        from baselines.recipes.recipe import AgileNNRecipe  # noqa: PLC0415 - found late, like every baseline

        overrides = {**self.budget.overrides(), **self.overrides, "seed": str(self.seed), "codec": CODEC}
        preset = None
        if setting is not None:
            overrides |= setting.overrides
            preset = setting.preset
        return load_recipe(
            AgileNNRecipe, "agilenn", self.dataset, self.profile, file=self.file, preset=preset, overrides=overrides
        )


def settings_of(recipe: AgileNNRecipe) -> Row:
    """Return a row's columns that say how it was trained."""
    return {
        "k": recipe.network.k,
        "rho": recipe.losses.rho,
        "lambda": recipe.losses.prediction,
        "temperature": recipe.temperature,
        "centroids": recipe.codebook.centroids if recipe.codebook.quantise else None,
        "method": recipe.importance.method,
        "ordering": recipe.losses.disorder if recipe.losses.disorder_weight else "none",
        "seed": recipe.seed,
        "channels": "random" if recipe.preselect.method == "random" else "chosen",
        "shaping": "yes" if recipe.losses.skewness_weight or recipe.losses.disorder_weight else "no",
    }


def payload_bytes(symbols: npt.NDArray[np.uint8], n_symbols: int) -> npt.NDArray[np.int64]:
    """Return the bytes that the device would hand to its module by `CODEC`, header included, for each row of
    `symbols`.
    """
    from testbeds.firmware.host.hostlib import codec_library  # noqa: PLC0415 - builds it at first use

    library = codec_library()
    return np.array([len(library.encode(one, n_symbols, CODEC, 0, 0)) for one in symbols], dtype=np.int64)


def payload_figures(symbols: npt.NDArray[np.uint8], n_symbols: int, feature_values: int) -> Row:
    """Return mean and 95th percentile of the payload, and how many times smaller it is than float32 features."""
    sizes = payload_bytes(symbols, n_symbols)
    mean = float(sizes.mean())
    return {
        "payload_bytes_mean": round(mean, 2),
        "payload_bytes_p95": float(np.percentile(sizes, 95)),
        "bytes_lzw": round(mean, 2),
        "compression": round(FLOAT_BYTES * feature_values / mean, 3),
    }


def context_bytes(trial: Trial, n_symbols: int) -> float | None:
    """Return the mean payload by the context codec, header included, with tables learnt from training pictures; None
    where that codec takes no such features.
    """
    from baselines.export.context_tables import learn_tables  # noqa: PLC0415 - found late, like every baseline
    from testbeds.firmware.host.hostlib import codec_library  # noqa: PLC0415 - builds it at first use

    _, width, channels = trial.map_shape
    if trial.symbols is None or trial.training_symbols is None or why_not(n_symbols, width, channels):
        return None
    library = codec_library()
    model = library.model(learn_tables(trial.training_symbols, n_symbols, trial.map_shape))
    sizes = [len(library.encode(one, n_symbols, "context", 0, 0, model=model)) for one in trial.symbols]
    return round(float(np.mean(sizes)), 2)


def point_hash(base: Base, recipe: AgileNNRecipe, checksum: str) -> str:
    """Return a hash of what a row's figures depend on: recipe (budget included), data, how much was measured."""
    from baselines.recipes.hashing import recipe_hash  # noqa: PLC0415

    return recipe_hash(recipe, data=checksum, attention=str(base.budget.attention_samples), kind="trial")


def kept(base: Base, setting: Setting, axis: str, checksum: str, folders: Iterable[Path]) -> Row | None:
    """Return the row of a point that was trained before, as one of this axis; None where it has to be trained."""
    found = found_before(point_hash(base, base.recipe(setting), checksum), axis, folders)
    return None if found is None else found | _named(base, setting, axis)


def found_before(own_hash: str, axis: str, folders: Iterable[Path]) -> Row | None:
    """Return the row of a training that was finished before, if it has all that this axis asks of a row."""
    return rows.find(own_hash, folders, AXES[axis].needs if axis in AXES else ())


def take(
    base: Base, setting: Setting, axis: str, trials: Trials, checksum: str, folders: Iterable[Path]
) -> tuple[Row, bool]:
    """Return the row of a point, and whether it was trained now.

    Raises:
        BenchError: the training failed.
    """
    found = kept(base, setting, axis, checksum, folders)
    if found is not None:
        return found, False
    return train(base, setting, axis, base.recipe(setting), trials, checksum), True


def train(base: Base, setting: Setting, axis: str, recipe: AgileNNRecipe, trials: Trials, checksum: str) -> Row:
    """Train a point by its recipe; return its row, which is kept whatever becomes of this run.

    Raises:
        BenchError: the training failed.
    """
    trial = trials.run(recipe, attention_samples=base.budget.attention_samples)
    row: Row = dict.fromkeys(rows.COLUMNS) | _named(base, setting, axis)
    row |= settings_of(recipe) | _figures(trial.figures)
    if trial.symbols is not None:
        # The map's channels are more than those that are sent: the rate is relative to all of them.
        values = trial.symbols.shape[1] // (recipe.network.channels - recipe.network.k) * recipe.network.channels
        row |= payload_figures(trial.symbols, recipe.codebook.centroids, values)
        row["bytes_context"] = context_bytes(trial, recipe.codebook.centroids)
    row |= {"recipe_hash": point_hash(base, recipe, checksum), "source": "measured"}
    rows.keep(row)
    return row


def _named(base: Base, setting: Setting, axis: str) -> Row:
    return {"dataset": base.dataset, "profile": base.profile, "axis": axis, "value": setting.value}


def _figures(figures: Mapping[str, float]) -> dict[str, Any]:
    whole = ("n_validation", "n_test", "n_attention", "epochs", "samples")
    return {name: int(value) if name in whole else value for name, value in figures.items() if name in rows.COLUMNS}
