"""How fast the PPK2's words are decoded: against a plain loop over them, and against the instrument's 100 kS/s.

By hand: python tests/bench/bench_power_decode.py
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from harness.power.ppk2_calibration import Calibration
from harness.power.ppk2_words import RATE_HZ, WordDecoder, pack

SECONDS = 20
CHUNK = 1 << 14


def stream() -> bytes:
    """`SECONDS` of the instrument's stream, a word in 10,000 missing."""
    rng = np.random.default_rng(0)
    n = int(RATE_HZ) * SECONDS
    words = pack(
        rng.integers(0, 5 << 14, n).astype(np.uint32),
        np.arange(n).astype(np.uint32),
        rng.integers(0, 8, n).astype(np.uint8),
    )
    return words[rng.random(n) > 1e-4].tobytes()


def vectorised(data: bytes) -> float:
    """Mean current by the driver's own path."""
    decoder = WordDecoder()
    for start in range(0, len(data), CHUNK):
        decoder.feed(data[start : start + CHUNK])
    decoder.flush()
    samples = decoder.samples()
    current = Calibration().table_a(3.3)[samples.codes]
    return float(current[~samples.lost].mean())


def plain(data: bytes) -> float:
    """The same a word at a time, on a tenth of the data."""
    calibration = Calibration()
    total, n, last, lost = 0.0, 0, None, 0
    for at in range(0, len(data) // 10 // 4 * 4, 4):
        word = int.from_bytes(data[at : at + 4], "little")
        r = min((word >> 14) & 7, 4)
        x = ((word & 0x3FFF) * 4 - calibration.o[r]) * (1.8 / 163840) / calibration.r[r]
        total += calibration.ug[r] * (
            x * (calibration.gs[r] * x + calibration.gi[r]) + calibration.s[r] * 3.3 + calibration.i[r]
        )
        counter = (word >> 18) & 63
        if last is not None:
            lost += (counter - last - 1) % 64
        last = counter
        n += 1
    return total / n


def best_s(call: Callable[[bytes], float], data: bytes) -> float:
    """Shortest of five calls."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        call(data)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> int:
    """Print both figures."""
    data = stream()
    fast, slow = best_s(vectorised, data), best_s(plain, data) * 10
    sys.stdout.write(
        f"vectorised: {SECONDS / fast:,.0f} x real time (100 kS/s); plain loop: {SECONDS / slow:.1f} x;"
        f" ratio {slow / fast:,.0f}\n"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
