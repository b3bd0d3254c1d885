"""Trains on JAX: has the functions of backend.py, whose meaning on_tensorflow.py describes.

JAX knows pure functions only. A scope stands in for the variables while a function is traced: it gives their values
and takes what is assigned, and the compiled function has both as arguments and results.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import jax
import keras

_open: list[Scope] = []  # scopes entered and not yet left, the innermost last


class Scope(keras.StatelessScope):  # type: ignore[misc]
    """Holds values of variables during a trace: those given, else those of the scope around, else the variable's own.

    `read` holds the variables that were read without a value given anywhere, `changed` those that were assigned.
    """

    def __init__(self, values: Iterable[tuple[Any, Any]] = ()) -> None:
        super().__init__(state_mapping=list(values))
        self._outer = _open[-1] if _open else None
        self.read: dict[int, Any] = {}
        self.changed: dict[int, Any] = {}

    def __enter__(self) -> Scope:
        super().__enter__()
        _open.append(self)
        return self

    def __exit__(self, *problem: Any) -> None:
        _open.pop()
        super().__exit__(*problem)

    def add_update(self, update: tuple[Any, Any]) -> None:
        self.changed[id(update[0])] = update[0]
        super().add_update(update)

    def get_current_value(self, variable: Any) -> Any:
        value = super().get_current_value(variable)
        if value is None and self._outer is not None:
            return self._outer.get_current_value(variable)
        if value is None:
            self.read[id(variable)] = variable
        return value


class _Compiled:
    """Runs a function of arrays that may read and assign Keras variables, as one XLA program.

    It is traced once without compiling to see which variables those are, as `tf.function` does; no list can be wrong.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._changed: list[Any] = []
        self._read: list[Any] = []
        self._program: Any = None

    def __call__(self, *arguments: Any) -> Any:
        if self._program is None:
            self._trace(arguments)
        changed, read = [v.value for v in self._changed], [v.value for v in self._read]
        result, values = self._program(changed, read, arguments)
        for variable, value in zip(self._changed, values, strict=True):
            variable.assign(value)
        return result

    def _trace(self, arguments: tuple[Any, ...]) -> None:
        with Scope() as scope:
            jax.eval_shape(self._function, *arguments)
        self._changed = list(scope.changed.values())
        self._read = [v for key, v in scope.read.items() if key not in scope.changed]

        def pure(changed: list[Any], read: list[Any], arguments: tuple[Any, ...]) -> tuple[Any, list[Any]]:
            given = [*zip(self._changed, changed, strict=True), *zip(self._read, read, strict=True)]
            with Scope(given):
                result = self._function(*arguments)
                return result, [v.value for v in self._changed]

        self._program = jax.jit(pure, donate_argnums=0)  # the new values may take the place of the old ones


def compiled(function: Callable[..., Any]) -> Any:
    return _Compiled(function)


def fused(function: Callable[..., Any]) -> Any:
    return function  # what surrounds it is compiled by XLA already


def gradients(function: Callable[[], dict[str, Any]], variables: list[Any]) -> tuple[dict[str, Any], list[Any]]:
    changed: list[Any] = []

    def pure(values: list[Any]) -> tuple[Any, tuple[dict[str, Any], list[Any]]]:
        with Scope(zip(variables, values, strict=True)) as scope:
            metrics = function()
            changed[:] = scope.changed.values()
            return metrics["loss"], (metrics, [v.value for v in changed])

    (_, (metrics, updates)), found = jax.value_and_grad(pure, has_aux=True)([v.value for v in variables])
    for variable, value in zip(changed, updates, strict=True):  # batch statistics, for instance
        variable.assign(value)
    return metrics, found


def input_gradient(function: Callable[[Any], tuple[Any, Any]], x: Any) -> tuple[Any, Any]:
    gradient, other = jax.grad(function, has_aux=True)(x)
    return gradient, other


def integers(shape: tuple[int, ...], seed: Any, stream: int, limit: int) -> Any:
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed[0]), seed[1]), stream)
    return jax.random.randint(key, shape, 0, limit, "int32")


def gather_lines(x: Any, lines: Any) -> Any:
    return jax.vmap(lambda picture, own: picture[own])(x, lines)


def nearest(values: Any, distance: Any) -> Any:
    return values[jax.numpy.argmin(distance, axis=-1)]


def set_seed(seed: int) -> None:
    random.seed(seed)  # layers take their seeds from here; Keras' own function would import TensorFlow if it is there


def transposed_times(a: Any, b: Any) -> Any:
    return a.T @ b


def value_of(variable: Any) -> Any:
    return variable.value


def version() -> str:
    return f"jax {jax.__version__}"


def flop(step: Any, arguments: tuple[Any, ...]) -> float | None:
    return None  # XLA turns gradients of convolutions into dilated ones, whose zeros can't be told from work


def _mean(x: Any) -> Any:
    """Return the mean of [n, h, w, c] over all but the channels, axis by axis.

    One long sum loses digits where the backend adds its terms one after the other, and it is short sums that cancel.
    """
    return x.mean(axis=2).mean(axis=1).mean(axis=0)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def _normalised(x: Any, gamma: Any, beta: Any, epsilon: float) -> tuple[Any, Any, Any]:
    return _forwards(x, gamma, beta, epsilon)[0]


def _forwards(x: Any, gamma: Any, beta: Any, epsilon: float) -> tuple[tuple[Any, Any, Any], tuple[Any, ...]]:
    wide = x.astype("float32")
    mean = _mean(wide)
    centred = wide - mean
    variance = _mean(jax.numpy.square(centred))
    inverse = jax.lax.rsqrt(variance + epsilon)
    unit = centred * inverse
    return ((unit * gamma + beta).astype(x.dtype), mean, variance), (unit, inverse, gamma)


def _backwards(epsilon: float, kept: tuple[Any, ...], slopes: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
    """Return the gradients by x, gamma and beta; mean and variance go into moving statistics, which have none.

    Written out, each of the means that must cancel is taken once, of values as they are (Ioffe and Szegedy 2015).
    """
    unit, inverse, gamma = kept
    slope = slopes[0].astype("float32")
    count = slope.size // slope.shape[-1]
    by_beta, by_gamma = _mean(slope), _mean(slope * unit)
    by_x = gamma * inverse * (slope - by_beta - unit * by_gamma)
    return by_x.astype(slopes[0].dtype), by_gamma * count, by_beta * count


_normalised.defvjp(_forwards, _backwards)


def normalised(x: Any, gamma: Any, beta: Any, epsilon: float) -> tuple[Any, Any, Any]:
    result: tuple[Any, Any, Any] = _normalised(x, gamma, beta, epsilon)
    return result


def scaled(x: Any, gamma: Any, beta: Any, mean: Any, variance: Any, epsilon: float) -> Any:
    # The mean goes first: x * scale - mean * scale would lose the digits that the two have in common.
    scale = gamma * jax.lax.rsqrt(variance + epsilon)
    return ((x.astype("float32") - mean) * scale + beta).astype(x.dtype)
