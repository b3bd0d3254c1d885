"""Names what training needs of Keras's library beyond `keras.ops`: compiled steps, gradients, draws by seed.

Each library has a file with the same functions; KERAS_BACKEND decides between them when Keras is imported.
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
