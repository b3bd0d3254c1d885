"""What a training costs: operations counted in the compiled step, and a phase that takes more than its budget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
from keras import ops

from baselines.training import backend, loop
from baselines.training.interface import Silent

needs_tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX counts nothing")


@needs_tensorflow
def test_operations_of_a_step_with_its_gradients() -> None:
    picture = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, 2, "same")(picture)  # 4x4x4
    x = keras.layers.DepthwiseConv2D(3, 1, "same")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(picture, keras.layers.Dense(5)(x))

    def step(x: Any) -> Any:
        found = backend.gradients(lambda: {"loss": ops.sum(model(x))}, model.trainable_variables)
        return found[0]["loss"] + sum(ops.sum(g) for g in found[1])

    conv, depth, dense = 4 * 4 * 4 * 27, 4 * 4 * 4 * 9, 4 * 5
    # Forward, and two gradients each; nobody asks for the picture's.
    wanted = 2 * 6 * (2 * conv + 3 * depth + 3 * dense)
    assert backend.flop(backend.compiled(step), (ops.zeros((6, 8, 8, 3)),)) == wanted


@needs_tensorflow
def test_gradients_of_gradients_and_functions_within_are_counted() -> None:
    kernel = ops.ones((7, 5))
    inner = backend.compiled(lambda x: ops.matmul(x, kernel))

    def step(x: Any) -> Any:
        return backend.input_gradient(lambda v: (ops.sum(inner(v) ** 2), v), x)[0]

    assert backend.flop(backend.compiled(step), (ops.ones((3, 7)),)) == 2 * 2 * 3 * 7 * 5


class Costly(loop.Job):
    """Takes 100 operations a step."""

    def __init__(self) -> None:
        self.steps = 0

    def step(self, indices: Any, seed: Any, learning_rate: float) -> dict[str, Any]:
        self.steps += 1
        return {"loss": 1.0}

    def evaluate(self) -> dict[str, float]:
        return {"val_accuracy": 0.5}

    def variables(self) -> list[Any]:
        return [keras.Variable(0.0)]

    def step_flop(self) -> float:
        return 100.0


def run(folder: Path, budget_flop: float) -> loop.Run:
    return loop.Run("costly", folder, samples=40, batch=8, epochs=3, seed=0, learning_rate=0.1, budget_flop=budget_flop)


def test_costs_add_up_over_epochs(tmp_path: Path) -> None:
    figures = loop.train(Costly(), run(tmp_path, 1500.0), Silent(), resume=False)
    assert figures["flop"] == 3 * 5 * 100
    assert figures["cpu_s"] >= 0
    assert (tmp_path / "history.csv").read_text().splitlines()[0].endswith("wall_s,cpu_s,flop")


class Heard(Silent):
    """Keeps what was said."""

    said = ""

    def message(self, text: str) -> None:
        self.said += text


def test_a_phase_over_its_budget_is_said_at_once_and_marked_for_good(tmp_path: Path) -> None:
    heard = Heard()
    figures = loop.train(Costly(), run(tmp_path, 1200.0), heard, resume=False)
    assert figures["over_budget"] is True
    assert "3 epochs take 1.5e+03 FLOP, more than the recipe's budget of 1.2e+03 (--epochs 2 would fit)" in heard.said
    within = Heard()
    assert loop.train(Costly(), run(tmp_path / "b", 1500.0), within, resume=False)["over_budget"] is False
    assert within.said == ""
    assert "over_budget" not in loop.train(Costly(), run(tmp_path / "c", 0.0), within, resume=False)


def test_a_cost_that_an_epoch_lacks_is_left_out() -> None:
    old, new = {"wall_s": 1.0}, {"wall_s": 2.0, "cpu_s": 3.0, "flop": 4.0}
    assert loop.cost([old, new]) == {"wall_s": 3.0}
    assert loop.added(new, new) == {"wall_s": 4.0, "cpu_s": 6.0, "flop": 8.0}


def test_a_line_instead_of_a_cosine() -> None:
    schedule = loop.Schedule(epochs=3, steps_per_epoch=4, peak=1.0, warmup_epochs=1.0, decay="linear")
    rates = [schedule(step) for step in range(12)]
    np.testing.assert_allclose(rates[:4], [0.25, 0.5, 0.75, 1.0])
    np.testing.assert_allclose(rates[4:], 1e-6 + 1 - np.arange(8) / 8)
