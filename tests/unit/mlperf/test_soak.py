"""Long runs by hand: thousands of sessions over bad lines, none of which may measure wrongly."""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from harness.mlperf.client import DutError
from harness.mlperf.faults import Faults

SESSIONS = 5000
INFER_US = 12_345  # of the devices in conftest.py


@pytest.mark.soak
def test_no_session_measures_wrongly(make_bench: Callable[..., Any]) -> None:
    chooser = random.Random(2026)
    ends: Counter[str] = Counter()
    for seed in range(SESSIONS):
        faults = Faults(
            lose_rx=chooser.choice([0, 1e-4, 1e-3, 3e-3]),
            lose_tx=chooser.choice([0, 1e-4, 1e-3, 3e-3]),
            garbage_tx=chooser.choice([0, 1e-4, 1e-3, 3e-3]),
            half_line=chooser.choice([0, 0, 0.01, 0.1]),
            reboot=chooser.choice([0, 0, 1e-4, 1e-3]),
            hang_after=chooser.choice([-1] * 9 + [chooser.randrange(2000)]),
            seed=seed,
        )
        bench = make_bench(faults=faults)
        data = bytes(chooser.randrange(256) for _ in range(96))
        scores = tuple(0.9 if i == sum(data) % 10 else 0.011 for i in range(10))
        try:
            bench.dut.connect()
            run = bench.dut.run_input(data, 10, 2)
        except DutError as e:
            assert "\n" not in str(e) and e.cure
            ends["failed"] += 1
            continue
        assert (run.results, run.elapsed_us) == (scores, 10 * INFER_US), faults
        ends["recovered" if bench.dut.recovered else "clean"] += 1
    logging.getLogger(__name__).warning("%d sessions: %s", SESSIONS, dict(ends))  # pytest --log-cli-level=WARNING
    assert ends["recovered"] > SESSIONS // 10 and ends["failed"] < SESSIONS // 2, ends
