"""Checks the pictures of a training against its recipe before anything takes time."""

from __future__ import annotations

from baselines.data import DataSet, load_dataset
from baselines.recipes.recipe import Recipe
from baselines.training.interface import TrainOptions
from harness.contracts.errors import BenchError

LEAST, MOST = 8, 256  # height and width: three halvings leave something, and a description allows no more


def training_data(options: TrainOptions, recipe: Recipe, *, multiple_of: int = 1) -> DataSet:
    """Load the data set of a training, whose pictures and number the recipe must be able to use.

    Args:
        multiple_of: what height and width must be multiples of, for networks that can't do with others.

    Raises:
        BenchError: `load_dataset` raises it, a picture size can't be exported, or the validation split leaves nothing
            to train on.
    """
    data = load_dataset(options.dataset, options.data_dir)
    check(data, recipe, multiple_of=multiple_of)
    return data


def check(data: DataSet, recipe: Recipe, *, multiple_of: int = 1) -> None:
    """Check that the recipe can train on these pictures, and export the result. Raises BenchError when it can't."""
    n = len(data.x_train)
    if not recipe.validation < n:
        raise BenchError(
            f"{data.name} has {n} training pictures, and validation = {recipe.validation} of them are to be held out",
            cure=f"--set validation={max(1, n // 10)}, or another number below {n}",
        )
    size = recipe.input_size
    height, width = (size, size) if size else data.x_train.shape[1:3]
    if all(LEAST <= side <= MOST and side % multiple_of == 0 for side in (height, width)):
        return
    fits = (
        f"multiples of {multiple_of} from {-(-LEAST // multiple_of) * multiple_of}"
        if multiple_of > 1
        else f"from {LEAST}"
    )
    nearest = max(LEAST, min(MOST, round(max(height, width) / multiple_of) * multiple_of))
    raise BenchError(
        f"the networks of this scheme can't take pictures of {height}x{width}: sides may be {fits} to {MOST}",
        cure=f"--set input_size={nearest} scales them, or save others",
    )
