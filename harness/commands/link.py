"""`python -m harness.link try|agree|clean`: measure a link by hand, compare links, remove leftovers."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing

from rich.table import Table

from harness.contracts.errors import BenchError
from harness.contracts.link import Certificate
from harness.host import cli
from harness.host.progress import doing
from harness.lab import labfile
from harness.link import leftovers
from harness.link.certificate import DEFAULT_BYTES
from harness.link.commands import Commands
from harness.link.make import link_for
from harness.measure.axes import Setting

_MOST_BYTES = 1_000_000


def parser() -> cli.Parser:
    """Return the command line, with one sub-command each."""
    p = cli.Parser(prog="python -m harness.link", description=__doc__)
    kinds = p.add_subparsers(dest="what", metavar="WHAT", required=True, help="try | agree | clean")
    one = kinds.add_parser("try", help="shape a link, measure it, give it back; 0 right, 1 not")
    one.add_argument("--kind", choices=("netem", "userspace", "proxy"), help="default: [link] of the lab file")
    one.add_argument("--interface", metavar="IF", help="of kind netem")
    one.add_argument("--probe-host", metavar="A", help="of kind netem: who answers ICMP echoes behind it")
    one.add_argument("--rate", type=cli.rate, default="6M", metavar="R", help="default: %(default)s")
    one.add_argument("--delay", type=cli.milliseconds, default="0", metavar="MS", help="one way (default: 0)")
    one.add_argument("--jitter", type=cli.milliseconds, default="0", metavar="MS", help="standard deviation")
    one.add_argument("--loss", type=cli.chance, default="0", metavar="P", help="as 0.01 or 1%%")
    one.add_argument("--limit", type=cli.whole(1, 1_000_000, "--limit"), metavar="N", help="packets that may wait")
    one.add_argument("--sizes", type=_sizes, default=list(DEFAULT_BYTES), metavar="A,B,…", help="of probes, bytes")
    two = kinds.add_parser("agree", help="emulated board: virtual link against real sockets; 0 they agree, 1 not")
    two.add_argument("--kind", choices=("userspace", "proxy"), default="userspace", help="default: %(default)s")
    two.add_argument("--samples", type=cli.whole(3, 1000, "--samples"), default=9, metavar="N", help="of each")
    three = kinds.add_parser("clean", help="take away what killed runs left on this host's interfaces")
    for made in (one, two, three):
        cli.add_lab(made)
        cli.add_common(made)
    return p


def main(argv: list[str]) -> int:
    """Do what is asked for."""
    options = parser().parse_args(argv)
    cli.set_up_logging(options.verbose)
    match options.what:
        case "try":
            return _try(options)
        case "agree":
            return _agree(options)
        case _:
            return _clean()


def _try(options: argparse.Namespace) -> int:
    lab = labfile.load().file
    given = lab.link
    asked: dict[str, str | None] = {"kind": options.kind or given.kind, "on_deviation": "flag"}
    if asked["kind"] == "netem":
        asked["interface"] = given.interface or lab.wifi.interface
    for name in ("interface", "probe_host"):
        if (value := getattr(options, name)) is not None:
            asked[name] = value
    section = given.model_copy(update=asked)
    if section.kind != "netem" and (section.interface or section.probe_host):
        raise BenchError("--interface and --probe-host belong to --kind netem", cure="leave them out")
    link = link_for(section)
    if link is None:
        raise BenchError("no link is named", cure="give --kind, or [link] kind in lab.toml")
    spec = (
        Setting(
            rate_bps=options.rate,
            delay_ms=options.delay,
            jitter_ms=options.jitter,
            loss=options.loss,
            limit_packets=options.limit,
        )
        .check()
        .link
    )
    if spec is None:
        raise BenchError("a link needs a rate", cure="give --rate")
    with closing(link):
        link.check(spec)
        with doing(cli.console(stderr=True), "shaping and measuring"), link.applied(spec):
            own = list(options.sizes) == list(DEFAULT_BYTES)
            certificate = link.certificate if own else link.verify(options.sizes)
    if certificate is None:
        raise BenchError("this link tells nothing of itself")
    _show(certificate)
    return 0 if certificate.verdict == "ok" else 1


def _show(certificate: Certificate) -> None:
    table = Table(title=f"{certificate.kind} link: {certificate.verdict}")
    for name in ("way", "bytes", "asked ms", "median ms", "quickest ms", "slowest ms", "lost", "verdict"):
        table.add_column(name, justify="left" if name in ("way", "verdict") else "right")
    for p in certificate.probes:
        times = ["–" if t is None else f"{t:.2f}" for t in (p.median_ms, p.least_ms, p.most_ms)]
        table.add_row(
            p.way, f"{p.message_bytes:,}", f"{p.ideal_ms:.2f}", *times, str(p.lost), "ok" if p.ok else "deviates"
        )
    out = cli.console()
    out.print(table)
    allowed = f"within {certificate.tolerance:.0%} and {certificate.allowance_ms:g} ms of the ideal, or so it deviates"
    out.print(certificate.remarks or allowed)


def _agree(options: argparse.Namespace) -> int:
    from harness.doctor.agreement import compare  # noqa: PLC0415 - the emulated board and all that it needs

    out, right = cli.console(), True
    out.print("rate        payload   virtual   real median / quickest   off: median / quickest   allowed")
    for found in compare(options.kind, n=options.samples):
        right = right and found.ok
        out.print(
            f"{cli.rate_text(found.rate_bps):<11}{found.payload_bytes:>6} B{found.virtual_ms:>10.2f}"
            f"{found.real_ms:>14.2f} / {found.real_least_ms:<8.2f}"
            f"{found.off_ms:>+15.2f} / {found.off_least_ms:<+8.2f}{found.allowed_ms:>11.2f} "
            f"{'ok' if found.ok else 'apart'}"
        )
    out.print("ms of the network stage; off: real less virtual, less what broker and loopback take without a link")
    return 0 if right else 1


def _clean() -> int:
    found = leftovers.sweep(Commands())
    for line in found or ["nothing was left"]:
        cli.console().print(line)
    return 0


def _sizes(text: str) -> list[int]:
    parse = cli.whole(1, _MOST_BYTES, "--sizes")
    return [parse(part) for part in cli.names(text)]


if __name__ == "__main__":
    sys.exit(cli.way_in(main))
