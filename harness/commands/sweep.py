"""`python -m harness.sweep AXIS`: vary one thing, and measure every scheme at each value on the same pictures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from harness.analysis.cells import Accuracy, Cell
from harness.analysis.datum import read_run, record
from harness.artefacts import artefacts
from harness.artefacts.images import Images
from harness.cluster import client as clusters
from harness.commands import sweep_options as command_line
from harness.commands import trained_sweep as trained
from harness.contracts.errors import BenchError
from harness.device.boardlog import Logs
from harness.doctor import examine
from harness.doctor.examine import Wanted
from harness.doctor.report import Report
from harness.host import cli
from harness.host.progress import doing
from harness.lab import hooks, lab, labfile
from harness.measure import axes, pinned
from harness.measure.axes import Axis
from harness.report import energy, outcome, side_by_side, splits
from harness.runs import published as papers
from harness.runs.certificates import Kept
from harness.runs.manifest import MANIFEST
from harness.runs.store import Store
from harness.sweep import afar, facts, measure, pictures, prepare, repeat, resume
from harness.sweep import several_testbeds as several
from harness.sweep.plan import further_images, make
from harness.sweep.runner import Bench, here


def main(argv: list[str]) -> int:
    """Check, prepare, measure, show."""
    if argv and argv[0] in trained.NAMES:
        return trained.main(argv)
    argv = resume.whole_command(argv)
    if argv and not argv[0].startswith("-"):
        axes.axis(argv[0], others=trained.NAMES)  # a better line than argparse's
    options = command_line.parser(__doc__).parse_args(argv)
    cli.set_up_logging(options.verbose)
    options.testbed = labfile.testbed_of(options.testbed)
    axis = axes.axis(options.axis)
    if options.json and ("," in options.testbed or options.dry_run):
        raise BenchError(
            "--json tells of one testbed that was measured", cure="leave it out, and use harness.export on what came"
        )
    if "," in options.testbed:
        return several.sweep(options, axis, argv)
    if options.dry_run:
        return _dry_run(options, axis)
    return _sweep(options, axis, argv)


def _request(options: argparse.Namespace, axis: Axis) -> prepare.Request:
    return prepare.Request(
        axis=axis,
        values=axis.values(options),
        testbed=options.testbed,
        schemes=options.schemes or axis.schemes(artefacts.trained(options.dataset, options.profile)),
        dataset=options.dataset,
        profile=options.profile,
        images=options.images,
        warmup=options.warmup,
        seed=options.seed,
        base=axis.base(options),
        energy=options.energy,
        lab=labfile.load(),
        afar=options.cluster is not None,
    )


def _dry_run(options: argparse.Namespace, axis: Axis) -> int:
    ground = prepare.ground(_request(options, axis))
    procedure = _procedure(options, ground)
    data = prepare.loaded_images(ground.request, [a.description for a in ground.artefacts.values()])
    chosen, warmups = _pictures(options, ground, data)
    values = ", ".join(axis.show(v) for v in ground.request.values)
    n = len(ground.artefacts) * len(ground.request.values)
    console = cli.console()
    console.print(f"testbed   {ground.testbed.name}: {ground.testbed.title}")
    console.print(f"schemes   {', '.join(ground.artefacts)}")
    console.print(f"{axis.name}   {values}")
    console.print(f"images    {', '.join(map(str, chosen))} of {data.name}; warm-up {', '.join(map(str, warmups))}")
    console.print(
        f"samples   {n} points x ({len(chosen)} + {len(warmups)} warm-up) = {n * (len(chosen) + len(warmups))}"
    )
    if procedure.repeat_until and procedure.max_samples:
        console.print(
            f"repeats   further images until the median's interval is {100 * procedure.repeat_until:g} % of it or "
            f"narrower, at most {procedure.max_samples} a point"
        )
    console.print("nothing was measured (--dry-run)")
    return 0


def _sweep(options: argparse.Namespace, axis: Axis, argv: list[str]) -> int:
    folder = _folder(options, axis)
    with hooks.around(labfile.load().file.hooks, options.testbed, folder):
        return _measured(options, axis, argv, folder)


def _measured(options: argparse.Namespace, axis: Axis, argv: list[str], folder: Path) -> int:
    said = cli.console(stderr=True)
    with doing(said, f"looking for schemes and testbed {options.testbed}"):
        ground = prepare.ground(_request(options, axis))
    procedure = _procedure(options, ground)
    chosen_times = _times(options, ground)
    examined = _examined(options, ground) if options.doctor else None
    with cli.going_on(lambda: _how_to_go_on(folder, argv)), ExitStack() as held:
        far = held.enter_context(clusters.connected(options.cluster)) if options.cluster else None
        # The edge loads its networks and warms up while images are read and firmware is compiled. The workers of a
        # cluster have their own; here one is needed for times that are not known yet.
        served = list(ground.artefacts.values())
        if far and chosen_times is not None and not chosen_times.times.missing(served):
            served = []
        up = held.enter_context(lab.opened(served, ground.request.lab))
        with doing(said, "getting ready: pictures") as ready:
            data = prepare.loaded_images(ground.request, [a.description for a in ground.artefacts.values()])
            ready.step(f"getting ready: firmware of {len(ground.artefacts)} schemes is built (once, then cached)")
            firmware = prepare.firmware(ground)
            ready.step("getting ready: the edge server loads its networks and warms up")
            calibrated = up.calibrated()
            ready.step("getting ready: pictures of each kind, exiting early and sent, are looked for")
            chosen, warmups = _pictures(options, ground, data)
        times = None
        if chosen_times is not None:
            times = pinned.completed(chosen_times, list(ground.artefacts.values()), calibrated)
        by_scheme = prepare.points(ground, data, firmware, times)
        further = further_images(len(data), procedure.max_samples or 0, chosen, warmups, options.seed)
        points = [point for pairs in by_scheme.values() for point, _ in pairs]
        plan = make(
            points,
            chosen,
            warmups,
            options.seed,
            free=ground.free,
            extra_images=further,
            shared_chance=axis.shared_chance,
        )
        jobs = prepare.jobs(plan, ground, by_scheme, times)
        # Each worker opens a board of every kind it meets, and a lab numbers only so many.
        most = max(1, lab.MOST_BOARDS // len({job.kind for job in jobs}))
        workers = min(options.jobs, most) if ground.free else 1
        more = {
            "procedure": asdict(procedure),
            "jobs": far.workers if far else workers,
            "cluster": far.facts() if far else None,
            "broker": up.broker.title,
            "pinned": pinned.facts(chosen_times, times, ground.artefacts) if chosen_times and times else None,
            "energy": {"idle_subtracted": False} if options.energy else None,
        }
        manifest = facts.manifest(
            ground, data=data, firmware_=firmware, plan=plan, by_scheme=by_scheme, argv=argv, more=more
        )
        store = Store(folder) if options.resume else Store.create(folder)
        report = examined or examine.cheap(ground.request.lab, options.testbed, ground.make, up)
        manifest["doctor"] = examine.attached(store, report)
        if far:
            packed = afar.parcel(ground.artefacts, firmware, data, jobs, ground.request.testbed, energy=options.energy)
            pool = afar.there(far, packed)
        else:
            meter = ground.meter if options.energy else None
            logs = Logs(store.folder)
            bench = Bench(up, ground.make, ground.artefacts, firmware, data, meter, Kept(store).note, logs)
            pool = here(bench, workers)
        shown = measure.Shown(said, axis, ground.titles)
        measure.take(store, manifest, jobs, pool, shown=shown, procedure=procedure)
    with cli.going_on(lambda: _how_to_go_on(folder, argv)):
        return _finish(options, ground, store, data, said, procedure)


def _how_to_go_on(folder: Path, argv: Sequence[str]) -> str:
    """Return the command: the same again where nothing was measured yet, whose folder holds no run."""
    begun = (folder / MANIFEST).is_file()
    return resume.command(folder) if begun else cli.same_command("harness.sweep", argv)


def _examined(options: argparse.Namespace, ground: prepare.Ground) -> Report:
    """Return the doctor's full report, for a testbed that is fit."""
    report = examine.full(ground.request.lab, options.testbed, Wanted())
    if report.failed:
        cli.console(stderr=True).print(report.table())
        raise BenchError(f"testbed {options.testbed} is not fit to be measured with", cure="see the table above")
    return report


def _folder(options: argparse.Namespace, axis: Axis) -> Path:
    """Return where the run goes, checked before anything takes time."""
    if options.resume:
        resumed: Path = options.resume
        measure.check_resumable(resumed)
        return resumed
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    folder: Path = options.out or Path("results") / "runs" / f"{stamp}-{axis.name}"
    Store.check_new(folder)
    return folder


def _pictures(options: argparse.Namespace, ground: prepare.Ground, data: Images) -> tuple[list[int], list[int]]:
    """Return the pictures to measure and those for warm-up."""
    return pictures.chosen(
        ground.artefacts.values(),
        data,
        options.images,
        options.warmup,
        options.seed,
        weighted=not options.no_accuracy,
        resumed=options.resume,
    )


def _procedure(options: argparse.Namespace, ground: prepare.Ground) -> repeat.Procedure:
    until, most, deadline_ms = options.repeat_until, options.max_samples, options.deadline
    return repeat.procedure(until, most, deadline_ms, images=options.images, free=ground.free)


def _times(options: argparse.Namespace, ground: prepare.Ground) -> pinned.Chosen | None:
    """Return the remote times to charge, and from which file; None for a testbed that charges what passed."""
    if not ground.pins_remote:
        if options.calibrate:
            raise BenchError(
                f"testbed {ground.testbed.name} charges the time that the edge took", cure="leave --calibrate out"
            )
        return None
    own = pinned.default_path(Path("results"), ground.request.dataset, ground.request.profile)
    offloading = list(ground.artefacts.values())
    if options.resume:
        return pinned.charged(options.resume, offloading)
    return pinned.choose(own, offloading, given=options.remote_ms, calibrate=options.calibrate)


def _finish(
    options: argparse.Namespace,
    ground: prepare.Ground,
    store: Store,
    data: Images,
    said: Console,
    procedure: repeat.Procedure,
) -> int:
    axis = ground.request.axis
    accuracies = {} if options.no_accuracy else measure.accuracies(ground, data, said)
    if accuracies:
        measure.note_accuracies(store, accuracies)
    published = axis.published(ground.request.dataset) if options.published else []
    found, written = outcome.write(
        store,
        axis,
        values=ground.request.values,
        titles=ground.titles,
        testbed=ground.testbed,
        accuracies=accuracies,
        published=published,
        deadline_ms=procedure.deadline_ms,
    )
    out = cli.console(quiet=options.json)
    values = {value: axis.show(value) for value in sorted(ground.request.values)}
    note = outcome.time_note(found, ground.testbed, store.facts().pinned)
    outcome.show(out, found, titles=ground.titles, values=values, accuracies=accuracies, note=note)
    if wants_side_by_side(options.axis, accuracies, found):
        written += _side_by_side(options.axis, store, found, accuracies, note=note, out=out)
    if options.energy:
        beside = papers.beside("fig19", ground.request.dataset) if options.published else []
        written += energy.write(store, axis, found, values=values, titles=ground.titles, published=beside, out=out)
    if procedure.deadline_ms is not None:
        for line in outcome.missed(found, axis, procedure.deadline_ms) or ["all samples meet the deadline"]:
            out.print(line)
    for line in outcome.warnings(found, store.rows(), axis, procedure):
        said.print(f"warning: {line}", style="yellow")
    for path in written:
        out.print(str(path), soft_wrap=True)
    if not any(cell.rows for cell in found):
        raise BenchError(f"no sample could be measured, see {store.folder / 'samples.csv'}", cure="mend what it says")
    if options.json:
        cli.print_json(record(read_run(store.folder)))
    return 0


def wants_side_by_side(word: str, accuracies: Mapping[str, Accuracy], found: Sequence[Cell]) -> bool:
    """Return whether schemes (or splits) are set side by side: over rates, with accuracies or where that was asked for.

    Args:
        word: the axis as it stood on the command line.
    """
    asked = word in ("table", "split", "curve")
    return axes.AXES[word].column == "rate_bps" and bool(accuracies or asked) and any(cell.rows for cell in found)


def _side_by_side(
    word: str,
    store: Store,
    found: Sequence[Cell],
    accuracies: Mapping[str, Accuracy],
    *,
    note: str,
    out: Console,
) -> list[Path]:
    """Write the tables of all schemes at a rate and of the fronts, or of the splits; show them where they were asked
    for.
    """
    schemes = store.manifest()["schemes"]
    lines = side_by_side.rows(found, schemes, accuracies)
    if word == "split":
        splits.show(out, lines, schemes, note)
        return splits.write(store, lines, schemes, note)
    if word in ("table", "curve"):
        side_by_side.show(out, lines, note)
    return side_by_side.write(store, lines, note)


if __name__ == "__main__":
    sys.exit(cli.way_in(main))
