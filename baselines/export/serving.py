"""Runs the remote half of a scheme as the edge server calls it: symbols in, logits out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from baselines.networks.quiet import start_tensorflow
from baselines.networks.store import NetworkSpec, load_network
from harness.contracts.errors import BenchError

_WARM_UP_CALLS = 20


class NetworkServer:
    """Runs a network behind a table that turns each symbol into a value.

    One sample goes through a graph traced for a batch of one with the weights as constants; whole test sets go in
    batches. Both run on one thread (when TensorFlow has not started yet), so that results never depend on the host.
    """

    def __init__(self, spec: NetworkSpec, model: Any, table: npt.NDArray[np.float32]) -> None:
        import tensorflow as tf  # noqa: PLC0415 - only the edge server and training pay for it
        from tensorflow.python.framework.convert_to_constants import (  # noqa: PLC0415
            convert_variables_to_constants_v2,
        )

        self._tf = tf
        self.classes = spec.classes
        self.symbols = int(np.prod(spec.input_shape))
        self._n_symbols = len(table)
        values = tf.constant(table, tf.float32)

        def forward(symbols: Any) -> Any:
            x = tf.gather(values, tf.cast(symbols, tf.int32))
            return model(tf.reshape(x, (-1, *spec.input_shape)), training=False)

        def frozen(batch: int | None) -> Any:
            signature = tf.TensorSpec((batch, self.symbols), tf.uint8)
            # Without autograph: there is nothing to convert, and it would leave files in the temporary folder.
            plain = tf.function(forward, autograph=False)
            return convert_variables_to_constants_v2(plain.get_concrete_function(signature))

        self._one = frozen(1)
        self._many = frozen(None)

    def warm_up(self) -> None:
        """Run until the service time is the same as that of every later call."""
        for _ in range(_WARM_UP_CALLS):
            self.infer(np.zeros(self.symbols, np.uint8))

    def infer(self, symbols: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Turn uint8 [symbols] into the float32 logits [classes] of one sample.

        Raises:
            BenchError: the number of symbols is wrong, or one of them is outside the alphabet.
        """
        self._check(symbols[None, :])
        logits: npt.NDArray[np.float32] = self._run(self._one, symbols[None, :])[0]
        return logits

    def infer_batch(self, symbols: npt.NDArray[np.uint8], batch: int = 250) -> npt.NDArray[np.float32]:
        """Turn uint8 [n, symbols] into float32 logits [n, classes]."""
        self._check(symbols)
        parts = [self._run(self._many, symbols[i : i + batch]) for i in range(0, len(symbols), batch)]
        return np.concatenate(parts) if parts else np.zeros((0, self.classes), np.float32)

    def _run(self, function: Any, symbols: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        result: npt.NDArray[np.float32] = function(self._tf.constant(symbols))[0].numpy()
        return result

    def _check(self, symbols: npt.NDArray[np.uint8]) -> None:
        if symbols.dtype != np.uint8 or symbols.ndim != 2 or symbols.shape[1] != self.symbols:
            raise BenchError(f"{symbols.shape[-1]} symbols, the network wants {self.symbols}", cure="check the payload")
        if symbols.size and int(symbols.max()) >= self._n_symbols:
            raise BenchError(f"symbol {int(symbols.max())} of {self._n_symbols}", cure="check the payload")


def load_server(path: Path, expect_input: tuple[int, int, int], classes: int, table: list[float]) -> NetworkServer:
    """Load `server.npz` as a server for inputs of `expect_input` [h, w, c], each symbol valued by `table`.

    Raises:
        BenchError: the file is damaged or of another network, or does not fit the description.
    """
    start_tensorflow(1)  # one thread, unless TensorFlow runs already: then whoever started it has chosen
    spec, model = load_network(path)
    if spec.input_shape != expect_input or spec.classes != classes:
        raise BenchError(
            f"{path} takes {spec.input_shape} and gives {spec.classes} classes; the description says "
            f"{expect_input} and {classes}",
            cure="restore both files of one training",
        )
    return NetworkServer(spec, model, np.asarray(table, dtype=np.float32))
