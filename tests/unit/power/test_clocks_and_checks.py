"""Clock fits, zero and known-load checks, and opening a probe by its settings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.contracts.errors import BenchError
from harness.contracts.probe import Trace
from harness.power.checks import check_known_load, check_zero
from harness.power.clock_fit import fit_clocks, fit_lower_envelope
from harness.power.ina import InaOptions, InaProbe
from harness.power.probes import ProbeConfig, find_port, open_probe
from harness.power.standins.ina import StandinIna
from harness.power.trace import write_trace


@given(st.floats(-1e3, 1e3), st.floats(-500, 500), st.integers(3, 50))
def test_a_drifting_clock_is_found_with_its_offset(offset_s: float, drift_ppm: float, n: int) -> None:
    host = np.linspace(100, 130, n)
    other = offset_s + host * (1 + drift_ppm / 1e6)
    fit = fit_clocks(host.tolist(), other.tolist())
    assert fit is not None
    assert fit.drift_ppm == pytest.approx(drift_ppm, abs=1e-3)
    assert fit.residual_s < 1e-9
    assert fit.to_reference(fit.to_other(117.0)) == pytest.approx(117.0, abs=1e-9)
    assert fit.to_other(110.0) == pytest.approx(offset_s + 110 * (1 + drift_ppm / 1e6), abs=1e-8)


def test_samples_that_nobody_counted_show_as_residual() -> None:
    host = np.linspace(0, 10, 200)
    probe = host - np.where(host > 5, 64e-5, 0)  # 64 lost words
    fit = fit_clocks(host.tolist(), probe.tolist())
    assert fit is not None
    assert fit.residual_s > 1e-4


def test_readings_that_come_late_are_fitted_by_those_that_waited_least() -> None:
    rng = np.random.default_rng(0)
    probe = np.linspace(0, 10, 400)
    host = probe / (1 + 500e-6) + rng.exponential(0.02, 400)
    fit = fit_lower_envelope(host.tolist(), probe.tolist())
    assert fit is not None
    assert fit.drift_ppm == pytest.approx(500, abs=150)


def test_too_few_readings_or_no_time_between_them_can_not_tell() -> None:
    assert fit_clocks([1.0, 2.0], [1.0, 2.0]) is None
    assert fit_clocks([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]) is None
    assert fit_lower_envelope([], []) is None
    with pytest.raises(ValueError, match="readings"):
        fit_clocks([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="finite"):
        fit_clocks([1.0, 2.0, float("nan")], [1.0, 2.0, 3.0])


def flat(amps: float, n: int = 1000, noise: float = 1e-6) -> Trace:
    current = amps + np.random.default_rng(0).normal(0, noise, n)
    return Trace(1000.0, "measured", "p", "r", current_a=current, voltage_v=np.full(n, 3.3))


def test_zero_and_known_load() -> None:
    assert check_zero(flat(0.0)).passed is True
    assert check_zero(flat(0.001)).passed is False
    assert check_known_load(flat(0.033), 100.0).passed is True
    assert check_known_load(flat(0.036), 100.0).passed is False


def test_checks_say_when_they_can_not_tell() -> None:
    assert check_zero(flat(0.0, n=10)).passed is None
    assert check_zero(flat(0.0, noise=0.0)).passed is None  # a probe that answers 0 is not measuring
    energy = Trace(1000.0, "measured", "p", "r", energy_uj=np.ones(500))
    assert check_zero(energy).passed is None
    assert check_known_load(energy, 10.0).passed is None
    with pytest.raises(ValueError, match="ohm"):
        check_known_load(flat(0.1), 0.0)


def test_a_probe_is_opened_by_its_settings(tmp_path: Path) -> None:
    write_trace(flat(0.1), tmp_path / "t.csv")
    with open_probe(ProbeConfig(kind="replay", path=tmp_path / "t.csv")) as probe:
        assert probe.name == "replay of p"
    with pytest.raises(BenchError, match="can't be opened"):
        open_probe(ProbeConfig(kind="ina", port="/dev/no-such-port"))


@pytest.mark.parametrize("kind", ["ina", "replay"])
def test_settings_without_where_it_is_are_refused(kind: str) -> None:
    with pytest.raises(ValidationError):
        ProbeConfig.model_validate({"kind": kind})


def test_a_joulescope_without_its_package_names_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys  # noqa: PLC0415

    monkeypatch.setitem(sys.modules, "pyjoulescope_driver", None)
    with pytest.raises(BenchError, match="pip install pyjoulescope_driver"):
        open_probe(ProbeConfig(kind="joulescope"))


def test_no_or_several_ports_of_a_kind_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Port:
        vid, pid = 0x1915, 0xC00A

        def __init__(self, device: str) -> None:
            self.device = device

    ports: list[Port] = []
    monkeypatch.setattr("harness.power.probes.list_ports.comports", lambda: ports)
    with pytest.raises(BenchError, match="no ppk2 is attached"):
        find_port("ppk2")
    ports.append(Port("/dev/ttyACM0"))
    assert find_port("ppk2") == "/dev/ttyACM0"
    ports.append(Port("/dev/ttyACM1"))
    with pytest.raises(BenchError, match="2 ports"):
        find_port("ppk2")


def test_every_serial_probe_tells_how_its_clock_runs_against_the_hosts() -> None:
    with StandinIna() as standin, InaProbe(standin.path, InaOptions(quiet_s=0.05)) as probe:
        assert probe.clock() is None
        assert probe.clock_info() == {}
        # 400 ppm slow, read by a host that is late by up to 20 ms
        rng = np.random.default_rng(0)
        host = np.linspace(100.0, 110.0, 500)
        late = host + rng.exponential(0.004, 500)
        counted = (host - 100.0) * (1 - 400e-6) * probe.rate_hz
        probe._clock_pairs = list(zip(late.tolist(), counted.tolist(), strict=True))
        info = probe.clock_info()
    assert float(info["clock_drift_ppm"]) == pytest.approx(-400, abs=60)
    assert float(info["clock_residual_ms"]) < 2
    assert float(info["clock_offset_s"]) == pytest.approx(-100.0, abs=0.1)
