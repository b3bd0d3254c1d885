"""Adds the bench to pytest: `pytest --testbed X -m "latency or energy" --save NAME`, `--compare NAME`.

Adds options, markers, one header line with every effective setting, and the fixtures of `checks/`. A testbed that
is not there ends the session with exit code 4 (usage error) and one line: never a skip, never green. Every figure
of a scheme is a property of its tests (`--junitxml`). A session with --testbed or --save leaves a run in the store; one
with --compare fails when something is worse than in the run named.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, ExitStack, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.contracts.errors import BenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.hil.measuring import Hil

MARKERS = (
    "latency: stages of an inference against what the testbed itself saw, and its limits",
    "memory: flash and RAM from the image, stack as painted",
    "accuracy: whole test set by the host library, equal to the board on a sample",
    "energy: energy per inference from a power probe, or from the model of an emulated board",
    "hil: measures a testbed (given by --testbed, else the emulated board)",
)
_DEFAULT_TESTBED = "virtual"
_SAVED = "results/saved"
_LINES = pytest.StashKey[list[str]]()
CHECKS = Path(__file__).with_name("checks")  # the tests that measure a testbed
_FOLDER = pytest.StashKey["Path | None"]()
_BASE = pytest.StashKey["Path | None"]()
_SETTINGS = ("dataset", "profile", "schemes", "rate", "hil_images", "lab", "board", "save", "compare", "minimum_effect")
_UNSET = {"schemes": "all", "rate": "6M where it can be shaped", "lab": os.environ.get("AGILENN_LAB", "none")}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the bench."""
    group = parser.getgroup("agilenn bench")
    group.addoption("--testbed", metavar="X", help="testbed that hil tests measure (default: virtual)")
    group.addoption("--board", metavar="LABEL", help="one of the boards of the lab file; --testbed may be left out")
    group.addoption("--dataset", default="cifar10", metavar="D", help="data set (default: %(default)s)")
    group.addoption("--profile", default="compact", metavar="P", help="size of the networks (default: %(default)s)")
    group.addoption("--schemes", metavar="A,B", help="schemes (default: all with weights)")
    group.addoption("--rate", metavar="R", help="link rate, or none: unshaped (default: 6M where it can be shaped)")
    group.addoption("--lab", metavar="FILE", help="lab file ($AGILENN_LAB; default: lab.toml if here)")
    group.addoption("--hil-images", default="3", metavar="N", help="images a scheme (default: %(default)s)")
    group.addoption("--save", metavar="NAME", help=f"keep the session's run as {_SAVED}/NAME")
    group.addoption("--compare", metavar="NAME|RUN", help="fail when worse than a saved run, or the run in a folder")
    group.addoption(
        "--minimum-effect", default="2%", metavar="SHARE", help="smallest change that counts (default: %(default)s)"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register markers; check a testbed that was asked for."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    if path := config.getoption("--lab"):
        os.environ["AGILENN_LAB"] = str(Path(path).absolute())
    if label := config.getoption("--board"):
        os.environ["AGILENN_BOARD"] = str(label)
        _take_testbed(config)
    if name := config.getoption("--testbed"):
        _check(str(name))
    _check_store(config)
    _collect_hil_alone(config)


def pytest_report_header(config: pytest.Config) -> str:
    """Return one line with every effective setting."""
    settings = {key: config.getoption(key) or _UNSET.get(key, "none") for key in _SETTINGS}
    shown = ", ".join(f"{key.replace('_', '-')} {value}" for key, value in settings.items())
    return f"agilenn bench: testbed {_testbed(config)}, {shown}, run in {_folder(config) or 'no folder'}"


@pytest.fixture
def hil_property(request: pytest.FixtureRequest) -> Callable[[str, object], None]:
    """Give a function that adds a figure to the test's properties (`--junitxml`).

    As pytest's `record_property`, which warns of every test that uses it under pytest's own `junit_family`.
    """

    def add(name: str, value: object) -> None:
        request.node.user_properties.append((name, value))

    return add


@pytest.fixture(scope="session")
def hil(request: pytest.FixtureRequest) -> Iterator[Hil]:
    """Give the testbed asked for with broker, edge and boards, for the session.

    Raises:
        pytest.UsageError: it can't be had.
    """
    from harness.hil import session as bench  # noqa: PLC0415 - not needed by tests that measure nothing

    config = request.config
    try:
        asked = bench.Asked.parse(
            testbed=_testbed(config),
            dataset=config.getoption("--dataset"),
            profile=config.getoption("--profile"),
            schemes=config.getoption("--schemes"),
            rate=config.getoption("--rate"),
            images=config.getoption("--hil-images"),
            energy=any(item.get_closest_marker("energy") for item in request.session.items),
            folder=_folder(config),
            argv=tuple(map(str, config.invocation_params.args)),
            compare=_base(config),
        )
        with ExitStack() as held:
            with _heard(config):
                opened = held.enter_context(bench.opened(asked))
            yield opened
    except BenchError as e:
        pytest.exit(f"testbed {_testbed(config)}: {e}", returncode=4)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Put whatever a test of the bench has measured by its end among its properties, also when it failed."""
    try:
        return (yield)
    finally:
        given = getattr(item, "funcargs", {})
        if "hil" in given and "hil_scheme" in given:
            had = {name for name, _ in item.user_properties}
            figures = given["hil"].figures(given["hil_scheme"])
            item.user_properties.extend((name, value) for name, value in figures.items() if name not in had)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hold the session's run against the one named by --compare; the session fails when something is worse."""
    folder, base = _folder(session.config), _base(session.config)
    if folder is None or not folder.is_dir():
        return
    lines = [f"run: {folder}"]
    if base is not None:
        try:
            told, worse = _compared(session.config, base, folder)
        except BenchError as e:
            told, worse = [f"--compare: {e}"], True
        lines += told
        if worse and session.exitstatus in (0, pytest.ExitCode.OK):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
    session.config.stash[_LINES] = lines


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was measured, where the run is, and the comparison."""
    from harness.hil import measured  # noqa: PLC0415 - not needed by tests that measure nothing

    reports = [one for kind in ("passed", "failed") for one in terminalreporter.stats.get(kind, [])]
    found = ((one.nodeid, one.user_properties) for one in reports if getattr(one, "when", "") == "call")
    lines = measured.lines((name, given) for name, given in found if given) if reports else []
    if lines := [*lines, *config.stash.get(_LINES, [])]:
        terminalreporter.section("agilenn bench")
        for line in lines:
            terminalreporter.line(line)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a hil test that takes `hil_scheme` once a scheme."""
    if "hil_scheme" not in metafunc.fixturenames:
        return
    from harness.artefacts import artefacts  # noqa: PLC0415
    from harness.host import cli, registry  # noqa: PLC0415

    given = metafunc.config.getoption("--schemes")
    try:
        option = metafunc.config.getoption
        trained = artefacts.trained(str(option("--dataset")), str(option("--profile")))
        names = cli.names(str(given)) if given else trained
        for name in names:
            registry.check_name(registry.SCHEMES, "scheme", name)
    except BenchError as e:
        raise pytest.UsageError(str(e)) from e
    metafunc.parametrize("hil_scheme", names, scope="session")


def _heard(config: pytest.Config) -> AbstractContextManager[None]:
    """Let what is said reach the terminal: the accuracy of a whole test set takes minutes, once."""
    capture = config.pluginmanager.getplugin("capturemanager")
    return nullcontext() if capture is None else capture.global_and_fixture_disabled()


def _collect_hil_alone(config: pytest.Config) -> None:
    """Leave all tests but those that measure a testbed out of a session that names one and no path.

    They need nothing that only developers install, and the others would take half a minute to be collected.
    """
    asked = any(config.getoption(name) for name in ("--testbed", "--save", "--compare"))
    if asked and config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = [str(CHECKS)]


def _take_testbed(config: pytest.Config) -> None:
    """Take the testbed of the board that was asked for."""
    from harness.lab import labfile  # noqa: PLC0415

    try:
        config.option.testbed = labfile.testbed_of(config.getoption("--testbed"))
    except BenchError as e:
        raise pytest.UsageError(str(e)) from e


def _check(name: str) -> None:
    from harness.host import locks  # noqa: PLC0415
    from harness.lab import labfile  # noqa: PLC0415

    try:
        setup = labfile.load()
        with setup.factory(name)() as testbed:
            if setup.file.hooks.before is not None:
                return  # it may be the hook that switches the board on: it is looked for after that
            testbed.check()
            with locks.held(testbed.identity):
                pass
    except BenchError as e:
        text = str(e) if name in str(e) else f"testbed {name}: {e}"
        raise pytest.UsageError(text) from e


def _testbed(config: pytest.Config) -> str:
    return str(config.getoption("--testbed") or _DEFAULT_TESTBED)


def _folder(config: pytest.Config) -> Path | None:
    """Return where the session's run goes; None: nowhere."""
    return config.stash.get(_FOLDER, None)


def _base(config: pytest.Config) -> Path | None:
    """Return the run to compare with."""
    return config.stash.get(_BASE, None)


def _check_store(config: pytest.Config) -> None:
    """Decide where the run goes and what it is compared with, before anything is measured."""
    saved, base, given = (config.getoption(name) for name in ("--save", "--compare", "--testbed"))
    if not (saved or base or given) or hasattr(config, "workerinput"):
        return
    if (saved or base) and getattr(config.option, "numprocesses", None):
        raise pytest.UsageError("--save and --compare want the samples of one process: leave -n out")
    from harness.contracts.quantities import share  # noqa: PLC0415
    from harness.hil import record as hil_record  # noqa: PLC0415

    root = config.invocation_params.dir
    try:
        share(config.getoption("--minimum-effect"))
        config.stash[_BASE] = hil_record.found_run(str(base), root) if base else None
        if saved:
            config.stash[_FOLDER] = hil_record.saved_folder(str(saved), root)
        else:
            stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
            config.stash[_FOLDER] = root / hil_record.RUNS / f"{stamp}-hil-{given or _DEFAULT_TESTBED}"
    except BenchError as e:
        raise pytest.UsageError(str(e)) from e


def _compared(config: pytest.Config, base: Path, folder: Path) -> tuple[list[str], bool]:
    from harness.contracts.quantities import share  # noqa: PLC0415
    from harness.hil import record as hil_record  # noqa: PLC0415

    least = share(config.getoption("--minimum-effect"))
    found, differs = hil_record.compared(base, folder, least)
    lines = [f"compared with {base}", *(f"differs: {text}" for text in differs), *map(hil_record.text, found)]
    return [*lines, hil_record.verdict_text(found, least)], any(line.worse for line in found)
