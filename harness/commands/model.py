"""`python -m harness.model FILE.tflite`: measure any int8 model on the emulated board: time, memory, energy, bytes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from harness.bench.model_report import BOARDS, DEFAULT_MHZ, measure_model
from harness.bench.model_show import draw, show
from harness.contracts.errors import BenchError
from harness.host import cli


def main(argv: list[str]) -> int:
    """Measure one model and show it; returns the exit code."""
    p = cli.Parser(prog="python -m harness.model", description=(__doc__ or "").partition(": ")[2])
    p.add_argument("file", type=Path, metavar="FILE.tflite", help="int8 model; borders may be float32, uint8 or int8")
    p.add_argument("--board", default="stm32f746", help=f"one of {', '.join(BOARDS)} (default: %(default)s)")
    p.add_argument("--mhz", type=_mhz, default=DEFAULT_MHZ, metavar="N", help="core clock (default: %(default)g)")
    p.add_argument("--variant", choices=["fast", "lean"], default="fast", help="of the kernels (default: %(default)s)")
    p.add_argument("--inputs", type=Path, metavar="FILE.npy", help="inputs [n, ...] to run it on (default: noise)")
    p.add_argument(
        "--samples",
        type=cli.whole(0, 10_000, "--samples"),
        default=16,
        metavar="N",
        help="inputs whose bytes are compared with the reference interpreter (default: %(default)s; 0: not compared)",
    )
    p.add_argument("--profile", action="store_true", help="show the hottest code too, instruction by instruction")
    p.add_argument("--json", action="store_true", help="print everything as JSON instead of tables")
    p.add_argument(
        "--picture", type=Path, metavar="STEM", help="write STEM.png, .pdf and .svg: the layers' cycles by cause"
    )
    p.add_argument("--cc", default="zig", help="C compiler (default: the pinned zig wheel)")
    cli.add_common(p)
    args = p.parse_args(argv)
    cli.set_up_logging(args.verbose)
    report, profile = measure_model(
        args.file,
        board=args.board,
        clock_mhz=args.mhz,
        variant=args.variant,
        cc=args.cc,
        samples=args.samples,
        inputs=args.inputs,
        profile=args.profile,
    )
    out = cli.console()
    if args.json:
        sys.stdout.write(json.dumps(report.record(), indent=2) + "\n")
    else:
        show(report, out)
    if profile is not None and not args.json:
        profile.show(out)
    if args.picture:
        stem = args.picture.with_suffix("") if args.picture.suffix in (".png", ".pdf", ".svg") else args.picture
        try:
            path = draw(report, stem)
        except OSError as e:
            raise BenchError(f"{stem}.png can't be written ({e.strerror})", cure="give another --picture") from e
        if not args.json:
            out.print(str(path), soft_wrap=True)
    return 0


def _mhz(text: str) -> float:
    try:
        value = float(text.removesuffix("MHz").removesuffix("M").strip())
    except ValueError:
        raise BenchError(f"'{text}' is no clock in MHz", cure="give one such as 216 or 64") from None
    if not 1 <= value <= 1000:
        raise BenchError(f"a clock of {text} MHz is out of range", cure="give one such as 216 or 64")
    return value


if __name__ == "__main__":
    sys.exit(cli.way_in(main))
