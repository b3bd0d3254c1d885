"""What a sweep varies. One class an axis; `AXES` is the list of them."""

from __future__ import annotations

import argparse
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace

from harness import cli
from harness.bringup import BoardSettings
from harness.contracts.errors import BenchError
from harness.contracts.link import LinkSpec


@dataclass(frozen=True)
class Setting:
    """Everything that an axis may set for a point."""

    rate_bps: float = 6e6  # the paper's Wi-Fi (section 6)
    delay_ms: float = 0.0
    board: BoardSettings = field(default_factory=BoardSettings)

    @property
    def link(self) -> LinkSpec:
        """The link of this point, the same in both directions."""
        return LinkSpec.symmetric(self.rate_bps, self.delay_ms)


class Axis(ABC):
    """One thing to vary."""

    name: str
    title: str  # axis label of the plot, with unit
    column: str  # the column of samples.csv that holds the value
    log_scale: bool

    @abstractmethod
    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add the option that gives the values."""

    @abstractmethod
    def values(self, options: argparse.Namespace) -> list[float]:
        """The values to measure at."""

    @abstractmethod
    def applied(self, base: Setting, value: float) -> Setting:
        """`base` with the axis at `value`."""

    @abstractmethod
    def show(self, value: float) -> str:
        """A value as people read it."""


class Bandwidth(Axis):
    """The rate of the link, both directions."""

    name = "bandwidth"
    title = "link rate (bit/s)"
    column = "rate_bps"
    log_scale = True

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """--rates."""
        parser.add_argument(
            "--rates",
            type=cli.rates,
            default="270k,500k,1M,2M,6M,20M",
            metavar="A,B,…",
            help="link rates in bit/s (default: %(default)s)",
        )

    def values(self, options: argparse.Namespace) -> list[float]:
        """The rates asked for."""
        rates: list[float] = options.rates
        return rates

    def applied(self, base: Setting, value: float) -> Setting:
        """Set the rate."""
        return replace(base, rate_bps=value)

    def show(self, value: float) -> str:
        """As 270 kbit/s."""
        return cli.rate_text(value)


AXES: dict[str, Axis] = {axis.name: axis for axis in (Bandwidth(),)}


def axis(name: str) -> Axis:
    """The axis called `name`.

    Raises:
        BenchError: there is none.
    """
    try:
        return AXES[name]
    except KeyError:
        raise BenchError(f"unknown sweep axis '{name}'", cure=f"choose from {', '.join(AXES)}") from None
