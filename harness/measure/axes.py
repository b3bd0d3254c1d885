"""Defines what a sweep can vary: one class an axis, listed in `AXES`."""

from __future__ import annotations

import argparse
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pydantic import ValidationError

from harness.artefacts import artefacts, settings
from harness.artefacts.artefacts import Artefact
from harness.contracts.errors import BenchError
from harness.contracts.link import LinkSpec
from harness.contracts.paths import cache_dir
from harness.contracts.scheme import Scheme
from harness.contracts.testbed import Testbed
from harness.device.bringup import BoardSettings
from harness.host import cli, registry
from harness.runs import published as papers
from harness.runs.measurements import Statistic
from harness.runs.published import Value

WIFI_BPS = 6e6  # the paper's Wi-Fi (section 6)


@dataclass(frozen=True)
class Setting:
    """Holds everything that an axis may set for a point."""

    rate_bps: float | None = WIFI_BPS  # None: the link as it is
    delay_ms: float = 0.0  # one way
    jitter_ms: float = 0.0
    loss: float = 0.0  # chance of a packet
    limit_packets: int | None = None
    board: BoardSettings = field(default_factory=BoardSettings)

    @property
    def link(self) -> LinkSpec | None:
        """Return the link of this point, the same in both directions; None where it is left as it is."""
        if self.rate_bps is None:
            return None
        return LinkSpec.symmetric(self.rate_bps, self.delay_ms, self.jitter_ms, self.loss, self.limit_packets)

    def check(self) -> Setting:
        """Return the setting itself, when a link can be so.

        Raises:
            BenchError: a link can't be so, with the reason.
        """
        try:
            _ = self.link
        except ValidationError as e:
            why = e.errors()[0]["msg"].removeprefix("Value error, ")
            raise BenchError(f"no link can be so: {why}", cure="give other --delay, --jitter or --loss") from e
        return self


class Axis(ABC):
    """Defines one thing to vary."""

    name: str
    title: str  # axis label of the plot, with unit
    column: str  # the column of samples.csv that holds the value
    log_scale: bool
    statistic: Statistic = "median"  # over the images
    images = 10  # unless told otherwise
    shared_chance = False  # one image meets the same luck at every value

    @abstractmethod
    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add the option that gives the values."""

    @abstractmethod
    def values(self, options: argparse.Namespace) -> list[float]:
        """Return the values to measure at."""

    def check(self, values: Sequence[float], testbed: Testbed) -> None:  # noqa: B027 - most axes need nothing of it
        """Check that this testbed can be set to the values.

        Raises:
            BenchError: it can't be set to one of them.
        """

    def schemes(self, trained: Sequence[str]) -> list[str]:
        """Return the schemes to measure unless told otherwise, of the ones that have weights."""
        return list(trained)

    def artefacts(self, scheme: Scheme, dataset: str, profile: str) -> dict[str, Artefact]:
        """Return what is measured of a scheme, by the name that it has in the run: itself, once.

        Raises:
            BenchError: it has no weights.
        """
        return {scheme.name: artefacts.find(scheme.name, dataset, profile)}

    def base(self, options: argparse.Namespace) -> Setting:
        """Return what all points share, from the axis' own options."""
        return Setting()

    @abstractmethod
    def published(self, dataset: str) -> list[Value]:
        """Return the paper's latencies along this axis."""

    @abstractmethod
    def applied(self, base: Setting, value: float) -> Setting:
        """Return `base` with the axis at `value`."""

    @abstractmethod
    def show(self, value: float) -> str:
        """Return a value as people read it."""


class Bandwidth(Axis):
    """Vary the rate of the link, in both directions."""

    name = "bandwidth"
    title = "link rate (bit/s)"
    column = "rate_bps"
    log_scale = True
    rates = "270k,500k,1M,2M,6M,20M"  # unless told otherwise

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add --rates."""
        parser.add_argument(
            "--rates",
            type=cli.rates,
            default=self.rates,
            metavar="A,B,…",
            help="link rates in bit/s (default: %(default)s)",
        )

    def values(self, options: argparse.Namespace) -> list[float]:
        """Return the rates asked for, bit/s."""
        rates: list[float] = options.rates
        return rates

    def published(self, dataset: str) -> list[Value]:
        """Return Fig 23, or what Fig 16 has at 6 Mbit/s."""
        return papers.bandwidth(dataset)

    def applied(self, base: Setting, value: float) -> Setting:
        """Set the rate."""
        return replace(base, rate_bps=value)

    def show(self, value: float) -> str:
        """Return the rate as text, such as 270 kbit/s."""
        return cli.rate_text(value)


class Frequency(Axis):
    """Vary the device's core clock, which is really set in its clock tree (the paper's Fig 22)."""

    name = "frequency"
    title = "core clock of the device"
    column = "clock_hz"
    log_scale = False

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add --clocks and --rate."""
        parser.add_argument(
            "--clocks",
            type=cli.clocks,
            default="64M,128M,216M",
            metavar="A,B,…",
            help="core clocks in Hz (default: %(default)s)",
        )
        parser.add_argument(
            "--rate",
            type=cli.rate_or_none,
            default="6M",
            metavar="R",
            help="6M, or none: unshaped (default: %(default)s)",
        )

    def values(self, options: argparse.Namespace) -> list[float]:
        """Return the clocks asked for, Hz."""
        return [float(clock_hz) for clock_hz in options.clocks]

    def check(self, values: Sequence[float], testbed: Testbed) -> None:
        """Check that each clock is one that the firmware knows how to set there."""
        for value in values:
            if value not in testbed.clocks_hz:
                known = ", ".join(f"{clock_hz / 1e6:g}M" for clock_hz in testbed.clocks_hz)
                raise BenchError(
                    f"testbed {testbed.name} can't be clocked at {cli.clock_text(value)}", cure=f"choose from {known}"
                )

    def base(self, options: argparse.Namespace) -> Setting:
        """Return the rate of the link, which all points share."""
        return Setting(rate_bps=options.rate)

    def published(self, dataset: str) -> list[Value]:
        """Return Fig 22."""
        return papers.beside("fig22", dataset)

    def applied(self, base: Setting, value: float) -> Setting:
        """Set the clock."""
        return replace(base, board=replace(base.board, clock_hz=round(value)))

    def show(self, value: float) -> str:
        """Return the clock as text, such as 64 MHz."""
        return cli.clock_text(value)


class LinkAxis(Axis):
    """Varies something of the link beside its rate; the options of all else about the link are given once."""

    log_scale = False
    _own: str  # the option that the axis itself stands for

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add --rate, --delay, --jitter, --loss and --limit, but for the one that is varied."""
        parser.add_argument("--rate", type=cli.rate, default="6M", metavar="R", help="link rate (default: %(default)s)")
        for option, kind, what in (
            ("--delay", cli.milliseconds, "one way, both directions"),
            ("--jitter", cli.milliseconds, "standard deviation of the delay"),
            ("--loss", cli.chance, "chance of a packet, as 0.01 or 1%%"),
        ):
            if option != self._own:
                parser.add_argument(option, type=kind, default="0", metavar="X", help=f"{what} (default: %(default)s)")
        parser.add_argument(
            "--limit", type=cli.whole(1, 1_000_000, "--limit"), metavar="N", help="packets that may wait"
        )

    def base(self, options: argparse.Namespace) -> Setting:
        """Return everything about the link that is not varied."""
        return Setting(
            rate_bps=options.rate,
            delay_ms=getattr(options, "delay", 0.0),
            jitter_ms=options.jitter,
            loss=getattr(options, "loss", 0.0),
            limit_packets=options.limit,
        )

    def published(self, dataset: str) -> list[Value]:
        """Return nothing, as the paper has no such figure."""
        return []


class Delay(LinkAxis):
    """Vary the link's one-way delay, in both directions."""

    name = "delay"
    title = "one-way delay of the link (ms)"
    column = "delay_ms"
    _own = "--delay"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add --delays, and the rest of the link."""
        parser.add_argument(
            "--delays",
            type=cli.several(cli.milliseconds),
            default="0,10,20,50,100",
            metavar="A,B,…",
            help="one-way delays in ms (default: %(default)s)",
        )
        super().add_options(parser)

    def values(self, options: argparse.Namespace) -> list[float]:
        """Return the delays asked for, ms."""
        delays: list[float] = options.delays
        return delays

    def applied(self, base: Setting, value: float) -> Setting:
        """Set the delay."""
        return replace(base, delay_ms=value).check()

    def show(self, value: float) -> str:
        """Return the delay as text, such as 20 ms."""
        return f"{value:g} ms"


class Loss(LinkAxis):
    """Vary the chance of each packet to be lost, in both directions."""

    name = "loss"
    title = "loss of packets (%)"
    column = "loss"
    statistic = "mean"  # most samples lose nothing: their median would not show what a loss costs
    images = 40
    shared_chance = True
    _own = "--loss"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add --losses, and the rest of the link."""
        parser.add_argument(
            "--losses",
            type=cli.several(cli.chance),
            default="0,2%,5%,10%,20%",
            metavar="A,B,…",
            help="chances of a packet (default: 0,2%%,5%%,10%%,20%%)",
        )
        super().add_options(parser)

    def values(self, options: argparse.Namespace) -> list[float]:
        """Return the losses asked for, 0..1."""
        losses: list[float] = options.losses
        return losses

    def applied(self, base: Setting, value: float) -> Setting:
        """Set the loss."""
        return replace(base, loss=value).check()

    def show(self, value: float) -> str:
        """Return the loss as text, such as 2 %."""
        return f"{value * 100:g} %"


class Table(Bandwidth):
    """Set all schemes side by side: accuracy, stages, bytes, memory, MACs, and who is on the Pareto front at which
    rate.
    """

    rates = "270k,2M,6M"


class Split(Bandwidth):
    """Vary where the network is cut between device and server, at several rates, over all cuts of one training."""

    name = "split"
    rates = "270k,2M,6M"

    def schemes(self, trained: Sequence[str]) -> list[str]:
        """Return the schemes that can be cut elsewhere."""
        return [name for name in trained if type(registry.scheme(name)).splits is not Scheme.splits] or list(trained)

    def artefacts(self, scheme: Scheme, dataset: str, profile: str) -> dict[str, Artefact]:
        """Return every split of the scheme's one training, copied into the cache."""
        whole = artefacts.find(scheme.name, dataset, profile)
        splits = scheme.splits(whole.folder)
        if not splits:
            raise BenchError(f"{scheme.name} has no splits", cure="choose --schemes partition")
        folder = cache_dir() / "splits" / f"{whole.description.label}-{whole.weights[:16]}"
        return {f"{scheme.name}_{n}": artefacts.load(scheme.at_split(whole.folder, n, folder / str(n))) for n in splits}

    def published(self, dataset: str) -> list[Value]:
        """Return nothing, as the paper cuts nowhere else."""
        return []


class Curve(Bandwidth):
    """Vary the knob of each scheme that has one, at several rates: the points of its curve of accuracy and latency."""

    name = "curve"
    rates = "270k,2M,6M"

    def artefacts(self, scheme: Scheme, dataset: str, profile: str) -> dict[str, Artefact]:
        """Return the scheme as it is, and every other setting of its knob."""
        return settings.settings(scheme, artefacts.find(scheme.name, dataset, profile))

    def published(self, dataset: str) -> list[Value]:
        """Return nothing, as the paper has no such curves."""
        return []


# By the word on the command line; an axis' own name is that of its runs and files.
AXES: dict[str, Axis] = {axis.name: axis for axis in (Bandwidth(), Frequency(), Delay(), Loss(), Split(), Curve())}
AXES["table"] = Table()


def axis(name: str, others: Sequence[str] = ()) -> Axis:
    """Return the axis called `name`.

    Raises:
        BenchError: there is none.
    """
    try:
        return AXES[name]
    except KeyError:
        raise BenchError(f"unknown sweep axis '{name}'", cure=f"choose from {', '.join((*AXES, *others))}") from None
