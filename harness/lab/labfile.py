"""Reads `lab.toml`: what one lab has (boards, Wi-Fi, broker, edge, probe), as its user wrote it. No secret is in it.

Found by `--lab FILE`, else $AGILENN_LAB, else `lab.toml` in the folder of the call; none of them = an empty one.
docs/lab.md tells every key.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from harness.broker.section import BrokerSection
from harness.contracts.attachment import Attachment
from harness.contracts.errors import BenchError
from harness.contracts.testbed import Testbed
from harness.contracts.toml import Strict, read_toml
from harness.host import registry
from harness.host.secret import Secret
from harness.lab import labgrid as places
from harness.lab import supply as supplies
from harness.lab.hooks import HooksSection
from harness.lab.supply import Supply, SupplySection
from harness.link.config import LinkSection
from harness.link.make import link_for
from harness.power.probes import ProbeConfig
from harness.runs.provenance import file_sha256

VARIABLE = "AGILENN_LAB"
BOARD_VARIABLE = "AGILENN_BOARD"  # what --board LABEL stands for, so that child processes know it
NAME = "lab.toml"
_WHERE = ("port", "usb_serial", "place")  # what tells one board from another

Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")]


class EdgeSection(Strict):
    """Holds `[edge]`: where the remote halves run. `host` = another machine, under the name its edge server
    announces.
    """

    host: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._-]{1,64}$")
    key: Secret | None = None  # that an edge on another machine vouches for its answers by: the same there and here


class WifiSection(Strict):
    """Holds `[wifi]`: the network that boards join. `interface`: of this host, when it is the access point."""

    ssid: str = Field(default="bench", min_length=1, max_length=32)
    password: Secret | None = None
    interface: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._-]{1,15}$")


class TestbedSection(Attachment):
    """Holds `[testbeds.NAME]`."""

    __test__ = False

    place: str | None = Field(default=None, min_length=1)  # labgrid
    wifi: WifiSection | None = None  # where a board joins another network than the rest
    probe: ProbeConfig | None = None
    link: LinkSection | None = None
    supply: SupplySection | None = None  # what switches it off and on when it does not come back

    @model_validator(mode="after")
    def _one_way(self) -> TestbedSection:
        if self.place and self.port:
            raise ValueError("either port or place, not both")
        return self

    def attachment(self) -> Attachment:
        """Return what the testbed itself is told."""
        return Attachment.model_validate({k: getattr(self, k) for k in Attachment.model_fields})


class BoardSection(TestbedSection):
    """Holds `[boards.LABEL]`: one of several boards of a testbed. What it leaves out is as in `[testbeds.NAME]`."""

    testbed: str

    def over(self, common: TestbedSection) -> TestbedSection:
        """Return the board's section with what all boards of its testbed have in common."""
        own = {key: getattr(self, key) for key in self.model_fields_set - {"testbed"}}
        elsewhere = dict.fromkeys(_WHERE) if own.keys() & set(_WHERE) else {}
        return common.model_copy(update={**elsewhere, **own})


class LabFile(Strict):
    """Holds the whole file."""

    broker: BrokerSection = BrokerSection()
    edge: EdgeSection = EdgeSection()
    wifi: WifiSection = WifiSection()
    probe: ProbeConfig | None = None
    link: LinkSection = LinkSection()
    hooks: HooksSection = HooksSection()
    testbeds: dict[str, TestbedSection] = Field(default_factory=dict)
    boards: dict[Label, BoardSection] = Field(default_factory=dict)


@dataclass(frozen=True)
class LabSetup:
    """Answers questions about a lab file that was read, or the empty one."""

    file: LabFile
    path: Path | None = None
    board: str | None = None  # the label that was asked for

    def label(self, name: str) -> str | None:
        """Return which of the labelled boards stands for a testbed: the one asked for, else the only one; None when
        `[testbeds.NAME]` is a board itself, or there is none.

        Raises:
            BenchError: there are several, and none was asked for.
        """
        if self.board is not None and self.file.boards[self.board].testbed == name:
            return self.board
        labels = [label for label, own in self.file.boards.items() if own.testbed == name]
        common = self.file.testbeds.get(name, TestbedSection())
        if not labels or any(getattr(common, key) for key in _WHERE):
            return None
        if len(labels) > 1:
            raise BenchError(
                f"testbed {name} has several boards in lab.toml: {', '.join(labels)}",
                cure="choose one by --board LABEL",
            )
        return labels[0]

    def testbed(self, name: str) -> TestbedSection:
        """Return the section of a testbed, or of the board that stands for it; empty when there is none. Raises as
        `label`.
        """
        common = self.file.testbeds.get(name, TestbedSection())
        label = self.label(name)
        return common if label is None else self.file.boards[label].over(common)

    def supply(self, testbed: Testbed) -> Supply | None:
        """Return what switches the board's supply; None where the lab file tells of nothing."""
        section = self.testbed(testbed.name).supply
        return None if section is None else Supply(section, testbed, self.probe(testbed.name))

    def wifi(self, name: str) -> WifiSection:
        """Return the network that boards of a testbed join."""
        return self.testbed(name).wifi or self.file.wifi

    def probe(self, name: str) -> ProbeConfig | None:
        """Return the probe at a testbed; the lab's one unless the testbed has its own."""
        return self.testbed(name).probe or self.file.probe

    def link(self, name: str) -> LinkSection:
        """Return who shapes the link of a testbed; netem is on the access point's interface unless another one is
        named.
        """
        section = self.testbed(name).link or self.file.link
        if section.kind == "netem" and section.interface is None:
            return section.model_copy(update={"interface": self.wifi(name).interface})
        return section

    def factory(self, name: str) -> Callable[[], Testbed]:
        """Return what makes testbeds of this name, each told where it is attached. Raises as
        `registry.testbed_class`.
        """
        kind = registry.testbed_class(name)
        section, label = self.testbed(name), self.label(name)
        if section.supply is not None:
            supplies.check(section.supply, self.probe(name))

        def make() -> Testbed:
            made = kind()
            attachment = section.attachment()
            if section.place:
                attachment = attachment.model_copy(update={"port": places.held(section.place)})
            made.attach(attachment)
            if label is not None:
                made.description = replace(made.description, extra={**made.description.extra, "board": label})
            self._give_link(made)
            return made

        return make

    def _give_link(self, testbed: Testbed) -> None:
        """Give the testbed the lab's link instead of its own; an emulated board keeps its modelled one."""
        own = self.testbed(testbed.name).link
        if testbed.link.modelled:
            if own is not None and own.kind != "none":
                raise BenchError(
                    f"the link of testbed {testbed.name} is modelled: {own.kind} has nothing to shape there",
                    cure=f"remove link from [testbeds.{testbed.name}] of lab.toml",
                )
            return
        if (shaped := link_for(self.link(testbed.name))) is not None:
            testbed.link = shaped

    def emulated(self) -> LabSetup:
        """Return what concerns an emulated board, whose Wi-Fi and link are modelled.

        The lab's network, what shapes it and how the bench's own broker is opened to boards are none of its business: a
        program or a variable that only they need must not stop it. A broker that is given by `url` is used.
        """
        broker = self.file.broker if self.file.broker.url else BrokerSection()
        beds = {name: section.model_copy(update={"wifi": None}) for name, section in self.file.testbeds.items()}
        changed = {"broker": broker, "wifi": WifiSection(), "link": LinkSection(), "testbeds": beds}
        return replace(self, file=self.file.model_copy(update=changed))

    def facts(self) -> dict[str, Any] | None:
        """Return what a manifest says of it: it holds no secrets, only where they are kept."""
        if self.path is None:
            return None
        return {
            "file": str(self.path),
            "sha256": file_sha256(self.path),
            "settings": self.file.model_dump(mode="json", exclude_defaults=True),
        }


EMPTY = LabSetup(LabFile())


def load(path: Path | None = None) -> LabSetup:
    """Read the lab file at `path`, else the one by $AGILENN_LAB, else `lab.toml` here, else an empty one. The board
    asked for is the one by $AGILENN_BOARD.

    Raises:
        BenchError: it is not there or wrong, with file, key and cure; it names a testbed that is not installed; or it
            has no board of the label asked for.
    """
    setup = _read(path)
    label = os.environ.get(BOARD_VARIABLE) or None
    if label is not None and label not in setup.file.boards:
        raise BenchError(
            f"{setup.path or 'the lab file'} has no board '{label[:40]}'",
            cure=f"choose from {', '.join(setup.file.boards) or 'none: write [boards.LABEL]'}",
        )
    return replace(setup, board=label) if label else setup


def testbed_of(given: str | None, default: str = "virtual") -> str:
    """Return the testbed of a command line: the one given, else that of the board asked for, else `default`.

    Raises:
        BenchError: the board asked for is of another testbed; or as `load`.
    """
    setup = load() if os.environ.get(BOARD_VARIABLE) else EMPTY
    if setup.board is None:
        return given or default
    own = setup.file.boards[setup.board].testbed
    if given not in (None, own):
        raise BenchError(f"board {setup.board} is of testbed {own}, not {given}", cure="leave --testbed out")
    return own


testbed_of.__test__ = False  # type: ignore[attr-defined]  # the name begins with "test": pytest would collect it


def _read(path: Path | None) -> LabSetup:
    if path is None and (given := os.environ.get(VARIABLE)):
        path = Path(given)
    if path is None:
        if not Path(NAME).is_file():
            return EMPTY
        path = Path(NAME)
    path = path.expanduser().absolute()
    read = read_toml(path, LabFile, context={"folder": path.parent})
    named = {f"testbeds.{name}": name for name in read.testbeds}
    named |= {f"boards.{label}.testbed": board.testbed for label, board in read.boards.items()}
    for key, name in named.items():
        try:
            registry.check_name(registry.TESTBEDS, "testbed", name)
        except BenchError as e:
            raise BenchError(f"{path}: key {key}: {e.what}", cure=e.cure) from e
    return LabSetup(read, path)
