"""The edge answers any bytes within its limits, and only payloads of its own weights with logits."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.artefacts.artefacts import Artefact
from harness.contracts.errors import BenchError
from harness.edge import payload
from harness.edge.payload import PayloadError, Status
from harness.edge.server import EdgeServer, Served

SYMBOLS = 48
WEIGHTS = 0xDEADBEEF


class Plain:
    """Symbols as they are."""

    def encode(self, symbols: npt.NDArray[np.uint8], n_symbols: int, codec: str, sequence: int, weights: int) -> bytes:
        return payload.pack(0, sequence, weights, symbols.tobytes())

    def decode(self, data: bytes, n_symbols: int, count: int, model: Any = None) -> npt.NDArray[np.uint8]:
        body = np.frombuffer(data[payload.HEADER_BYTES :], np.uint8)
        if len(body) != count:
            raise ValueError("other count")
        return body


class Summing:
    """A model whose first logit is the sum of its symbols."""

    classes = 4
    symbols = SYMBOLS

    def warm_up(self) -> None:
        pass

    def infer(self, symbols: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        if symbols.min() == 255:
            raise BenchError("symbol 255 of 255")
        return np.array([symbols.sum(), 0, 0, 0], np.float32)

    def infer_batch(self, symbols: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return np.stack([self.infer(s) for s in symbols])


@pytest.fixture
def served(remote_artefact: Artefact) -> Served:
    return Served(remote_artefact.description, WEIGHTS, Summing())


@pytest.fixture
def edge(served: Served) -> EdgeServer:
    return EdgeServer([served], Plain())


def test_a_payload_is_answered_with_logits(edge: EdgeServer) -> None:
    answer = edge.answer(payload.pack(0, 77, WEIGHTS, bytes([2] * SYMBOLS)))
    header, body = payload.parse(answer.data)
    assert (answer.status, header.kind, header.sequence, header.weights) == (Status.OK, 0, 77, WEIGHTS)
    assert np.frombuffer(body, "<f4").tolist() == [96.0, 0.0, 0.0, 0.0]
    assert answer.service_us >= 0


def test_other_weights_are_refused_without_logits(edge: EdgeServer) -> None:
    answer = edge.answer(payload.pack(0, 5, 0x01020304, bytes(SYMBOLS)))
    header, body = payload.parse(answer.data)
    assert (header.kind, header.weights, body) == (Status.OTHER_WEIGHTS, 0x01020304, b"")


@pytest.mark.parametrize("body", [b"", bytes(SYMBOLS - 1), bytes([255] * SYMBOLS)])
def test_a_body_that_is_no_sample_is_refused(edge: EdgeServer, body: bytes) -> None:
    assert edge.answer(payload.pack(0, 5, WEIGHTS, body)).status is Status.BAD_PAYLOAD


@given(data=st.binary(max_size=200))
def test_noise_never_crashes_and_never_gets_logits(data: bytes) -> None:
    edge = EdgeServer([], Plain())
    answer = edge.answer(data)
    assert answer.status in (Status.BAD_PAYLOAD, Status.OTHER_WEIGHTS)
    assert len(answer.data) == payload.HEADER_BYTES


@given(st.integers(0, 255), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.binary(max_size=300))
def test_payloads_come_back(kind: int, sequence: int, weights: int, body: bytes) -> None:
    data = payload.pack(kind, sequence, weights, body)
    header, found = payload.parse(data)
    assert (header.kind, header.sequence, header.weights, found) == (kind, sequence, weights, body)
    assert int.from_bytes(data[12:16], "little") == zlib.crc32(data[:12] + body)
    assert payload.sequence_of(data) == sequence


@given(st.binary(max_size=40), st.integers(0, 55), st.integers(1, 255))
def test_one_changed_byte_is_noticed(body: bytes, at: int, change: int) -> None:
    data = bytearray(payload.pack(1, 2, 3, body))
    data[at % len(data)] ^= change
    with pytest.raises(PayloadError):
        payload.parse(bytes(data))


def test_calibration_is_a_median_over_its_own_path(edge: EdgeServer, served: Served) -> None:
    assert edge.calibrate(served, calls=5) > 0
