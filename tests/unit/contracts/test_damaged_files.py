"""Every file that the bench reads, with bytes that no program wrote: read as it is, or refused in one line."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from baselines.networks import store as network_store
from baselines.recipes import loading
from baselines.training import checkpoint
from harness.analysis import trainings
from harness.broker import mqtt
from harness.broker.mqtt import BrokerAddress
from harness.contracts import description, reading
from harness.contracts.context import ContextTables
from harness.contracts.errors import BenchError
from harness.contracts.testbed import Network
from harness.contracts.toml import read_toml
from harness.device.messages import radio_tlvs
from harness.host import secret
from harness.lab import broker_address, labfile
from harness.measure import pinned
from harness.mlperf import inputs
from harness.power import mlperf_trace, trace
from harness.runs import certificates, journal, manifest, parquet, published, trained_rows
from harness.runs.store import Store
from harness.show import curves
from harness.training import seeds
from testbeds import benchfile
from testbeds.firmware.generator import model

from ...support import runs

ROOT = Path(__file__).parents[3]
WEIGHTS = ROOT / "baselines" / "weights" / "cifar10-compact"
Reader = Callable[[Path], Any]

# Of each file: its name, what reads it, and a whole one.
_PINNED = json.dumps(
    {"pinned_version": 1, "remote": {"a" * 64: {"label": "x", "remote_ms": 1.0, "calibrated_at": "t"}}}
)
_LAB = '[wifi]\nssid = "lab"\n[broker]\nurl = "mqtt://127.0.0.1:1883"\nuser = "lab"\n[probe]\nkind = "ppk2"\n'
_ROWS = "axis,value,recipe_hash\nrho,0.5,abc\n"
_PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def _ca(path: Path) -> None:
    text = broker_address.ca_text(path)
    radio_tlvs(Network("h", 1, "agile/x/00", "c", tls=True, ca_pem=text), None)


def _published(path: Path) -> None:
    published.load(path.stem, path.parent)


def _description(path: Path) -> None:
    found = description.load_description(path.parent)
    description.load_context(path.parent, found)


def _store(path: Path) -> None:
    Store(path.parent).facts()


# What reads a file: its name, the reader, and a whole one.
READERS: dict[str, tuple[str, Reader, bytes]] = {
    "lab": ("lab.toml", labfile.load, _LAB.encode()),
    "pinned": ("pinned.json", pinned.read, _PINNED.encode()),
    "pinned, shipped": ("pinned.toml", pinned.read, b"pinned_version = 1\n[remote]\n"),
    "key file": ("wifi.key", secret._read_key_file, b"hush\n"),
    "PEM for boards": ("ca.pem", _ca, _PEM.encode()),
    "PEM for the host": (
        "ca.pem",
        lambda path: mqtt.client(BrokerAddress("127.0.0.1", 1, tls=True, ca=path), "x"),
        _PEM.encode(),
    ),
    "description": ("description.toml", _description, (WEIGHTS / "local_only" / "description.toml").read_bytes()),
    "context": (
        "context.toml",
        lambda path: read_toml(path, ContextTables),
        b"n_symbols = 2\nwidth = 1\nchannels = 1\n",
    ),
    "summary": ("summary.toml", lambda path: seeds.read_summary(path.parent), b"[accuracy]\ntest = 0.9\n"),
    "recipe": ("recipe.toml", loading._read, b"epochs = 3\n[optimizer]\nrate = 0.1\n"),
    "bench file": ("bench.toml", benchfile.read_bench_file, (ROOT / "testbeds/native/bench.toml").read_bytes()),
    "history": ("history.csv", curves.read_history, b"epoch,loss\n1,0.5\n2,0.4\n"),
    "rows of a training sweep": ("rho.csv", trained_rows.read, _ROWS.encode()),
    "trainings": ("x.csv", lambda path: trainings._table(path, ["axis"]), _ROWS.encode()),
    "published": ("fig23.csv", _published, b"x,value,dataset\n1,2,cifar10\n"),
    "manifest": ("manifest.json", _store, manifest.text(runs.manifest(), "x").encode()),
    "journal": ("journal.jsonl", lambda path: journal.read(path.parent), b'{"key": "a", "row": {}}\n'),
    "samples": ("samples.parquet", parquet.read, parquet.encoded([runs.measured()])),
    "certificates": (
        "certificates.json",
        lambda path: certificates.read(Store(path.parent)),
        b'{"version": 1, "points": {"p": []}}',
    ),
    "labels of MLPerf": ("y_labels.csv", lambda path: inputs.from_folder(path.parent), b"a.bin,3,1\n"),
    "energies of MLPerf": ("x.bin", mlperf_trace.read_mlperf_trace, bytes(40)),
    "time stamps of MLPerf": ("x.json", mlperf_trace.read_timestamps, b"[0, 1, 2]"),
    "trace": ("trace.csv", trace.read_trace, b'# {"rate_hz": 1}\ntime_s,current_a\n0,1\n'),
    "network": ("server.npz", network_store.load_network, (WEIGHTS / "full_offload" / "server.npz").read_bytes()),
    "checkpoint": ("state.npz", lambda path: checkpoint.load(path, []), b""),
    "device network": ("device.tflite", model.read_model, (WEIGHTS / "local_only" / "device.tflite").read_bytes()),
}

DEEP = [b"[" * 100_000, b'{"a":' * 50_000, b"a = " + b"[" * 20_000, b"a." * 20_000 + b"b = 1", b"[[" * 3000]
HUGE = [b'{"pinned_version": 1' + b"0" * 9000 + b"}", b"a = 1" + b"0" * 9000, b"x,value\n1e999,1\n", b'{"a": NaN}']
OTHER = [_LAB.encode("utf-16"), _PINNED.encode("utf-16-le"), "é".encode("latin-1") * 50, b"\x00" * 100, b"", b"\n" * 9]


def _judge(name: str, folder: Path, data: bytes) -> None:
    file, read, _ = READERS[name]
    path = folder / file
    path.write_bytes(data)
    path.chmod(0o600)
    try:
        read(path)
    except BenchError as e:
        assert "\n" not in str(e)
        assert len(str(e)) < 2000


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_what_nests_too_deeply_is_too_large_or_in_another_encoding_is_one_line(name: str, tmp_path: Path) -> None:
    for data in (*DEEP, *HUGE, *OTHER):
        _judge(name, tmp_path, data)


@pytest.mark.parametrize("name", READERS)
def test_a_whole_one_that_was_cut_short_or_damaged_is_one_line(name: str, tmp_path: Path) -> None:
    whole = READERS[name][2]
    rng = random.Random(name)
    for _ in range(60 if len(whole) < 20_000 else 8):
        data = bytearray(whole[: rng.randrange(len(whole) + 1)] if rng.random() < 0.3 else whole)
        for _ in range(rng.randrange(4)):
            if data:
                data[rng.randrange(len(data))] = rng.randrange(256)
        _judge(name, tmp_path, bytes(data))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(READERS)), st.binary(max_size=200))
@example("pinned", b"\xff")
def test_any_bytes_are_read_or_refused_in_one_line(tmp_path: Path, name: str, data: bytes) -> None:
    _judge(name, tmp_path, data)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode)))
def test_the_reader_of_all_raises_nothing_but_bench_errors(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    for read in (reading.json_of, reading.toml_of, reading.csv_of, reading.npz_of, reading.text):
        try:
            read(path, "mend it")
        except BenchError as e:
            assert "\n" not in str(e) and str(path) in str(e)


def test_what_is_whole_is_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.arange(3))
    (tmp_path / "x.csv").write_text("a,b\n1,2,3\n4\n")
    (tmp_path / "x.json").write_text('{"a": [1, null]}')
    assert reading.npz_of(tmp_path / "x.npz", "")["a"].tolist() == [0, 1, 2]
    assert reading.csv_of(tmp_path / "x.csv", "") == [{"a": "1", "b": "2"}, {"a": "4", "b": ""}]
    assert reading.json_of(tmp_path / "x.json", "") == {"a": [1, None]}
    for missing in (tmp_path / "none", tmp_path, Path("a\0b")):
        with pytest.raises(BenchError):
            reading.text(missing, "give another")
    with pytest.raises(BenchError, match="larger than 2 bytes"):
        reading.data(tmp_path / "x.json", "give another", most_bytes=2)
