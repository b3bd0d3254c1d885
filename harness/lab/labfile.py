"""Reads `lab.toml`: what one lab has (boards, Wi-Fi, broker, edge, probe), as its user wrote it. No secret is in it.

Found by `--lab FILE`, else $AGILENN_LAB, else `lab.toml` in the folder of the call; none of them = an empty one.
docs/lab.md tells every key.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, model_validator
from pydantic.functional_validators import AfterValidator
from pydantic_core import PydanticCustomError

from harness.contracts.attachment import Attachment
from harness.contracts.errors import BenchError
from harness.contracts.testbed import Testbed
from harness.contracts.toml import Strict, read_toml
from harness.host import registry
from harness.host.secret import LabPath, Secret
from harness.lab import labgrid as places
from harness.link.config import LinkSection
from harness.link.make import link_for
from harness.power.probes import ProbeConfig
from harness.runs.provenance import file_sha256

VARIABLE = "AGILENN_LAB"
NAME = "lab.toml"
PLAIN_PORT, TLS_PORT = 1883, 8883


@dataclass(frozen=True)
class BrokerUrl:
    """Holds `mqtt://host:port` or `mqtts://host:port`, taken apart."""

    host: str
    port: int
    tls: bool


def broker_url(text: str) -> BrokerUrl:
    """Take a broker's URL apart.

    Raises:
        ValueError: it is none, or holds a user or password, or a path.
    """
    parts = urlsplit(text)
    if "@" in text:
        raise PydanticCustomError(
            "secret", "a broker's user and password do not belong in its URL: use the keys for them"
        )
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError("a broker is mqtt://HOST[:PORT] or mqtts://HOST[:PORT]")
    tls = parts.scheme == "mqtts"
    return BrokerUrl(parts.hostname, parts.port or (TLS_PORT if tls else PLAIN_PORT), tls)


def _checked(text: str) -> str:
    broker_url(text)
    return text


Url = Annotated[str, AfterValidator(_checked)]


class BrokerSection(Strict):
    """Holds `[broker]`: a given one by `url`, or how to open the bench's own mosquitto beyond loopback by `listen`."""

    url: Url | None = None
    device_url: Url | None = None  # as boards reach it, where that differs (name, address or no TLS)
    user: str = Field(default="", max_length=64)
    password: Secret | None = None
    ca: LabPath | None = None  # PEM; left out: the certificates that this host trusts
    listen: str | None = None  # address of this host; boards that speak TLS use tls_port
    port: int = Field(default=PLAIN_PORT, ge=1, le=65_535)
    tls_port: int = Field(default=TLS_PORT, ge=1, le=65_535)
    certificate: LabPath | None = None
    key: LabPath | None = None
    plain: bool = True  # also a listener without TLS, for boards that can't

    @model_validator(mode="after")
    def _consistent(self) -> BrokerSection:
        if self.url and (self.listen or self.certificate or self.key):
            raise ValueError("either url (a given broker) or listen (the bench's own), not both")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together")
        if self.certificate and not self.ca:
            raise ValueError("a certificate of your own needs ca: the file that edge and boards check it by")
        if self.listen and not self.plain and not self.certificate:
            raise ValueError("plain = false needs certificate and key")
        if self.password is not None and not self.user:
            raise ValueError("a password needs a user")
        return self


class EdgeSection(Strict):
    """Holds `[edge]`: where the remote halves run. `host` = another machine, under the name its edge server
    announces.
    """

    host: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._-]{1,64}$")


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
