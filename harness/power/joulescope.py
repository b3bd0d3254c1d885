"""Drives a Joulescope JS220 through its maker's package `pyjoulescope_driver` (an extra), imported only when one is
opened.

The package publishes topics: `h/fs` sample rate, `s/i/ctrl`, `s/v/ctrl`, `s/gpi/N/ctrl` switch streams on, whose blocks
come on `.../!data` with `sample_id`, `sample_rate`, `decimate_factor` and `data`. A jump of `sample_id` is a loss.
Markers go to the general purpose inputs 0..2. Not yet run against the instrument itself, only against
`standins.joulescope`, which stands in for the package.
"""

from __future__ import annotations

import importlib
import logging
import threading
import time
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from harness.contracts.errors import BenchError
from harness.contracts.probe import PowerProbe, Source, Trace
from harness.contracts.toml import Strict

log = logging.getLogger(__name__)

INSTRUMENT = "Joulescope"
PACKAGE = "pyjoulescope_driver"
_SIGNALS = ("s/i", "s/v", "s/gpi/0", "s/gpi/1", "s/gpi/2")


class JoulescopeOptions(Strict):
    """Says how the Joulescope is set."""

    serial_number: str | None = None  # needed only where several are attached
    rate_hz: Literal[1_000_000, 500_000, 200_000, 100_000, 50_000, 20_000, 10_000] = 100_000
    rail: str = "the supply that runs through the Joulescope"
    drain_s: float = Field(default=0.3, ge=0, le=10)  # blocks on their way when a recording is stopped


@dataclass(frozen=True, eq=False)
class Block:
    """Holds one block of one signal: first sample number at the final rate, and its values."""

    first: int
    rate_hz: float
    values: npt.NDArray[Any]


class JoulescopeProbe(PowerProbe):
    """Drives the one Joulescope attached, or that of `serial_number`.

    Args:
        module: stands in for `pyjoulescope_driver` in tests.

    Raises:
        BenchError: the package is not installed, no such Joulescope, or it can't be opened.
    """

    name = INSTRUMENT

    def __init__(
        self, options: JoulescopeOptions | None = None, source: Source = "measured", module: ModuleType | Any = None
    ) -> None:
        self._options = options or JoulescopeOptions()
        self.source = source
        self.rate_hz = float(self._options.rate_hz)
        self._lock = threading.Lock()
        self._blocks: dict[str, list[Block]] = {}
        self._recording = False
        self._on_data = self._take  # bound once: unsubscribe looks for this very object
        self._driver: Any = (module or _package()).Driver()
        try:
            self._device = self._find()
            self._call("open", self._device, "defaults")
            self._call("publish", f"{self._device}/s/i/range/mode", "auto")
            self._call("publish", f"{self._device}/h/fs", self._options.rate_hz)
        except BaseException:
            self._finalize()
            raise

    def start(self) -> None:
        if self._recording:
            raise BenchError("the Joulescope is recording already", cure="stop it first")
        self._blocks = {signal: [] for signal in _SIGNALS}
        self._recording = True
        for signal in _SIGNALS:
            self._call("subscribe", f"{self._device}/{signal}/!data", ["pub"], self._on_data)
            self._call("publish", f"{self._device}/{signal}/ctrl", 1)

    def stop(self) -> Trace:
        if not self._recording:
            raise BenchError("the Joulescope is not recording", cure="start it first")
        self._recording = False
        time.sleep(self._options.drain_s)
        for signal in _SIGNALS:
            self._call("publish", f"{self._device}/{signal}/ctrl", 0)
            self._call("unsubscribe", f"{self._device}/{signal}/!data", self._on_data)
        with self._lock:
            return assemble(self._blocks, self.source, self._options.rail)

    def close(self) -> None:
        if self._driver is None:
            return
        try:
            self._driver.close(self._device)
        except Exception as e:
            log.warning("the Joulescope was gone at close (%s)", e)
        self._finalize()

    def _finalize(self) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.finalize()

    def _find(self) -> str:
        paths = [str(path) for path in self._driver.device_paths()]
        wanted = self._options.serial_number
        found = [p for p in paths if wanted is None or p.rsplit("/", 1)[-1] == wanted]
        if not found:
            raise BenchError(
                f"no Joulescope {wanted or ''} is attached", cure="plug it in; on Linux install its udev rules"
            )
        if len(found) > 1:
            raise BenchError(f"{len(found)} Joulescopes are attached", cure="name one by serial_number")
        return found[0]

    def _take(self, topic: str, value: dict[str, Any]) -> None:
        signal = topic.removeprefix(f"{self._device}/").removesuffix("/!data")
        factor = int(value.get("decimate_factor", 1)) or 1
        data = np.array(value["data"])  # the package reuses its buffer
        block = Block(int(value["sample_id"]) // factor, float(value["sample_rate"]) / factor, data)
        with self._lock:
            if len(data) and signal in self._blocks:
                self._blocks[signal].append(block)

    def _call(self, method: str, *args: Any) -> None:
        try:
            getattr(self._driver, method)(*args)
        except (RuntimeError, TimeoutError, OSError, ValueError) as e:
            raise BenchError(
                f"the Joulescope doesn't take {method} {args[0]} ({e})", cure="unplug it and plug it in again"
            ) from e


def _package() -> ModuleType:
    try:
        return importlib.import_module(PACKAGE)
    except ImportError as e:
        raise BenchError(
            f"a Joulescope needs the package {PACKAGE} ({e})", cure=f"python -m pip install {PACKAGE}"
        ) from e


def assemble(blocks: dict[str, list[Block]], source: Source, rail: str) -> Trace:
    """Make one trace from the blocks of current, voltage and inputs, over the samples that all of them span.

    Raises:
        BenchError: a signal sent nothing, or their rates differ.
    """
    if silent := [signal for signal in _SIGNALS if not blocks.get(signal)]:
        raise BenchError(f"the Joulescope sent nothing of {silent[0]}", cure="update its firmware")
    rates = {block.rate_hz for some in blocks.values() for block in some}
    if len(rates) != 1:
        raise BenchError(f"the Joulescope's signals come at {len(rates)} rates", cure="choose another rate_hz")
    total = sum(len(block.values) for block in blocks["s/i"])
    whole = {signal: _unpacked(some, total) if "gpi" in signal else some for signal, some in blocks.items()}
    first = max(some[0].first for some in whole.values())
    last = min(max(b.first + len(b.values) for b in some) for some in whole.values())
    if last <= first:
        raise BenchError("the Joulescope's signals don't overlap", cure="record longer")
    columns = {signal: _column(some, first, last) for signal, some in whole.items()}
    lost = np.any([np.isnan(column) for column in columns.values()], axis=0)
    markers = np.full(last - first, 0xFF, dtype=np.uint8)
    markers[~lost] = sum(columns[f"s/gpi/{pin}"][~lost].astype(np.uint8) << np.uint8(pin) for pin in range(3))
    current, voltage = columns["s/i"], columns["s/v"]
    current[lost], voltage[lost] = np.nan, np.nan
    return Trace(
        rate_hz=rates.pop(),
        source=source,
        probe=INSTRUMENT,
        rail=rail,
        current_a=current,
        voltage_v=voltage,
        markers=markers,
        lost=lost,
    )


def _unpacked(some: list[Block], total: int) -> list[Block]:
    """Unpack inputs where they are far fewer than `total`: they may come eight samples a byte, least
    significant first.
    """
    if sum(len(block.values) for block in some) * 4 > total:
        return some
    unpacked = []
    for block, later in zip(some, [*some[1:], None], strict=True):
        values = np.unpackbits(block.values.astype(np.uint8), bitorder="little")
        if later is not None:
            values = values[: max(0, later.first - block.first)]
        unpacked.append(Block(block.first, block.rate_hz, values))
    return unpacked


def _column(some: list[Block], first: int, last: int) -> npt.NDArray[np.float64]:
    column = np.full(last - first, np.nan)
    for block in some:
        a, b = max(block.first, first), min(block.first + len(block.values), last)
        if b > a:
            column[a - first : b - first] = block.values[a - block.first : b - block.first]
    return column
