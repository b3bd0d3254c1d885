"""`python -m harness.sweep alpha | compression | exit | rho | lambda | ... | pareto`: run AgileNN's own sweeps.

Points that need training start from a shared warm extractor and reference network, train for the budget of the plan
(--plan FILE; docs/agilenn.md) and are kept: the same point is never trained twice, also across sweeps.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from baselines.networks.quiet import start_tensorflow
from harness.artefacts import images
from harness.cluster import client as clusters
from harness.commands import trained_sweep_options as options_of
from harness.host import cli
from harness.host.progress import doing
from harness.report import training_tables as show
from harness.report import trainings as finish
from harness.report.trainings import Outcome
from harness.runs import published as papers
from harness.runs import trained_rows as rows
from harness.runs.paths import TRAINED_ROWS
from harness.runs.trained_rows import Row
from harness.training.options import parse_overrides
from harness.training.sweep import afar, axes, committed, latency, pareto, points
from harness.training.sweep import plan as plans
from harness.training.sweep.axes import Setting
from harness.training.sweep.points import Base
from harness.training.sweep.progress import PointsReport

if TYPE_CHECKING:
    from baselines.data import DataSet
    from baselines.schemes.agilenn.trial import Trials

NAMES = options_of.NAMES
FLOAT_NOTE = "Float networks with the hard quantiser"


def main(argv: list[str]) -> int:
    """Run the sweep named by the first word."""
    name = argv[0]
    options = options_of.parser(name).parse_args(argv[1:])
    cli.set_up_logging(options.verbose)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    images.check_name(options.dataset)
    said = cli.console(stderr=True)
    if name in ("alpha", "exit"):
        found = _alpha(options) if name == "alpha" else _exit(options)
    elif options.dry_run:
        return _dry_run(name, options)
    elif name == "pareto":
        with cli.going_on(cli.same_command("harness.sweep", argv)):
            found = _pareto(options, said)
    else:
        with cli.going_on(cli.same_command("harness.sweep", argv)):  # points that are there are taken as they are
            found = _trained(name, options, said)
    base = _base(options, plans.load(options.plan)) if hasattr(options, "plan") else None
    finish.write(name, options, found, base)
    return 0


def _alpha(options: argparse.Namespace) -> Outcome:
    found = committed.alpha(committed.Weights(options.dataset, options.profile))
    theirs = papers.beside("fig18", options.dataset)
    published = {(f"{v.x:g}", v.metric): v.value for v in theirs}
    columns = ("accuracy", "local_accuracy", "remote_accuracy")
    note = f"int8 device half, {found[0]['n_test']:,} test pictures"
    title = f"Weight of the local logits, {options.dataset}"
    return Outcome(found, columns, title, "alpha", note, published, options.dataset if theirs else "")


def _exit(options: argparse.Namespace) -> Outcome:
    fitted = latency.fit(options.run or latency.newest(Path("results"), options.dataset))
    weights = committed.Weights(options.dataset, options.profile)
    found, chosen = committed.exits(weights, fitted)
    other = "" if fitted.of_weights == weights.artefact.weights else ", which had other weights"
    note = (
        f"Threshold chosen on validation: {chosen} (sends least, costs at most {100 * committed.MOST_LOSS:g} points "
        f"there). {fitted.note}{other}"
    )
    columns = ("accuracy", "validation_accuracy", "share_sent", *rows.RATES)
    return Outcome(found, columns, f"Early exit, {options.dataset}", "exit threshold", note, {}, marked=chosen)


def _base(options: argparse.Namespace, plan: plans.Plan) -> Base:
    return Base(
        options.dataset, options.profile, parse_overrides(options.set), plan.budget, options.recipe, options.seed
    )


def _points(name: str, options: argparse.Namespace, plan: plans.Plan) -> list[Setting]:
    if name != "pareto":
        found = axes.settings(axes.AXES[name], plan, options.values)
        if name != "shaping":
            return found
        return axes.seeded(found, options.seeds, reference="reference.seed" not in parse_overrides(options.set))
    every = axes.pareto(plan)
    return [s for s in every if options.values is None or s.value in options.values]


def _dry_run(name: str, options: argparse.Namespace) -> int:
    plan = plans.load(options.plan)
    base = _base(options, plan)
    from baselines.data import load_dataset  # noqa: PLC0415

    data = load_dataset(options.dataset)
    out = cli.console()
    out.print(f"budget   {plan.budget.model_dump()}", markup=False)
    for setting in _points(name, options, plan):
        own = points.point_hash(base, base.recipe(setting), data.checksum)
        there = points.found_before(own, name, _folders(options)) is not None
        out.print(
            f"{setting.told:<12} {own}  {'there' if there else 'to be trained'}  {setting.overrides}", markup=False
        )
    out.print("nothing was trained (--dry-run)")
    return 0


def _folders(options: argparse.Namespace) -> list[Path]:
    return [] if options.fresh else [options.out, TRAINED_ROWS]


def _take(
    name: str, settings: Sequence[Setting], base: Base, options: argparse.Namespace, said: Console, data: DataSet
) -> list[Row]:
    """Return every point's row, written after each, so that a stop loses the points at work at most."""
    found: dict[int, Row] = {}

    def note(i: int, row: Row, how: str, *, trained: bool) -> None:
        found[i] = row
        finish.write_rows(name, options, [found[k] for k in sorted(found)])
        report.finished(f"{name} {settings[i].told}: {100 * row['accuracy']:.1f} %, {how}", trained=trained)

    with PointsReport(said, len(settings)) as report:
        left = []
        for i, setting in enumerate(settings):
            if (row := points.kept(base, setting, name, data.checksum, _folders(options))) is not None:
                note(i, row, "was there", trained=False)
            else:
                left.append(i)
        wanted = [settings[i] for i in left]
        with ExitStack() as held:
            if options.cluster and wanted:
                far = held.enter_context(clusters.connected(options.cluster))
                taken = afar.there(far, base, wanted, name, data.checksum)
            else:
                taken = _trained_here(name, wanted, base, data, report)
            for k, row in taken:
                note(left[k], row, f"{row['wall_s']:.0f} s", trained=True)
    return [found[i] for i in sorted(found)]


def _trained_here(
    name: str, settings: Sequence[Setting], base: Base, data: DataSet, report: PointsReport
) -> Iterator[tuple[int, Row]]:
    """Train points one after another in this process; yield (index, row)."""
    trials: Trials | None = None
    for i, setting in enumerate(settings):
        report.point(f"{name} {setting.told}")
        if trials is None:
            start_tensorflow(os.cpu_count() or 2)
            from baselines.schemes.agilenn.trial import Trials as Made  # noqa: PLC0415

            trials = Made(data, report)
        yield i, points.train(base, setting, name, base.recipe(setting), trials, data.checksum)


def _data(base: Base, settings: Sequence[Setting]) -> DataSet:
    """Return the data set, once every point's recipe has been found good."""
    for setting in settings:
        base.recipe(setting)
    from baselines.data import load_dataset  # noqa: PLC0415

    return load_dataset(base.dataset)


def _budget_note(base: Base, found: Sequence[Row]) -> str:
    b = base.budget
    pictures = f"{b.max_train:,}" if b.max_train else "all"
    return (
        f"{FLOAT_NOTE}; {pictures} training pictures, {b.epochs} + {b.finish_epochs} epochs a point from a shared "
        f"warm start; {found[0]['n_test']:,} test pictures, importance on {b.attention_samples:,}"
    )


def _trained(name: str, options: argparse.Namespace, said: Console) -> Outcome:
    plan, axis = plans.load(options.plan), axes.AXES[name]
    base = _base(options, plan)
    settings = _points(name, options, plan)
    data = _data(base, settings)
    found = []
    if name == "compression":
        weights = committed.Weights(options.dataset, options.profile)
        with doing(said, "coarser codebooks of the committed weights"):
            found = committed.compression(weights)
        settings = [] if options.run_time_only else settings
    trained = _take(name, settings, base, options, said, data) if settings else []
    found += trained
    published, paper = axis.published(options.dataset, [s.value for s in settings])
    note = _budget_note(base, trained) if trained else "committed weights"
    if name == "compression":
        note = f"At run time: committed int8 weights, neighbouring centroids merged. Others: {note}"
    title = f"{axis.title[0].upper()}{axis.title[1:]}, {options.dataset}"
    beside = _fig17(options.dataset) if name == "compression" else ()
    return Outcome(found, axis.shown, title, axis.title, note, published, paper, beside=beside)


def _fig17(dataset: str) -> tuple[Row, ...]:
    return tuple(
        {"value": f"paper, {v.title}", "accuracy": v.value / 100, "compression": v.x}
        for v in papers.beside("fig17", dataset)
    )


def _pareto(options: argparse.Namespace, said: Console) -> Outcome:
    plan = plans.load(options.plan)
    base = _base(options, plan)
    settings = _points("pareto", options, plan)
    data = _data(base, settings)
    fitted = latency.fit(options.run or latency.newest(Path("results"), options.dataset))
    start_tensorflow(os.cpu_count() or 2)
    with doing(said, "cycles of the candidates"):
        reference = pareto.cost(base, Setting("recipe", {}), data)
        costs = {s.value: pareto.cost(base, s, data) for s in settings}
    inside = [s for s in settings if costs[s.value].cycles <= options.cycles]
    for s in settings:
        if s not in inside:
            said.print(f"{s.value}: {costs[s.value].cycles:,} cycles are over the budget", markup=False)
    taken = _take("pareto", inside, base, options, said, data)
    found = [pareto.with_latency(row, costs[str(row["value"])], reference, fitted) for row in taken]
    told = "; ".join(
        f"front at {show.HEADS[total][0].removesuffix(' ms')}: {', '.join(names)}"
        for total, names in pareto.fronts(found).items()
    )
    note = f"{told}. {_budget_note(base, found)}. {fitted.note}" if found else fitted.note
    columns = ("accuracy", "validation_accuracy", "payload_bytes_mean", "cycles", "local_ms", *rows.RATES)
    title = f"Pareto front, {options.dataset}"
    return Outcome(found, columns, title, "candidate", note, {}, marked=pareto.PUBLISHED)
