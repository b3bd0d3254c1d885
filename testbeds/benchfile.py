"""Reads `bench.toml`, which describes a testbed as data beside its code."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from harness.contracts.attachment import PowerSave, UsbIdentity
from harness.contracts.quantities import Limits
from harness.contracts.testbed import Source, TestbedDescription
from harness.contracts.toml import Strict, read_toml


class BenchFile(Strict):
    """Holds the keys of a bench file; units are in their names.

    A limit is what `pytest -m "latency or memory or energy"` holds against: `total_ms = 30`, `total_ms = "30 ms"`, or
    of one scheme `"agilenn.total_ms" = "0.03 s"`. It is kept in the unit of its name.
    """

    title: str
    target: str
    clock_hz: int = Field(gt=0)
    ram_bytes: int = Field(ge=0)
    flash_bytes: int = Field(ge=0)
    console_baud: int = Field(gt=0)
    module_baud: int = Field(ge=9600, le=5_000_000)
    module_flow_control: bool = False  # the module's RTS is wired; used above 1 Mbaud
    time_source: Source
    power_save: PowerSave | None = None  # for a board that has a radio of its own; lab.toml may say otherwise
    remarks: str = ""
    limits: Limits = Field(default_factory=dict)
    usb: list[UsbIdentity] = Field(default_factory=list)


def read_bench_file(path: Path) -> BenchFile:
    """Read and check a bench file. Raises BenchError naming the file and the key."""
    return read_toml(path, BenchFile)


def heeds_flow(wired: bool, module_baud: int) -> bool:
    """Tell whether the module's flow control is used: above 1 Mbaud its receiver's 128 bytes last for under 1 ms."""
    return wired and module_baud > 1_000_000


def describe(name: str, bench: BenchFile) -> TestbedDescription:
    """Return the description that tables and the manifest show."""
    return TestbedDescription(
        name=name,
        title=bench.title,
        target=bench.target,
        clock_hz=bench.clock_hz,
        ram_bytes=bench.ram_bytes,
        flash_bytes=bench.flash_bytes,
        console_baud=bench.console_baud,
        module_baud=bench.module_baud,
        time_source=bench.time_source,
        module_flow_control=heeds_flow(bench.module_flow_control, bench.module_baud),
        remarks=bench.remarks,
        limits=dict(bench.limits),
        extra={"power_save": bench.power_save} if bench.power_save else {},
    )
