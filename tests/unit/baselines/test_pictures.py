"""What a recipe can't train on is said before anything is trained, with the size or number that would do."""

from __future__ import annotations

import numpy as np
import pytest

from baselines.data import DataSet
from baselines.recipes.recipe import ReferenceRecipe
from baselines.training.pictures import check
from harness.contracts.errors import BenchError


def data(height: int, width: int, n: int = 100) -> DataSet:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (n, height, width, 3), dtype=np.uint8)
    y = (np.arange(n) % 3).astype(np.uint8)
    return DataSet("flowers", x, y, x[:20], y[:20], ("a", "b", "c"), "made")


def recipe(**changes: object) -> ReferenceRecipe:
    return ReferenceRecipe.model_validate({"epochs": 1, "validation": 20} | changes)


@pytest.mark.parametrize(
    ("found", "changes", "multiple_of", "said"),
    [
        (data(16, 16, 30), {"validation": 30}, 1, "30 training pictures, and validation = 30 .*: --set validation=3,"),
        (data(16, 16, 30), {"validation": 5000}, 1, "flowers has 30 training pictures"),
        (data(300, 300, 30), {}, 1, "pictures of 300x300: sides may be from 8 to 256: --set input_size=256 scales"),
        (data(4, 40, 30), {}, 1, "pictures of 4x40: sides may be from 8 to 256: --set input_size=40 scales"),
        (
            data(33, 47),
            {},
            4,
            "pictures of 33x47: sides may be multiples of 4 from 8 to 256: --set input_size=48 scales",
        ),
    ],
)
def test_what_does_not_fit_is_said_at_once(
    found: DataSet, changes: dict[str, object], multiple_of: int, said: str
) -> None:
    with pytest.raises(BenchError, match=said):
        check(found, recipe(**changes), multiple_of=multiple_of)


def test_what_fits_is_taken() -> None:
    check(data(33, 47), recipe())
    check(data(33, 47), recipe(input_size=48), multiple_of=4)
    check(data(24, 40), recipe(), multiple_of=4)
