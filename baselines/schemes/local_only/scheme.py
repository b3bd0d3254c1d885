"""Defines local only as a scheme."""

from __future__ import annotations

from pathlib import Path

from baselines.networks.quiet import start_tensorflow, start_training
from baselines.recipes.loading import recipe_for
from baselines.recipes.recipe import LocalOnlyRecipe
from baselines.training.handover import hand_over
from baselines.training.interface import Report, TrainOptions
from harness.contracts.description import DeviceDescription
from harness.contracts.errors import BenchError
from harness.contracts.paths import weights_dir
from harness.contracts.scheme import Scheme, ServerModel
from harness.contracts.search import SearchSpace


class LocalOnly(Scheme):
    """Runs everything on the device."""

    name = "local_only"
    title = "Local only"

    def train(self, options: TrainOptions, report: Report) -> Path:
        """Train the network with the reference network as its teacher, and export it as int8."""
        recipe = recipe_for(LocalOnlyRecipe, self.name, options)
        start_training(2)
        from baselines.export.artefact import work_folder, write_artefact  # noqa: PLC0415 - imports TensorFlow
        from baselines.export.evaluation import summarise  # noqa: PLC0415
        from baselines.export.quantise import CALIBRATION_PICTURES, to_int8  # noqa: PLC0415
        from baselines.schemes.local_only.training import fit  # noqa: PLC0415
        from baselines.training.pictures import training_data  # noqa: PLC0415
        from baselines.training.reference import cached  # noqa: PLC0415

        data = training_data(options, recipe)
        folder = options.out or weights_dir() / f"{options.dataset}-{options.profile}" / self.name
        work = work_folder(self.name, recipe, data)
        fitted = fit(recipe, data, work, report, title=self.title, resume=options.resume)
        if not options.export:
            return hand_over(report, work, cached(recipe.reference, data))
        description = DeviceDescription(
            scheme=self.name,
            dataset=options.dataset,
            profile=options.profile,
            classes=data.classes,
            input_shape=fitted.model.input_shape[1:],
            scale_pictures=bool(recipe.input_size),
            graph=True,
            offload="none",
            features_output=-1,
            local_logits_output=0,
            alpha=1.0,
        )
        graph = to_int8(fitted.model, fitted.samples.first(CALIBRATION_PICTURES))
        write_artefact(folder, description, graph=graph, recipe=recipe, history=fitted.history)
        summarise(
            self,
            folder,
            data,
            recipe.validation,
            training=fitted.figures,
            more={"validation_float": fitted.validation_float},
        )
        return folder

    def search_space(self, options: TrainOptions, report: Report) -> SearchSpace:
        """Return the networks of `search.py`, trained by the recipe with `options`."""
        recipe = recipe_for(LocalOnlyRecipe, self.name, options)
        start_tensorflow(2)
        from baselines.schemes.local_only.search import LocalOnlySpace  # noqa: PLC0415 - imports TensorFlow
        from baselines.training.pictures import training_data  # noqa: PLC0415

        return LocalOnlySpace(recipe, training_data(options, recipe), report)

    def server(self, artefact: Path) -> ServerModel:
        """Raise BenchError, as there is no server half."""
        raise BenchError("local_only has no server half", cure="it runs on the device alone")
