"""The pytest side of the bench: `pytest --testbed X -m latency`.

Adds options, markers, one header line with every effective setting, and the fixtures that tests/hil stand on. A testbed
that is not there ends the session with exit code 4 (usage error) and one line: never a skip, never green.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.contracts.errors import BenchError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.hil import Hil

MARKERS = (
    "latency: stages of an inference against what the testbed itself saw, and its limits",
    "memory: flash and RAM from the image, stack as painted",
    "accuracy: whole test set by the host library, equal to the board on a sample",
    "energy: energy per inference from a power probe, or from the model of an emulated board",
    "hil: measures a testbed (given by --testbed, else the emulated board)",
)
_DEFAULT_TESTBED = "virtual"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the bench."""
    group = parser.getgroup("agilenn bench")
    group.addoption("--testbed", metavar="X", help="testbed that hil tests measure (default: virtual)")
    group.addoption("--dataset", default="cifar10", metavar="D", help="data set (default: %(default)s)")
    group.addoption("--profile", default="compact", metavar="P", help="size of the networks (default: %(default)s)")
    group.addoption("--schemes", metavar="A,B", help="schemes (default: all that are installed)")
    group.addoption("--rate", default="6M", metavar="R", help="link rate, or none: unshaped (default: %(default)s)")
    group.addoption("--lab", metavar="FILE", help="lab file ($AGILENN_LAB; default: lab.toml if here)")
    group.addoption("--hil-images", default="3", metavar="N", help="images a scheme (default: %(default)s)")


def pytest_configure(config: pytest.Config) -> None:
    """Register markers; check a testbed that was asked for."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    if path := config.getoption("--lab"):
        os.environ["AGILENN_LAB"] = str(Path(path).absolute())
    if name := config.getoption("--testbed"):
        _check(str(name))


def pytest_report_header(config: pytest.Config) -> str:
    """One line with every effective setting."""
    keys = ("dataset", "profile", "schemes", "rate", "hil_images")
    settings = {key: config.getoption(key) for key in keys}
    shown = ", ".join(f"{key.replace('_', '-')} {value or 'all'}" for key, value in settings.items())
    return f"agilenn bench: testbed {config.getoption('--testbed') or _DEFAULT_TESTBED}, {shown}"


@pytest.fixture(scope="session")
def hil(request: pytest.FixtureRequest) -> Iterator[Hil]:
    """The testbed asked for with broker, edge and boards, for the session.

    Raises:
        pytest.UsageError: it can't be had.
    """
    from harness import hil as bench  # noqa: PLC0415 - not needed by tests that measure nothing

    config = request.config
    try:
        asked = bench.Asked.parse(
            testbed=config.getoption("--testbed") or _DEFAULT_TESTBED,
            dataset=config.getoption("--dataset"),
            profile=config.getoption("--profile"),
            schemes=config.getoption("--schemes"),
            rate=config.getoption("--rate"),
            images=config.getoption("--hil-images"),
        )
        with bench.opened(asked) as opened:
            yield opened
    except BenchError as e:
        pytest.exit(f"testbed {config.getoption('--testbed') or _DEFAULT_TESTBED}: {e}", returncode=4)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A hil test that takes `hil_scheme` runs once a scheme."""
    if "hil_scheme" not in metafunc.fixturenames:
        return
    from harness import cli, registry  # noqa: PLC0415

    given = metafunc.config.getoption("--schemes")
    try:
        names = cli.names(str(given)) if given else registry.scheme_names()
        for name in names:
            registry.check_name(registry.SCHEMES, "scheme", name)
    except BenchError as e:
        raise pytest.UsageError(str(e)) from e
    metafunc.parametrize("hil_scheme", names, scope="session")


def _check(name: str) -> None:
    from harness import labfile, locks  # noqa: PLC0415

    try:
        with labfile.load().factory(name)() as testbed:
            testbed.check()
            with locks.held(testbed.identity):
                pass
    except BenchError as e:
        text = str(e) if name in str(e) else f"testbed {name}: {e}"
        raise pytest.UsageError(text) from e
