"""Describes the local-only networks that a search may choose from.

A network has a stem of 8..32 channels at 32x32 or 16x16, then three or four stages, each of plain convolutions with
residual blocks or of inverted residuals (MCUNet's block: Lin et al., NeurIPS 2020). Widths grow, and the map is
halved down to 4x4.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np

from baselines.data import DataSet
from baselines.data.resize import resized
from baselines.export.artefact import work_folder
from baselines.export.quantise import to_int8
from baselines.networks.stages import Stage, parse_stage
from baselines.recipes.hashing import as_tree
from baselines.recipes.recipe import LocalOnlyRecipe
from baselines.schemes.local_only.training import Teacher, fit, network
from baselines.training.interface import Report

STEMS = (8, 16, 24, 32)
WIDTHS = ((16, 24, 32), (24, 32, 48, 64), (48, 64, 96, 128), (64, 96, 128, 160))
CONV_DEPTHS, INVERTED_DEPTHS, EXPANSIONS = (0, 1, 2), (1, 2, 3), (2, 3, 4, 6)
KINDS = ("conv", "inverted")
_CALIBRATION = 32  # pictures: ranges of untrained weights matter to nobody


class LocalOnlySpace:
    """Writes candidates as `stem 16 s2; conv 16 s1 d0; conv 32 s2 d1`; all are trained by `recipe`."""

    def __init__(self, recipe: LocalOnlyRecipe, data: DataSet, report: Report) -> None:
        self._recipe, self._data, self._report = recipe, data, report
        self._teacher = Teacher()
        tree = as_tree(recipe)
        for name in ("stem", "stem_stride", "stages"):
            del tree[name]
        text = json.dumps({"recipe": tree, "data": data.checksum}, sort_keys=True)
        self.key = hashlib.sha256(text.encode()).hexdigest()

    def first(self) -> str:
        """Return the recipe's own network."""
        r = self._recipe
        return _text(r.stem, r.stem_stride, list(map(parse_stage, r.stages)))

    def sample(self, rng: np.random.Generator) -> str:
        """Draw a candidate uniformly over every choice."""
        stem_stride = int(rng.choice((1, 2)))
        count = int(rng.choice((3, 4)))
        halvings = 3 if stem_stride == 1 else 2  # down to 4x4
        at = set(rng.permutation(np.arange(1, count))[:halvings].tolist()) if halvings < count else set(range(count))
        stages = [_stage(rng, i, 2 if i in at else 1) for i in range(count)]
        return _text(int(rng.choice(STEMS)), stem_stride, _growing(stages))

    def drawn(self, choose: Callable[[str, tuple[Any, ...]], Any]) -> str:
        """Do what `SearchSpace.drawn` says."""
        stem_stride, count = int(choose("stem_stride", (1, 2))), int(choose("stages", (3, 4)))
        halvings = 3 if stem_stride == 1 else 2  # down to 4x4
        ways = tuple(",".join(map(str, way)) for way in combinations(range(1, count), halvings)) or ("0,1,2",)
        at = {int(i) for i in choose(f"halved{halvings} of {count}", ways).split(",")}
        stages = []
        for i in range(count):
            kind, width = str(choose(f"kind{i}", KINDS)), int(choose(f"width{i}", WIDTHS[min(i, len(WIDTHS) - 1)]))
            stride = 2 if i in at else 1
            if kind == "conv":
                stages.append(Stage("conv", width, stride, int(choose(f"conv depth{i}", CONV_DEPTHS))))
            else:
                depth = int(choose(f"inverted depth{i}", INVERTED_DEPTHS))
                stages.append(Stage("inverted", width, stride, depth, int(choose(f"expand{i}", EXPANSIONS))))
        return _text(int(choose("stem", STEMS)), stem_stride, _growing(stages))

    def mutate(self, candidate: str, rng: np.random.Generator) -> str:
        """Make one choice anew; strides stay."""
        stem, stem_stride, stages = _parse(candidate)
        at = int(rng.integers(-1, len(stages)))
        if at < 0:
            stem = int(rng.choice(STEMS))
        else:
            old, new = stages[at], _stage(rng, at, stages[at].stride)
            what = int(rng.integers(3))
            if what == 0:  # width alone
                stages[at] = Stage(old.kind, new.width, old.stride, old.depth, old.expand)
            elif what == 1 and new.kind == old.kind:  # depth and expansion
                stages[at] = Stage(old.kind, old.width, old.stride, new.depth, new.expand)
            else:
                stages[at] = new
        return _text(stem, stem_stride, _growing(stages))

    def graph(self, candidate: str) -> bytes:
        """Do what `SearchSpace.graph` says."""
        import keras  # noqa: PLC0415 - as in training

        keras.backend.clear_session()
        keras.utils.set_random_seed(self._recipe.seed)
        model = network(self._with(candidate), self._data, folded=True)
        flat: bytes = to_int8(model, resized(self._data.x_train[:_CALIBRATION], self._recipe.input_size))
        return flat

    def accuracy(self, candidate: str) -> float:
        """Do what `SearchSpace.accuracy` says, in float: int8 costs all of them alike, about 0.1 points."""
        recipe = self._with(candidate)
        fitted = fit(
            recipe,
            self._data,
            work_folder("local_only-search", recipe, self._data),
            self._report,
            title=candidate,
            resume=True,
            teacher=self._teacher,
        )
        return fitted.validation_float["val_accuracy"]

    def recipe_words(self, candidate: str) -> list[str]:
        """Do what `SearchSpace.recipe_words` says."""
        stem, stem_stride, stages = _parse(candidate)
        listed = json.dumps([str(stage) for stage in stages])
        return ["--set", f"stem={stem}", "--set", f"stem_stride={stem_stride}", "--set", f"stages={listed}"]

    def _with(self, candidate: str) -> LocalOnlyRecipe:
        stem, stem_stride, stages = _parse(candidate)
        changed: dict[str, Any] = {"stem": stem, "stem_stride": stem_stride, "stages": [str(stage) for stage in stages]}
        return LocalOnlyRecipe.model_validate(self._recipe.model_dump(by_alias=True) | changed)


def _stage(rng: np.random.Generator, at: int, stride: int) -> Stage:
    width = int(rng.choice(WIDTHS[min(at, len(WIDTHS) - 1)]))
    if rng.random() < 0.5:
        return Stage("conv", width, stride, int(rng.choice(CONV_DEPTHS)))
    return Stage("inverted", width, stride, int(rng.choice(INVERTED_DEPTHS)), int(rng.choice(EXPANSIONS)))


def _growing(stages: list[Stage]) -> list[Stage]:
    """Widen stages so that none is narrower than the one before."""
    grown: list[Stage] = []
    for s in stages:
        width = max(s.width, grown[-1].width if grown else 0)
        grown.append(Stage(s.kind, width, s.stride, s.depth, s.expand))
    return grown


def _text(stem: int, stem_stride: int, stages: list[Stage]) -> str:
    return "; ".join([f"stem {stem} s{stem_stride}", *map(str, stages)])


def _parse(candidate: str) -> tuple[int, int, list[Stage]]:
    head, *rest = candidate.split("; ")
    _, stem, stride = head.split(" ")
    return int(stem), int(stride[1:]), [parse_stage(text) for text in rest]
