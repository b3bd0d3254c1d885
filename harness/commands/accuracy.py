"""`python -m harness.accuracy DIR`: measure what a trained scheme gets right of a whole test set.

The firmware's own C code computes the device half.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from harness.artefacts import accuracy, artefacts, images
from harness.host import cli
from harness.host.processes import die_with_parent
from harness.host.progress import doing
from testbeds.firmware.toolchain.build import build


def _told(done: int, total: int) -> None:
    sys.stdout.write(f"{done} of {total}\n")
    sys.stdout.flush()


def main(argv: list[str]) -> int:
    """Measure one artefact and say what came out."""
    p = cli.Parser(prog="python -m harness.accuracy", description=__doc__)
    p.add_argument("artefact", type=Path, metavar="DIR", help="folder of a trained scheme")
    p.add_argument("--dataset", metavar="D", help="default: the artefact's own")
    p.add_argument("--library", type=Path, metavar="FILE", help="host build of its firmware (default: built)")
    p.add_argument("--jobs", type=cli.whole(1, 64, "--jobs"), help="default: all cores")
    p.add_argument("--with-parent", action="store_true", help="end with the process that started this one")
    cli.add_data_dir(p)
    cli.add_common(p)
    options = p.parse_args(argv)
    if options.with_parent:
        die_with_parent()
    cli.set_up_logging(options.verbose)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    artefact = artefacts.load(options.artefact)
    name = options.dataset or artefact.description.dataset
    images.check_name(name)
    data = images.load(name).fitting(artefact.description)
    library = options.library or build(artefact.folder, "host")
    found = accuracy.cached(artefact, library, data)
    if found is None and options.with_parent:
        # Whoever started this shows it: harness.artefacts.accuracy reads these lines.
        found = accuracy.measure(artefact, library, data, options.jobs, _told)
    elif found is None:
        what = f"accuracy of {artefact.description.label}, pictures through its halves"
        with doing(cli.console(stderr=True), what, total=len(data)) as shown:
            found = accuracy.measure(artefact, library, data, options.jobs, shown.at)
    out = cli.console()
    out.print(f"{artefact.description.label}: {100 * found.share:.2f} % of {found.n} right")
    for half, right in (("local half alone", found.local_right), ("remote half alone", found.remote_right)):
        if right is not None:
            out.print(f"  {half}: {100 * right / found.n:.2f} %")
    out.print(f"  mean payload {found.payload_bytes_mean:.1f} B, {found.exited} exits")
    return 0


if __name__ == "__main__":
    sys.exit(cli.way_in(main))
