"""`python -m harness.mlperf`: benchmark a device by the MLPerf Tiny procedures."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.contracts.errors import BenchError
from harness.host import cli
from harness.host.progress import doing
from harness.mlperf import access, dialect, networks, procedures
from harness.mlperf.access import STANDIN, Access, Request
from harness.mlperf.faults import Faults

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from harness.mlperf.client import Dut, Identity
    from harness.mlperf.inputs import InputSet
    from harness.mlperf.layout import Record

_IMAGES = 200  # of a data set, as many as the image classification benchmark has
_STANDIN_INPUTS = 20
_VIRTUAL_ITERATIONS = 10  # a window where time is virtual: more would repeat the same cycles


def main(argv: Sequence[str] | None = None) -> int:
    """Run what was asked for. Exit code 0: measured and written."""
    return cli.way_in(_body, argv)


def _parser() -> cli.Parser:
    parser = cli.Parser(prog="python -m harness.mlperf", description=__doc__)
    cli.add_common(parser)
    device = parser.add_argument_group("device")
    device.add_argument("--testbed", default="", help=f"virtual, stm32f746, ... or {STANDIN}")
    device.add_argument("--port", default="", help="serial port of a device that is flashed already")
    device.add_argument("--baud", type=cli.whole(300, 12_000_000, "--baud"), default=dialect.BAUD, help="of --port")
    device.add_argument("--image", type=Path, help="flash this .elf, .bin or .hex instead of ours")
    device.add_argument(
        "--network", default="", help="time this .tflite file in our image, or `ic` or `vww` (random weights)"
    )
    device.add_argument("--scheme", default="local_only", help="which of our images (default: %(default)s)")
    device.add_argument("--profile", default="compact", help="of our image (default: %(default)s)")
    inputs = parser.add_argument_group("inputs")
    inputs.add_argument("--inputs", type=Path, help="folder with y_labels.csv and the .bin files that it names")
    inputs.add_argument("--dataset", default="cifar10", help="test pictures instead of a folder (default: %(default)s)")
    inputs.add_argument("--data-dir", type=Path, help="where data sets lie")
    inputs.add_argument(
        "--limit", default="", help=f"inputs of the accuracy run; default: a folder's all, {_IMAGES} pictures"
    )
    run = parser.add_argument_group("run")
    run.add_argument(
        "--mode",
        choices=("performance", "accuracy", "both"),
        help="default: both; performance alone for --network without --inputs, which has no labels",
    )
    run.add_argument("--iterations", type=cli.whole(1, procedures.MAX_ITERATIONS, "--iterations"), help="of a window")
    run.add_argument("--warmups", type=cli.whole(0, 10_000, "--warmups"), default=1, help="before a window")
    most = dialect.OUR_CHUNK_BYTES
    run.add_argument(
        "--chunk-bytes",
        type=cli.whole(1, most, "--chunk-bytes"),
        help=f"input bytes a command; default: {dialect.CHUNK_BYTES}, and {most} to an image of ours",
    )
    run.add_argument("--no-read-back", action="store_true", help="don't compare inputs with what the device holds")
    run.add_argument("--out", type=Path, help="default: results/runs/mlperf-<time>")
    run.add_argument("--system", default="", help="folder name of the system (default: the testbed's)")
    run.add_argument("--overwrite", action="store_true", help="replace results that are there")
    run.add_argument("--dry-run", action="store_true", help="check the request and say what would be done")
    standin = parser.add_argument_group(STANDIN)
    standin.add_argument("--infer-us", type=cli.whole(1, 10_000_000, "--infer-us"), default=50_000)
    standin.add_argument("--lose", type=float, default=0.0, help="share of bytes lost in each direction")
    standin.add_argument("--seed", type=cli.whole(0, 2**32 - 1, "--seed"), default=0, help="of the lost bytes")
    return parser


def _body(argv: list[str]) -> int:
    args = _parser().parse_args(argv)
    cli.set_up_logging(args.verbose)
    args.mode = args.mode or ("performance" if args.network and not args.inputs else "both")
    request = _request(args)
    access.check(request)
    inputs = _inputs(args)
    out = args.out or Path("results") / "runs" / time.strftime("mlperf-%Y%m%dT%H%M%SZ", time.gmtime())
    if args.dry_run:
        device = request.port or f"{request.testbed} ({request.image or request.scheme})"
        cli.console().print(f"{args.mode} on {device}, {len(inputs.inputs)} inputs of {inputs.source}, into {out}")
        return 0
    try:
        return _measure(args, request, inputs, out)
    except OSError as e:
        raise BenchError(f"{e.filename or 'the device'}: {e.strerror or e}", cure="check the cable and the disk") from e


def _request(args: argparse.Namespace) -> Request:
    if not 0 <= args.lose < 1:
        raise BenchError(f"--lose {args.lose} is out of range", cure="give a share from 0 up to but not 1")
    faults = Faults(lose_rx=args.lose, lose_tx=args.lose, seed=args.seed)
    return Request(
        testbed=args.testbed,
        port=args.port,
        baud=args.baud,
        image=args.image,
        network=args.network,
        scheme=args.scheme,
        dataset=args.dataset,
        profile=args.profile,
        standin_infer_us=args.infer_us,
        faults=faults,
    )


def _inputs(args: argparse.Namespace) -> InputSet:
    from harness.mlperf import inputs as sets  # noqa: PLC0415 - numpy, not needed for --help

    limit = None
    if args.limit not in ("", "all"):
        limit = cli.whole(1, 1_000_000, "--limit")(args.limit)
    if args.inputs:
        return sets.first(sets.from_folder(args.inputs), limit)
    if args.testbed == STANDIN:
        return sets.synthetic(limit or _STANDIN_INPUTS)
    if args.network:
        if args.mode != "performance":
            raise BenchError("accuracy of --network needs labelled inputs", cure="add --inputs, or leave --mode out")
        return networks.random_inputs(args.network, procedures.WINDOWS)
    from harness.artefacts import images  # noqa: PLC0415

    test = images.load(args.dataset, args.data_dir)
    count = None if args.limit == "all" else limit or _IMAGES
    return sets.from_arrays(f"{test.name} test pictures", test.pictures, test.labels, test.classes, count)


def _measure(args: argparse.Namespace, request: Request, inputs: InputSet, out: Path) -> int:
    from harness.mlperf import show  # noqa: PLC0415
    from harness.mlperf.client import Dut  # noqa: PLC0415

    with access.opened(request) as way:
        journal = _Journal()
        dut = Dut(
            way.port,
            way.label,
            listener=journal.heard,
            read_back=not args.no_read_back,
            real_time=way.real_time,
            chunk_bytes=args.chunk_bytes or way.chunk_bytes,
        )
        identity = dut.connect()
        session = _Session(args, way, dut, identity, inputs, out, journal)
        performance = session.performance() if args.mode != "accuracy" else None
        accuracy = session.accuracy() if args.mode != "performance" else None
    console = cli.console()
    console.print(
        show.table(
            identity,
            performance,
            accuracy,
            time_source=way.time_source,
            score_source="assumed" if request.testbed == STANDIN else "measured",
            inputs=inputs.source,
            recovered=dut.recovered,
        )
    )
    if way.remarks:
        console.print(f"times are {way.time_source}: {way.remarks}")
    console.print(f"results: {out / 'results'}")
    return 0


class _Journal:
    """Passes what is said on to the procedure that is under way; what came before one opens its log."""

    def __init__(self) -> None:
        self._before: list[tuple[str, str]] = []
        self.record: Record | None = None

    def heard(self, who: str, line: str) -> None:
        if self.record:
            self.record.heard(who, line)
        else:
            self._before = [*self._before[-99:], (who, line)]

    @contextmanager
    def into(self, record: Record) -> Iterator[Record]:
        with record:
            for who, line in self._before:
                record.heard(who, line)
            self.record = record
            try:
                yield record
            finally:
                self.record = None


@dataclass(frozen=True)
class _Session:
    """Holds one device with its inputs and its output folder."""

    _args: argparse.Namespace
    _way: Access
    _dut: Dut
    _identity: Identity
    _inputs: InputSet
    _out: Path
    _journal: _Journal

    def performance(self) -> procedures.Performance:
        """Run the performance procedure, shown, logged and written."""
        virtual = None if self._way.real_time else _VIRTUAL_ITERATIONS
        plan = procedures.WindowPlan(
            least_s=procedures.WINDOW_S if self._way.real_time else 0.0,
            iterations=self._args.iterations or virtual,
            warmups=self._args.warmups,
        )
        with self._journal.into(self._record("performance")) as record, _bar() as progress:
            result = procedures.run_performance(self._dut, self._inputs, plan, progress)
            record.script((w.input_name, w.iterations, plan.warmups) for w in result.windows)
            record.performance(result, self._facts())
        return result

    def accuracy(self) -> procedures.Accuracy:
        """Run the accuracy procedure, shown, logged and written."""
        with self._journal.into(self._record("accuracy")) as record, _bar() as progress:
            record.script((one.name, 1, 0) for one in self._inputs.inputs)
            done = []
            for prediction in procedures.run_accuracy(self._dut, self._inputs, progress):
                record.prediction(prediction)
                done.append(prediction)
            result = procedures.judge(done)
            record.accuracy(result, self._facts())
        return result

    def _record(self, procedure: str) -> Record:
        from harness.mlperf.layout import Record  # noqa: PLC0415

        system = self._args.system or self._way.system
        return Record(self._out, system, self._identity.model, procedure, overwrite=self._args.overwrite)

    def _facts(self) -> dict[str, Any]:
        from harness.mlperf.layout import facts_of  # noqa: PLC0415

        return facts_of(
            self._identity,
            self._inputs,
            system=self._args.system or self._way.system,
            time_source=self._way.time_source,
            remarks=self._way.remarks,
            recovered=self._dut.recovered,
        )


@contextmanager
def _bar() -> Iterator[Callable[[str, int, int], None]]:
    """Show a progress bar on stderr while the block runs."""
    with doing(cli.console(stderr=True), "inferences", total=1) as shown:

        def tell(what: str, done: int, of: int) -> None:
            shown.step(what)
            shown.at(done, of)

        yield tell


if __name__ == "__main__":
    raise SystemExit(main())
