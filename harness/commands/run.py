"""`python -m harness.run --scheme S --image N`: run one inference and show its stages."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from harness.device.boardlog import Logs
from harness.device.bringup import Board
from harness.host import cli
from harness.host.progress import doing
from harness.lab import hooks, lab, labfile
from harness.measure import again, pinned
from harness.measure.axes import Bandwidth, Setting
from harness.measure.inference import measure
from harness.measure.inference_energy import measure_with_energy
from harness.runs.measurements import ENERGY_METRICS, METRICS, STAGES
from harness.runs.sample import Planned, Point
from harness.sweep import pictures, prepare

_BAR = 60  # characters of the timeline
_SHADES = {"local": "█", "encode": "▓", "network": "░", "remote": "▒", "combine": "█"}


def parser() -> cli.Parser:
    """Return the command line."""
    p = cli.Parser(prog="python -m harness.run", description=__doc__)
    p.add_argument("--scheme", required=True, metavar="S")
    p.add_argument("--image", type=cli.whole(0, 10**6, "--image"), default=0, metavar="N", help="its number")
    p.add_argument("--rate", type=cli.rate_or_none, default="6M", metavar="R", help="6M, or none: unshaped")
    p.add_argument("--testbed", metavar="T", help="default: virtual, or that of --board")
    p.add_argument("--dataset", default="cifar10", metavar="D")
    p.add_argument("--profile", default="compact", metavar="P")
    p.add_argument("--remote-ms", type=Path, metavar="FILE", help="pinned remote times")
    p.add_argument("--energy", action="store_true", help="its energy too")
    cli.add_lab(p)
    cli.add_board(p)
    cli.add_data_dir(p)
    cli.add_common(p)
    return p


def main(argv: list[str]) -> int:
    """Measure one sample and show it."""
    options = parser().parse_args(argv)
    cli.set_up_logging(options.verbose)
    options.testbed = labfile.testbed_of(options.testbed)
    with hooks.around(labfile.load().file.hooks, options.testbed):
        return _measure(options)


def _measure(options: argparse.Namespace) -> int:
    said = cli.console(stderr=True)
    with doing(said, f"looking for scheme {options.scheme} and testbed {options.testbed}"):
        ground = prepare.ground(_request(options))
    artefact = ground.artefacts[options.scheme]
    own = pinned.default_path(Path("results"), options.dataset, options.profile)
    times = pinned.choose(own, [artefact], given=options.remote_ms) if ground.pins_remote else None
    with (
        lab.opened([artefact], ground.request.lab) as up,
        doing(said, "getting ready: pictures") as ready,
    ):
        data = prepare.loaded_images(ground.request, [artefact.description])
        picture = data.picture(options.image)
        ready.step("getting ready: firmware is built (once, then cached)")
        image = prepare.firmware(ground)[options.scheme]
        ready.step("getting ready: the edge server loads its networks and warms up")
        calibrated = up.calibrated()
        charge = None
        if times is not None:
            charge = pinned.completed(times, [artefact], calibrated).remote_ms(artefact)
        ready.step("getting ready: the board boots and joins the network")
        with ground.make() as testbed, ExitStack() as held:
            supply = ground.request.lab.supply(testbed)
            board = held.enter_context(
                closing(
                    Board(
                        testbed,
                        artefact,
                        image,
                        up.network(0, testbed),
                        cancelled=threading.Event(),
                        kept=Logs().of(testbed),
                        revive=None if supply is None else supply.cycle,
                    )
                )
            ).up()
            label = int(data.labels[options.image])
            planned = _planned(options, ground)
            link = Setting(rate_bps=options.rate).link if options.rate else None
            ready.step("one inference")
            meter = held.enter_context(ground.meter()) if options.energy else None

            def once() -> dict[str, Any]:
                if meter is None:
                    return measure(board, planned, picture, label, link=link, pinned_ms=charge, services=up.services)
                return measure_with_energy(
                    meter, board, planned, picture, label, link=link, pinned_ms=charge, services=up.services
                )

            row = again.taken(board, f"image {options.image}", once)
    show(cli.console(), row, ground.titles[options.scheme], time_note(ground))
    other = pictures.of_the_other_kind(artefact, data, options.image)
    if other is not None:
        cli.console().print(f"image {other} {'is sent' if row['exited'] else 'exits early'}: --image {other}")
    return 0


def show(console: Console, row: Mapping[str, Any], title: str, note: str) -> None:
    """Print the stages as a table with a timeline, then the outcome and bytes."""
    table = Table(title=f"{title}, image {row['image']} at {cli.rate_text(row['rate_bps'])}", caption=note)
    table.add_column("stage")
    table.add_column("ms", justify="right")
    table.add_column("source")
    table.add_column("timeline")
    begin = 0.0
    for stage in STAGES:
        metric = METRICS[f"{stage}_ms"]
        value = float(row[metric.name])
        table.add_row(
            stage, f"{value:.3f}", str(row[metric.source_column]), timeline(stage, begin, value, row["total_ms"])
        )
        begin += value
    table.add_section()
    table.add_row("total", f"{row['total_ms']:.3f}", str(row["total_ms_source"]), "")
    console.print(table)
    right = "right" if row["predicted"] == row["label"] else "wrong"
    console.print(f"class {row['predicted']}, label {row['label']}: {right}{'; exited early' if row['exited'] else ''}")
    if row["payload_bytes"]:
        sizes = ", ".join(
            f"{METRICS[n].title} {METRICS[n].show(row[n])} B" for n in ("payload_bytes", "mqtt_bytes", "wire_bytes")
        )
        console.print(f"{sizes}; codec {row['codec']}, {row['symbols']} symbols")
        if row["remote_wall_ms"] is not None:
            console.print(f"the edge took {row['remote_wall_ms']:.3f} ms on this host")
    show_energy(console, row)


def show_energy(console: Console, row: Mapping[str, Any]) -> None:
    """Print the energies where they were asked for, with what is to be known of them."""
    if row.get("energy_uj") is not None:
        parts = [f"{m.stage} {m.show(row[name])}" for name, m in ENERGY_METRICS.items() if row[name] is not None]
        console.print(f"energy in uJ, {row['energy_uj_source']}, {row['energy_rail']}: {', '.join(parts)}")
    if row.get("idle_mw") is not None:
        console.print(f"idle around it, {row['idle_mw_source']}: {METRICS['idle_mw'].show(row['idle_mw'])} mW")
    if row.get("energy_reason"):
        console.print(f"energy: {row['energy_reason']}")


def timeline(stage: str, begin_ms: float, value_ms: float, total_ms: float) -> str:
    """Draw a stage's place in the whole, in characters; one that took any time gets at least one."""
    if not total_ms or not value_ms:
        return ""
    first = min(_BAR - 1, round(_BAR * begin_ms / total_ms))
    width = max(1, round(_BAR * value_ms / total_ms))
    return " " * first + _SHADES[stage] * min(width, _BAR - first)


def time_note(ground: prepare.Ground) -> str:
    """Say what the times are."""
    remarks = f" ({ground.testbed.remarks})" if ground.testbed.remarks else ""
    return f"Times {ground.testbed.time_source} on {ground.testbed.title}{remarks}."


def _request(options: argparse.Namespace) -> prepare.Request:
    return prepare.Request(
        axis=Bandwidth(),
        values=[options.rate] if options.rate else [],
        testbed=options.testbed,
        schemes=[options.scheme],
        dataset=options.dataset,
        profile=options.profile,
        images=1,
        warmup=0,
        seed=0,
        base=Setting(rate_bps=options.rate),
        energy=options.energy,
        lab=labfile.load(),
    )


def _planned(options: argparse.Namespace, ground: prepare.Ground) -> Planned:
    point = Point(
        scheme=options.scheme,
        dataset=options.dataset,
        profile=options.profile,
        testbed=options.testbed,
        rate_bps=options.rate,
        clock_hz=ground.testbed.clock_hz,
    )
    return Planned(order=0, point=point, image=options.image, warmup=False, seed=0)


if __name__ == "__main__":
    sys.exit(cli.way_in(main))
