"""The same tests on every probe: driver and stand-in over the real protocol."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from harness.contracts.errors import BenchError
from harness.contracts.probe import PowerProbe, PowerTimeline
from harness.power.energy import sample_energies_uj, sample_energy
from harness.power.ina import InaOptions, InaProbe
from harness.power.joulescope import JoulescopeOptions, JoulescopeProbe
from harness.power.lpm01a import Lpm01aOptions, Lpm01aProbe
from harness.power.ppk2 import Ppk2Options, Ppk2Probe
from harness.power.standins.ina import InaFaults, StandinIna
from harness.power.standins.joulescope import StandinJoulescopePackage
from harness.power.standins.lpm01a import Lpm01aFaults, StandinLpm01a
from harness.power.standins.ppk2 import Ppk2Faults, StandinPpk2
from harness.runs.manifest import ProbeFacts

from .conftest import exact_uj, make_timeline


@dataclass
class Bench:
    """A probe, what plays a timeline to it and waits until it has it all."""

    probe: PowerProbe
    play: Callable[[PowerTimeline], Any]
    timeline: PowerTimeline
    markers: bool = True


def _wait(probe: Any, samples: int) -> None:
    probe.wait_for(samples, quiet_s=5.0)


@contextmanager
def ppk2(loss: bool = False, unplug: bool = False) -> Iterator[Bench]:
    faults = Ppk2Faults(drop_words=((3000, 5),) if loss else (), unplug_after_words=2000 if unplug else None)
    with StandinPpk2(faults=faults) as standin:
        options = Ppk2Options(real_time=False, quiet_s=0.02, spike_filter=False)
        with Ppk2Probe(standin.path, options, source="modelled") as probe:
            yield Bench(probe, lambda t: _wait(probe, standin.play(t)), make_timeline())


@contextmanager
def lpm01a(kind: str, loss: bool = False, unplug: bool = False) -> Iterator[Bench]:
    rate = 1000 if kind == "ascii_dec" else 10_000
    drop = ((300, 25),) if loss else ()
    faults = Lpm01aFaults(drop_samples=drop, unplug_after_samples=100 if unplug else None)
    with StandinLpm01a(faults) as standin:
        options = Lpm01aOptions.model_validate({"freq_hz": rate, "format": kind})
        with Lpm01aProbe(standin.path, options, source="modelled") as probe:
            timeline = make_timeline(0.1, stretch=20.0)
            yield Bench(
                probe, lambda t: _wait(probe, standin.play(t, rate) - (25 if loss else 0)), timeline, markers=False
            )


@contextmanager
def ina(loss: bool = False, unplug: bool = False) -> Iterator[Bench]:
    faults = InaFaults(
        drop_samples=(300,) if loss else (),
        corrupt_samples=(700,) if loss else (),
        unplug_after_samples=100 if unplug else None,
    )
    with StandinIna(faults) as standin, InaProbe(standin.path, InaOptions(quiet_s=0.3), source="modelled") as probe:
        timeline = make_timeline(stretch=20.0)
        yield Bench(probe, lambda t: _wait(probe, standin.play(t) - (2 if loss else 0)), timeline)


@contextmanager
def joulescope(loss: bool = False, unplug: bool = False) -> Iterator[Bench]:
    package = StandinJoulescopePackage(drop_blocks=(3,) if loss else ())
    with JoulescopeProbe(JoulescopeOptions(drain_s=0.0), source="modelled", module=package) as probe:
        yield Bench(probe, package.play, make_timeline())


PROBES = {
    "ppk2": ppk2,
    "lpm01a-ascii": lambda **k: lpm01a("ascii_dec", **k),
    "lpm01a-binary": lambda **k: lpm01a("bin_hexa", **k),
    "ina": ina,
    "joulescope": joulescope,
}
every = pytest.mark.parametrize("make", PROBES.values(), ids=PROBES)


@every
def test_a_timeline_is_measured_at_its_own_energy(make: Any) -> None:
    with make() as bench:
        bench.probe.start()
        bench.play(bench.timeline)
        trace = bench.probe.stop()
    assert trace.source == "modelled"
    assert trace.lost_samples == 0
    if bench.markers:
        found = sample_energy(trace)
        assert found.reason is None
        assert found.total_uj == pytest.approx(exact_uj(bench.timeline), rel=1e-3)
        assert list(found.stages_uj) == ["local", "encode", "network", "combine"]
    else:
        assert float(np.sum(sample_energies_uj(trace))) == pytest.approx(bench.timeline.energy_uj(), rel=1e-3)


@every
def test_a_second_recording_knows_nothing_of_the_first(make: Any) -> None:
    with make() as bench:
        lengths = []
        for _ in range(2):
            bench.probe.start()
            bench.play(bench.timeline)
            lengths.append(len(bench.probe.stop()))
    assert lengths[0] == lengths[1]


@every
def test_lost_samples_are_marked_and_void_the_inference(make: Any) -> None:
    with make(loss=True) as bench:
        bench.probe.start()
        bench.play(bench.timeline)
        trace = bench.probe.stop()
    assert trace.lost_samples > 0
    assert trace.lost is not None
    assert np.isnan(sample_energies_uj(trace)[trace.lost]).all()
    assert sample_energy(trace).total_uj is None


@every
def test_starting_twice_and_stopping_what_never_started_are_refused(make: Any) -> None:
    with make() as bench:
        with pytest.raises(BenchError, match="not recording"):
            bench.probe.stop()
        bench.probe.start()
        with pytest.raises(BenchError, match="already"):
            bench.probe.start()


@every
def test_a_recording_without_a_sample_raises_and_never_answers_zero(make: Any) -> None:
    with make() as bench:
        bench.probe.start()
        with pytest.raises(BenchError, match=r"sent no|no sample|sent nothing"):
            bench.probe.stop()


@every
def test_close_twice_is_harmless(make: Any) -> None:
    with make() as bench:
        bench.probe.close()
        bench.probe.close()


@pytest.mark.parametrize("name", ["ppk2", "lpm01a-ascii", "lpm01a-binary", "ina"])
def test_a_pulled_cable_is_said_and_never_a_hang(name: str) -> None:
    with PROBES[name](unplug=True) as bench:
        bench.probe.start()
        bench.play(bench.timeline)
        with pytest.raises(BenchError, match="went away"):
            bench.probe.stop()


@pytest.mark.parametrize("probe", [Ppk2Probe, Lpm01aProbe, InaProbe])
def test_a_port_that_is_not_there_is_one_line_with_the_cure(probe: Any) -> None:
    with pytest.raises(BenchError, match="can't be opened") as error:
        probe("/dev/no-such-port")
    assert error.value.cure


@every
def test_a_probe_tells_what_a_manifest_keeps_of_it(make: Any) -> None:
    with make() as bench:
        facts = bench.probe.facts()
    assert ProbeFacts.model_validate(json.loads(json.dumps(facts))).name == bench.probe.name
    assert facts["source"] == "modelled"
    assert facts["rate_hz"] > 0


def test_the_calibration_of_a_ppk2_is_kept() -> None:
    with ppk2() as bench:
        facts = bench.probe.facts()
    assert len(facts["calibration"]["r"]) == 5
