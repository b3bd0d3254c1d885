"""Full offloading as a scheme."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from baselines.data import load_dataset
from baselines.quiet import start_tensorflow
from baselines.recipe import FullOffloadRecipe, recipe_for
from baselines.training.interface import Report, TrainOptions
from harness.contracts.description import SERVER, DeviceDescription, load_description
from harness.contracts.paths import weights_dir
from harness.contracts.scheme import Scheme, ServerModel


class FullOffload(Scheme):
    """No graph on the device: 3,072 bytes of picture go to the reference network on the server."""

    name = "full_offload"
    title = "Full offloading"

    def train(self, options: TrainOptions, report: Report) -> Path:
        """Train (or take from the cache) the reference network and write the artefact."""
        recipe = recipe_for(FullOffloadRecipe, self.name, options, prefix="reference.")
        start_tensorflow(2)
        from baselines.artefact import write_artefact, write_bytes  # noqa: PLC0415 - imports TensorFlow
        from baselines.evaluation import summarise  # noqa: PLC0415
        from baselines.reference import obtain  # noqa: PLC0415

        data = load_dataset(options.dataset, options.data_dir)
        folder = options.out or weights_dir() / f"{options.dataset}-{options.profile}" / self.name
        reference = obtain(recipe.reference, data, report, resume=options.resume)
        write_bytes(folder / SERVER, reference.path.read_bytes())
        description = DeviceDescription(
            scheme=self.name,
            dataset=options.dataset,
            profile=options.profile,
            classes=data.classes,
            input_shape=reference.spec.input_shape,
            scale_pictures=bool(recipe.reference.input_size),
            graph=False,
            offload="image",
            features_output=-1,
            local_logits_output=-1,
            channels=3,
            n_symbols=256,
            symbol_table=list(range(256)),
            codec=recipe.codec,
            alpha=0.0,
        )
        write_artefact(folder, description, graph=None, recipe=recipe, history=reference.history)
        summarise(self, folder, data, recipe.reference.validation, training=reference.figures)
        return folder

    def server(self, artefact: Path) -> ServerModel:
        """The reference network behind symbols that are the picture's bytes."""
        from baselines.serving import load_server  # noqa: PLC0415 - imports TensorFlow

        description = load_description(artefact)
        table = (np.arange(256) / 255.0).tolist()
        return load_server(artefact / SERVER, description.input_shape, description.classes, table)
