"""Reads `lab.toml`: what one lab has (boards, Wi-Fi, broker, edge, probe), as its user wrote it. No secret is in it.

Found by `--lab FILE`, else $AGILENN_LAB, else `lab.toml` in the folder of the call; none of them = an empty one.
docs/lab.md tells every key.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from harness.broker.section import BrokerSection
from harness.contracts.attachment import Attachment
from harness.contracts.errors import BenchError
from harness.contracts.testbed import Testbed
from harness.contracts.toml import Strict, read_toml
from harness.host import registry
from harness.host.secret import Secret
from harness.lab import labgrid as places
from harness.link.config import LinkSection
from harness.link.make import link_for
from harness.power.probes import ProbeConfig
from harness.runs.provenance import file_sha256

VARIABLE = "AGILENN_LAB"
NAME = "lab.toml"


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

    @model_validator(mode="after")
    def _one_way(self) -> TestbedSection:
        if self.place and self.port:
            raise ValueError("either port or place, not both")
        return self

    def attachment(self) -> Attachment:
        """Return what the testbed itself is told."""
        return Attachment.model_validate({k: getattr(self, k) for k in Attachment.model_fields})


class LabFile(Strict):
    """Holds the whole file."""

    broker: BrokerSection = BrokerSection()
    edge: EdgeSection = EdgeSection()
    wifi: WifiSection = WifiSection()
    probe: ProbeConfig | None = None
    link: LinkSection = LinkSection()
    testbeds: dict[str, TestbedSection] = Field(default_factory=dict)


@dataclass(frozen=True)
class LabSetup:
    """Answers questions about a lab file that was read, or the empty one."""

    file: LabFile
    path: Path | None = None

    def testbed(self, name: str) -> TestbedSection:
        """Return the section of a testbed, empty when there is none."""
        return self.file.testbeds.get(name, TestbedSection())

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
        section = self.testbed(name)

        def make() -> Testbed:
            made = kind()
            attachment = section.attachment()
            if section.place:
                attachment = attachment.model_copy(update={"port": places.held(section.place)})
            made.attach(attachment)
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
    """Read the lab file at `path`, else the one by $AGILENN_LAB, else `lab.toml` here, else an empty one.

    Raises:
        BenchError: it is not there or wrong, with file, key and cure; or it names a testbed that is not installed.
    """
    if path is None and (given := os.environ.get(VARIABLE)):
        path = Path(given)
    if path is None:
        if not Path(NAME).is_file():
            return EMPTY
        path = Path(NAME)
    path = path.expanduser().absolute()
    read = read_toml(path, LabFile, context={"folder": path.parent})
    for name in read.testbeds:
        try:
            registry.check_name(registry.TESTBEDS, "testbed", name)
        except BenchError as e:
            raise BenchError(f"{path}: key testbeds.{name}: {e.what}", cure=e.cure) from e
    return LabSetup(read, path)
