"""Sweeps over trained weights without training: alpha, run-time compression, early exit. It takes the whole test set,
in int8.

The device half is the firmware's own C code on the host; the remote half the server's network.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from harness.artefacts import artefacts, images
from harness.artefacts.accuracy import device_halves
from harness.artefacts.artefacts import Artefact
from harness.contracts.errors import BenchError
from harness.contracts.scheme import ServerModel
from harness.host import registry
from harness.runs import trained_rows as rows
from harness.runs.trained_rows import AT_RUN_TIME, Row
from harness.training.sweep.latency import Latency
from harness.training.sweep.points import payload_figures, settings_of

if TYPE_CHECKING:
    from baselines.recipes.recipe import AgileNNRecipe

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
ALPHAS = tuple(round(0.1 * i, 1) for i in range(11))
THRESHOLDS = (*(round(0.3 + 0.05 * i, 2) for i in range(15)), 2.0)
MOST_LOSS = 0.005  # of validation accuracy that an early exit may cost


@dataclass(frozen=True)
class Halves:
    """Holds what the two halves say of one split: logits float32 [n, classes], symbols and bytes sent, labels [n]."""

    local: Floats
    remote: Floats
    symbols: Bytes
    payload: npt.NDArray[np.uint32]
    labels: Bytes

    def right(self, alpha: float) -> npt.NDArray[np.bool_]:
        """Say, sample by sample, whether the combination is right."""
        combined = np.float32(alpha) * self.local + np.float32(1.0 - alpha) * self.remote
        return np.asarray(np.argmax(combined, axis=1) == self.labels)

    def accuracies(self, alpha: float) -> Row:
        """Return the three accuracies, 0..1."""
        return {
            "accuracy": round(float(self.right(alpha).mean()), 5),
            "local_accuracy": round(float(self.right(1.0).mean()), 5),
            "remote_accuracy": round(float(self.right(0.0).mean()), 5),
        }

    def surest(self) -> Floats:
        """Return the softmax probability of the local branch's answer, as the device's exit test has it."""
        shifted = self.local - self.local.max(axis=1, keepdims=True)
        surest: Floats = (1.0 / np.exp(shifted).sum(axis=1)).astype(np.float32)
        return surest


class Weights:
    """Holds AgileNN's trained weights of a data set and profile, with both splits' halves as they are asked for."""

    def __init__(self, dataset: str, profile: str) -> None:
        from testbeds.firmware.toolchain.build import build  # noqa: PLC0415 - found late, like every testbed

        self.artefact: Artefact = artefacts.find("agilenn", dataset, profile)
        if self.artefact.description.local_logits_output < 0:
            raise BenchError(f"{self.artefact.folder} has no local branch", cure="choose weights that have one")
        self._library = build(self.artefact.folder, "host")
        self._server = registry.scheme("agilenn").server(self.artefact.folder)
        self.recipe = _recipe(self.artefact)

    def test(self) -> Halves:
        """Return the halves of the whole test set."""
        d = self.artefact.description
        data = images.load(d.dataset).fitting(d)
        return self._halves(data.pictures, data.labels)

    def validation(self) -> Halves:
        """Return the halves of what was held out of training."""
        from baselines.data import load_dataset, resized, train_validation_split  # noqa: PLC0415

        d = self.artefact.description
        data = load_dataset(d.dataset)
        _, _, x, y = train_validation_split(data.x_train, data.y_train, validation=self.recipe.validation)
        return self._halves(resized(x, d.input_shape[0] if d.scale_pictures else 0), y)

    def _halves(self, pictures: Bytes, labels: Bytes) -> Halves:
        from testbeds.firmware.host.schemelib import HostLibrary  # noqa: PLC0415

        batch = device_halves(self.artefact, self._library, pictures, os.cpu_count() or 1)
        host = HostLibrary(self._library)
        local = np.stack([host.local_logits(one) for one in batch.local_logits])
        return Halves(local, self._server.infer_batch(batch.symbols), batch.symbols, batch.payload_bytes, labels)

    def row(self, axis: str, value: str) -> Row:
        """Return the columns that every row of these weights has."""
        d = self.artefact.description
        named: Row = {"dataset": d.dataset, "profile": d.profile, "axis": axis, "value": value}
        own: Row = {
            "epochs": self.recipe.epochs,
            "alpha": d.alpha,
            "recipe_hash": f"weights-{self.artefact.weights[:8]}",
        }
        return dict.fromkeys(rows.COLUMNS) | named | settings_of(self.recipe) | own | {"source": "measured"}


def _recipe(artefact: Artefact) -> AgileNNRecipe:
    from baselines.recipes.loading import load_recipe  # noqa: PLC0415
    from baselines.recipes.recipe import AgileNNRecipe  # noqa: PLC0415

    d = artefact.description
    return load_recipe(AgileNNRecipe, "agilenn", d.dataset, d.profile, file=artefact.folder / "recipe.toml")


def alpha(weights: Weights) -> list[Row]:
    """Return accuracy against the weight of the local logits (Fig 18)."""
    halves = weights.test()
    return [
        weights.row("alpha", f"{a:g}") | halves.accuracies(a) | {"alpha": a, "n_test": len(halves.labels)}
        for a in ALPHAS
    ]


def compression(weights: Weights, levels: Sequence[int] = (2, 3, 4, 6, 8)) -> list[Row]:
    """Return accuracy with coarser codebooks at run time: neighbouring centroids are merged, nothing is trained (Fig
    17).

    Which are merged is decided on validation symbols; the server's value of a group is their mean.
    """
    d = weights.artefact.description
    histogram = np.bincount(weights.validation().symbols.ravel(), minlength=d.n_symbols).astype(np.float64)
    test = weights.test()
    channels = d.first_channel + d.channels + len(d.constant_channels)
    values = test.symbols.shape[1] // d.channels * channels
    found = []
    for n in sorted({*(n for n in levels if n < d.n_symbols), d.n_symbols}):
        groups, centroids = merge(np.asarray(d.centroids), histogram, n)
        symbols = groups[test.symbols]
        remote = test.remote if n == d.n_symbols else _remote(weights, groups, centroids).infer_batch(symbols)
        coarse = Halves(test.local, remote, symbols, test.payload, test.labels)
        row = weights.row("compression", f"{n}{AT_RUN_TIME}") | {"centroids": n, "n_test": len(test.labels)}
        found.append(row | coarse.accuracies(d.alpha) | payload_figures(symbols, n, values))
    return found


def merge(centroids: npt.NDArray[np.float64], histogram: npt.NDArray[np.float64], n: int) -> tuple[Bytes, list[float]]:
    """Return the `n` groups of neighbouring ascending centroids with the least squared error over the histogram.

    Returns the group of each symbol (uint8) and each group's mean value, ascending.
    """
    best: tuple[float, tuple[int, ...]] | None = None
    for cuts in itertools.combinations(range(1, len(centroids)), n - 1):
        bounds = (0, *cuts, len(centroids))
        error = 0.0
        for low, high in itertools.pairwise(bounds):
            mean = _mean(centroids, histogram, low, high)
            error += float(np.sum(histogram[low:high] * (centroids[low:high] - mean) ** 2))
        if best is None or error < best[0] - 1e-12:
            best = error, bounds
    if best is None:
        raise ValueError(f"{len(centroids)} centroids can't be {n} groups")
    bounds = best[1]
    groups = np.zeros(len(centroids), np.uint8)
    for i, (low, high) in enumerate(itertools.pairwise(bounds)):
        groups[low:high] = i
    return groups, [_mean(centroids, histogram, low, high) for low, high in itertools.pairwise(bounds)]


def _mean(centroids: npt.NDArray[np.float64], histogram: npt.NDArray[np.float64], low: int, high: int) -> float:
    counts = histogram[low:high]
    total = float(counts.sum())
    return float((counts * centroids[low:high]).sum() / total) if total else float(centroids[low:high].mean())


def _remote(weights: Weights, groups: Bytes, centroids: list[float]) -> ServerModel:
    from baselines.schemes.agilenn.scheme import feature_shape  # noqa: PLC0415
    from baselines.schemes.agilenn.serving import load_remote  # noqa: PLC0415

    folder, d = weights.artefact.folder, weights.artefact.description
    coarse = d.model_copy(update={"constant_symbols": [int(groups[symbol]) for symbol in d.constant_symbols]})
    return load_remote(folder, coarse, feature_shape(folder), centroids)


def exits(weights: Weights, latency: Latency) -> tuple[list[Row], str]:
    """Return rows and choice of AgileNN with an early exit: where the local answer is sure enough, nothing is sent.

    The threshold chosen is the one that sends least on validation and costs at most `MOST_LOSS` of accuracy there.
    """
    held, test, d = weights.validation(), weights.test(), weights.artefact.description
    found = []
    for threshold in THRESHOLDS:
        own = {name: _exit(halves, threshold, d.alpha) for name, halves in (("held", held), ("test", test))}
        sent, accuracy_, payload = own["test"]
        row = weights.row("exit", "never" if threshold > 1 else f"{threshold:g}")
        row |= test.accuracies(d.alpha) | {"accuracy": round(accuracy_, 5), "share_sent": round(sent, 5)}
        row |= {"validation_accuracy": round(own["held"][1], 5), "n_validation": len(held.labels)}
        row |= {"n_test": len(test.labels), "payload_bytes_mean": round(payload, 2) if sent else None}
        row |= latency.totals(payload, sent=sent) | {"local_ms": latency.local_ms, "time_source": "modelled"}
        found.append(row)
    never = found[-1]["validation_accuracy"]
    good = [row for row in found if row["validation_accuracy"] >= never - MOST_LOSS]
    chosen = min(good, key=lambda row: (row["share_sent"], row["value"]))
    return found, str(chosen["value"])


def _exit(halves: Halves, threshold: float, alpha_: float) -> tuple[float, float, float]:
    leaves = halves.surest() >= threshold if threshold <= 1 else np.zeros(len(halves.labels), np.bool_)
    right = np.where(leaves, halves.right(1.0), halves.right(alpha_))
    payload = float(halves.payload[~leaves].mean()) if not leaves.all() else 0.0
    return float((~leaves).mean()), float(right.mean()), payload


def weights_folder(dataset: str, profile: str) -> Path:
    """Return where the weights are, for a note."""
    return artefacts.find("agilenn", dataset, profile).folder
