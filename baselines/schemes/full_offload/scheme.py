"""Defines full offloading as a scheme, losslessly and by JPEG."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from baselines.networks.quiet import start_training
from baselines.recipes.loading import recipe_for
from baselines.recipes.recipe import FullOffloadRecipe
from baselines.training.handover import hand_over
from baselines.training.interface import Report, TrainOptions
from harness.contracts.description import (
    DESCRIPTION,
    SERVER,
    DeviceDescription,
    file_sha256,
    load_description,
    server_file,
)
from harness.contracts.errors import BenchError
from harness.contracts.paths import weights_dir
from harness.contracts.scheme import Scheme, ServerModel


class FullOffload(Scheme):
    """Has no graph on the device: the whole picture goes to the reference network on the server."""

    name = "full_offload"
    title = "Full offloading"

    def train(self, options: TrainOptions, report: Report) -> Path:
        """Train (or take from the cache, or from the folder beside this one) the reference network; write the artefact.

        Raises:
            BenchError: `reference.obtain` raises it, or the recipe scales pictures to what the network's size does
                not divide.
        """
        recipe = recipe_for(FullOffloadRecipe, self.name, options, prefix="reference.")
        start_training(2)
        from baselines.export.artefact import versions, write_artefact, write_bytes, write_summary  # noqa: PLC0415 - TensorFlow
        from baselines.export.evaluation import summarise  # noqa: PLC0415
        from baselines.training.adapted import check_adapt  # noqa: PLC0415
        from baselines.training.pictures import training_data  # noqa: PLC0415
        from baselines.training.reference import obtain, picture_spec  # noqa: PLC0415

        data = training_data(options, recipe.reference)
        check_adapt(recipe.adapt, recipe.reference, data)
        folder = options.out or weights_dir() / f"{options.dataset}-{options.profile}" / self.name
        of = recipe.server_of.format(dataset=options.dataset)
        beside = Path(os.path.normpath(folder / of))  # the folder itself may not be there yet
        shared = _shared(beside, options.dataset) if of else None
        shape = picture_spec(recipe.reference, data).input_shape
        sent = (recipe.upscaled, recipe.upscaled, 3) if recipe.upscaled else shape
        _reach(sent, shape)
        network = None
        if shared is None:
            reference = obtain(recipe.reference, data, report, resume=options.resume)
            network = _network(recipe, reference, data, report, resume=options.resume)
            if not options.export:
                return hand_over(report, network.path.parent, reference.path.parent)
            write_bytes(folder / SERVER, network.path.read_bytes())
        else:
            report.message(f"the server network is that of {beside}")
            if not options.export:
                return beside
            (folder / SERVER).unlink(missing_ok=True)
        description = DeviceDescription(
            scheme=self.name,
            dataset=options.dataset,
            profile=options.profile,
            classes=data.classes,
            input_shape=sent,
            scale_pictures=bool(recipe.upscaled or recipe.reference.input_size),
            graph=False,
            offload="image",
            features_output=-1,
            local_logits_output=-1,
            channels=3,
            n_symbols=256,
            symbol_table=list(range(256)),
            codec=recipe.codec,
            jpeg_quality=recipe.jpeg_quality,
            jpeg_chroma=recipe.jpeg_chroma,
            server_of=of if shared else "",
            server_sha256=shared or "",
            alpha=0.0,
        )
        history, figures = (None, {}) if network is None else (network.history, network.figures)
        write_artefact(folder, description, graph=None, recipe=recipe, history=history)
        if recipe.codec == "jpeg":  # its loss is the C encoder's, which `python -m harness.accuracy` asks
            known = {"training": figures} if figures else {}
            write_summary(folder, {"scheme": self.name, "dataset": data.name, **known, "versions": versions()})
        else:
            summarise(self, folder, data, recipe.reference.validation, training=figures)
        return folder

    def server(self, artefact: Path) -> ServerModel:
        """Return the reference network behind symbols that are the picture's bytes."""
        from baselines.export.serving import load_server  # noqa: PLC0415
        from baselines.networks.store import read_spec  # noqa: PLC0415
        from baselines.schemes.full_offload.reduced import Reduced  # noqa: PLC0415

        description = load_description(artefact)
        file, table = server_file(artefact, description), (np.arange(256) / 255.0).tolist()
        shape = read_spec(file).input_shape
        reach = _reach(description.input_shape, shape)
        network = load_server(file, shape, description.classes, table)
        return network if reach == 1 else Reduced(network, description.input_shape, reach)


class FullOffloadJpeg(FullOffload):
    """Runs the same network behind pictures that travel as JPEG."""

    name = "full_offload_jpeg"
    title = "Full offloading (JPEG)"


def _network(recipe: FullOffloadRecipe, reference: Any, data: Any, report: Report, *, resume: bool) -> Any:
    """Return the server's network: the reference network, or that trained on for the pictures that arrive."""
    if not recipe.adapt.epochs:
        return reference
    from baselines.training.adapted import obtain_adapted  # noqa: PLC0415 - TensorFlow

    jpeg = {"quality": recipe.jpeg_quality, "chroma": recipe.jpeg_chroma}
    return obtain_adapted(reference, recipe.reference, recipe.adapt, data, report, **jpeg, resume=resume)


def _shared(folder: Path, dataset: str) -> str | None:
    """Return the SHA-256 of the server network in `folder`, or None where there is none."""
    if not (folder / DESCRIPTION).exists():
        return None
    other = load_description(folder)
    if other.dataset != dataset or other.server_of:
        raise BenchError(f"{folder} holds {other.label}, not the network for {dataset}", cure="change server_of")
    return file_sha256(folder / SERVER)


def _reach(sent: tuple[int, int, int], taken: tuple[int, int, int]) -> int:
    """Return how many pixels are sent along a side for each one that the network takes.

    It is an odd number, so that one of them is in the middle.
    """
    reach = sent[0] // taken[0]
    if reach % 2 == 0 or (taken[0] * reach, taken[1] * reach) != sent[:2]:
        raise BenchError(f"pictures of {sent[0]}x{sent[1]} for a network of {taken[0]}x{taken[1]}: not an odd multiple")
    return reach
