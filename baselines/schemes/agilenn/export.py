"""Writes AgileNN's artefact: device graph, symbol table and remote network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from baselines.export.borders import output_index, output_quantisation
from baselines.export.evaluation import device_half
from baselines.export.narrow import with_channels
from baselines.export.quantise import to_int8
from baselines.networks.folding import Weights
from baselines.networks.store import NetworkSpec, save_network
from baselines.recipes.recipe import AgileNNRecipe
from baselines.schemes.agilenn import prune
from baselines.schemes.agilenn.codebook import Floats, symbol_table
from baselines.training.interface import Report
from harness.contracts.description import SERVER, DeviceDescription


@dataclass(frozen=True)
class Half:
    """Holds the device half as exported: its graph and what the description says of it."""

    graph: bytes
    description: DeviceDescription


def export_device(
    folded: Any,
    centroids: Floats,
    alpha: float,
    recipe: AgileNNRecipe,
    *,
    scheme: str,
    dataset: str,
    profile: str,
    classes: int,
    calibration: npt.NDArray[np.uint8],
) -> Half:
    """Convert the folded device model and fold the codebook into a 256-entry table.

    Args:
        folded: picture -> [features, local logits], or the features alone where no channel stays local.
        calibration: uint8 training pictures.
    """
    graph = to_int8(folded, calibration)
    k = recipe.network.k
    features, logits = output_index(graph, 4), output_index(graph, 2) if k else -1
    scale, zero_point = output_quantisation(graph, features)
    description = DeviceDescription(
        scheme=scheme,
        dataset=dataset,
        profile=profile,
        classes=classes,
        input_shape=tuple(folded.input_shape[1:]),
        scale_pictures=bool(recipe.input_size),
        graph=True,
        offload="features",
        features_output=features,
        local_logits_output=logits,
        first_channel=k,
        channels=recipe.network.channels - k,
        n_symbols=len(centroids),
        symbol_table=symbol_table(scale, zero_point, centroids),
        centroids=[float(c) for c in centroids],
        codec=recipe.codec,
        alpha=alpha,
    )
    return Half(graph, description)


def pruned(half: Half, pictures: npt.NDArray[np.uint8], report: Report) -> Half:
    """Return the device half without constant channels and unused symbols (prune.py); all else is as it was.

    Args:
        pictures: uint8 training pictures on which a channel must be constant to be left out.
    """
    d = half.description
    symbols, _ = device_half(d, half.graph, pictures)
    if symbols is None:
        raise AssertionError("the device graph has features")
    constant = prune.constant_channels(symbols, d.channels)
    if constant:
        kept = [*range(d.first_channel), *(d.first_channel + c for c in prune.kept_of(d.channels, constant))]
        half = Half(with_channels(half.graph, d.features_output, kept), _without(d, constant))
        report.message(f"{len(constant)} of {d.channels} sent channels are constant, and left out")
    return Half(half.graph, prune.without_unused_symbols(half.description))


def _without(d: DeviceDescription, constant: dict[int, int]) -> DeviceDescription:
    return d.model_copy(
        update={
            "channels": d.channels - len(constant),
            "constant_channels": list(constant),
            "constant_symbols": list(constant.values()),
        }
    )


def export_remote(folder: Path, spec: NetworkSpec, weights: Weights) -> None:
    """Write `server.npz`."""
    save_network(folder / SERVER, spec, weights)
