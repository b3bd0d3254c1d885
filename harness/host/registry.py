"""Finds schemes, testbeds and probes by name, through entry points, so that other packages can add theirs."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from harness.contracts.errors import BenchError, TestbedAbsent
from harness.contracts.probe import PowerProbe
from harness.contracts.scheme import Scheme
from harness.contracts.testbed import Testbed

SCHEMES = "agilenn_bench.schemes"
TESTBEDS = "agilenn_bench.testbeds"
PROBES = "agilenn_bench.probes"  # those of other packages; the bench's own need none


def known(group: str) -> list[str]:
    """Return the names in a group, sorted."""
    return sorted({point.name for point in entry_points(group=group)})


def scheme_names() -> list[str]:
    """Return the schemes of this installation, AgileNN first, then in the order of their entry points."""
    return list(dict.fromkeys(point.name for point in entry_points(group=SCHEMES)))


def check_name(group: str, kind: str, name: str) -> None:
    """Raise BenchError, listing the known names, when `name` is not in `group`. This imports nothing."""
    _point(group, kind, name)


def scheme(name: str) -> Scheme:
    """Return the scheme called `name`.

    Raises:
        BenchError: no such scheme, or its module can't be loaded.
    """
    made: Scheme = _load(SCHEMES, "scheme", name)()
    return made


def testbed_class(name: str) -> type[Testbed]:
    """Return the class of the testbed called `name`.

    Raises:
        BenchError: no such testbed.
        TestbedAbsent: it is known but its support is not part of this installation.
    """
    point = _point(TESTBEDS, "testbed", name)
    try:
        loaded: type[Testbed] = point.load()
    except ModuleNotFoundError as e:
        if e.name and (point.module == e.name or point.module.startswith(e.name + ".")):
            raise TestbedAbsent(
                f"testbed {name}: this installation has no support for it ({e.name} is missing)",
                cure="use --testbed virtual, or install a version that brings it",
            ) from e
        raise BenchError(f"testbed {name} needs the package {e.name}", cure=f"pip install {e.name}") from e
    return loaded


def testbed(name: str) -> Testbed:
    """Return a testbed called `name`, not opened. Raises as `testbed_class`."""
    return testbed_class(name)()


def probe(name: str, settings: Mapping[str, object]) -> PowerProbe:
    """Open a probe from another package with the settings of the lab's file.

    Raises:
        BenchError: there is none of this name, it can't be loaded, it takes other settings, or what it raises itself.
    """
    kind = _load(PROBES, "probe", name)
    try:
        opened: PowerProbe = kind(**settings)
    except TypeError as e:
        raise BenchError(f"probe {name} does not take these settings ({e})", cure="mend [probe] settings") from e
    return opened


testbed.__test__ = False  # type: ignore[attr-defined]  # the name begins with "test": pytest would collect it
testbed_class.__test__ = False  # type: ignore[attr-defined]


def _point(group: str, kind: str, name: str) -> EntryPoint:
    for point in entry_points(group=group):
        if point.name == name:
            return point
    raise BenchError(f"unknown {kind} '{name}'", cure=f"choose from {', '.join(known(group)) or 'none installed'}")


def _load(group: str, kind: str, name: str) -> Any:
    point = _point(group, kind, name)
    try:
        return point.load()
    except ModuleNotFoundError as e:
        raise BenchError(f"{kind} {name} can't be loaded ({e})", cure="reinstall: pip install -e .") from e
