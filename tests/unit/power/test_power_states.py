"""What the emulated board draws: sums of cited currents over its states."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.errors import BenchError
from harness.contracts.link import LinkSpec
from harness.contracts.testbed import SampleLog
from testbeds.virtual.power_log import marker_stages, sample_timeline
from testbeds.virtual.power_states import CURRENTS, Interval, currents, power_timeline, read_currents

STAGES = [(0.0, "local"), (8.0, "encode"), (10.0, "network"), (60.0, "combine")]


def test_every_figure_names_its_document_and_how_it_was_seen() -> None:
    table = currents()
    cited = [table.core.run, table.core.sleep, table.core.peripherals, *table.wifi.values()]
    assert all(c.document and c.table and c.seen in ("source", "quoted", "recollection") for c in cited)


def test_the_esp32_figures_agree_with_their_documents_half_duty_average() -> None:
    wifi = currents().wifi["esp32"]
    assert (wifi.tx_ma + wifi.rx_ma) / 2 == pytest.approx(178.0, abs=2.0)


@pytest.mark.parametrize(("mhz", "ma"), [(216, 102.0), (144, 58.0), (128, 25 + 33 * 68 / 84), (64, 25 + 33 * 4 / 84)])
def test_the_core_is_read_off_straight_lines(mhz: float, ma: float) -> None:
    assert currents().core.run.at_ma(mhz) == pytest.approx(ma)


def test_the_timeline_is_the_sum_of_core_and_radio_at_each_moment() -> None:
    found = power_timeline(STAGES, 60.5, clock_mhz=216, tx=[(12, 40)], rx=[(58, 59)], sleep=[(45, 50)], pad_ms=2)
    table = currents()
    run, asleep = table.core_ma("run", 216), table.core_ma("sleep", 216)
    wifi = table.wifi["esp32"]

    def at(ms: float) -> tuple[float, int]:
        piece = int(np.searchsorted(found.start_ms, ms + 2, side="right")) - 1
        return float(found.current_a[piece]) * 1e3, int(found.markers[piece])

    assert at(-1) == (pytest.approx(run + wifi.idle_ma), 0b000)
    assert at(1) == (pytest.approx(run + wifi.idle_ma), 0b001)
    assert at(9) == (pytest.approx(run + wifi.idle_ma), 0b011)
    assert at(20) == (pytest.approx(run + wifi.tx_ma), 0b010)
    assert at(47) == (pytest.approx(asleep + wifi.idle_ma), 0b010)
    assert at(58.5) == (pytest.approx(run + wifi.rx_ma), 0b010)
    assert at(60.2) == (pytest.approx(run + wifi.idle_ma), 0b110)
    assert at(61) == (pytest.approx(run + wifi.idle_ma), 0b000)
    assert found.end_ms == pytest.approx(64.5)


def test_equal_samples_are_equal_to_the_bit_whenever_they_were_taken() -> None:
    def at(zero: float) -> tuple[bytes, bytes, float]:
        stages = [(zero + ms, stage) for ms, stage in STAGES]
        found = power_timeline(stages, zero + 60.5, clock_mhz=216, tx=[(zero + 12.3, zero + 40.7)])
        return found.start_ms.tobytes(), found.current_a.tobytes(), found.end_ms

    assert at(0.0) == at(11744.153064814) == at(1e6 / 3)


intervals = st.lists(st.tuples(st.floats(-5, 70), st.floats(-5, 70)), max_size=4)


@given(tx=intervals, rx=intervals, sleep=intervals)
def test_any_intervals_give_a_timeline_between_the_least_and_most_the_parts_can_draw(
    tx: list[Interval], rx: list[Interval], sleep: list[Interval]
) -> None:
    found = power_timeline(STAGES, 60.5, clock_mhz=216, tx=tx, rx=rx, sleep=sleep)
    table = currents()
    least = table.core_ma("sleep", 216) + table.wifi["esp32"].idle_ma
    most = table.core_ma("run", 216) + table.wifi["esp32"].tx_ma
    assert found.current_a.min() * 1e3 >= least - 1e-9
    assert found.current_a.max() * 1e3 <= most + 1e-9
    assert found.energy_uj() > 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"wifi": "esp9"}, "Wi-Fi module 'esp9'"),
        ({"clock_mhz": 400}, "400 MHz"),
        ({"stages": [(0.0, "remote")]}, "unknown stage"),
        ({"stages": [(3.0, "local"), (2.0, "encode")]}, "ascend"),
        ({"stages": []}, "ascend"),
        ({"end_ms": 5.0}, "ascend"),
        ({"pad_ms": 0.0}, "padding"),
    ],
)
def test_what_can_not_be_is_one_line(change: dict[str, object], says: str) -> None:
    arguments: dict[str, object] = {"stages": STAGES, "end_ms": 60.5, "clock_mhz": 216.0, **change}
    with pytest.raises(BenchError, match=says):
        power_timeline(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("supply_v = 3.3", "supply_v = 33", "supply_v"),
        ("mhz = [25, 60", "mhz = [60, 25", "ascend"),
        ("tx_ma = 248.0", "tx_ma = -1", "tx_ma"),
        ('seen = "quoted"', 'seen = "guessed"', "seen"),
        ("ua_per_mhz", "ua_per_ghz", "ua_per"),
    ],
)
def test_a_wrong_table_names_its_key(tmp_path: Path, old: str, new: str, says: str) -> None:
    text = CURRENTS.read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "c.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(BenchError, match=says):
        read_currents(tmp_path / "c.toml")


def edges(*pairs: tuple[float, str]) -> list[dict[str, object]]:
    return [{"ms": ms, "stage": stage} for ms, stage in pairs]


def test_a_samples_log_tells_when_the_radio_was_on() -> None:
    log = SampleLog(
        extra={
            "markers": edges((100, "local"), (108, "encode"), (109, "network"), (149, "combine"), (149.2, "idle")),
            "messages": [
                {"way": "up", "wire_bytes": 1500, "sent_ms": 115.0, "arrived_ms": 137.0},
                {"way": "down", "wire_bytes": 125, "sent_ms": 140.0, "arrived_ms": 148.0},
            ],
        }
    )
    found = sample_timeline(log, clock_mhz=216, link=LinkSpec.symmetric(1e6, delay_ms=10.0), pad_ms=2)
    table = currents()
    core, wifi = table.core_ma("run", 216), table.wifi["esp32_modem_sleep"]
    quiet = sample_timeline(
        log, clock_mhz=216, link=LinkSpec.symmetric(1e6, delay_ms=10.0), wifi="esp32_modem_sleep", pad_ms=2
    )
    lasts_ms = np.diff(np.append(quiet.start_ms, quiet.end_ms))

    def when(ma: float) -> tuple[float, float]:
        here = np.isclose(quiet.current_a * 1e3, core + ma)
        return float(quiet.start_ms[here][0]), float(lasts_ms[here].sum())

    assert when(wifi.tx_ma) == (pytest.approx(2 + 15), pytest.approx(12.0))  # 1500 B at 1 Mbit/s, without the delay
    assert when(wifi.rx_ma) == (pytest.approx(2 + 47), pytest.approx(1.0))  # until the reply has arrived
    assert found.end_ms == pytest.approx(49.2 + 4)
    assert list(dict.fromkeys(found.markers.tolist())) == [0, 1, 3, 2, 6]


def test_local_only_sends_nothing() -> None:
    log = SampleLog(extra={"markers": edges((0, "idle"), (1, "local"), (6, "combine"), (6, "idle")), "messages": []})
    found = sample_timeline(log, clock_mhz=64, link=LinkSpec.symmetric(1e6))
    assert set(found.markers.tolist()) == {0, 1}
    assert len(set(found.current_a.tolist())) == 1


@pytest.mark.parametrize(
    ("pairs", "says"),
    [
        ([], "no marker edges"),
        ([(0, "idle")], "no marker edges"),
        ([(0, "local"), (5, "encode")], "come back to idle"),
        ([(0, "local"), (5, "idle"), (6, "local"), (7, "idle")], "more than one inference"),
        ([(0, "local"), (5, "fault"), (6, "idle")], "'fault'"),
        ([(5, "local"), (5, "idle")], "take no time"),
    ],
)
def test_a_log_that_is_no_inference_is_refused(pairs: list[tuple[float, str]], says: str) -> None:
    with pytest.raises(BenchError, match=says):
        marker_stages(edges(*pairs))
