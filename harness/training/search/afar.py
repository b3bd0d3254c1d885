"""Trains candidates of a search on the workers of a cluster, each with its own copy of the training pictures."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from harness.cluster import same_bench, worker
from harness.cluster.client import Cluster
from harness.cluster.worker import AsOneself
from harness.contracts.errors import BenchError
from harness.contracts.search import SearchSpace
from harness.host import registry
from harness.training.options import TrainOptions
from harness.training.search.trials import Trainer, timed


@dataclass(frozen=True)
class Searching:
    """Holds what all candidates of one search have in common."""

    run: str
    scheme: str
    options: TrainOptions
    key: str  # of the search space: recipe and data
    versions: Mapping[str, str] = field(default_factory=same_bench.training)


def there(cluster: Cluster, scheme: str, options: TrainOptions, space: SearchSpace) -> Trainer:
    """Return what trains candidates on the workers of a cluster.

    Raises:
        BenchError: the recipe is a file of this machine.
    """
    if options.recipe is not None:
        raise BenchError("--recipe is a file of this machine", cure="say it by --set, or leave --cluster out")

    def train(candidates: Sequence[str]) -> Iterator[tuple[float, float]]:
        shared = Searching(secrets.token_hex(6), scheme, replace(options, data_dir=None), space.key)
        found: dict[int, tuple[float, float]] = {}
        following = 0
        for index, result in cluster.each(tried, candidates, shared) if candidates else ():
            found[index] = result
            while following in found:
                yield found[following]
                following += 1

    return train


def tried(candidate: str, shared: Searching) -> tuple[float, float]:
    """Train one candidate on this worker; return its accuracy on validation (0..1) and the wall time, s.

    Raises:
        BenchError: this worker's data set is another, or the training failed.
    """
    at = worker.kept(shared, _Room)
    with at.lock:
        return timed(at.space, candidate)


class _Room:
    """Holds the search space of a worker, which trains one candidate at a time."""

    def __init__(self, shared: Searching, held: ExitStack) -> None:
        from baselines.training.interface import Silent  # noqa: PLC0415 - found late, like every baseline

        worker.check_training(shared.versions)
        space = registry.scheme(shared.scheme).search_space(shared.options, Silent())
        if space is None or space.key != shared.key:
            raise AsOneself(
                f"a worker has other training pictures of {shared.options.dataset}",
                cure="give every worker the same files",
            )
        self.space = space
        self.lock = threading.Lock()
