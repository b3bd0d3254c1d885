"""Whatever comes, codecs give the symbols that were sent or an error; edge and device go on as if nothing had been."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from baselines.export.context_tables import learn_tables
from harness.contracts.codecs import CODEC_IDS
from harness.contracts.context import ContextTables
from harness.contracts.description import DeviceDescription
from harness.contracts.errors import BenchError
from harness.edge import payload
from harness.edge.payload import Status
from harness.edge.server import EdgeServer, Served
from testbeds.firmware.fuzz import run as fuzzing
from testbeds.firmware.host.hostlib import PAYLOAD_HEAD, CodecLibrary, ContextModel, PayloadError

from .firmware_helpers import Scripted, image_of, logits_reply, received

pytestmark = pytest.mark.slow

SHAPE = (4, 4, 3)
COUNT = 48
LONG = 100_000  # examples of the long runs: drawn by their number, ten times as quick as hypothesis


def tables(n: int) -> ContextTables:
    rng = np.random.default_rng(n)
    return learn_tables((rng.integers(0, n, (40, COUNT)) * (rng.random((40, COUNT)) < 0.3)).astype(np.uint8), n, SHAPE)


TABLES = {n: tables(n) for n in (2, 3, 8, 16)}
MODELS = {n: ContextModel(t) for n, t in TABLES.items()}


@dataclass(frozen=True)
class Sent:
    """Symbols of one scheme, and how they are coded. A picture is 4x4 RGB, features are 4x4x3."""

    codec: str
    n: int
    symbols: npt.NDArray[np.uint8]

    def encode(self, codecs: CodecLibrary, codec: str | None = None, weights: int = 0) -> bytes:
        model = MODELS.get(self.n)
        return codecs.encode(self.symbols, self.n, codec or self.codec, 5, weights, rows=4, model=model)

    def decode(self, codecs: CodecLibrary, data: bytes) -> npt.NDArray[np.uint8]:
        return codecs.decode(data, self.n, COUNT, MODELS.get(self.n))


@st.composite
def sendings(draw: st.DrawFn) -> Sent:
    """Any codec with an alphabet that it takes; runs, noise, and all there is between."""
    codec = draw(st.sampled_from(sorted(CODEC_IDS)))
    picture = codec in ("png", "rice", "jpeg")
    n = 256 if picture else draw(st.sampled_from(sorted(TABLES) if codec == "context" else [2, 3, 8, 16, 100, 256]))
    runs = draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(1, 20)), min_size=1, max_size=COUNT))
    symbols = [symbol for symbol, length in runs for _ in range(length)]
    return Sent(codec, n, np.resize(np.array(symbols, np.uint8), COUNT))


@st.composite
def damages(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """What may happen to bytes: cut, longer, changed here and there, or others altogether."""
    kind = draw(st.integers(0, 3))
    if kind == 0:
        share = draw(st.floats(0, 1, exclude_max=True))
        return lambda data: data[: int(share * len(data))]
    if kind == 1:
        more = draw(st.binary(min_size=1, max_size=40))
        return lambda data: data + more
    if kind == 2:
        changes = draw(st.lists(st.tuples(st.integers(0, 999), st.integers(1, 255)), min_size=1, max_size=4))

        def change(data: bytes) -> bytes:
            out = bytearray(data)
            for place, by in changes:
                if out:
                    out[place % len(out)] ^= by
            return bytes(out)

        return change
    other = draw(st.binary(max_size=120))
    return lambda _data: other


def round_trip(codecs: CodecLibrary, sent: Sent) -> None:
    data = sent.encode(codecs)
    assert len(data) <= len(sent.encode(codecs, "stored"))
    back = sent.decode(codecs, data)
    assert back.size == COUNT
    if data[1] != CODEC_IDS["jpeg"]:  # the one that is lossy
        assert np.array_equal(back, sent.symbols)


def damaged(codecs: CodecLibrary, sent: Sent, damage: Callable[[bytes], bytes]) -> None:
    """Bytes that changed under way: never taken, as header and CRC tell. And the same damage to the body alone, under a
    header that is right: what decoders must stand."""
    data = sent.encode(codecs)
    broken = damage(data)
    if broken != data:
        with pytest.raises(PayloadError):
            sent.decode(codecs, broken)
    try:
        symbols = sent.decode(codecs, codecs.seal(damage(data[PAYLOAD_HEAD:]), CODEC_IDS[sent.codec], 5, 0))
    except PayloadError:
        pass
    else:
        assert symbols.size == COUNT
        assert int(symbols.max()) < sent.n
    round_trip(codecs, sent)


@settings(max_examples=1000)
@given(sendings())
def test_what_is_sent_arrives(codecs: CodecLibrary, sent: Sent) -> None:
    round_trip(codecs, sent)


@settings(max_examples=1000)
@given(sendings(), damages())
def test_damage_is_noticed_or_harmless(codecs: CodecLibrary, sent: Sent, damage: Callable[[bytes], bytes]) -> None:
    damaged(codecs, sent, damage)


def drawn(number: int) -> tuple[Sent, Callable[[bytes], bytes]]:
    """What `sendings` and `damages` give, by a number alone: quick, and a failure names the number."""
    rng = np.random.default_rng(number)
    codec = sorted(CODEC_IDS)[number % len(CODEC_IDS)]
    if codec in ("png", "rice", "jpeg"):
        n = 256
    else:
        n = int(rng.choice(sorted(TABLES) if codec == "context" else [2, 3, 8, 16, 100, 256]))
    keep = rng.random(COUNT) < rng.choice([0.0, 0.5, 0.9, 0.99])
    symbols = rng.integers(0, n, COUNT, dtype=np.uint8)
    last_new = np.maximum.accumulate(np.where(keep, 0, np.arange(COUNT)))
    return Sent(codec, n, symbols[last_new]), lambda data: worse(data, rng)


def worse(data: bytes, rng: np.random.Generator) -> bytes:
    """Cut, longer, changed, or other bytes altogether."""
    kind = rng.integers(4)
    if kind == 0:
        return data[: rng.integers(len(data))] if data else b""
    if kind == 1:
        return data + rng.bytes(rng.integers(1, 40))
    if kind == 2 and data:
        out = np.frombuffer(data, np.uint8).copy()
        out[rng.integers(0, len(out), 3)] ^= rng.integers(1, 256, 3, dtype=np.uint8)
        return out.tobytes()
    return rng.bytes(rng.integers(0, 120))


@pytest.mark.soak
def test_a_hundred_thousand_times(codecs: CodecLibrary) -> None:
    for number in range(LONG):
        damaged(codecs, *drawn(number))


# --- the edge server ---


class Summing:
    """A remote half whose first logit is the sum of the symbols."""

    classes, symbols = 3, COUNT

    def __init__(self, n: int) -> None:
        self.n = n

    def warm_up(self) -> None: ...

    def infer(self, symbols: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        if int(symbols.max()) >= self.n:
            raise BenchError("a symbol outside the alphabet")
        return np.array([symbols.sum(), 0, 0], np.float32)

    def infer_batch(self, symbols: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return np.stack([self.infer(one) for one in symbols])


@pytest.fixture(scope="module")
def edge(codecs: CodecLibrary) -> EdgeServer:
    """Serves a scheme for every alphabet; its weights are the alphabet's size."""

    def served(n: int) -> Served:
        context = TABLES.get(n)
        description = DeviceDescription(
            scheme="toy", dataset="toy", profile="toy", classes=3, input_shape=(4, 4, 3), graph=True,
            offload="features", features_output=0, local_logits_output=1, channels=3, n_symbols=n,
            symbol_table=[0] * 256, codec="context" if context else "lzw", alpha=0.5,
        )  # fmt: skip
        return Served(description, n, Summing(n), context)

    return EdgeServer([served(n) for n in (2, 3, 8, 16, 100, 256)], codecs)


def served_after(codecs: CodecLibrary, edge: EdgeServer, sent: Sent, damage: Callable[[bytes], bytes]) -> None:
    data = sent.encode(codecs, weights=sent.n)
    broken = damage(data)
    answer = edge.answer(broken)
    assert broken == data or answer.status in (Status.BAD_PAYLOAD, Status.OTHER_WEIGHTS)
    body_alone = edge.answer(codecs.seal(damage(data[PAYLOAD_HEAD:]), CODEC_IDS[sent.codec], 5, sent.n))
    assert body_alone.status in (Status.OK, Status.BAD_PAYLOAD)
    right = edge.answer(data)
    assert (right.status, right.sequence) == (Status.OK, 5)
    if data[1] != CODEC_IDS["jpeg"]:
        assert np.frombuffer(payload.parse(right.data)[1], "<f4")[0] == sent.symbols.sum()


@settings(max_examples=1000)
@given(sendings(), damages())
def test_the_edge_answers_the_next_payload(
    codecs: CodecLibrary, edge: EdgeServer, sent: Sent, damage: Callable[[bytes], bytes]
) -> None:
    served_after(codecs, edge, sent, damage)


@pytest.mark.soak
def test_the_edge_a_hundred_thousand_times(codecs: CodecLibrary, edge: EdgeServer) -> None:
    for number in range(LONG):
        served_after(codecs, edge, *drawn(number))


@pytest.mark.parametrize("codec", [*range(8), 255])
def test_a_body_never_makes_the_edge_take_more_memory_than_its_scheme_needs(
    codecs: CodecLibrary, edge: EdgeServer, codec: int
) -> None:
    """The largest body there may be, of bytes that promise long runs: it says nothing about how much comes out."""
    bodies = [bytes([byte]) * payload.MAX_BODY for byte in (0x00, 0x0F, 0xF0, 0xFF)]
    bodies.append(bytes([75, 255, 255]) + bytes(9000))  # a JPEG of 256x256 where 4x4 is served
    messages = [codecs.seal(body, codec, 1, 256) for body in bodies]
    edge.answer(messages[0])
    tracemalloc.start()
    try:
        for message in messages:
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            assert edge.answer(message).status is Status.BAD_PAYLOAD
            _, peak = tracemalloc.get_traced_memory()
            assert peak - before < 6 * payload.MAX_BODY, "a few copies of the body, no more"
    finally:
        tracemalloc.stop()


# --- the device ---


def next_inference_works(board: Scripted, replies: list[bytes], raw: bytes) -> None:
    """A wait in which only these come, then an inference that is answered."""
    board.reply = lambda _payload: raw + b"\r\n" + b"".join(received(one) for one in replies)
    board.infer(1)
    board.connect()  # noise may have said that the connection is lost
    board.reply = lambda payload: received(logits_reply(payload, [0.0, 500.0, 0.0]))
    assert board.infer(2)["label"] == 1


@pytest.fixture
def board(scripted: Callable[..., Scripted]) -> Scripted:
    made = scripted()
    made.connect()
    made.load(image_of(0, 0, 0))
    return made


REPLIES = st.lists(
    st.one_of(
        st.binary(max_size=60),
        damages().map(lambda damage: damage(payload.reply(Status.OK, 1, 7, np.zeros(3, np.float32)))),
    ),
    max_size=4,
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(REPLIES, st.binary(max_size=40))
def test_the_device_answers_the_next_inference(board: Scripted, replies: list[bytes], raw: bytes) -> None:
    next_inference_works(board, replies, raw)


@pytest.mark.soak
def test_the_device_a_hundred_thousand_times(board: Scripted) -> None:
    good = payload.reply(Status.OK, 1, 7, np.zeros(3, np.float32))
    for number in range(LONG):
        rng = np.random.default_rng(number)
        next_inference_works(board, [worse(good, rng) for _ in range(rng.integers(4))], rng.bytes(rng.integers(40)))


@pytest.mark.soak
def test_libfuzzer_finds_nothing_in_the_c_parsers() -> None:
    if why := fuzzing.missing():
        pytest.skip(f"{why}: {fuzzing.CURE}")
    done = fuzzing.fuzz(120)
    assert done.inputs > 20_000
    assert done.edges > 300
