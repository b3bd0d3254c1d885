"""Local only as a scheme."""

from __future__ import annotations

from pathlib import Path

from baselines.data import load_dataset
from baselines.quiet import start_tensorflow
from baselines.recipe import LocalOnlyRecipe, recipe_for
from baselines.training.interface import Report, TrainOptions
from harness.contracts.description import DeviceDescription
from harness.contracts.errors import BenchError
from harness.contracts.paths import weights_dir
from harness.contracts.scheme import Scheme, ServerModel


class LocalOnly(Scheme):
    """Everything on the device."""

    name = "local_only"
    title = "Local only"

    def train(self, options: TrainOptions, report: Report) -> Path:
        """Train the network with the reference network as its teacher, export it as int8."""
        recipe = recipe_for(LocalOnlyRecipe, self.name, options)
        start_tensorflow(2)
        import keras  # noqa: PLC0415 - TensorFlow is imported by what trains

        from baselines.artefact import work_folder, write_artefact  # noqa: PLC0415
        from baselines.evaluation import summarise  # noqa: PLC0415
        from baselines.networks.device import small_model  # noqa: PLC0415
        from baselines.networks.folding import assign, fold  # noqa: PLC0415
        from baselines.quantise import CALIBRATION_PICTURES, to_int8  # noqa: PLC0415
        from baselines.reference import obtain  # noqa: PLC0415
        from baselines.training.loop import Run, train  # noqa: PLC0415
        from baselines.training.supervised import Samples, SupervisedJob, picture_shape  # noqa: PLC0415

        data = load_dataset(options.dataset, options.data_dir)
        folder = options.out or weights_dir() / f"{options.dataset}-{options.profile}" / self.name
        work = work_folder(self.name, recipe, data)
        distil = recipe.distillation
        wants_teacher = distil.weight > 0 and recipe.epochs > 0
        teacher = obtain(recipe.reference, data, report, resume=options.resume).model if wants_teacher else None
        keras.utils.set_random_seed(recipe.seed)
        samples = Samples(data, validation=recipe.validation, limit=recipe.max_train, size=recipe.input_size)
        shape = picture_shape(recipe, data)
        model = small_model(shape, data.classes, stem=recipe.stem, stages=recipe.stages, folded=False)
        job = SupervisedJob(
            model,
            samples,
            weight_decay=recipe.weight_decay,
            smoothing=recipe.smoothing,
            teacher=teacher,
            distil=distil.weight,
            distil_temperature=distil.temperature,
            nesterov=recipe.nesterov,
        )
        run = Run(
            title=self.title,
            folder=work,
            samples=len(samples),
            batch=recipe.batch,
            epochs=recipe.epochs,
            seed=recipe.seed,
            learning_rate=recipe.learning_rate,
            warmup_epochs=recipe.warmup_epochs,
            patience=recipe.patience,
        )
        figures = train(job, run, report, resume=options.resume)
        folded = small_model(shape, data.classes, stem=recipe.stem, stages=recipe.stages, folded=True)
        assign(folded, fold(model))
        description = DeviceDescription(
            scheme=self.name,
            dataset=options.dataset,
            profile=options.profile,
            classes=data.classes,
            input_shape=shape,
            scale_pictures=bool(recipe.input_size),
            graph=True,
            offload="none",
            features_output=-1,
            local_logits_output=0,
            alpha=1.0,
        )
        graph = to_int8(folded, samples.first(CALIBRATION_PICTURES))
        write_artefact(folder, description, graph=graph, recipe=recipe, history=work / run.log_name)
        summarise(self, folder, data, recipe.validation, training=figures, more={"validation_float": job.evaluate()})
        return folder

    def server(self, artefact: Path) -> ServerModel:
        """There is none."""
        raise BenchError("local_only has no server half", cure="it runs on the device alone")
