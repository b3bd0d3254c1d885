"""The INA bridge's sketch, compiled for the host over stubs of the Arduino calls: its lines are those that we read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.contracts.paths import cache_dir
from harness.power import ina
from harness.power.ina_lines import LineParser, fill

pytestmark = pytest.mark.slow

STUBS = Path(__file__).with_name("arduino")
SKETCH = Path(ina.__file__).with_name("sketches") / "ina_bridge" / "ina_bridge.ino"


@pytest.fixture(scope="module", params=["INA226", "INA228"])
def sketch(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    chip: str = request.param
    folder = tmp_path_factory.mktemp(chip)
    text = SKETCH.read_text(encoding="utf-8").replace(
        "#define CHIP_INA228 0", f"#define CHIP_INA228 {chip[-1] == '8':d}"
    )
    (folder / "sketch.cpp").write_text(text, encoding="utf-8")
    built = folder / "host"
    # Without the C++ library, which the pinned compiler would have to build first.
    argv = [sys.executable, "-m", "ziglang", "cc", "-x", "c++", "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror"]
    argv += ["-fno-exceptions", "-fno-rtti", "-fno-sanitize=all", "-nostdlib++", "-nostdinc++"]
    argv += [f'-DSKETCH="{folder / "sketch.cpp"}"', f"-I{STUBS}", str(STUBS / "main.cpp"), "-o", str(built)]
    cache = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": str(cache_dir() / "zig")}  # the firmware build's
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False, env=cache)
    assert done.returncode == 0, done.stderr
    return chip, built


def lines(built: Path, commands: str, loops: int, *more: str) -> LineParser:
    done = subprocess.run([str(built), commands, str(loops), *more], capture_output=True, timeout=60, check=True)
    parser = LineParser()
    parser.feed(done.stdout)
    return parser


def test_its_samples_are_read_with_their_units_clock_and_markers(sketch: tuple[str, Path]) -> None:
    chip, built = sketch
    parser = lines(built, "?G", 2000)
    header = parser.readings.header
    assert header is not None
    assert (header.chip, header.period_us, parser.readings.bad_lines) == (chip, 1000, 0)
    found = fill(parser.readings, header)
    assert len(found.lost) > 50
    assert not found.lost.any()
    assert found.period_us == pytest.approx(1000, rel=0.01)
    amps = -200 * 25e-6 if chip == "INA226" else -1600 * 3.125e-6
    assert found.current_a == pytest.approx(np.full(len(found.lost), amps))
    assert found.voltage_v == pytest.approx(np.full(len(found.lost), 3.3))
    assert set(found.markers.tolist()) == set(range(8))


def test_without_a_chip_it_says_so(sketch: tuple[str, Path]) -> None:
    parser = lines(sketch[1], "G", 100, "nochip")
    assert parser.readings.errors == ["no chip on the bus"]
    assert parser.readings.numbers == []


def test_it_stops_when_told(sketch: tuple[str, Path]) -> None:
    assert lines(sketch[1], "GX", 2000).readings.numbers == []
