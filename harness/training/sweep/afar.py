"""Trains the points of a sweep on the workers of a cluster.

A recipe goes along with each point. Pictures do not, as a training set is large: every worker has its own copy, or
fetches it, and the copy must have the checksum of this machine's.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from harness.cluster import same_bench, worker
from harness.cluster.client import Cluster
from harness.cluster.worker import AsOneself
from harness.contracts.errors import BenchError
from harness.runs import trained_rows as rows
from harness.runs.trained_rows import Row
from harness.training.sweep import points
from harness.training.sweep.axes import Setting
from harness.training.sweep.points import Base

if TYPE_CHECKING:
    from baselines.recipes.recipe import AgileNNRecipe
    from baselines.schemes.agilenn.trial import Trials


@dataclass(frozen=True)
class Trainings:
    """Holds what all points of one sweep have in common."""

    run: str
    base: Base
    axis: str
    checksum: str
    versions: Mapping[str, str] = field(default_factory=same_bench.training)


def there(
    cluster: Cluster, base: Base, settings: Sequence[Setting], axis: str, checksum: str
) -> Iterator[tuple[int, Row]]:
    """Train the points; yield (index, row) as they are finished. Each row is kept here too.

    Raises:
        BenchError: a recipe names a file of this machine, or a training failed.
    """
    recipes = [base.recipe(setting) for setting in settings]
    for recipe in recipes:
        if recipe.reference.file:
            raise BenchError(
                "reference.file is a file of this machine, which the workers of a cluster lack",
                cure="leave it or --cluster out",
            )
    shared = Trainings(secrets.token_hex(6), replace(base, file=None), axis, checksum)
    for index, row in cluster.each(trained, list(zip(settings, recipes, strict=True)), shared):
        rows.keep(row)
        yield index, row


def trained(point: tuple[Setting, AgileNNRecipe], shared: Trainings) -> Row:
    """Train one point on this worker and return its row; one that it has trained before is taken as it is.

    Raises:
        BenchError: this worker's data set is another, or the training failed.
    """
    setting, recipe = point
    at = worker.kept(shared, _Room)
    with at.lock:
        own = points.point_hash(shared.base, recipe, shared.checksum)
        found = points.found_before(own, shared.axis, ())
        if found is not None:
            return found | {"axis": shared.axis, "value": setting.value}
        return points.train(shared.base, setting, shared.axis, recipe, at.trials, shared.checksum)


class _Room:
    """Holds the data set and reference network of a worker, which trains one point at a time."""

    def __init__(self, shared: Trainings, held: ExitStack) -> None:
        from baselines.data import load_dataset  # noqa: PLC0415 - found late, like every baseline
        from baselines.networks.quiet import start_tensorflow  # noqa: PLC0415

        worker.check_training(shared.versions)
        data = load_dataset(shared.base.dataset)
        if data.checksum != shared.checksum:
            raise AsOneself(
                f"a worker has another {shared.base.dataset} ({data.checksum[:8]} instead of {shared.checksum[:8]})",
                cure="give every worker the same files",
            )
        start_tensorflow(os.cpu_count() or 2)
        from baselines.schemes.agilenn.trial import Trials as Made  # noqa: PLC0415
        from baselines.training.interface import Silent  # noqa: PLC0415

        self.trials: Trials = Made(data, Silent())
        self.lock = threading.Lock()
