"""The half of the backend tests that runs where Keras has another backend: `KERAS_BACKEND=jax python FILE TASK FOLDER`.

With `--no-tensorflow` importing TensorFlow fails, as on a machine that has none.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

OVERRIDES = {
    "batch": "16",
    "validation": "32",
    "finish_epochs": "1",
    "importance.batch": "8",
    "codebook.centroids": "4",
    "preselect.samples": "32",
    "network.local_widths": "[4]",
    "network.remote_widths": "[8, 8]",
    "reference.epochs": "1",
    "reference.batch": "16",
    "reference.validation": "32",
    "reference.widths": "[8, 8]",
}


class NoTensorFlow:
    """An import hook before all others."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.partition(".")[0] == "tensorflow":
            raise ModuleNotFoundError("there is no TensorFlow here", name=name)


def synthetic() -> Any:
    """The data set of conftest.py."""
    spec = importlib.util.spec_from_file_location("conf", Path(__file__).parent / "conftest.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.synthetic()


def joint_gradients(*, second_order: bool) -> dict[str, np.ndarray]:
    """Loss and gradients of AgileNN's joint step at weights and pictures that depend on no backend."""
    from baselines.recipes.loading import load_recipe  # noqa: PLC0415
    from baselines.recipes.recipe import AgileNNRecipe  # noqa: PLC0415
    from baselines.schemes.agilenn.joint import JointJob  # noqa: PLC0415
    from baselines.schemes.agilenn.networks import device_model, reference_body, remote_spec  # noqa: PLC0415
    from baselines.training import backend  # noqa: PLC0415
    from baselines.training.augment import to_unit  # noqa: PLC0415
    from baselines.training.reference import picture_spec  # noqa: PLC0415
    from baselines.training.supervised import Samples  # noqa: PLC0415

    more = {"precision": "float32", "importance.second_order": str(second_order).lower(), "distillation.weight": "0.5"}
    more |= {"importance.correct_only": "false", "losses.local": "0.6"}
    recipe, data = load_recipe(AgileNNRecipe, "agilenn", "cifar10", "compact", overrides=OVERRIDES | more), synthetic()
    reference = picture_spec(recipe.reference, data).build(folded=False)
    device, remote = device_model(recipe, data, folded=False), remote_spec(recipe, data).build(folded=False)
    rng = np.random.default_rng(5)
    for model in (reference, device, remote):
        for variable in model.variables:
            shape = tuple(variable.shape)
            if len(shape) > 1:
                variable.assign((rng.standard_normal(shape) * (2 / np.prod(shape[:-1])) ** 0.5).astype(np.float32))
            else:
                variable.assign(rng.uniform(0.5, 1.5, shape).astype(np.float32))
    body = reference_body(picture_spec(recipe.reference, data), reference, recipe, data)
    samples = Samples(data, validation=32)
    centroids = np.array([0.3, 1.1, 2.4, 4.8], np.float32)
    job = JointJob(
        device=device, remote=remote, body=body, teacher=reference, samples=samples, recipe=recipe, centroids=centroids
    )

    def whole(pictures: Any, y: Any) -> Any:
        return backend.gradients(lambda: job.losses(to_unit(pictures), y), job.trainable())

    import keras  # noqa: PLC0415

    pictures, y = samples.at(np.arange(16, dtype=np.int32))
    metrics, found = backend.compiled(whole)(*map(keras.ops.convert_to_tensor, (pictures, y)))
    named = {f"{i:02d} {v.path}": np.asarray(g) for i, (v, g) in enumerate(zip(job.trainable(), found, strict=True))}
    after = {f"after {v.path}": np.asarray(v) for v in device.non_trainable_variables}  # statistics of the batch
    return {name: np.asarray(value) for name, value in metrics.items()} | named | after


def gradients(folder: Path) -> None:
    """Into `full.npz` and `first.npz`, without the second-order terms."""
    for name, second_order in (("full", True), ("first", False)):
        np.savez(folder / f"{name}.npz", **joint_gradients(second_order=second_order))


def agilenn(folder: Path, cache: str, *, stop: bool = False, resume: bool = False, **more: str) -> Any:
    """Two joint epochs and one of the local branch, nothing exported; `stop` interrupts after the first."""
    from baselines.schemes.agilenn import AgileNN  # noqa: PLC0415
    from baselines.training import pictures  # noqa: PLC0415
    from baselines.training.interface import Silent  # noqa: PLC0415
    from harness.training.options import TrainOptions  # noqa: PLC0415

    class Watch(Silent):
        def begin(self, title: str, epochs: int, steps: int, first_epoch: int) -> None:
            self.title = title

        def epoch(self, epoch: int, metrics: dict[str, float]) -> None:
            if stop and self.title == AgileNN.title:
                raise KeyboardInterrupt

    os.environ["AGILENN_CACHE_DIR"] = str(folder / cache)
    pictures.load_dataset = lambda *_: synthetic()
    options = TrainOptions("cifar10", epochs=2, resume=resume, export=False, overrides=OVERRIDES | more)
    return AgileNN().train(options, Watch())


def resume(folder: Path) -> None:
    """One training in `whole/`, the same one interrupted and resumed in `cut/`; then one that diverges in epoch 2."""
    from baselines.training import loop  # noqa: PLC0415
    from harness.contracts.errors import BenchError  # noqa: PLC0415

    agilenn(folder, "whole")
    try:
        agilenn(folder, "cut", stop=True)
    except KeyboardInterrupt:
        agilenn(folder, "cut", resume=True)
    (folder / "cut").rename(folder / "resumed")
    loop.Schedule.__call__ = lambda self, step: 0.01 if step < self.steps_per_epoch else 1e30
    shutil.copytree(folder / "resumed", folder / "diverging")
    try:
        agilenn(folder, "diverging")
    except BenchError as e:
        (folder / "diverged").write_text(str(e))


def way_in(folder: Path) -> None:
    """`harness.train agilenn` as a user has it; its exit code into `code`."""
    from baselines.training import pictures  # noqa: PLC0415
    from harness.commands import train  # noqa: PLC0415

    os.environ["AGILENN_CACHE_DIR"] = str(folder / "cache")
    pictures.load_dataset = lambda *_: synthetic()
    words = [word for key, value in OVERRIDES.items() for word in ("--set", f"{key}={value}")]
    code = train.main(["agilenn", "--epochs", "1", "--out", str(folder / "out"), *words])
    (folder / "code").write_text(str(code))


if __name__ == "__main__":
    if "--no-tensorflow" in sys.argv:
        sys.meta_path.insert(0, NoTensorFlow())
    {"gradients": gradients, "resume": resume, "way_in": way_in}[sys.argv[1]](Path(sys.argv[2]))
