"""Turns a payload into a reply: finds weights and symbols, asks the remote half, and tells how long that took."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from harness.contracts.context import ContextTables
from harness.contracts.description import PICTURE_CODECS, DeviceDescription, load_context, load_description, weights_u32
from harness.contracts.errors import BenchError
from harness.contracts.scheme import Scheme, ServerModel
from harness.edge import payload
from harness.edge.payload import Status

log = logging.getLogger(__name__)

Symbols = npt.NDArray[np.uint8]


class Codec(Protocol):
    """Defines the C codecs as seen from here."""

    def encode(
        self,
        symbols: Symbols,
        n_symbols: int,
        codec: str,
        sequence: int,
        weights: int,
        *,
        rows: int = 1,
        quality: int = 75,
    ) -> bytes:
        """Turn symbols into a payload; `rows` and `quality` are the picture codecs'."""

    def decode(self, data: bytes, n_symbols: int, count: int, model: Any = None) -> Symbols:
        """Turn a payload into `count` symbols. Raises ValueError when the body is not that."""

    def model(self, tables: ContextTables) -> Any:
        """Return the context codec's tables as `decode` takes them."""


@dataclass(frozen=True)
class Served:
    """Holds one remote half, loaded and warm."""

    description: DeviceDescription
    weights: int
    model: ServerModel
    context: ContextTables | None = None  # of schemes whose codec is context


@dataclass(frozen=True)
class Answer:
    """Holds what to send for one payload."""

    status: Status
    sequence: int
    data: bytes
    service_us: int


class EdgeServer:
    """Answers payloads of the schemes it was given; one call at a time."""

    def __init__(self, served: Sequence[Served], codec: Codec) -> None:
        self._served = {one.weights: one for one in served}
        self._codec = codec
        self._context = {one.weights: codec.model(one.context) for one in served if one.context is not None}

    def answer(self, data: bytes) -> Answer:
        """Answer one payload, whatever its bytes are. This never raises for what it was sent."""
        begin_ns = time.perf_counter_ns()
        status, weights, logits = self._judge(data)
        sequence = payload.sequence_of(data)
        out = payload.reply(status, sequence, weights, logits)
        return Answer(status, sequence, out, (time.perf_counter_ns() - begin_ns) // 1000)

    def symbols(self, one: Served, data: bytes) -> Symbols:
        """Return the symbols of a whole payload of `one`. Raises ValueError when it holds others."""
        model = self._context.get(one.weights)
        return self._codec.decode(data, one.description.n_symbols, one.model.symbols, model)

    def calibrate(self, one: Served, calls: int = 60) -> float:
        """Return the median service time in microseconds over `calls` payloads of random symbols (seeded), after a
        sixth more.

        Processor time of the whole process, which runs one thread at a time: the wall time of a machine that has
        nothing else to do. Wall time would pin the load of the moment.
        """
        rng = np.random.default_rng(0)
        taken = []
        for sequence in range(calls + calls // 6):
            data = self._any_payload(one, rng, sequence)
            begin_ns = time.process_time_ns()
            answer = self.answer(data)
            taken.append((time.process_time_ns() - begin_ns) / 1e3)
            if answer.status is not Status.OK:
                raise BenchError(f"the edge refuses its own payload of {one.description.label} ({answer.status.name})")
        return float(statistics.median(taken[calls // 6 :]))

    def _any_payload(self, one: Served, rng: np.random.Generator, sequence: int) -> bytes:
        """Return a payload of random symbols, stored; of a scheme with a picture codec, blocks of colour and noise,
        coded by that.
        """
        d = one.description
        if d.offload != "image" or d.codec not in PICTURE_CODECS:
            symbols = rng.integers(0, d.n_symbols, one.model.symbols, dtype=np.uint8)
            return self._codec.encode(symbols, d.n_symbols, "stored", sequence, one.weights)
        height, width, depth = d.input_shape
        blocks = rng.integers(16, 240, (height // 8 + 1, width // 8 + 1, depth))
        picture = blocks.repeat(8, axis=0).repeat(8, axis=1)[:height, :width] + rng.integers(-16, 16, d.input_shape)
        return self._codec.encode(
            picture.astype(np.uint8), d.n_symbols, d.codec, sequence, one.weights, rows=height, quality=d.quality
        )

    def _judge(self, data: bytes) -> tuple[Status, int, npt.NDArray[np.float32] | None]:
        try:
            header, _ = payload.parse(data)
        except payload.PayloadError as e:
            log.info("bad payload: %s", e)
            return Status.BAD_PAYLOAD, 0, None
        one = self._served.get(header.weights)
        if one is None:
            log.info("payload of weights %08x, which are not served here", header.weights)
            return Status.OTHER_WEIGHTS, header.weights, None
        try:
            logits = one.model.infer(self.symbols(one, data))
        except (ValueError, BenchError) as e:
            log.info("payload that can't be used: %s", e)
            return Status.BAD_PAYLOAD, header.weights, None
        return Status.OK, header.weights, logits


def load(folder: Path, scheme: Scheme) -> Served | None:
    """Load and warm up the remote half in an artefact folder; return None for a scheme that never leaves the device.

    Raises:
        BenchError: the artefact is unreadable or of another network.
    """
    description = load_description(folder)
    if description.offload == "none":
        return None
    model = scheme.server(folder)
    if model.classes != description.classes:
        raise BenchError(
            f"{folder}: the server model has {model.classes} classes, the description {description.classes}",
            cure="train both halves together",
        )
    model.warm_up()
    return Served(description, weights_u32(folder), model, load_context(folder, description))
