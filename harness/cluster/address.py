"""Reads what `--cluster` asks for: some workers of this machine, or those of a Dask scheduler."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass

from harness.contracts.errors import BenchError

MOST_LOCAL = 64
_LOCAL = "local:"
_ADDRESS = re.compile(r"(?:(tcp|tls)://)?([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):([0-9]{1,5})")


@dataclass(frozen=True)
class Asked:
    """Says where the workers are: `local` of them on this machine, or those of the scheduler at `address`."""

    local: int = 0
    address: str = ""

    def __str__(self) -> str:
        return self.address or f"{_LOCAL}{self.local}"


def asked(text: str) -> Asked | None:
    """Read `local:4`, `tls://host:8786`, `host:8786`, or `none`, which stands for no cluster.

    Raises:
        BenchError: it is something else.
    """
    if text == "none":
        return None
    if text.startswith(_LOCAL):
        number = text.removeprefix(_LOCAL)
        if not number.isascii() or not number.isdigit() or not 1 <= int(number) <= MOST_LOCAL:
            raise BenchError(
                f"--cluster '{text[:40]}' is no number of workers", cure=f"give one from local:1 to local:{MOST_LOCAL}"
            )
        return Asked(local=int(number))
    found = _ADDRESS.fullmatch(text)
    if found is None or not 1 <= int(found[3]) <= 65_535:
        raise BenchError(
            f"--cluster '{text[:80]}' is no address", cure="give tls://HOST:PORT, tcp://HOST:PORT or local:N"
        )
    return Asked(address=f"{found[1] or 'tcp'}://{found[2]}:{int(found[3])}")


def add_option(parser: argparse.ArgumentParser, what: str) -> None:
    """Add --cluster; `what` names what its workers do."""
    parser.add_argument(
        "--cluster",
        type=asked,
        metavar="ADDRESS|local:N",
        help=f"{what} on the workers of a Dask scheduler, or on N of this machine (docs/cluster.md); none: here",
    )
