"""What every scheme must keep: `pytest tests/conformance/test_scheme.py --schemes mine` (all with weights unless told).

Its weights are those of --dataset and --profile below $AGILENN_WEIGHTS_DIR.
"""

from __future__ import annotations

import re

import numpy as np
import pytest

from harness.artefacts import artefacts
from harness.artefacts.artefacts import Artefact
from harness.contracts.errors import BenchError
from harness.contracts.scheme import Scheme, ServerModel
from harness.host import registry
from testbeds.firmware.toolchain.describe import count_symbols
from testbeds.firmware.toolchain.fits import check_graph

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scheme(hil_scheme: str) -> Scheme:
    return registry.scheme(hil_scheme)


@pytest.fixture(scope="module")
def artefact(hil_scheme: str, pytestconfig: pytest.Config) -> Artefact:
    """The trained weights, whose folder, description and files are checked by being read."""
    return artefacts.find(hil_scheme, pytestconfig.getoption("--dataset"), pytestconfig.getoption("--profile"))


@pytest.fixture(scope="module")
def server(scheme: Scheme, artefact: Artefact) -> ServerModel:
    if not artefact.offloads:
        pytest.skip("nothing of it runs on the server")
    return scheme.server(artefact.folder)


def symbols(server: ServerModel, artefact: Artefact, n: int) -> np.ndarray:
    most = artefact.description.n_symbols
    return np.random.default_rng(0).integers(0, most, (n, server.symbols), dtype=np.uint8)


def test_its_names_go_into_tables_and_files(scheme: Scheme, hil_scheme: str) -> None:
    assert scheme.name == hil_scheme  # the entry point's name is its own
    assert re.fullmatch(r"[a-z0-9][a-z0-9_]{0,23}", scheme.name)
    assert scheme.title and len(scheme.title) <= 40
    assert scheme.version >= 1


def test_description_and_graph_agree(artefact: Artefact) -> None:
    check_graph(artefact.folder, artefact.description)


def test_the_server_takes_what_the_device_sends(server: ServerModel, artefact: Artefact) -> None:
    assert server.classes == artefact.description.classes
    assert server.symbols == count_symbols(artefact.description, artefact.folder)


def test_one_sample_is_answered_as_in_a_batch_and_the_same_each_time(server: ServerModel, artefact: Artefact) -> None:
    server.warm_up()
    sent = symbols(server, artefact, 3)
    many = server.infer_batch(sent)
    assert many.shape == (3, server.classes)
    assert many.dtype == np.float32
    assert np.isfinite(many).all()
    for row, expected in zip(sent, many, strict=True):
        one = server.infer(row)
        assert one.shape == (server.classes,)
        assert np.allclose(one, expected, rtol=1e-3, atol=1e-3)
        assert np.array_equal(one, server.infer(row))
    assert server.infer_batch(sent[:0]).shape == (0, server.classes)


def test_what_no_device_of_its_sends_is_refused(server: ServerModel, artefact: Artefact) -> None:
    with pytest.raises(BenchError):
        server.infer(symbols(server, artefact, 1)[0, :-1])


def test_a_scheme_without_a_server_says_so(scheme: Scheme, artefact: Artefact) -> None:
    if artefact.offloads:
        pytest.skip("it has one")
    with pytest.raises(BenchError):
        scheme.server(artefact.folder)


def test_every_split_that_it_tells_of_can_be_had(scheme: Scheme, artefact: Artefact, tmp_path_factory) -> None:  # type: ignore[no-untyped-def]
    for split in scheme.splits(artefact.folder):
        folder = scheme.at_split(artefact.folder, split, tmp_path_factory.mktemp("split"))
        assert artefacts.load(folder).description.split == split
    with pytest.raises(BenchError, match="split"):
        scheme.at_split(artefact.folder, 63, tmp_path_factory.mktemp("none"))
