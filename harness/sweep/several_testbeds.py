"""Runs one sweep on several testbeds at once: a run a testbed, in processes of their own, and a table of all of them.

Each is an ordinary run in a folder of its own (`OUT/<testbed>`), with topics of its own at one broker that all share.
So one that fails or is stopped does not touch the others, and `--resume OUT` goes on with those that are not finished.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.markup import escape

from harness.analysis.stats import Interval
from harness.broker import given as given_broker
from harness.broker import managed as broker
from harness.contracts import reading
from harness.contracts.errors import BenchError
from harness.host import cli, registry
from harness.host.processes import die_with_parent, inherited_path
from harness.lab import labfile
from harness.measure.axes import Axis
from harness.runs.store import Store, csv_text
from harness.show import tables
from harness.sweep.resume import SEVERAL, command, without

_LEAVE_S = 60.0


def sweep(options: argparse.Namespace, axis: Axis, argv: Sequence[str]) -> int:
    """Run the sweep on all testbeds, and return the worst of their exit codes.

    Raises:
        BenchError: an unknown testbed, or a folder that can't be used.
    """
    names = cli.names(options.testbed)
    for name in names:
        registry.check_name(registry.TESTBEDS, "testbed", name)
    own = without(argv, ("--testbed", "--out", "--resume"))
    if options.dry_run:
        return max(_run_all({name: [*own, "--testbed", name] for name in names}))
    folder = _folder(options, axis)
    calls = {}
    for name in names:
        there = folder / name
        where = ["--resume" if (there / "manifest.json").is_file() else "--out", str(there)]
        calls[name] = [*own, "--testbed", name, *where]
    store = Store(folder)
    facts: dict[str, Any] = {"axis": axis.name, "command": list(argv), "testbeds": dict.fromkeys(names)}
    store.write_text(SEVERAL, json.dumps(facts, indent=2) + "\n")  # before anything can be stopped
    with cli.going_on(command(folder)):
        codes = _run_all(calls)
    facts["testbeds"] = dict(zip(names, codes, strict=True))
    store.write_text(SEVERAL, json.dumps(facts, indent=2) + "\n")
    rows = joined(folder, names, axis.name)
    if not rows:
        raise BenchError("no testbed could be measured", cure="see what each said above")
    written = [
        store.write_text(f"tables/{axis.name}.csv", csv_text(list(rows[0]), rows)),
        store.write_text(f"tables/{axis.name}.md", markdown(rows, axis)),
    ]
    out = cli.console()
    out.print(escape(written[1].read_text(encoding="utf-8")), soft_wrap=True)
    for path in written:
        out.print(str(path), soft_wrap=True)
    return max(codes)


def joined(folder: Path, names: Sequence[str], axis: str) -> list[dict[str, str]]:
    """Return the rows of every testbed's table, with the testbed as their first column; a testbed without one is left
    out.
    """
    rows: list[dict[str, str]] = []
    for name in names:
        path = folder / name / "tables" / f"{axis}.csv"
        if path.is_file():
            rows += [{"testbed": name, **row} for row in reading.csv_of(path, "make it anew: --resume")]
    return rows


def markdown(rows: Sequence[Mapping[str, str]], axis: Axis) -> str:
    """Return a table of latencies in ms, with a line a testbed and scheme and a column a value."""
    values = sorted({float(r["value"]) for r in rows})
    lines = []
    for testbed, scheme in dict.fromkeys((r["testbed"], r["scheme"]) for r in rows):
        own = {float(r["value"]): r for r in rows if (r["testbed"], r["scheme"]) == (testbed, scheme)}
        sources = "+".join(sorted({r["time_source"] for r in own.values() if r["time_source"]}))
        lines.append([testbed, scheme, *(_latency(own.get(v)) for v in values), sources or "–"])
    header = ["testbed", "scheme", *(axis.show(v) for v in values), "times"]
    return "Latency in ms over the images [95 % interval], as each testbed's own table has it.\n\n" + tables.markdown(
        header, lines
    )


def _latency(row: Mapping[str, str] | None) -> str:
    if row is None or not row["total_ms"]:
        return "–"
    low, high = (float(row[k]) if row[k] else None for k in ("total_ms_low", "total_ms_high"))
    return tables.latency_text(Interval(float(row["total_ms"]), low, high, int(float(row["n"]))))


def _folder(options: argparse.Namespace, axis: Axis) -> Path:
    if options.resume:
        resumed: Path = options.resume
        if not (resumed / SEVERAL).is_file() and not any(resumed.glob("*/manifest.json")):
            raise BenchError(f"{resumed} holds no runs of several testbeds", cure="give the folder of such a sweep")
        return resumed
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    folder: Path = options.out or Path("results") / "runs" / f"{stamp}-{axis.name}"
    return Store.create(folder).folder


def _run_all(calls: Mapping[str, Sequence[str]]) -> list[int]:
    said = cli.console(stderr=True)
    section = labfile.load().file.broker
    with ExitStack() as held:
        environment = {}
        if section.url is None:
            environment = given_broker.environment(held.enter_context(broker.running(section=section)))
        started = {name: held.enter_context(_started(argv, environment)) for name, argv in calls.items()}
        threads = [threading.Thread(target=_tell, args=(said, n, p.stdout), daemon=True) for n, p in started.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.2)  # so that a signal is noticed
        return [process.wait() for process in started.values()]


@contextmanager
def _started(argv: Sequence[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.sweep", *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": inherited_path(), **environment},
        preexec_fn=die_with_parent,  # noqa: PLW1509 - no thread of ours holds a lock when these are started
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)  # it keeps what is finished and gives its boards back
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_LEAVE_S)
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.stdout:
            process.stdout.close()


def _tell(console: Console, name: str, lines: IO[str] | None) -> None:
    """Print what a testbed's run says, each line under its name."""
    with contextlib.suppress(ValueError):  # closed while we read: the run was ended
        for line in lines or ():
            console.print(f"[dim]{escape(name)}:[/dim] {escape(line.rstrip())}", soft_wrap=True)
