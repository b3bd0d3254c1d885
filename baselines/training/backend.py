"""What training needs beyond `keras.ops` of the library that Keras runs on: compiled steps, gradients, draws by seed.

One file a library, both with the same functions; which of them is decided when Keras is imported (KERAS_BACKEND).
"""

from __future__ import annotations

import keras

if keras.backend.backend() == "jax":
    from baselines.training.on_jax import (
        compiled,
        flop,
        fused,
        gather_lines,
        gradients,
        input_gradient,
        integers,
        nearest,
        normalised,
        scaled,
        set_seed,
        transposed_times,
        value_of,
        version,
    )
else:
    from baselines.training.on_tensorflow import (
        compiled,
        flop,
        fused,
        gather_lines,
        gradients,
        input_gradient,
        integers,
        nearest,
        normalised,
        scaled,
        set_seed,
        transposed_times,
        value_of,
        version,
    )

__all__ = [
    "compiled",
    "flop",
    "fused",
    "gather_lines",
    "gradients",
    "input_gradient",
    "integers",
    "nearest",
    "normalised",
    "scaled",
    "set_seed",
    "transposed_times",
    "value_of",
    "version",
]
