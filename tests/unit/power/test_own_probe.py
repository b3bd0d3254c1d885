"""A probe from another package, found by its entry point."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import numpy as np
import pytest

from harness.contracts.errors import BenchError
from harness.contracts.probe import PowerProbe, Trace
from harness.host import registry
from harness.power.probes import ProbeConfig, open_probe


class Shunt(PowerProbe):
    """Ten samples of the current it was told."""

    name = "shunt"
    source = "measured"
    rate_hz = 1000.0

    def __init__(self, current_a: float) -> None:
        self._current_a = current_a

    def start(self) -> None:
        pass

    def stop(self) -> Trace:
        volts = np.full(10, 3.3)
        return Trace(1000.0, "measured", self.name, "3V3", current_a=np.full(10, self._current_a), voltage_v=volts)

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("shunt", f"{__name__}:Shunt", registry.PROBES)
    monkeypatch.setattr(EntryPoint, "load", lambda self: Shunt)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == registry.PROBES else [])


def test_it_is_opened_with_its_settings() -> None:
    with open_probe(ProbeConfig(kind="own", name="shunt", settings={"current_a": 0.1})) as probe:
        probe.start()
        trace = probe.stop()
    assert trace.current_a is not None
    assert trace.current_a.tolist() == [0.1] * 10


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"name": "coil"}, "unknown probe 'coil': choose from shunt"),
        ({"name": "shunt", "settings": {"amps": 1}}, "does not take these settings"),
    ],
)
def test_what_is_wrong_is_one_line(config: dict[str, object], said: str) -> None:
    with pytest.raises(BenchError, match=said):
        open_probe(ProbeConfig.model_validate({"kind": "own", **config}))


@pytest.mark.parametrize("config", [{"kind": "own"}, {"kind": "ppk2", "name": "shunt"}])
def test_a_name_belongs_to_own_probes_alone(config: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="entry point"):
        ProbeConfig.model_validate(config)
