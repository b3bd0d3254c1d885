"""Imports run one way: harness/ from its ways in to contracts, and baselines/ and testbeds/ know contracts alone."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from harness.commands import commands

ROOT = Path(__file__).resolve().parents[2]

# What harness/ uses of the toolchain (testbeds/firmware, its cycle counts) and of the data sets, recipes and exports of
# baselines/. Schemes and testbeds themselves it finds by entry point; docs/architecture.md tells why these are named.
TOOLCHAIN = {
    "testbeds", "testbeds.firmware", "testbeds.firmware.fuzz.run", "testbeds.firmware.generator.borders",
    "testbeds.firmware.generator.graph", "testbeds.firmware.generator.model", "testbeds.firmware.generator.writer",
    "testbeds.firmware.generator.zoo", "testbeds.firmware.host.graphlib", "testbeds.firmware.host.hostlib",
    "testbeds.firmware.host.schemelib", "testbeds.firmware.toolchain.build", "testbeds.firmware.toolchain.describe",
    "testbeds.firmware.toolchain.footprint",
    "testbeds.tools", "testbeds.virtual", "testbeds.virtual.codec_cycles", "testbeds.virtual.layer_cycles",
    "testbeds.virtual.power_states",
}  # fmt: skip
EXPORTS = {
    "baselines.data", "baselines.data.registry", "baselines.data.resize", "baselines.export.artefact",
    "baselines.export.context_tables", "baselines.export.serving", "baselines.networks.lite_interpreter",
    "baselines.networks.quiet",
    "baselines.recipes.hashing", "baselines.recipes.loading", "baselines.recipes.recipe",
    "baselines.training.interface",
    "baselines.training.speed",
}  # fmt: skip
# The one scheme whose settings can be swept has its sweep here, and faults reach into the boards that they break.
EXCEPTIONS = {
    ("harness.training.sweep", "baselines.schemes.agilenn"),
    ("harness.commands.trained_sweep", "baselines.schemes.agilenn"),
    ("harness.faults", "testbeds."),
    ("harness.bench.training", "baselines."),  # times a training step of every recipe
}


@pytest.fixture(scope="module")
def rooms() -> ModuleType:
    """Return docs/rooms.py, which measures and draws the rooms."""
    spec = importlib.util.spec_from_file_location("rooms", ROOT / "docs" / "rooms.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def edges(rooms: ModuleType) -> list[tuple[str, str]]:
    return sorted(set(rooms.imports(rooms.modules())))


def test_every_room_has_its_place_and_a_purpose(rooms: ModuleType) -> None:
    there = {p.parent.name for p in (ROOT / "harness").glob("*/__init__.py")}
    assert there == set(rooms.ORDER)
    assert all(rooms.purpose(name) for name in rooms.ORDER)
    assert len([p for p in (ROOT / "harness").iterdir() if p.name != "__pycache__"]) < 30


def test_no_room_imports_from_a_room_above_it(rooms: ModuleType) -> None:
    wrong = [
        f"{a} imports {b}"
        for (above, below), behind in rooms.arrows(rooms.modules()).items()
        if above in rooms.ORDER and below in rooms.ORDER and rooms.ORDER.index(below) > rooms.ORDER.index(above)
        for a, b in behind
    ]
    assert wrong == []


def test_no_module_imports_itself_by_a_detour(rooms: ModuleType, edges: list[tuple[str, str]]) -> None:
    below: dict[str, set[str]] = {}
    for a, b in edges:
        if a != b and not a.startswith(f"{b}."):  # a package and what is inside it are one
            below.setdefault(a, set()).add(b)
    done: set[str] = set()

    def circle(module: str, way: tuple[str, ...]) -> tuple[str, ...]:
        if module in way:
            return (*way[way.index(module) :], module)
        if module in done:
            return ()
        for other in sorted(below.get(module, ())):
            if found := circle(other, (*way, module)):
                return found
        done.add(module)
        return ()

    for module in rooms.modules():
        assert circle(module, ()) == ()


def test_testbeds_and_baselines_know_nothing_of_harness_but_contracts(edges: list[tuple[str, str]]) -> None:
    wrong = [
        (a, b)
        for a, b in edges
        if not a.startswith("harness") and b.startswith("harness") and not b.startswith("harness.contracts")
    ]
    assert wrong == []


def test_contracts_know_nothing_else(edges: list[tuple[str, str]]) -> None:
    wrong = [(a, b) for a, b in edges if a.startswith("harness.contracts") and not b.startswith("harness.contracts")]
    assert wrong == []


def test_harness_uses_of_testbeds_and_baselines_what_is_named(edges: list[tuple[str, str]]) -> None:
    wrong = [
        (a, b)
        for a, b in edges
        if a.startswith("harness") and not b.startswith("harness") and b not in TOOLCHAIN | EXPORTS
        if not any(a.startswith(x) and b.startswith(y) for x, y in EXCEPTIONS)
    ]
    assert wrong == []


def test_the_picture_of_the_rooms_is_that_of_the_code(rooms: ModuleType) -> None:
    assert rooms.PICTURE.read_text(encoding="utf-8") == rooms.draw(rooms.modules()), "run: python docs/rooms.py"


def test_every_command_goes_by_both_of_its_names() -> None:
    assert {"accuracy", "bench", "claims", "sweep", "run", "train"} <= set(commands())
    for name in commands():
        spec = importlib.util.find_spec(f"harness.{name}")
        assert spec is not None
        if spec.submodule_search_locations:  # a room of that name: its way in is its __main__
            assert f"harness.commands.{name} import main" in (ROOT / "harness" / name / "__main__.py").read_text(
                encoding="utf-8"
            )
        else:
            assert spec.origin == str(ROOT / "harness" / "commands" / f"{name}.py")


def test_every_file_that_the_map_names_is_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:harness|testbeds|baselines|tests|docs)/[\w./]+)`", text))
    assert len(named) > 50
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
